#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Images to watch being pulled: progress_layout.py DIR makes the layout.

  five, ten, forty   so many layers of 60 KB that do not compress
  heavy              three, the first of which takes long to unpack, and little to fetch
  warned             four layers with three files each that give a warning
"""
import io
import random
import sys
import tarfile

import ocilayout


def layer(number, xattr=False):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for i in range(3):
            info = tarfile.TarInfo(f"file-{number * 3 + i}")
            data = random.Random(number * 3 + i).randbytes(20000)
            info.size, info.mtime = len(data), number
            if xattr:
                info.pax_headers = {"SCHILY.xattr.trusted.x": "y"}
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def many_files():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for i in range(100000):
            tar.addfile(tarfile.TarInfo(f"many/{i}"))
    return out.getvalue()


def main():
    layout = ocilayout.Layout(sys.argv[1])
    for name, n in (("five", 5), ("ten", 10), ("forty", 40)):
        layout.make(name, [layer(i) for i in range(n)], "plain")
    layout.make("heavy", [many_files(), layer(1), layer(2)], "gzip")
    layout.make("warned", [layer(i, True) for i in range(4)], "plain")


main()
