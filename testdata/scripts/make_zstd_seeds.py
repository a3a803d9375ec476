#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of the zstd fuzzer: testdata/fuzz/unzstd/NAME.

Two bytes in front of each: 1 = pack the rest first, 0 = take it as it is; size of the pieces. Run
without arguments; the result is the same for one version of the zstd program.
"""
import os
import sys

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
sys.path.insert(0, os.path.join(TOP, "tests/support"))
import zstd_frames as zf  # noqa: E402

TEXT = b"the quick brown fox jumps over the lazy dog, the dog sleeps on " * 3


def seeds():
    yield "frame", b"\0\x20" + zf.zstd(TEXT)
    yield "sized", b"\0\x07" + zf.zstd(TEXT, f"--stream-size={len(TEXT)}", "--no-check")
    yield "frames", b"\0\x02" + zf.frames(TEXT, 3) + zf.zstd(b"")
    yield "skippable", b"\0\x05" + zf.skippable(b"a") + zf.zstd(TEXT) + zf.skippable(b"", 15)
    yield "raw", b"\0\x40" + zf.raw_frame(TEXT)
    yield "rle", b"\0\x01" + zf.rle_frame(b"x", 200000)
    yield "single_segment", b"\0\x03" + zf.raw_frame(TEXT, 0x20, bytes([len(TEXT)]))
    yield "dictionary", b"\0\x09" + zf.raw_frame(TEXT, 3, b"\x38\x01\x02\x03\x04")
    yield "large_window", b"\0\x09" + zf.raw_frame(TEXT, 0x40, b"\xa8" + b"\xbd\0")
    yield "empty_last_block", b"\0\x04" + zf.MAGIC + b"\x20\x03\x18\0\0abc\x01\0\0"
    yield "packed", b"\x2b\x05" + TEXT


for name, data in seeds():
    folder = os.path.join(TOP, "testdata/fuzz/unzstd")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data)
