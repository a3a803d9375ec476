#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the trees in thin volumes against what umoci unpacks from the same images, as root.

  check_umoci.py --program P --list EXT4_LIST --work DIR LAYOUT...
"""
import argparse
import collections
import fnmatch
import json
import os
import re
import subprocess
import sys

from tree import differences, list_folder

# What umoci 0.4.7 does otherwise: image, text of the difference, reason. Whatever is not here fails.
KNOWN = (
    ("debian:*", r"/opt(/empty(/deep)?)?: mtime: ",
     "a folder that gets an implicit child, and that child, get the time of unpacking"),
    ("debian:*", r"/opt/deep-folder-name.*: mtime: ", "the same"),
    ("debian:*", r"/usr/bin/capable: xattrs: ",
     "an empty value is taken as a deleted PAX record by Go"),
)
# What umoci refuses to unpack: Go knows the old sparse form of GNU tar only as a name.
REFUSED = ("tools:gnutar-gnu", "tools:gnutar-oldgnu", "tools:plain", "tools:plain-1",
           "tools:skopeo", "tools:skopeo-1")


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False,
                          stdin=subprocess.DEVNULL)


def ours(args, ref):
    raw, root = f"{args.work}/raw.ext4", f"{args.work}/root"
    if os.path.exists(raw):
        os.unlink(raw)
    for step in (("-q", "pull", ref), ("export", "--format", "raw", "-o", raw, ref)):
        done = run(args.program, "--root", root, *step)
        if done.returncode:
            raise SystemExit(f"{ref}: {done.stderr}")
    listed = run(args.list, raw)
    if listed.returncode:
        raise SystemExit(f"{ref}: {listed.stderr}")
    return {f["path"]: f for f in map(json.loads, listed.stdout.splitlines())}


def theirs(args, ref):
    """umoci's tree, None when it refuses the image."""
    bundle = f"{args.work}/bundle"
    run("rm", "-rf", bundle)
    if run("umoci", "unpack", "--image", ref, bundle).returncode:
        return None
    return {f["path"]: f for f in list_folder(os.fsencode(f"{bundle}/rootfs"))}


def is_known(what, line, used):
    for image, text, _ in KNOWN:
        if fnmatch.fnmatch(what, image) and re.match(text, line):
            used.add((image, text))
            return True
    return False


def compare(args, what, folder, tag, counts, used):
    tree = theirs(args, f"{folder}:{tag}")
    if tree is None:
        counts["refused by umoci"] += 1
        if what not in REFUSED:
            counts["problems"] += 1
            print(f"{what}: umoci refuses it, which is not known")
        return
    found = differences(ours(args, f"oci:{folder}:{tag}"), tree, ("thinpull", "umoci"))
    new = [line for line in found if not is_known(what, line, used)]
    counts["images"] += 1
    counts["known differences"] += len(found) - len(new)
    counts["problems"] += len(new)
    for line in new[:12]:
        print(f"{what}: {line}")


def main():
    parser = argparse.ArgumentParser()
    for name in ("program", "list", "work"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("layouts", nargs="+")
    args = parser.parse_args()
    counts, used = collections.Counter(), set()
    for folder in args.layouts:
        with open(f"{folder}/index.json", encoding="utf-8") as f:
            tags = [d["annotations"]["org.opencontainers.image.ref.name"]
                    for d in json.load(f)["manifests"]]
        for tag in tags:
            compare(args, f"{os.path.basename(folder)}:{tag}", folder, tag, counts, used)
    for image, text, _ in KNOWN:
        if (image, text) not in used:
            counts["problems"] += 1
            print(f"{image} {text}: known, but not there any more")
    print("umoci: " + ", ".join(f"{n} {what}" for what, n in sorted(counts.items())))
    return 1 if counts["problems"] or not counts["images"] else 0


sys.exit(main())
