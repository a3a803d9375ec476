#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Changes a folder at random, in all ways a file system is changed: random_writes.py FOLDER SEED N

As root, on a mounted file system. Prints how often each kind of change was made; one that cannot be
(a folder into itself, something over a folder that is not empty) is left out.
"""
import collections
import ctypes
import os
import random
import shutil
import stat
import sys

KEEP_SIZE, PUNCH_HOLE = 1, 2
LIBC = ctypes.CDLL(None, use_errno=True)


def fallocate(fd, mode, offset, length):
    if LIBC.fallocate(fd, mode, ctypes.c_long(offset), ctypes.c_long(length)):
        raise OSError(ctypes.get_errno(), "fallocate")


class Writer:
    def __init__(self, folder, seed):
        self.random, self.top, self.count = random.Random(seed), os.fsencode(folder), 0

    def paths(self, of_type=lambda mode: True):
        found = []
        for folder, folders, files in os.walk(self.top):
            found += [p for p in (os.path.join(folder, n) for n in folders + files)
                      if of_type(os.lstat(p).st_mode)]
        return sorted(found)

    def some(self, of_type=lambda mode: True):
        found = self.paths(of_type)
        if not found:
            raise OSError("nothing of that kind")
        return self.random.choice(found)

    def place(self):
        """A path that is free, in some folder, often the one with the most names."""
        folders = [self.top] + self.paths(stat.S_ISDIR)
        if self.random.random() < 0.4:
            folder = max(folders, key=lambda f: (len(os.listdir(f)), f))
        else:
            folder = self.random.choice(folders)
        self.count += 1
        name = f"by the kernel {self.count}"
        if self.random.random() < 0.2:
            name = name.ljust(self.random.randint(60, 255), "-")
        return os.path.join(folder, os.fsencode(name))

    def data(self):
        return self.random.randbytes(self.random.choice((0, 10, 4096, 5000, 70000, 300000)))

    def make(self):
        with open(self.place(), "wb") as f:
            f.write(self.data())

    def make_sparse(self):
        with open(self.place(), "wb") as f:
            for _ in range(self.random.randint(1, 6)):
                f.seek(self.random.randint(0, 900) * 4096, os.SEEK_CUR)
                f.write(self.data())
            f.truncate(f.tell() + self.random.choice((0, 12345)))

    def make_folder(self):
        os.mkdir(self.place())

    def make_many(self):
        folder = self.place()
        os.mkdir(folder)
        for n in range(self.random.choice((30, 200, 800))):
            os.close(os.open(folder + b"/a name of some length %d" % n, os.O_CREAT | os.O_WRONLY))

    def make_special(self):
        kind = self.random.choice((stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR, stat.S_IFBLK))
        os.mknod(self.place(), kind | 0o640, os.makedev(self.random.randint(0, 300), 70000))

    def symlink(self):
        os.symlink(b"x" * self.random.choice((1, 59, 60, 2000, 4000)), self.place())

    def link(self):
        os.link(self.some(lambda m: not stat.S_ISDIR(m)), self.place(), follow_symlinks=False)

    def append(self):
        with open(self.some(stat.S_ISREG), "ab") as f:
            f.write(self.data())

    def overwrite(self):
        with open(self.some(stat.S_ISREG), "r+b") as f:
            f.seek(self.random.randint(0, 50000))
            f.write(self.data())

    def truncate(self):
        os.truncate(self.some(stat.S_ISREG), self.random.choice((0, 1, 4096, 5000, 1 << 20)))

    def reserve(self):
        with open(self.some(stat.S_ISREG), "r+b") as f:
            fallocate(f.fileno(), self.random.choice((0, KEEP_SIZE)), 8192, 200000)

    def punch(self):
        with open(self.some(stat.S_ISREG), "r+b") as f:
            fallocate(f.fileno(), KEEP_SIZE | PUNCH_HOLE, 4096, 30000)

    def move(self):
        os.rename(self.some(), self.place())

    def move_over(self):
        os.rename(self.some(stat.S_ISREG), self.some(stat.S_ISREG))

    def remove(self):
        os.unlink(self.some(lambda m: not stat.S_ISDIR(m)))

    def remove_folder(self):
        folder = self.some(stat.S_ISDIR)
        if sum(len(f) + len(d) for _, d, f in os.walk(folder)) < 500 or self.random.random() < 0.1:
            shutil.rmtree(folder)

    def attribute(self):
        size = self.random.choice((0, 10, 100, 3000, 20000))
        os.setxattr(self.some(lambda m: stat.S_ISREG(m) or stat.S_ISDIR(m)),
                    f"user.number{self.random.randint(0, 3)}", self.random.randbytes(size))

    def no_attribute(self):
        path = self.some()
        for name in os.listxattr(path, follow_symlinks=False):
            os.removexattr(path, name, follow_symlinks=False)

    def meta(self):
        path = self.some(lambda m: not stat.S_ISLNK(m))
        os.chown(path, self.random.randint(0, 1 << 31), self.random.randint(0, 99))
        os.chmod(path, self.random.randint(0, 0o7777))
        os.utime(path, ns=(self.random.randint(0, 1 << 62), self.random.randint(0, 1 << 62)))


CHANGES = [name for name in vars(Writer) if name not in ("paths", "some", "place", "data")
           and not name.startswith("_")]


def main():
    writer, made = Writer(sys.argv[1], int(sys.argv[2])), collections.Counter()
    for _ in range(int(sys.argv[3])):
        change = writer.random.choice(CHANGES)
        try:
            getattr(writer, change)()
            made[change] += 1
        except OSError:
            made["left out"] += 1
    print(", ".join(f"{n} {name}" for name, n in sorted(made.items())))
    return 1 if made["left out"] * 2 > sum(made.values()) else 0


sys.exit(main())
