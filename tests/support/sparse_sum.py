#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sha256 of the content of sparse files: of size, and offset and bytes of each block that is not
all zeros, so that where the holes are does not matter.

  sparse_sum.py FILE...
"""
import hashlib
import os
import struct
import sys

from tree import data_runs

BLOCK = 4096


def sparse_sum(path):
    fd = os.open(path, os.O_RDONLY)
    size = os.fstat(fd).st_size
    digest = hashlib.sha256(struct.pack("<Q", size))
    for offset, data in data_runs(fd, size):
        if offset % BLOCK:
            raise SystemExit(f"{path}: data at {offset}")
        for i in range(0, len(data), BLOCK):
            block = data[i:i + BLOCK]
            if block.count(0) != len(block):
                digest.update(struct.pack("<Q", offset + i) + block)
    os.close(fd)
    return digest.hexdigest()


for name in sys.argv[1:]:
    print(sparse_sum(name))
