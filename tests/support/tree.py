#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trees as lists of facts: read one from a mounted folder, compare two.

  tree.py list FOLDER              print the tree of a folder (root, or one's own files)
  tree.py compare A B [LABEL ...]  print the differences of two lists; exit 1 when there are any

The list, made alike by oracle.py, by this program and by tests/tools/ext4_list.c, is one JSON
object for each path, in any order:

  path      from the root, no leading slash, "" is the root
  type      f d l c b p s
  mode      octal text of the low 12 bits, "0755" (left out for symlinks)
  uid gid   integers
  mtime     [seconds, nanoseconds], the nanoseconds count up: -1.5 is [-2, 500000000]
  nlink     integer
  size      of a file (type f) in bytes
  sha256    of a file's content; files above 1 GiB have blocks_sha256 instead: of each block of
            4096 bytes (the last may be short) that is not all zeros, its offset as 8 bytes
            little-endian, then its bytes
  target    of a symlink
  rdev      of a device, "major:minor"
  xattrs    object: name -> value in hex; left out when there is none
  ino_group of what is not a directory: the first path, in byte order, with the same inode

In path, target, ino_group and xattr names every byte outside 0x20..0x7e, and '%', is %XX.
"""
import collections
import hashlib
import json
import os
import resource
import stat
import struct
import sys

HUGE = 1 << 30
BLOCK = 4096
KINDS = {stat.S_IFREG: "f", stat.S_IFDIR: "d", stat.S_IFLNK: "l", stat.S_IFCHR: "c",
         stat.S_IFBLK: "b", stat.S_IFIFO: "p", stat.S_IFSOCK: "s"}


def escape(raw):
    return "".join(chr(b) if 0x20 <= b <= 0x7e and b != 0x25 else f"%{b:02X}" for b in raw)


class BlockHash:
    """blocks_sha256: fed with runs of data at ascending offsets; what is left out is zeros."""

    def __init__(self):
        self.hash = hashlib.sha256()
        self.block, self.offset = bytearray(), 0

    def flush(self):
        if self.block.strip(b"\0"):
            self.hash.update(struct.pack("<Q", self.offset) + bytes(self.block))
        self.block = bytearray()

    def data(self, offset, data):
        start = offset // BLOCK * BLOCK
        if start != self.offset:
            self.pad(min(self.offset + BLOCK, offset))
            self.flush()
            self.offset = start
        self.pad(offset)
        for i in range(0, len(data)):
            if len(self.block) == BLOCK:
                self.flush()
                self.offset += BLOCK
            if len(self.block) == 0 and len(data) - i > 4 * BLOCK:
                return self.whole(offset + i, data[i:])
            self.block.append(data[i])
        return None

    def whole(self, offset, data):
        """The fast way over many whole blocks."""
        n = len(data) // BLOCK * BLOCK
        for i in range(0, n, BLOCK):
            piece = data[i:i + BLOCK]
            if piece.strip(b"\0"):
                self.hash.update(struct.pack("<Q", offset + i) + piece)
        self.offset = offset + n
        self.block = bytearray(data[n:])

    def pad(self, offset):
        missing = offset - self.offset - len(self.block)
        if 0 < missing <= BLOCK:
            self.block += bytes(missing)

    def digest(self, size):
        if self.block:
            self.pad(min(self.offset + BLOCK, size))
            self.flush()
        return self.hash.hexdigest()


def data_runs(fd, size):
    """(offset, bytes) of what is not a hole."""
    position = 0
    while position < size:
        try:
            start = os.lseek(fd, position, os.SEEK_DATA)
        except OSError:
            return
        end = os.lseek(fd, start, os.SEEK_HOLE)
        while start < end:
            data = os.pread(fd, min(1 << 20, end - start), start)
            if not data:
                return
            yield start, data
            start += len(data)
        position = end


def content(path, size):
    """The content facts of a file on disk."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        if size > HUGE:
            blocks = BlockHash()
            for offset, data in data_runs(fd, size):
                blocks.data(offset, data)
            return {"blocks_sha256": blocks.digest(size)}
        whole = hashlib.sha256()
        while True:
            data = os.read(fd, 1 << 20)
            if not data:
                return {"sha256": whole.hexdigest()}
            whole.update(data)
    finally:
        os.close(fd)


def xattrs(path):
    found = {}
    for name in os.listxattr(path, follow_symlinks=False):
        raw = os.fsencode(name)
        found[escape(raw)] = os.getxattr(path, name, follow_symlinks=False).hex()
    return found


def facts(path, name, unlock=False):
    st = os.lstat(path)
    kind = KINDS[stat.S_IFMT(st.st_mode)]
    if unlock and kind in "fd":
        os.chmod(path, st.st_mode & 0o7777 | 0o700)
    fact = {"path": escape(name), "type": kind, "mode": f"{stat.S_IMODE(st.st_mode):04o}",
            "uid": st.st_uid, "gid": st.st_gid,
            "mtime": [st.st_mtime_ns // 10**9, st.st_mtime_ns % 10**9], "nlink": st.st_nlink}
    if kind == "l":
        del fact["mode"]
        fact["target"] = escape(os.readlink(path))
    elif kind == "f":
        fact["size"] = st.st_size
        fact.update(content(path, st.st_size))
    elif kind in "cb":
        fact["rdev"] = f"{os.major(st.st_rdev)}:{os.minor(st.st_rdev)}"
    found = xattrs(path)
    if found:
        fact["xattrs"] = found
    if unlock and kind == "f":  # it may have other names
        os.chmod(path, st.st_mode & 0o7777)
    return fact, st


def walk(root):
    """(name, path that can be opened) of everything below a folder, itself first. The path goes
    through a descriptor of the folder above, so that no depth is too much."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    top = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    stack = [(top, b"", os.listdir(top))]
    yield b"", b"/proc/self/fd/%d/." % top
    while stack:
        fd, name, names = stack[-1]
        if not names:
            os.close(fd)
            stack.pop()
            continue
        last = os.fsencode(names.pop())
        path, full = b"/proc/self/fd/%d/" % fd + last, name + b"/" + last if name else last
        yield full, path
        if stat.S_ISDIR(os.lstat(path).st_mode):
            below = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            stack.append((below, full, os.listdir(below)))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def list_folder(root, unlock=False):
    """Facts of everything under a folder, sorted by path bytes. unlock: of one's own files, also
    those that one may not read; folders stay open then."""
    found, groups = [], {}
    for name, path in walk(root):
        fact, st = facts(path, name, unlock)
        found.append((name, fact, st.st_ino))
    found.sort(key=lambda x: x[0])
    for name, fact, inode in found:
        if fact["type"] != "d":
            fact["ino_group"] = groups.setdefault(inode, fact["path"])
        yield fact


EMPTY = hashlib.sha256(b"").hexdigest()


def rootless(tree, uid, gid, keeps):
    """What is left of a tree that an ordinary user extracts, and what is lost: kind -> how often.
    keeps(attributes): which of these, all user.*, a file of the host can have. How many names a
    folder counts is the host's affair: nlink of folders is left out."""
    want, lost, seen = {}, collections.Counter(), set()
    for path, fact in tree.items():
        new = {k: v for k, v in fact.items() if k != "xattrs"}
        new.update(uid=uid, gid=gid)
        attributes = fact.get("xattrs", {})
        kept = {}
        if fact["type"] in "fd":
            kept = keeps({n: v for n, v in attributes.items() if n.startswith("user.")})
        if kept:
            new["xattrs"] = kept
        if fact["type"] == "d":
            del new["nlink"]
        if fact["type"] in "cb":
            del new["rdev"]
            new.update(type="f", mode="0000", size=0, sha256=EMPTY)
        want[path] = new
        inode = fact.get("ino_group", path + "/")
        if inode in seen:
            continue
        seen.add(inode)
        lost["owner"] += (fact["uid"], fact["gid"]) != (0, 0)
        lost["device"] += fact["type"] in "cb"
        for name in set(attributes) - set(kept):
            kind = "capability" if name == "security.capability" else \
                "acl" if name.startswith("system.posix_acl_") else "xattr"
            lost[kind] += 1
    return want, {k: n for k, n in lost.items() if n}


def without_folder_links(tree):
    """As rootless() leaves it."""
    return {p: {k: v for k, v in f.items() if k != "nlink" or f["type"] != "d"}
            for p, f in tree.items()}


def load(path):
    """A list as path -> facts."""
    entries = {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            fact = json.loads(line)
            if fact["path"] in entries:
                raise SystemExit(f"{path}: twice: {fact['path']}")
            entries[fact["path"]] = fact
    return entries


def short(value):
    text = json.dumps(value)
    return text if len(text) <= 120 else text[:117] + "..."


def differences(a, b, names=("first", "second"), ignore=()):
    """Lines of text, one for each fact that is not the same."""
    lines = []
    for path in sorted(set(a) | set(b)):
        if path not in a or path not in b:
            where = names[0] if path in a else names[1]
            lines.append(f"/{path}: only in {where} ({(a.get(path) or b.get(path))['type']})")
            continue
        for key in sorted(set(a[path]) | set(b[path])):
            x, y = a[path].get(key), b[path].get(key)
            if x != y and key not in ignore:
                lines.append(f"/{path}: {key}: {names[0]} {short(x)}, {names[1]} {short(y)}")
    return lines


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "list":
        for fact in list_folder(os.fsencode(sys.argv[2])):
            print(json.dumps(fact))
        return 0
    if len(sys.argv) >= 4 and sys.argv[1] == "compare":
        a, b = load(sys.argv[2]), load(sys.argv[3])
        names = sys.argv[4:6] if len(sys.argv) > 5 else ("first", "second")
        found = differences(a, b, names)
        for line in found[:60]:
            print(line)
        if len(found) > 60:
            print(f"... {len(found)} differences in all")
        if not a:
            print("the first list is empty")
            return 1
        return 1 if found else 0
    print(__doc__.split("\n\n")[1], file=sys.stderr)
    return 3


if __name__ == "__main__":
    sys.exit(main())
