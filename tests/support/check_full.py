#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Small base file systems that are full but for k blocks, or k inodes, and an entry of each kind on
them: for every k that is not enough a clear error that names the entry and the option to use, and
the pool is as it was; with just enough a file system that e2fsck finds clean.

  check_full.py --program P --work DIR
"""
import argparse
import json
import os
import struct
import subprocess
import sys

from cases import d, f, h, l, wh
from cases.types import sparse10
from ocilayout import Layout
from tarmaker import archive

BLOCK, BASE_INODES = 4096, 64


def long(i):
    return f"{i:03d}-" + "n" * 251


def pieces(n):
    """A file of n blocks that do not follow each other."""
    return sparse10(b"pieces", [(2 * i * BLOCK, BLOCK) for i in range(n)], 2 * n * BLOCK,
                    b"p" * (n * BLOCK))


# name: what fails says this, or this; members, blocks needed, inodes needed
KINDS = {
    "file": ("entry file:", [f("file", "1")], 1, 1),
    "empty": ("entry empty:", [f("empty")], 0, 1),
    "large": ("entry large:", [f("large", "L" * (5 * BLOCK))], 5, 1),
    "folder": ("folder /folder:|entry folder:", [d("folder")], 1, 1),
    "implicit": ("folder /a|entry a/b/pipe:", [dict(name="a/b/pipe", type="p")], 2, 3),
    "short_link": ("entry link:", [l("link", "x" * 59)], 0, 1),
    "long_link": ("entry link:", [l("link", "x" * 60)], 1, 1),
    "device": ("entry null:", [dict(name="null", type="c", dev=(1, 3))], 0, 1),
    "xattr_block": ("entry x:", [f("x", xattrs={"user.v": b"v" * 3000})], 1, 1),
    "ea_inode": ("entry x:", [f("x", xattrs={"user.v": b"v" * 30000})], 9, 2),
    "ea_inodes": ("entry x:", [f("x", xattrs={f"user.{i}": b"v" * 5000 for i in range(4)})], 9, 5),
    "root_xattr": ("entry ./:", [d("./", xattrs={"user.v": b"v" * 30000})], 9, 1),
    "pieces": ("entry pieces:", [pieces(8)], 9, 1),
    "names": ("folder /:", [h(long(i), "first") for i in range(40)], 4, 0),
    "replaced": ("entry d:|entry d/x:|folder /d:", [d("d"), f("d/x", "1" * 9000), f("d/x", "2" * 9000)], 4, 2),
}


class Failed(Exception):
    pass


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False,
                          stdin=subprocess.DEVNULL)


class Checker:
    def __init__(self, args):
        self.args, self.layout, self.pulls = args, Layout(f"{args.work}/layout"), 0
        self.root, self.raw, self.before = "", f"{args.work}/raw", None

    def program(self, *more):
        return run(self.args.program, "--root", self.root, *more)

    def must(self, *more):
        done = self.program(*more)
        if done.returncode:
            raise Failed(f"{' '.join(more)}: exit {done.returncode}: {done.stderr}")
        return done.stdout

    def state(self):
        status = json.loads(self.must("--json", "pool", "status"))
        return [status[k] for k in ("thin_count", "data")] + json.loads(self.must("--json", "images"))

    def image(self, members):
        self.layout.make("full", [archive([f("first", xattrs={"user.a": b"1"})] + members)])
        return f"oci:{self.args.work}/layout:full"

    def free(self, members):
        """(blocks, inodes) that are free under an image of these."""
        self.export(self.image(members))
        with open(self.raw, "rb") as image:
            image.seek(1024 + 12)
            return struct.unpack("<II", image.read(8))

    def export(self, ref):
        self.must("-q", "pull", ref)
        if os.path.exists(self.raw):
            os.unlink(self.raw)
        self.must("export", "--format", "raw", "-o", self.raw, ref)
        self.must("rmi", ref)
        fsck = run("e2fsck", "-fn", self.raw)
        if fsck.returncode:
            raise Failed(f"e2fsck: {fsck.stdout}")

    def refused(self, ref, says, option):
        done = self.program("-q", "pull", ref)
        lines = done.stderr.splitlines()
        if done.returncode != 6 or len(lines) != 1 or done.stdout:
            raise Failed(f"exit {done.returncode}: {done.stdout} {done.stderr}")
        for text in (f"pull {ref}: layer 1/1 sha256:", says, option, "in use"):
            if not any(t in lines[0] for t in text.split("|")):
                raise Failed(f"the error does not say {text!r}: {lines[0]}")
        if self.state() != self.before:
            raise Failed(f"the pool was {self.before}, is {self.state()}")

    def kind(self, what, needs, option, ballast):
        """ballast(k): members that leave k of them."""
        says, members, *_ = KINDS[what]
        self.before = self.state()
        short = [k for k in range(needs) if self.args.every or k in (0, needs // 2, needs - 1)]
        for k in short[-1:] if self.args.last else short:
            self.pulls += 1
            self.refused(self.image(ballast(k) + members), says, option)
        self.export(self.image(ballast(needs) + members))
        self.pulls += 1

    def pool(self, name, *options):
        self.root = f"{self.args.work}/{name}"
        self.must("pool", "create", "--size", "1G", *options)

    def clean(self):
        check = json.loads(self.must("--json", "pool", "check"))
        if not check["clean"]:
            raise Failed(f"pool check: {check}")
        if run("thin_check", f"{self.root}/pools/default/meta").returncode:
            raise Failed("thin_check")

    def blocks(self):
        self.pool("blocks", "--base-size", "8M")
        free = self.free([])[0]
        for what, (_, _, needs, _) in KINDS.items():
            # small files, so that none needs a tree of extents
            self.kind(what, needs, "--base-size", lambda k: [
                f(f"b{at}", "b" * (min(16, free - k - at) * BLOCK))
                for at in range(0, free - k, 16)])
        self.clean()

    def inodes(self):
        self.pool("inodes", "--base-size", "8M", "--base-inodes", str(BASE_INODES))
        free = self.free([])[1] - 1  # inode 11 is left to e2fsck's lost+found
        for what, (_, _, _, needs) in KINDS.items():
            self.kind(what, needs, "--base-inodes", lambda k: [
                dict(name=f"pipe{i:02d}", type="p") for i in range(free - k)])
        self.clean()


def main():
    parser = argparse.ArgumentParser()
    for name in ("program", "work"):
        parser.add_argument("--" + name, required=True)
    for name in ("every", "last"):
        parser.add_argument("--" + name, action="store_true")
    checker = Checker(parser.parse_args())
    for part in (checker.blocks, checker.inodes):
        try:
            part()
        except Failed as e:
            print(f"{part.__name__}: {e}")
            return 1
    print(f"full: {checker.pulls} pulls of {len(KINDS)} kinds")
    return 0


sys.exit(main())
