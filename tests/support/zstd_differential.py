#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""zstd streams read by our reader and by the zstd program: the same bytes, or both refuse.

  zstd_differential.py STREAM_CAT WORK_FOLDER

Good streams by all levels and forms of frames; then each of them cut, with a byte changed, and with
something behind it, at places that are the same in each run.
"""
import os
import random
import subprocess
import sys

import zstd_frames as zf

DAMAGES = 60
random.seed(69)


def sample():
    words = [bytes(random.choices(b"abcdefgh", k=random.randint(2, 9))) for _ in range(300)]
    text = b" ".join(random.choices(words, k=40000))
    return text + random.randbytes(20000) + bytes(100000) + text[:5000]


def good(data):
    for level in (1, 3, 9, 19):
        yield f"level {level}", zf.zstd(data, f"-{level}")
    yield "fast", zf.zstd(data, "--fast=10")
    yield "long", zf.zstd(data, "--long=27")
    yield "no checksum", zf.zstd(data, "--no-check")
    yield "with a size", zf.zstd(data, f"--stream-size={len(data)}")
    yield "rsyncable", zf.zstd(data, "--rsyncable")
    yield "adaptive", zf.zstd(data, "--adapt")
    yield "nothing", zf.zstd(b"")
    yield "frames", zf.frames(data, 9)
    yield "chunked", zf.chunked(data, 5)
    yield "pzstd", zf.zstd(data, "-p", "2", program="pzstd")
    yield "raw", zf.raw_frame(data)
    yield "rle", zf.rle_frame(b"x", 1000000)
    yield "skippable", zf.skippable(data) + zf.zstd(data) + zf.skippable(b"", 9)


def theirs(path):
    done = subprocess.run(["zstd", "-q", "-d", "-c", path], capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


def ours(program, path):
    done = subprocess.run([program, path], capture_output=True, check=False)
    if done.returncode == 1:
        assert done.stderr.count(b"\n") == 1, done.stderr
        return None, done.stderr.decode().strip()
    assert done.returncode == 0, (done.returncode, done.stderr)
    return done.stdout, ""


def damaged(stream):
    """One byte changed: not in the first frame's magic, or it would be no zstd at all."""
    for _ in range(DAMAGES):
        at = random.randrange(4, len(stream))
        yield stream[:at] + bytes([stream[at] ^ (1 << random.randrange(8))]) + stream[at + 1:]
    for _ in range(DAMAGES // 3):
        yield stream[:random.randrange(5, len(stream))]
    yield stream + b"garbage"
    yield stream + stream
    yield stream + bytes(4)


def is_known(variant):
    """libzstd takes a compressed block of no bytes as empty, but not when it sees a whole frame."""
    return variant[6:9] == b"\5\0\0"


def main():
    program, path = sys.argv[1], os.path.join(sys.argv[2], "stream.zst")
    data, accepted, refused, bad = sample(), 0, 0, 0
    for name, stream in good(data):
        for i, variant in enumerate([stream, *damaged(stream)]):
            with open(path, "wb") as f:
                f.write(variant)
            want, (got, why) = theirs(path), ours(program, path)
            accepted, refused = accepted + (got is not None), refused + (got is None)
            if (got != want and not is_known(variant)) or (i == 0 and got is None):
                bad += 1
                print(f"{name}, variant {i}: {'refused' if got is None else len(got)} {why}, the "
                      f"program: {'refused' if want is None else len(want)}")
                with open(f"{path}.{bad}", "wb") as f:
                    f.write(variant)
    os.unlink(path)
    print(f"zstd: {accepted} accepted, {refused} refused by both, {bad} different")
    return 1 if bad or not accepted or not refused else 0


sys.exit(main())
