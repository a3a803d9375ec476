#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pool blocks that differ between two sparse files: changed_blocks.py BEFORE AFTER [LIMIT]

Prints how many blocks of 64 KiB hold other bytes, and their numbers. Exit 1 above the limit.
"""
import os
import sys

from tree import data_runs

POOL_BLOCK = 64 << 10


def blocks_with_data(fd):
    found = set()
    for offset, data in data_runs(fd, os.fstat(fd).st_size):
        found.update(range(offset // POOL_BLOCK, (offset + len(data) - 1) // POOL_BLOCK + 1))
    return found


def main():
    files = [os.open(path, os.O_RDONLY) for path in sys.argv[1:3]]
    changed = [b for b in sorted(set.union(*map(blocks_with_data, files)))
               if len({os.pread(fd, POOL_BLOCK, b * POOL_BLOCK) for fd in files}) > 1]
    shown = " ".join(map(str, changed[:20])) + (" .." if len(changed) > 20 else "")
    print(f"{len(changed)} pool blocks changed: {shown}".rstrip(": "))
    return 1 if sys.argv[3:] and len(changed) > int(sys.argv[3]) else 0


sys.exit(main())
