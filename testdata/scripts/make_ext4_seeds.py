#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of the fuzzers of ext4: testdata/fuzz/{ext4_read,ext4_extract,tree_tar}/NAME.

Each is a damage to the file system of tests/support/ext4_sample: a byte that says whether checksums
hold again, then (metadata block, offset, value). Those of testdata/fuzz/ext4_directory are the same
for the blocks of one directory. Run without arguments; always the same.
"""
import os
import struct

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
INODES, ROOT, TREE, XATTRS = 2, 15, 5, 14  # metadata blocks of the sample
INODE_BYTES = 256
A, BIG, MANY, FOLDER, FIFO, LINK, SLOW = 11, 12, 14, 16, 19, 20, 21


def damage(*records, signed=True):
    return bytes([signed]) + b"".join(struct.pack("<BHB", *r) for r in records)


def inode(number, field, *values):
    """Records that set bytes of an inode from an offset on."""
    index = number - 1
    per_block = 4096 // INODE_BYTES
    at = index % per_block * INODE_BYTES + field
    return [(INODES + index // per_block, at + i, v) for i, v in enumerate(values)]


def first_name(*values, at=32):
    """Behind . and .. in the root: inode at 24, length 28, length of the name 30, name 32."""
    return [(ROOT, at + i, v) for i, v in enumerate(values)]


SEEDS = {
    "whole": damage(signed=False),
    "whole_signed": damage(),
    "wrong_checksum": damage(*inode(A, 4, 9), signed=False),
    "name_slash": damage(*first_name(*b"/")),
    "name_nul": damage(*first_name(0)),
    "name_dot": damage(*first_name(1, at=30), *first_name(*b".")),
    "name_dot_dot": damage(*first_name(2, at=30), *first_name(*b"..")),
    "name_empty": damage(*first_name(0, at=30)),
    "name_too_long": damage(*first_name(255, at=30)),
    "entry_endless": damage(*first_name(0, 0, at=28)),
    "entry_of_root": damage(*first_name(2, 0, 0, 0, at=24)),
    "entry_of_nothing": damage(*first_name(255, 255, 255, 255, at=24)),
    "folder_as_symlink": damage(*inode(FOLDER, 1, 0xa1)),
    "symlink_as_folder": damage(*inode(LINK, 1, 0x41)),
    "fifo_as_file": damage(*inode(FIFO, 1, 0x81)),
    "file_as_device": damage(*inode(A, 1, 0x61)),
    "links_one": damage(*inode(MANY, 26, 1, 0)),
    "links_none": damage(*inode(MANY, 26, 0, 0)),
    "size_huge": damage(*inode(A, 108, 0xff)),
    "size_16_tib": damage(*inode(A, 108, 0, 0x10)),
    "symlink_size_zero": damage(*inode(SLOW, 4, 0, 0)),
    "symlink_size_large": damage(*inode(SLOW, 4, 0xff, 0xff)),
    "extents_same_blocks": damage(*inode(BIG, 40 + 6, 9)),
    "tree_deep": damage((TREE, 6, 5)),
    "tree_many": damage((TREE, 2, 0xff)),
    "xattr_value_far": damage((XATTRS, 34, 0xff), (XATTRS, 35, 0xff)),
}


def directory(*records, large=False, signed=True):
    return bytes([signed | large << 1]) + b"".join(struct.pack("<BHB", *r) for r in records)


# root: levels at 30, index from 32 (limit, count, block, then hash and block); node: index from 8
DIRECTORY_SEEDS = {
    "whole": directory(),
    "whole_large": directory(large=True),
    "wrong_checksum": directory((1, 100, 9), signed=False),
    "levels_one": directory((0, 30, 1)),
    "levels_none": directory((0, 30, 0), large=True),
    "levels_two": directory((0, 30, 2), large=True),
    "levels_many": directory((0, 30, 9)),
    "other_hash": directory((0, 28, 2)),
    "count_none": directory((0, 34, 0)),
    "count_of_one": directory((0, 34, 1)),
    "limit_small": directory((0, 32, 99)),
    "block_outside": directory((0, 37, 0xff)),
    "block_of_root": directory((0, 36, 0)),
    "block_twice": directory((0, 44, 1)),
    "node_of_itself": directory((0, 30, 2), (0, 34, 1), (1, 12, 1), large=True),
    "hash_falls": directory((0, 43, 0xff)),
    "hash_goes_on": directory((0, 40, 1)),
    "dot_of_another": directory((0, 0, 9)),
    "dot_in_a_leaf": directory((1, 6, 1), (1, 8, ord("."))),
    "name_twice": directory((1, 6, 8), (1, 74, 8)),
    "entry_endless": directory((1, 4, 0), (1, 5, 0)),
    "leaf_as_node": directory((1, 0, 0), (1, 1, 0), (1, 4, 0), (1, 5, 16)),
}


def write(target, seeds):
    folder = os.path.join(TOP, "testdata/fuzz", target)
    os.makedirs(folder, exist_ok=True)
    for name, data in seeds.items():
        with open(os.path.join(folder, name), "wb") as f:
            f.write(data)


def main():
    for target in ("ext4_read", "ext4_extract", "tree_tar"):
        write(target, SEEDS)
    write("ext4_directory", DIRECTORY_SEEDS)


main()
