#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a layout whose image is wrong in one way.

  spoil.py LAYOUT TAG NEW_LAYOUT HOW
    nothing     no fault
    byte       one byte of the last large layer's blob differs, same size
    cut        that blob is cut in half
    longer     that blob has bytes behind it
    missing    that blob is not there
    size-less, size-more   the manifest gives that layer another size
    diffid     the config gives that layer another DiffID
    config     one byte of the config differs
    manifest   one byte of the manifest differs
    few-ids    the config has a DiffID too few
"""
import json
import os
import shutil
import sys

from ocilayout import Layout, OCI

LARGE = 100000


def share(source, target):
    """A hard link where that is possible; what is changed later is made anew."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def spoil_file(path, change):
    with open(path, "rb") as f:
        data = f.read()
    os.unlink(path)
    with open(path, "wb") as f:
        f.write(change(data))


def flip(data):
    half = len(data) // 2
    return data[:half] + bytes([data[half] ^ 1]) + data[half + 1:]


def main():
    source, tag, target, how = sys.argv[1:5]
    shutil.copytree(source, target, copy_function=share)
    for name in ("index.json", "oci-layout"):
        shutil.copyfile(f"{source}/{name}", f"{target}/new")
        os.replace(f"{target}/new", f"{target}/{name}")
    layout = Layout(target)
    descriptor = layout.find(tag)
    manifest = json.loads(layout.read(descriptor))
    config = json.loads(layout.read(manifest["config"]))
    which = max(range(len(manifest["layers"])),
                key=lambda i: (manifest["layers"][i]["size"] > LARGE, i))
    layer = layout.path(manifest["layers"][which]["digest"])
    if how == "nothing":
        return
    if how == "missing":
        os.unlink(layer)
    elif how in ("byte", "cut", "longer"):
        spoil_file(layer, {"byte": flip, "cut": lambda d: d[:len(d) // 2],
                           "longer": lambda d: d + b"more"}[how])
    elif how in ("config", "manifest"):
        spoil_file(layout.path((manifest["config"] if how == "config" else descriptor)["digest"]),
                   flip)
    else:
        if how == "diffid":
            config["rootfs"]["diff_ids"][which] = "sha256:" + "ab" * 32
        elif how == "few-ids":
            config["rootfs"]["diff_ids"].pop()
        else:
            manifest["layers"][which]["size"] += -1 if how == "size-less" else 1
        manifest["config"] = layout.put_json(config, OCI + "config.v1+json")
        layout.tag(tag, layout.put_json(manifest, OCI + "manifest.v1+json"))


main()
