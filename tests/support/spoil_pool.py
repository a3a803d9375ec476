#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Damages a pool's metadata, with sums that hold where not said otherwise.

  spoil_pool.py META HOW
    counts   the first bitmap of data and of metadata says that all is free
    maps     every block of both space maps but the bitmaps is garbage
    tree     a byte of a mapping node differs, its sum does not
"""
import struct
import sys

from superblock import BLOCK, crc32c

BITMAP, NODE_KEYS = 240779, 32


class Metadata:
    def __init__(self, f):
        self.f = f
        self.superblock = self.get(0)

    def get(self, nr):
        self.f.seek(nr * BLOCK)
        return bytearray(self.f.read(BLOCK))

    def put(self, nr, block, salt=None):
        if salt is not None:
            struct.pack_into("<Q", block, 8, nr)
            struct.pack_into("<I", block, 0, crc32c(block[4:]) ^ salt)
        self.f.seek(nr * BLOCK)
        self.f.write(block)

    def root(self, offset):
        return struct.unpack_from("<Q", self.superblock, offset)[0]

    def first_value(self, nr):
        block = self.get(nr)
        room = struct.unpack_from("<I", block, 20)[0]
        return struct.unpack_from("<Q", block, NODE_KEYS + 8 * room)[0]

    def counts(self):
        index = self.get(self.root(192 + 16))
        self.put(self.first_value(self.root(64 + 16)), bytearray(BLOCK), BITMAP)
        self.put(struct.unpack_from("<Q", index, 16)[0], bytearray(BLOCK), BITMAP)

    def maps(self):
        for offset in (64 + 16, 64 + 24, 192 + 16, 192 + 24):
            self.put(self.root(offset), bytearray(b"garbage!" * (BLOCK // 8)))

    def tree(self):
        nr = self.first_value(self.root(320))
        block = self.get(nr)
        block[50] ^= 1
        self.put(nr, block)


def main():
    path, how = sys.argv[1:3]
    with open(path, "r+b") as f:
        {"counts": Metadata.counts, "maps": Metadata.maps, "tree": Metadata.tree}[how](Metadata(f))


main()
