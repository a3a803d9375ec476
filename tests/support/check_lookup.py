#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a kernel reads to find a name in the folder /d of an image of names_layout.py.

  check_lookup.py index IMAGE KIND LAYERS                debugfs finds each name where its hash says
  check_lookup.py reads IMAGE POINT KIND LAYERS [BOUND]  blocks read for one cold lookup, of a sample
  check_lookup.py fill FOLDER KIND                       the first layer's names as files (mke2fs -d)

Of an image whose folder has that many LAYERS behind it. Root; the image is only read.
"""
import contextlib
import ctypes
import os
import random
import re
import subprocess
import sys

import names_layout

BLOCK, SECTOR, SAMPLE = 4096, 512, 24
MS_RDONLY, MS_NOATIME = 1, 1024
LIBC = ctypes.CDLL(None, use_errno=True)
NAME = re.compile(r"(\d+) 0x([0-9a-f]{8})-[0-9a-f]{8} \(\d+\) (\S+)")


# --- index ----------------------------------------------------------------------------------------

def leaves(image):
    """(hash that leads to it, continued from the one before, {name: hash}) in the index's order."""
    dump = subprocess.run(["debugfs", "-R", "htree_dump /d", image], capture_output=True,
                          text=True, check=True).stdout
    found, listed, node, entry = [], 0, 0, (0, 0)
    for line in dump.splitlines():
        if re.search("ERROR|orrupt|not an? ", line):
            raise SystemExit(f"htree_dump: {line}")
        if line.startswith("Number of entries (count): "):
            listed, node = int(line.split()[-1]), entry[1] if entry[0] else node
        match = re.match(r"Entry #(\d+): Hash 0x([0-9a-f]{8})(?: \(\*\*\))?, block \d+", line)
        if match and listed:
            listed -= 1
        elif match:
            entry = int(match[1]), int(match[2], 16)
        elif line.startswith("Reading directory block"):
            first = entry[1] if entry[0] else node
            found.append((first & ~1, first & 1, {}))
        elif found:
            found[-1][2].update({m[3]: int(m[2], 16) for m in NAME.finditer(line) if m[1] != "0"})
    return found


def check_index(image, kind, layers):
    want, got, total = names_layout.there(kind, layers), set(), leaves(image)
    for i, (low, _, entries) in enumerate(total):
        high, continued = total[i + 1][:2] if i + 1 < len(total) else (1 << 32, 0)
        for name, hashed in entries.items():
            if not (low <= hashed < high or continued and hashed == high):
                raise SystemExit(f"{name}: hash {hashed:#x} is in leaf {i}, {low:#x} to {high:#x}")
        got |= set(entries)
    if got != want:
        raise SystemExit(f"{len(got)} names in the index instead of {len(want)}")
    print(f"{len(got)} names in {len(total)} leaves, each where its hash leads to")


# --- reads ----------------------------------------------------------------------------------------

@contextlib.contextmanager
def loop_device(image):
    device = subprocess.run(["losetup", "-r", "-f", "--show", image], capture_output=True,
                            text=True, check=True).stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "-d", device], check=True)


@contextlib.contextmanager
def mounted(device, point):
    if LIBC.mount(device.encode(), point.encode(), b"ext4", MS_RDONLY | MS_NOATIME,
                  b"inode_readahead_blks=0"):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), device)
    try:
        yield
    finally:
        if LIBC.umount2(point.encode(), 0):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), point)


def blocks_read(device):
    with open(f"/sys/block/{os.path.basename(device)}/stat", encoding="ascii") as f:
        return int(f.read().split()[2]) * SECTOR // BLOCK


def cold_lookup(device, point, name, there):
    """Blocks read for one name after a mount of its own, which starts with nothing cached."""
    with mounted(device, point):
        os.listdir(point)
        before = blocks_read(device)
        if os.path.lexists(f"{point}/d/{name}") != there:
            raise SystemExit(f"{name} is {'not ' if there else ''}found")
        return blocks_read(device) - before


def sample(kind, layers):
    """(name, whether it is there): the first, the last, some at random, those of one hash."""
    ordered = sorted(names_layout.there(kind, layers))
    absent = names_layout.absent(kind, layers)
    some = random.Random(7).sample(ordered, SAMPLE) + ordered[:2] + ordered[-2:]
    if kind == "collide":
        some += set(names_layout.colliding()) & set(ordered)
        absent = [n for n in absent if n in names_layout.colliding()] + absent[-3:]
    elif layers == 2:
        some += names_layout.history(kind)[1][0][::SAMPLE]
    return [(n, True) for n in some] + [(n, False) for n in absent[-SAMPLE // 2:]]


def check_reads(image, point, kind, layers, bound):
    reads = []
    with loop_device(image) as device:
        for name, there in sample(kind, layers):
            n = cold_lookup(device, point, name, there)
            if bound and n > bound:  # unless somebody else has read from the device
                n = min(n, cold_lookup(device, point, name, there))
            reads.append(n)
            if bound and n > bound:
                raise SystemExit(f"{n} blocks read to look up {name}, {bound} is the limit")
    if max(reads) < 2:
        raise SystemExit(f"{max(reads)} blocks read at most: those lookups were not cold ones")
    print(f"a cold lookup reads {min(reads)} to {max(reads)} blocks, "
          f"{sum(reads) / len(reads):.1f} on average of {len(reads)}")


def fill(folder, kind):
    os.mkdir(f"{folder}/d")
    for name in names_layout.there(kind, 1):
        os.close(os.open(f"{folder}/d/{name}", os.O_CREAT | os.O_WRONLY, 0o644))


def main():
    verb, args = sys.argv[1], sys.argv[2:]
    if verb == "index":
        check_index(args[0], args[1], int(args[2]))
    elif verb == "reads":
        check_reads(args[0], args[1], args[2], int(args[3]), int(args[4]) if args[4:] else 0)
    elif verb == "fill":
        fill(*args)


if __name__ == "__main__":
    main()
