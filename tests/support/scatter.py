#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes 4 KiB into every 64 KiB of a file or a device: scatter.py FILE COUNT, in such pieces.

Each write maps one block more of a thin device, and little else is written. A file's blocks are
allocated before, in one go, so that they lie in the device as they do in the file.
"""
import os
import stat
import sys

PIECE = 64 << 10


def main():
    count = int(sys.argv[2])
    fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        os.posix_fallocate(fd, 0, count * PIECE)
    for i in range(count):
        os.pwrite(fd, b"scatter." * 512, i * PIECE)
    os.fsync(fd)


main()
