#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of the thin metadata fuzzer, testdata/fuzz/thin_meta/NAME, by thin_restore.

In pieces, as tests/fuzz/thin_meta_fuzz.c says. Run without arguments.
"""
import os
import struct
import subprocess
import tempfile

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
OUT = os.path.join(TOP, "testdata/fuzz/thin_meta")
BLOCK = 4096
SALTS = (160774, 121107, 240779, 160478)
SUPERBLOCK, NODE, BITMAP = 0, 1, 2
SUM_BLOCKS, IN_PIECES = 1, 2
SPARE = 24  # free blocks, for repair


def crc32c(data):
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value


def restore(devices):
    """Metadata bytes of a pool; devices: lists of (virtual block, data block, time)."""
    xml = ['<superblock uuid="" time="3" transaction="1" flags="0" version="2" '
           'data_block_size="128" nr_data_blocks="2000">']
    for number, mappings in enumerate(devices):
        xml.append(f'<device dev_id="{number}" mapped_blocks="{len(mappings)}" transaction="0" '
                   'creation_time="0" snap_time="3">')
        xml += [f'<single_mapping origin_block="{v}" data_block="{d}" time="{t}"/>'
                for v, d, t in mappings]
        xml.append("</device>")
    xml.append("</superblock>")
    with tempfile.TemporaryDirectory() as folder:
        source, meta = os.path.join(folder, "xml"), os.path.join(folder, "meta")
        with open(source, "w", encoding="ascii") as out:
            out.write("\n".join(xml))
        with open(meta, "wb") as out:
            out.truncate(2 << 20)
        subprocess.run(["thin_restore", "-i", source, "-o", meta], check=True,
                       stdout=subprocess.DEVNULL)
        with open(meta, "rb") as file:
            return bytearray(file.read())


def type_of(block):
    stored, = struct.unpack_from("<I", block)
    types = [t for t, salt in enumerate(SALTS) if crc32c(block[4:]) ^ salt == stored]
    return types[0] if types else 0


def pieces(image, damage):
    """Runs of bytes that are not zero, the block's type instead of its checksum."""
    used = max(n for n in range(len(image) // BLOCK) if any(image[n * BLOCK:(n + 1) * BLOCK])) + 1
    total = used + SPARE
    struct.pack_into("<Q", image, 192, total)  # blocks in the metadata space map
    out = bytearray([SUM_BLOCKS | IN_PIECES, total])
    for number in range(used):
        original = image[number * BLOCK:(number + 1) * BLOCK]
        block = original[:]
        kind = type_of(original)
        if number == 0:
            struct.pack_into("<Q", block, 344, total)
        damage(kind, block)
        struct.pack_into("<IIQ", block, 0, kind, struct.unpack_from("<I", block, 4)[0], 0)
        at = 0
        while at < BLOCK:
            if not any(block[at:at + 8]):
                at += 8
                continue
            end = at
            while end < BLOCK and end - at < 248 and any(block[end:end + 8]):
                end += 8
            out += struct.pack("<BHB", number, at, end - at) + block[at:end]
            at = end
    return out


def nothing(kind, block):
    pass


def no_counts(kind, block):
    """Every block seems free, or is wanted by nobody."""
    if kind == BITMAP:
        block[16:] = bytes(BLOCK - 16)


def no_maps(kind, block):
    """Their roots lead nowhere."""
    if kind == SUPERBLOCK:
        for at in (80, 88, 208, 216):
            struct.pack_into("<Q", block, at, at)


def wrong_numbers(kind, block):
    """needs_check, and blocks in use by neither map's count."""
    if kind == SUPERBLOCK:
        struct.pack_into("<I", block, 4, 1)
        struct.pack_into("<Q", block, 72, 7)
        struct.pack_into("<Q", block, 200, 7)


def circle(kind, block):
    """The four ids of the details tree, a leaf with values of 24 bytes, are 0, 1, 8, 3: a list of all
    devices used to go in circles behind the 3."""
    if kind == NODE and struct.unpack_from("<I", block, 24)[0] == 24:
        struct.pack_into("<4Q", block, 32, 0, 1, 8, 3)


def main():
    os.makedirs(OUT, exist_ok=True)
    shared = [[(v, v, 0) for v in range(10)] for _ in range(4)]
    deep = [[(v, v, 0) for v in range(0, 260)], [(5, 700, 3)]]
    seeds = {
        "empty": ([], nothing),
        "shared": (shared, nothing),
        "deep": (deep, nothing),
        "no_counts": (shared, no_counts),
        "no_maps": (deep, no_maps),
        "wrong_numbers": (shared, wrong_numbers),
        "circle": (shared, circle),
    }
    for name, (devices, damage) in seeds.items():
        with open(os.path.join(OUT, name), "wb") as out:
            out.write(pieces(restore(devices), damage))


main()
