# SPDX-License-Identifier: Apache-2.0
"""zstd frames: by the zstd program, and by hand (RFC 8878 3.1), for tests that need odd ones."""
import struct
import subprocess

MAGIC = b"\x28\xb5\x2f\xfd"
RAW_MAX = 128 << 10


def zstd(data, *options, program="zstd"):
    """What the program makes of bytes it reads from a pipe: checksum, no content size."""
    return subprocess.run([program, "-q", "-c", *options], input=data, check=True,
                          capture_output=True).stdout


def skippable(data=b"", nibble=0):
    return struct.pack("<II", 0x184d2a50 + nibble, len(data)) + data


def raw_frame(data, descriptor=0, rest=b"\x38"):
    """Blocks as they are, behind a header of this descriptor; rest: window, dictionary, size."""
    pieces = [data[i:i + RAW_MAX] for i in range(0, len(data), RAW_MAX)] or [b""]
    blocks = b"".join(struct.pack("<I", len(p) << 3 | (i == len(pieces) - 1))[:3] + p
                      for i, p in enumerate(pieces))
    return MAGIC + bytes([descriptor]) + rest + blocks


def rle_frame(byte, total):
    """One byte, as often as that, in four bytes for each 128 KiB."""
    blocks = [RAW_MAX] * (total // RAW_MAX) + ([total % RAW_MAX] if total % RAW_MAX else [])
    return MAGIC + b"\0\x38" + b"".join(
        struct.pack("<I", n << 3 | 2 | (i == len(blocks) - 1))[:3] + byte
        for i, n in enumerate(blocks))


def frames(data, n, *options):
    """Cut into n frames of their own."""
    step = -(-len(data) // n) or 1
    return b"".join(zstd(data[i:i + step], *options)
                    for i in range(0, max(len(data), 1), step))


def chunked(data, n):
    """As zstd:chunked: frames, then a table of contents and a footer in skippable frames."""
    packed = frames(data, n)
    table = zstd(b'{"version":1,"entries":[]}')
    footer = struct.pack("<QQQQ", len(packed) + 8, len(table), 26, 1) + b"GNUlInUx"
    return packed + skippable(table) + skippable(footer)
