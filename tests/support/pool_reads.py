#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bytes that a program reads from the files of a pool: pool_reads.py POOL-DIR COMMAND...

Runs the command under strace; its exit status is this one's. Prints DATA-BYTES METADATA-BYTES.
"""
import os
import re
import subprocess
import sys
import tempfile

READ = re.compile(r"\b(?:read|pread64|readv|preadv|preadv2)\(\d+<(.*?)>.*\) = (\d+)$")


def main():
    pool = os.path.realpath(sys.argv[1])
    total = {f"{pool}/data": 0, f"{pool}/meta": 0}
    with tempfile.NamedTemporaryFile(mode="r", errors="replace") as trace:
        run = subprocess.run(["strace", "-f", "-y", "-s", "0", "-o", trace.name,
                              "-e", "trace=read,pread64,readv,preadv,preadv2,mmap", *sys.argv[2:]],
                             stdout=subprocess.DEVNULL, check=False)
        for line in trace:
            match = READ.search(line)
            if match and match[1] in total:
                total[match[1]] += int(match[2])
            elif "mmap(" in line and pool in line:
                raise SystemExit(f"what is mapped cannot be counted: {line}")
    print(*total.values())
    return run.returncode


sys.exit(main())
