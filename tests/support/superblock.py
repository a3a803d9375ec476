#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sets a field of a pool's superblock, as a kernel or a newer program might have done.

  superblock.py META FIELD VALUE      flags, time, compat, compat_ro or incompat
"""
import struct
import sys

FIELDS = {"flags": 4, "time": 44, "compat": 352, "compat_ro": 356, "incompat": 360}
BLOCK, SALT = 4096, 160774


def crc32c(data):
    """Without the final complement."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc


def main():
    path, field, value = sys.argv[1:4]
    with open(path, "r+b") as f:
        block = bytearray(f.read(BLOCK))
        if struct.unpack_from("<I", block)[0] != crc32c(block[4:]) ^ SALT:
            sys.exit(f"{path}: no superblock")
        struct.pack_into("<I", block, FIELDS[field], int(value, 0))
        struct.pack_into("<I", block, 0, crc32c(block[4:]) ^ SALT)
        f.seek(0)
        f.write(block)


if __name__ == "__main__":
    main()
