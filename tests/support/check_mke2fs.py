#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random trees twice: as a folder given to `mke2fs -d`, and as a layer given to the program. Both file
systems, read by our reader and by a mount, are the same but for what is known of mke2fs. Needs root.

  check_mke2fs.py --program P --list EXT4_LIST --work DIR [--seed N] [--rounds N]
"""
import argparse
import json
import os
import random
import re
import struct
import subprocess
import sys

from cases.metadata import CAP, acl, NO_ID
from ocilayout import Layout
from tarmaker import archive, padded
from tree import differences, list_folder

BLOCK = 4096
FEATURES = ("^resize_inode,^orphan_file,has_journal,ext_attr,dir_index,filetype,extent,64bit,flex_bg,"
            "ea_inode,large_dir,metadata_csum,metadata_csum_seed,sparse_super,large_file,huge_file,"
            "dir_nlink,extra_isize")

# What mke2fs 1.47.0 does otherwise: difference, reason.
KNOWN = (
    (r"/lost\+found: only in mke2fs", "it makes one"),
    (r"/: nlink: ", "that counts"),
    (r"/: mtime: ", "the root is of the time of its making"),
    (r"/.*: mtime: thinpull \[(-?\d+), \d+\], mke2fs \[(-?\d+), 0\]$", "it leaves out nanoseconds"),
)


class Failed(Exception):
    pass


def run(*command, codes=(0,)):
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False,
                          stdin=subprocess.DEVNULL)
    if done.returncode not in codes:
        raise Failed(f"{' '.join(command)}: exit {done.returncode}: {done.stdout}{done.stderr}")
    return done


# --- trees ----------------------------------------------------------------------------------------


class Maker:
    """Members as tarmaker.py has them; sparse ones also say `pieces` and `size`."""

    def __init__(self, seed):
        self.random, self.members, self.folders = random.Random(seed), [], [""]
        self.files, self.names = [], set()

    def name(self):
        while True:
            letters = self.random.choices("abcdefghij-. \xe9", k=self.random.choice(
                [1, 3, 8, 20, 100]))
            path = self.random.choice(self.folders) + "n" + "".join(letters)
            if path not in self.names:
                self.names.add(path)
                return path

    def some_acl(self):
        bits = self.random.randrange
        users = [(2, bits(8), 1000 + i) for i in range(bits(6))]
        return acl((1, bits(8), NO_ID), *users, (4, bits(8), NO_ID), (16, bits(8), NO_ID),
                   (32, bits(8), NO_ID))

    def xattrs(self, kind, more):
        if self.random.random() < 0.6:
            return
        size = self.random.choice([0, 1, 60, 70, 1000, 3000, 5000, 65536])
        found = {}
        if kind in "fd":
            found["user.value"] = self.random.randbytes(size)
            # mke2fs leaves small values in the block, whatever comes
            found.update({f"user.{i}": self.random.randbytes(i) for i in range(
                self.random.randrange(12) if size < 1000 else 0)})
        if kind == "f" and self.random.random() < 0.3:
            found["security.capability"] = CAP
        if kind in "fd" and self.random.random() < 0.4:
            found["system.posix_acl_access"] = value = self.some_acl()
            # a kernel makes the mode of the ACL, with the mask as the bits of the group
            perms = {tag: perm for tag, perm, _ in struct.iter_unpack("<HHI", value[4:])}
            more["mode"] = more["mode"] & 0o7000 | perms[1] << 6 | perms[16] << 3 | perms[32]
        if kind == "d" and self.random.random() < 0.3:
            found["system.posix_acl_default"] = self.some_acl()
        more["xattrs"] = found

    def meta(self, kind):
        pick = self.random.randrange
        more = {"mode": pick(0o10000), "uid": pick(2**32 - 1) if pick(4) == 0 else pick(100),
                "gid": pick(2**32 - 1) if pick(4) == 0 else pick(100),
                "mtime": (pick(2**31), pick(10**9) if pick(2) else 0)}
        self.xattrs(kind, more)
        return more

    def file(self, path):
        member = dict(name=path, type="f", **self.meta("f"))
        if self.random.randrange(4) == 0 and not member.get("xattrs"):
            starts = sorted(self.random.sample(range(200), self.random.randrange(1, 8)))
            member["pieces"] = [(at * BLOCK, self.random.randbytes(BLOCK)) for at in starts]
            member["size"] = (starts[-1] + self.random.randrange(1, 50)) * BLOCK
        else:
            size = self.random.choice([0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 70000])
            member["data"] = self.random.randbytes(size // 2) + bytes(size - size // 2)
        self.files.append(path)
        return member

    def one(self):
        path, kind = self.name(), self.random.choice("fffffddlhcbp")
        if kind == "h" and self.files:
            return dict(name=path, type="h", target=self.random.choice(self.files))
        if kind == "d":
            self.folders.append(path + "/")
            return dict(name=path, type="d", **self.meta("d"))
        if kind == "l":
            size = self.random.choice([1, 59, 60, 61, 1000, 4094])
            return dict(name=path, type="l", target="t" * size, **dict(self.meta("l"), mode=0o777))
        if kind in "cb":
            return dict(name=path, type=kind, dev=(self.random.randrange(4096),
                                                   self.random.randrange(2**20)), **self.meta(kind))
        return dict(name=path, type="p", **self.meta("p")) if kind == "p" else self.file(path)

    def tree(self, n):
        self.members.append(dict(name="./", type="d", mode=0o755, uid=0, gid=0, mtime=(1, 0)))
        self.members += [self.one() for _ in range(n)]
        crowded = self.name()
        self.members.append(dict(name=crowded, type="d", mode=0o755, mtime=(5, 0)))
        self.members += [dict(name=f"{crowded}/name-number-{i}", type="f", data="", mtime=(i, 0))
                         for i in range(self.random.choice([3, 300, 1500]))]
        return self.members


def as_tar(members):
    def one(m):
        if "pieces" not in m:
            return m
        text = f"{len(m['pieces'])}\n" + "".join(f"{at}\n{len(p)}\n" for at, p in m["pieces"])
        body = padded(text.encode()) + b"".join(piece for _, piece in m["pieces"])
        return dict(m, name="GNUSparseFile.1/x", data=body, size=len(body), pax=[
            ("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"),
            ("GNU.sparse.name", m["name"]), ("GNU.sparse.realsize", str(m["size"]))])
    return archive([one(m) for m in members])


def make_one(path, m):
    kind = m["type"]
    if kind == "d":
        os.makedirs(path, exist_ok=True)
    elif kind == "l":
        os.symlink(m["target"], path)
    elif kind in "cbp":
        bits = {"c": 0o20000, "b": 0o60000, "p": 0o10000}[kind]
        os.mknod(path, bits | 0o600, os.makedev(*m.get("dev", (0, 0))))
    else:
        with open(path, "wb") as f:
            for at, piece in m.get("pieces", [(0, m.get("data", b"") or b"")]):
                f.seek(at)
                f.write(piece)
            f.truncate(m.get("size", f.tell()))


def as_folder(members, top):
    """Owner, mode, and when all names are there, so that nothing is inherited, attributes, times."""
    for m in members:
        path = f"{top}/{m['name']}"
        if m["type"] == "h":
            os.link(f"{top}/{m['target']}", path)
            continue
        make_one(path, m)
        os.chown(path, m.get("uid", 0), m.get("gid", 0), follow_symlinks=False)
        if m["type"] != "l":
            os.chmod(path, m.get("mode", 0o644))
    for m in reversed(members):
        if m["type"] != "h":
            path, (sec, ns) = f"{top}/{m['name']}", m["mtime"]
            for name, value in m.get("xattrs", {}).items():
                os.setxattr(path, name, value)
            os.utime(path, ns=(0, sec * 10**9 + ns), follow_symlinks=False)


# --- comparing ------------------------------------------------------------------------------------


class Checker:
    def __init__(self, args):
        self.args, self.used, self.names = args, set(), 0
        self.work, self.root = args.work, f"{args.work}/root"
        self.folder, self.mnt = f"{args.work}/disk.d", f"{args.work}/mnt"
        for folder in (self.folder, self.mnt):
            os.mkdir(folder)

    def on_a_disk(self, members, then):
        """A folder that can have all attributes."""
        disk = f"{self.work}/disk"
        with open(disk, "wb") as f:
            f.truncate(1 << 30)
        run("mke2fs", "-q", "-F", "-t", "ext4", "-I", "256", "-O", "ea_inode,^has_journal", disk)
        run("mount", "-o", "loop,noatime", disk, self.folder)
        try:
            os.mkdir(f"{self.folder}/x")
            as_folder(members, f"{self.folder}/x")
            return then(f"{self.folder}/x")
        finally:
            run("umount", self.folder)

    def mke2fs(self, folder):
        image = f"{self.work}/mke2fs.ext4"
        if os.path.exists(image):
            os.unlink(image)
        run("mke2fs", "-q", "-F", "-t", "ext4", "-I", "256", "-b", "4096", "-O", FEATURES,
            "-d", folder, image, "256M")
        return image

    def thinpull(self, members, seed):
        program = (self.args.program, "--root", self.root)
        ref, image = f"oci:{self.work}/layout:seed{seed}", f"{self.work}/thinpull.ext4"
        Layout(f"{self.work}/layout").make(f"seed{seed}", [as_tar(members)])
        run(*program, "-q", "pull", ref)
        if os.path.exists(image):
            os.unlink(image)
        run(*program, "export", "--format", "raw", "-o", image, ref)
        return image

    def by_reader(self, image):
        listed = run(self.args.list, image).stdout.splitlines()
        return {f["path"]: f for f in map(json.loads, listed)}

    def by_mount(self, image):
        run("mount", "-o", "loop,ro,noatime", image, self.mnt)
        try:
            return {f["path"]: f for f in list_folder(os.fsencode(self.mnt))}
        finally:
            run("umount", self.mnt)

    def is_known(self, line):
        for pattern, _ in KNOWN:
            found = re.match(pattern, line)
            if found and (found.lastindex is None or found[1] == found[2]):
                self.used.add(pattern)
                return True
        return False

    def compare(self, how, ours, theirs):
        found = [line for line in differences(ours, theirs, ("thinpull", "mke2fs"))
                 if not self.is_known(line)]
        if found:
            raise Failed("\n".join([f"{how}: {len(found)} differences"] + found[:10]))

    def seed(self, seed):
        members = Maker(seed).tree(120)
        theirs = self.on_a_disk(members, self.mke2fs)
        ours = self.thinpull(members, seed)
        # 1.47.0 does not count the blocks of ea_inodes where they are used, and e2fsck does
        run("e2fsck", "-fy", theirs, codes=(0, 1))
        run("e2fsck", "-fn", ours)
        read = self.by_reader(ours)
        self.compare("reader", read, self.by_reader(theirs))
        mounted = self.by_mount(ours)
        self.compare("mount", mounted, self.by_mount(theirs))
        own = differences(read, mounted, ("reader", "mount"))
        if own:
            raise Failed("\n".join(own[:10]))
        self.names += len(read)


def main():
    parser = argparse.ArgumentParser()
    for name in ("program", "list", "work"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=4)
    args = parser.parse_args()
    checker = Checker(args)
    run(args.program, "--root", checker.root, "pool", "create", "--base-size", "256M")
    for seed in range(args.seed, args.seed + args.rounds):
        try:
            checker.seed(seed)
        except Failed as e:
            print(f"seed {seed}: {e}")
            return 1
    unused = [reason for pattern, reason in KNOWN if pattern not in checker.used]
    for reason in unused:
        print(f"known, but not seen: {reason}")
    print(f"mke2fs: {args.rounds} trees of {checker.names} names in all")
    return 1 if unused else 0


sys.exit(main())
