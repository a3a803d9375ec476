#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An OCI image layout of a few files, made with Python alone: tiny_layout.py DIR TAG LAYERS.

Each layer adds a file and replaces another. The same arguments give the same bytes. Prints the
digest of the manifest.
"""
import io
import os
import sys
import tarfile

import ocilayout


def layer(number):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        def add(name, kind, data=b"", mode=0o644, link=""):
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.mtime, info.linkname = kind, mode, 1700000000 + number, link
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        add("etc", tarfile.DIRTYPE, mode=0o755)
        add("etc/os-release", tarfile.REGTYPE, b"NAME=tiny\nLAYER=%d\n" % number)
        add(f"etc/file-{number}", tarfile.REGTYPE, bytes([number]) * 200000)
        add(f"etc/link-{number}", tarfile.SYMTYPE, link="os-release", mode=0o777)
    return out.getvalue()


def main():
    layout = ocilayout.Layout(sys.argv[1])
    machine = os.uname().machine
    config = {"created": "2024-01-01T00:00:00Z", "os": "linux", "config": {"Cmd": ["/bin/true"]},
              "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)}
    stored = [layout.put_layer(layer(n)) for n in range(1, int(sys.argv[3]) + 1)]
    image = layout.put_image(sys.argv[2], [s[0] for s in stored], [s[1] for s in stored], config)
    print(image["digest"])


main()
