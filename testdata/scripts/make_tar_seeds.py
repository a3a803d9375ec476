#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of the tar and gunzip fuzzers: testdata/fuzz/{tar,gunzip}/NAME.

Two bytes in front of each: 1 = give headers the right checksum (tar), 0 = take as it is; size of
the pieces. Run without arguments; the result is always the same.
"""
import gzip
import os
import sys

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
sys.path.insert(0, os.path.join(TOP, "tests/support"))
import tarmaker  # noqa: E402


def old_sparse(regions, size):
    """A GNU header of type S with up to four regions in it, more in blocks behind it."""
    stored = sum(length for _, length in regions)
    block = bytearray(tarmaker.header(b"sparse", b"S", stored, magic=b"ustar  \0"))
    entries = [tarmaker.octal(o, 12) + tarmaker.octal(n, 12) for o, n in regions]
    head = b"".join(entries[:4])
    block[386:386 + len(head)] = head
    block[482] = len(entries) > 4
    block[483:495] = tarmaker.octal(size, 12)
    out = tarmaker.seal(bytes(block))
    rest = entries[4:]
    while rest:
        extension = b"".join(rest[:21]).ljust(504, b"\0")
        rest = rest[21:]
        out += extension + bytes([bool(rest)]) + bytes(7)
    return out + tarmaker.padded(b"d" * stored)


def pax_sparse(version, regions, size):
    data = b"d" * sum(length for _, length in regions)
    flat = [n for region in regions for n in region]
    if version == "1.0":
        text = "".join(f"{n}\n" for n in [len(regions)] + flat).encode()
        data = tarmaker.padded(text) + data
        pax = [("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"),
               ("GNU.sparse.name", "sparse"), ("GNU.sparse.realsize", str(size))]
    else:
        pax = [("GNU.sparse.size", str(size)), ("GNU.sparse.numblocks", str(len(regions)))]
        if version == "0.1":
            pax += [("GNU.sparse.map", ",".join(map(str, flat)))]
        else:
            for offset, length in regions:
                pax += [("GNU.sparse.offset", str(offset)), ("GNU.sparse.numbytes", str(length))]
    return tarmaker.member({"name": "sparse", "data": data, "pax": pax})


def plain_members():
    return [
        {"name": "d/", "type": "d"},
        {"name": "d/file", "data": b"some data", "mode": 0o4755, "uid": 1000, "gid": 2097152},
        {"name": "link", "type": "l", "target": "d/file"},
        {"name": "hard", "type": "h", "target": "d/file"},
        {"name": "null", "type": "c", "dev": (1, 3)},
        {"name": "fifo", "type": "p"},
    ]


def tar_seeds():
    regions = [(0, 512), (4096, 512), (9000, 3)]
    many = [(i * 4096, 512) for i in range(6)]
    xattrs = {"user.a": b"raw\0value", "security.capability": bytes(20)}
    yield "plain", tarmaker.archive(plain_members())
    yield "gnu_long", tarmaker.archive([
        {"name": "n" * 150, "type": "l", "target": "t" * 150, "format": "gnu"}])
    yield "pax", tarmaker.archive([
        {"name": "é" * 60, "data": b"x", "xattrs": xattrs, "mtime": (-2, 500000000)},
        {"name": "encoded", "pax": [("LIBARCHIVE.xattr.user.%41", "YWJj"), ("uid", "3000000"),
                                    ("size", "0"), ("atime", "1.5")]}])
    yield "global", tarmaker.pax_header([("comment", "a commit")], b"g") + tarmaker.archive(
        plain_members()[:1])
    yield "old_sparse", old_sparse(regions, 9003) + tarmaker.archive([])
    yield "old_sparse_long", old_sparse(many, 100000) + tarmaker.archive([])
    for version in ("0.0", "0.1", "1.0"):
        yield f"pax_sparse_{version}", pax_sparse(version, regions, 9003) + tarmaker.archive([])
    yield "lone_zero_block", tarmaker.archive(plain_members()[:1], 512) + tarmaker.archive(
        plain_members()[:1])
    yield "no_end", tarmaker.archive(plain_members()[1:2], 0)
    yield "body_of_a_link", tarmaker.member(
        {"name": "link", "type": "l", "target": "x", "size": 1024}) + tarmaker.archive([])


def gunzip_seeds():
    text = b"the quick brown fox jumps over the lazy dog " * 3
    member = gzip.compress(text, 9, mtime=0)
    named = member[:3] + b"\x18" + member[4:10] + b"name\0comment\0" + member[10:]
    yield "member", b"\0\x20" + member
    yield "two_and_padding", b"\0\x02" + member + gzip.compress(b"", mtime=0) + named + bytes(100)
    yield "stored", b"\0\x40" + gzip.compress(text, 0, mtime=0)
    yield "extra", b"\0\x03" + member[:3] + b"\x04" + member[4:10] + b"\3\0abc" + member[10:]
    yield "packed", b"\1\x05" + text + b"\0" + text


def write(folder, name, data):
    path = os.path.join(TOP, "testdata/fuzz", folder)
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, name), "wb") as f:
        f.write(data)


for seed, content in tar_seeds():
    write("tar", seed, b"\1\x40" + content)
for seed, content in gunzip_seeds():
    write("gunzip", seed, content)
