#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the tree of an image must be, computed in memory from the rules and nothing else.

  oracle.py LAYOUT[:REF] [--layers N]   print the tree as tree.py describes it
                                        exit 5 or 11, and a line why, when the image must be refused

It shares no code and no library with the program that it judges: tar, PAX, sparse maps, whiteouts
and links are read here by themselves. Decisions where the image-spec leaves a choice:
- The root and parents without an entry of their own: 0755, 0:0, mtime 0. A parent's mtime is never
  touched by what happens to its children.
- A whiteout removes what lower layers brought, wherever it stands in its layer. A directory that
  its layer only passed through on the way to an entry, and that a whiteout names, counts as new.
- The header of a hard link gives nothing but the link. Links forward, to itself, out of the root,
  or to a directory are refused.
- trusted.*, security.selinux, system.nfs4_acl and user.* on what is neither file nor directory are
  dropped, so are ACLs that no file of this type can have; a value above 65,536 bytes is refused.
- Times are cut to what ext4 can hold; at its ends the kernel leaves out fractions.
"""
import base64
import gzip
import hashlib
import io
import json
import os
import re
import struct
import subprocess
import sys
import urllib.parse
import zlib

from tree import HUGE, BlockHash, escape

INVALID, VERIFICATION, NO_SPACE, UNSUPPORTED = 11, 5, 6, 10
FILE_MAX = (2**32 - 1) * 4096
TIME_MIN, TIME_MAX = -2**31, 15032385535
AUFS = (b".wh..wh.plnk", b".wh..wh.aufs", b".wh..wh.orph")
XATTR_MAX, LINK_MAX = 65536, 65000
XATTR_ROOM = 88 + 4060  # for entries, in an inode and in a block
ZERO = bytes(512)


class Refused(Exception):
    def __init__(self, text, code=INVALID):
        super().__init__(text)
        self.code = code


# --- tar ------------------------------------------------------------------------------------------


def number(field, what):
    """A numeric header field: octal, or base-256 with two's complement."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big", signed=False)
        bits = 8 * len(field)
        if field[0] & 0x40:
            return value - (1 << bits)
        return value - (1 << (bits - 1))
    text = field.strip(b" \0")
    if text and not re.fullmatch(rb"[0-7]+", text):
        raise Refused(f"{what}: not a number")
    return int(text or b"0", 8)


def text_field(field):
    return field.split(b"\0", 1)[0]


class Entry:
    """One member: header fields with all extensions applied. data() yields (offset, bytes)."""

    def __init__(self):
        self.name = self.target = b""
        self.kind, self.mode, self.uid, self.gid = "f", 0, 0, 0
        self.mtime, self.size, self.rdev = (0, 0), 0, (0, 0)
        self.xattrs, self.map, self.stored = {}, None, 0


class Reader:
    """A strict reader of one tar stream."""

    def __init__(self, stream):
        self.stream, self.hash, self.left = stream, hashlib.sha256(), 0

    def read(self, n):
        try:
            data = self.stream.read(n)
        except (OSError, EOFError, zlib.error) as e:
            raise Refused(f"compressed stream: {e}") from e
        self.hash.update(data)
        return data

    def exactly(self, n, what):
        data = self.read(n)
        if len(data) != n:
            raise Refused(f"{what}: the stream ends early")
        return data

    def padding(self, size):
        """Padding after data; at the very end of a stream it may be missing."""
        self.read(-size % 512)

    def drain(self):
        while self.read(1 << 20):
            pass

    def header(self):
        """The next header block, None at the end."""
        block = self.read(512)
        if not block.strip(b"\0"):
            if len(block) == 512:
                following = self.read(512)
                if following.strip(b"\0"):
                    raise Refused("a header after a single zero block")
            self.drain()
            return None
        if len(block) < 512:
            raise Refused("the stream ends inside a header")
        unsigned = sum(block[:148]) + 256 + sum(block[156:])
        signed = unsigned - 256 * sum(1 for b in block[:148] + block[156:] if b > 127)
        if number(block[148:156], "checksum") not in (unsigned, signed):
            raise Refused("wrong header checksum")
        return block

    def records(self, block):
        """The records of an extended header, in order."""
        size = number(block[124:136], "size")
        if size < 0 or size > 1 << 20:
            raise Refused("extended header: size")
        body = self.exactly(size, "extended header")
        self.padding(size)
        found = []
        while body:
            m = re.match(rb"([0-9]+) ", body)
            if not m or int(m.group(1)) > len(body) or int(m.group(1)) <= len(m.group(0)):
                raise Refused("extended header: length of a record")
            record, body = body[:int(m.group(1))], body[int(m.group(1)):]
            if record[-1:] != b"\n" or b"=" not in record:
                raise Refused("extended header: a record without '=' or newline")
            key, value = record[len(m.group(0)):-1].split(b"=", 1)
            if key in (b"path", b"linkpath", b"uname", b"gname") and b"\0" in value:
                raise Refused("extended header: NUL in a name")
            found.append((key, value))
        return found

    def long_name(self, block):
        size = number(block[124:136], "size")
        if size < 0 or size > 1 << 20:
            raise Refused("long name: size")
        body = self.exactly(size, "long name")
        self.padding(size)
        return text_field(body)

    def __iter__(self):
        pax, long_path, long_link = None, None, None
        while True:
            self.skip()
            block = self.header()
            if block is None:
                if pax is not None or long_path is not None or long_link is not None:
                    raise Refused("an extension header without its entry")
                return
            flag = block[156:157]
            if flag == b"x":
                pax = self.records(block)
            elif flag == b"g":
                self.records(block)
            elif flag == b"L":
                long_path = self.long_name(block)
            elif flag == b"K":
                long_link = self.long_name(block)
            else:
                yield self.entry(block, pax or [], long_path, long_link)
                pax, long_path, long_link = None, None, None

    def skip(self):
        """What the caller did not read of the last entry."""
        for _ in self.data(self.current) if self.left else ():
            pass

    def entry(self, block, pax, long_path, long_link):
        e = self.current = Entry()
        values = {}
        for key, value in pax:
            values[key] = value
        for key in (b"path", b"linkpath", b"size", b"uid", b"gid", b"mtime"):
            if values.get(key) == b"":
                raise Refused(f"extended header: {key.decode()} is empty")
        e.name, e.target = text_field(block[0:100]), text_field(block[157:257])
        if block[257:263] == b"ustar\0" and text_field(block[345:500]):
            e.name = text_field(block[345:500]) + b"/" + e.name
        if long_path is not None and b"path" in values:
            raise Refused("both a GNU and a PAX long name")
        if long_link is not None and b"linkpath" in values:
            raise Refused("both a GNU and a PAX long link")
        e.name = values.get(b"path", e.name if long_path is None else long_path)
        e.target = values.get(b"linkpath", e.target if long_link is None else long_link)
        self.numbers(e, block, values)
        self.xattrs(e, pax)
        self.kind(e, block)
        self.left = e.stored = e.size if e.kind == "f" else 0
        if e.kind == "f":
            self.sparse(e, block, pax, values)
        return e

    @staticmethod
    def numbers(e, block, values):
        def pick(key, field):
            if key in values:
                if not re.fullmatch(rb"[0-9]+", values[key]):
                    raise Refused(f"{key.decode()}: not a number")
                return int(values[key])
            return number(field, key.decode())

        e.mode = number(block[100:108], "mode") & 0o7777
        e.uid, e.gid = pick(b"uid", block[108:116]), pick(b"gid", block[116:124])
        for owner in (e.uid, e.gid):
            if not 0 <= owner < 0xffffffff:
                raise Refused(f"owner {owner}")
        e.size = pick(b"size", block[124:136])
        if not 0 <= e.size < 1 << 63:
            raise Refused("size")
        e.mtime = (number(block[136:148], "mtime"), 0)
        if b"mtime" in values:
            m = re.fullmatch(rb"(-?)([0-9]+)(?:\.([0-9]*))?", values[b"mtime"])
            if not m:
                raise Refused("mtime: not a number")
            total = int(m.group(2)) * 10**9 + int(((m.group(3) or b"") + b"0" * 9)[:9])
            total = -total if m.group(1) else total
            e.mtime = (total // 10**9, total % 10**9)
        if e.mtime[0] <= TIME_MIN:
            e.mtime = (TIME_MIN, 0)
        elif e.mtime[0] >= TIME_MAX:
            e.mtime = (TIME_MAX, 0)
        if block[156:157] in b"34":
            e.rdev = (number(block[329:337], "devmajor"), number(block[337:345], "devminor"))
            if not (0 <= e.rdev[0] < 1 << 12 and 0 <= e.rdev[1] < 1 << 20):
                raise Refused("device number")

    @staticmethod
    def xattrs(e, pax):
        for key, value in pax:
            if key.startswith(b"LIBARCHIVE.xattr."):
                name = urllib.parse.unquote_to_bytes(key[len(b"LIBARCHIVE.xattr."):])
                try:
                    e.xattrs[name] = base64.b64decode(value + b"=" * (-len(value) % 4))
                except ValueError as error:
                    raise Refused("xattr: base64") from error
        for key, value in pax:
            if key.startswith(b"SCHILY.xattr."):
                e.xattrs[key[len(b"SCHILY.xattr."):]] = value

    @staticmethod
    def kind(e, block):
        flag = block[156:157]
        kinds = {b"0": "f", b"\0": "f", b"7": "f", b"S": "f", b"1": "h", b"2": "l", b"3": "c",
                 b"4": "b", b"5": "d", b"6": "p"}
        if flag not in kinds:
            raise Refused(f"type {flag!r}")
        e.kind = kinds[flag]
        if flag in (b"0", b"\0") and e.name.endswith(b"/"):
            e.kind = "d"
        if e.kind in "hl" and not e.target:
            raise Refused("a link without target")

    def sparse(self, e, block, pax, values):
        """Fill e.map with (offset, length) of the stored runs and e.size with the real size."""
        real = values.get(b"GNU.sparse.realsize", values.get(b"GNU.sparse.size"))
        if block[156:157] == b"S":
            e.map, e.size = self.old_map(block), number(block[483:495], "sparse size")
        elif values.get(b"GNU.sparse.major") == b"1" and values.get(b"GNU.sparse.minor") == b"0":
            e.map = self.map_in_data(e)
        elif b"GNU.sparse.map" in values:
            e.map = self.pairs(values[b"GNU.sparse.map"].split(b","))
        elif b"GNU.sparse.numblocks" in values:
            e.map = self.pairs([v for k, v in pax
                                if k in (b"GNU.sparse.offset", b"GNU.sparse.numbytes")])
        else:
            return
        if block[156:157] != b"S":
            if real is None or not re.fullmatch(rb"[0-9]+", real):
                raise Refused("sparse file without its size")
            e.size = int(real)
        e.name = values.get(b"GNU.sparse.name", e.name)
        position = 0
        for offset, length in e.map:
            if offset < position or length < 0 or offset + length > e.size:
                raise Refused("sparse map")
            position = offset + length
        # GNU tar starts each run at a new block, all others do not: only whole blocks are clear.
        if any(length % 512 for _, length in [r for r in e.map if r[1]][:-1]):
            raise Refused("sparse map: runs that are not whole blocks")
        if sum(length for _, length in e.map) != self.left:
            raise Refused("sparse map and stored size differ")

    @staticmethod
    def pairs(texts):
        if len(texts) % 2 or not all(re.fullmatch(rb"[0-9]+", t) for t in texts):
            raise Refused("sparse map")
        values = [int(t) for t in texts]
        return list(zip(values[::2], values[1::2]))

    def old_map(self, block):
        found, area, more = [], block[386:482], block[482]
        while True:
            for i in range(0, len(area) - 23, 24):
                if area[i:i + 12].strip(b"\0 "):
                    found.append((number(area[i:i + 12], "sparse"),
                                  number(area[i + 12:i + 24], "sparse")))
            if not more:
                return found
            block = self.exactly(512, "sparse header")
            area, more = block[:504], block[504]

    def map_in_data(self, e):
        text, used = b"", 0

        def line():
            nonlocal text, used
            while b"\n" not in text:
                if used + 512 > e.stored:
                    raise Refused("sparse map")
                text += self.exactly(512, "sparse map")
                used += 512
            value, text = text.split(b"\n", 1)
            if not re.fullmatch(rb"[0-9]+", value):
                raise Refused("sparse map")
            return int(value)

        found = [(line(), line()) for _ in range(line())]
        self.left -= used
        return found

    def data(self, e):
        """The stored runs of a file."""
        runs = e.map if e.map is not None else [(0, e.size)]
        stored, self.left = self.left, 0
        for offset, length in runs:
            while length:
                piece = self.exactly(min(length, 1 << 20), f"data of {escape(e.name)}")
                yield offset, piece
                offset, length = offset + len(piece), length - len(piece)
        self.padding(stored)


# --- tree -----------------------------------------------------------------------------------------


class Node:
    """An inode."""

    def __init__(self, kind):
        self.kind, self.mode, self.uid, self.gid, self.mtime = kind, 0o755, 0, 0, (0, 0)
        self.xattrs, self.target, self.rdev, self.content = {}, b"", (0, 0), {}
        # of a directory: name -> Name; the directory it is in, and its name there
        self.names, self.parent, self.key = {}, None, b""

    def put(self, key, node):
        """Give a node a name here, in place of what had it."""
        if node.kind == "d":
            node.parent, node.key = self, key
        name = self.names[key] = Name(node)
        return name

    def as_new(self):
        self.mode, self.uid, self.gid, self.mtime, self.xattrs = 0o755, 0, 0, (0, 0), {}


class Name:
    """A name in a directory. `entry` and `passed`: the last layer that had an entry for it, and
    that went through it on the way to one."""

    def __init__(self, node):
        self.node, self.entry, self.passed = node, -1, -1


def components(path, what="name"):
    """The parts of a path after lexical clean-up."""
    parts = []
    for part in path.split(b"/"):
        if part == b"..":
            if not parts:
                raise Refused(f"{what} {escape(path)} leaves the root")
            parts.pop()
        elif part not in (b"", b"."):
            if len(part) > 255:
                raise Refused(f"{what} {escape(part[:40])}...: longer than 255 bytes")
            parts.append(part)
    return parts


class Tree:
    def __init__(self):
        self.root, self.layer = Node("d"), 0

    def resolve(self, parts, make, links=None):
        """The directory at parts, links followed inside the root. Missing ones are made, or None
        is returned. A part that is no directory is refused, or None."""
        links = links if links is not None else [0]
        here = self.root
        for part in parts:
            if part in (b"", b"."):
                continue
            if part == b"..":
                here = here.parent or here
                continue
            name = here.names.get(part)
            if name is None:
                if not make:
                    return None
                name = here.put(part, Node("d"))
            if name.node.kind == "l":
                links[0] += 1
                if links[0] > 40:
                    raise Refused("too many symbolic links")
                here = self.follow(here, name.node, make, links)
            elif name.node.kind == "d":
                here = name.node
            elif make:
                raise Refused(f"{escape(part)} is not a directory")
            else:
                here = None
            if here is None:
                return None
        return here

    def follow(self, here, link, make, links):
        """The directory that a link in directory `here` points to."""
        prefix = [] if link.target.startswith(b"/") else self.place(here)
        return self.resolve(prefix + link.target.split(b"/"), make, links)

    @staticmethod
    def place(node):
        parts = []
        while node.parent is not None:
            parts.append(node.key)
            node = node.parent
        return parts[::-1]

    def pass_through(self, node):
        while node.parent is not None:
            node.parent.names[node.key].passed = self.layer
            node = node.parent

    def prune(self, directory, key):
        """A whiteout of one name: what lower layers brought goes."""
        name = directory.names[key]
        if max(name.entry, name.passed) < self.layer:
            del directory.names[key]
            return
        if name.node.kind == "d":
            if name.entry < self.layer:
                name.node.as_new()
            for child in list(name.node.names):
                self.prune(name.node, child)

    def marker(self, parts):
        last = parts[-1]
        if last in (b".wh.", b".wh..", b".wh..."):
            raise Refused(f"whiteout {escape(last)}")
        directory = self.resolve(parts[:-1], make=False)
        if directory is None:
            return
        if last == b".wh..wh..opq":
            for key in list(directory.names):
                self.prune(directory, key)
        elif last[4:] in directory.names:
            self.prune(directory, last[4:])

    def link_target(self, e):
        parts = components(e.target, "link target")
        directory = self.resolve(parts[:-1], make=False) if parts else None
        if directory is None or parts[-1] not in directory.names:
            raise Refused(f"hard link {escape(e.name)}: no {escape(e.target)}")
        node = directory.names[parts[-1]].node
        if node.kind == "d":
            raise Refused(f"hard link {escape(e.name)} to a directory")
        return directory, parts[-1], node

    @staticmethod
    def inside(directory, top):
        while directory is not None:
            if directory is top:
                return True
            directory = directory.parent
        return False

    def apply(self, e, reader):
        parts = components(e.name)
        if any(p in AUFS for p in parts):
            return
        if any(p.startswith(b".wh.") for p in parts[:-1]):
            raise Refused(f"{escape(e.name)}: a whiteout as folder")
        if not parts:
            if e.kind != "d":
                raise Refused("the root is not a directory")
            describe(self.root, e)
            return
        if parts[-1].startswith(b".wh."):
            self.marker(parts)
            return
        directory = self.resolve(parts[:-1], make=True)
        self.pass_through(directory)
        self.put(directory, parts[-1], e, reader)

    def put(self, directory, key, e, reader):
        old = directory.names.get(key)
        if e.kind == "d" and old is not None and old.node.kind == "d":
            describe(old.node, e)
            old.entry = self.layer
            return
        if e.kind == "h":
            where, last, node = self.link_target(e)
            if where is directory and last == key:
                raise Refused(f"hard link {escape(e.name)} to itself")
            if old is not None and self.inside(where, old.node):
                raise Refused(f"hard link {escape(e.name)} would replace its target")
        else:
            node = Node(e.kind)
            describe(node, e)
            if e.kind == "f":
                node.content = content(e, reader)
        directory.put(key, node).entry = self.layer


def valid_acl(value):
    """What setxattr(2) takes: owner, users, group, groups, mask, others, in this order."""
    if len(value) < 12 or len(value) % 8 != 4 or value[:4] != b"\2\0\0\0":
        return False
    entries = list(struct.iter_unpack("<HHI", value[4:]))
    tags = [tag for tag, _, _ in entries]
    named = any(tag in (2, 8) for tag in tags)
    return (tags == sorted(tags) and set(tags) <= {1, 2, 4, 8, 16, 32}
            and all(tags.count(tag) == 1 for tag in (1, 4, 32))
            and tags.count(16) <= 1 and (16 in tags or not named)
            and all(perm <= 7 for _, perm, _ in entries)
            and all(number != 0xffffffff for tag, _, number in entries if tag in (2, 8)))


def keep_xattr(name, value, node):
    if name.startswith(b"user."):
        return (node.kind in "fd" and not name.startswith(b"user.overlay.")
                and 5 < len(name) <= 255)
    if name in (b"system.posix_acl_access", b"system.posix_acl_default"):
        fits = node.kind == "d" or (node.kind != "l" and name.endswith(b"access"))
        return fits and valid_acl(value)
    return name == b"security.capability"


def describe(node, e):
    node.mode, node.uid, node.gid, node.mtime = e.mode, e.uid, e.gid, e.mtime
    node.rdev, node.target = e.rdev, e.target
    if e.kind == "l" and len(e.target) > 4095:
        raise Refused("symlink target longer than 4095 bytes")
    node.xattrs = {}
    for name, value in e.xattrs.items():
        if len(name) > 255:
            raise Refused(f"xattr {escape(name)}: longer than 255 bytes")
        if name == b"security.capability" and (len(value), value[1:4]) not in (
                (20, b"\0\0\2"), (24, b"\0\0\3")):
            raise Refused(f"xattr {escape(name)} of {escape(e.name)} is none")
        if keep_xattr(name, value, node):
            if len(value) > XATTR_MAX:
                raise Refused(f"xattr {escape(name)} of {escape(e.name)}: {len(value)} bytes")
            node.xattrs[name] = value
    # of the largest values only numbers are kept beside the names, which must fit
    if sum(16 + len(n.split(b".", 1)[1]) + 3 & ~3 for n in node.xattrs) > XATTR_ROOM:
        raise Refused(f"{escape(e.name)}: more xattrs than an inode and a block hold", NO_SPACE)


def content(e, reader):
    if e.size > FILE_MAX:
        raise Refused(f"{escape(e.name)}: larger than ext4 allows", NO_SPACE)
    if e.size > HUGE:
        blocks = BlockHash()
        for offset, data in reader.data(e):
            blocks.data(offset, data)
        return {"size": e.size, "blocks_sha256": blocks.digest(e.size)}
    whole, position = hashlib.sha256(), 0
    for offset, data in reader.data(e):
        zeros(whole, offset - position)
        whole.update(data)
        position = offset + len(data)
    zeros(whole, e.size - position)
    return {"size": e.size, "sha256": whole.hexdigest()}


def zeros(digest, n):
    while n > 0:
        digest.update(bytes(min(n, 1 << 20)))
        n -= 1 << 20


def listing(root):
    """The facts of a tree, sorted by path bytes."""
    found, todo = [], [(b"", root)]
    while todo:
        path, node = todo.pop()
        found.append((path, node))
        todo += [(path + b"/" + k if path else k, n.node) for k, n in node.names.items()]
    found.sort(key=lambda x: x[0])
    groups, counts = {}, {}
    for path, node in found:
        groups.setdefault(id(node), path)
        counts[id(node)] = counts.get(id(node), 0) + 1
    for path, node in found:
        yield fact(path, node, groups[id(node)], counts[id(node)])


def fact(path, node, group, count):
    f = {"path": escape(path), "type": node.kind, "mode": f"{node.mode:04o}", "uid": node.uid,
         "gid": node.gid, "mtime": list(node.mtime), "nlink": count}
    if node.kind == "d":
        f["nlink"] = 2 + sum(1 for n in node.names.values() if n.node.kind == "d")
        if f["nlink"] > LINK_MAX:
            f["nlink"] = 1
    else:
        f["ino_group"] = escape(group)
    if node.kind == "l":
        del f["mode"]
        f["target"] = escape(node.target)
    elif node.kind in "cb":
        f["rdev"] = f"{node.rdev[0]}:{node.rdev[1]}"
    f.update(node.content)
    if node.xattrs:
        f["xattrs"] = {escape(k): v.hex() for k, v in sorted(node.xattrs.items())}
    return f


# --- image ----------------------------------------------------------------------------------------


class Layout:
    def __init__(self, folder):
        self.folder = folder

    def blob(self, descriptor):
        algorithm, value = descriptor["digest"].split(":")
        path = os.path.join(self.folder, "blobs", algorithm, value)
        with open(path, "rb") as f:
            data = f.read()
        if len(data) != descriptor["size"] or hashlib.sha256(data).hexdigest() != value:
            raise Refused(f"blob {descriptor['digest']}", VERIFICATION)
        return data

    def manifest(self, ref):
        with open(os.path.join(self.folder, "index.json"), encoding="utf-8") as f:
            found = json.load(f)["manifests"]
        key = "org.opencontainers.image.ref.name"
        if ref:
            found = [d for d in found if d.get("annotations", {}).get(key) == ref]
        if len(found) != 1:
            raise Refused(f"{len(found)} images for {ref!r}", 2)
        manifest = json.loads(self.blob(found[0]))
        while "manifests" in manifest:
            manifest = json.loads(self.blob(next(
                d for d in manifest["manifests"]
                if d["platform"]["os"] == "linux" and d["platform"]["architecture"] == "amd64")))
        return manifest


# What no layer may be; lzma has no magic but its usual first bytes.
FOREIGN = (b"BZh", b"\xfd7zXZ\0", b"\x04\x22\x4d\x18", b"\x5d\0\0\x80\0\xff")


def open_layer(data):
    if data.startswith(FOREIGN):
        raise Refused("compressed as no layer may be", UNSUPPORTED)
    if data[:2] == b"\x1f\x8b":
        if len(data) > 3 and data[3] & 0xe0:
            raise Refused("gzip: reserved flags")
        return gzip.GzipFile(fileobj=io.BytesIO(data))
    if data[:4] == b"\x28\xb5\x2f\xfd" or (data[1:4] == b"\x2a\x4d\x18" and data[0] >> 4 == 5):
        done = subprocess.run(["zstd", "-q", "-d", "-c"], input=data, capture_output=True,
                              check=False)
        if done.returncode:
            raise Refused(f"zstd: {done.stderr.decode(errors='replace').strip()}")
        return io.BytesIO(done.stdout)
    return io.BytesIO(data)


def image_tree(folder, ref, layers=None):
    layout = Layout(folder)
    manifest = layout.manifest(ref)
    diff_ids = json.loads(layout.blob(manifest["config"]))["rootfs"]["diff_ids"]
    if len(diff_ids) != len(manifest["layers"]):
        raise Refused("as many layers as diff_ids")
    tree = Tree()
    for i, descriptor in enumerate(manifest["layers"][:layers]):
        tree.layer = i
        reader = Reader(open_layer(layout.blob(descriptor)))
        for e in reader:
            tree.apply(e, reader)
        if "sha256:" + reader.hash.hexdigest() != diff_ids[i]:
            raise Refused(f"DiffID of layer {i + 1}", VERIFICATION)
    return tree.root


def main():
    args = sys.argv[1:]
    layers = None
    if len(args) == 3 and args[1] == "--layers":
        layers = int(args[2])
    elif len(args) != 1:
        print(__doc__.split("\n\n")[1], file=sys.stderr)
        return 3
    folder, _, ref = args[0].partition(":")
    try:
        for f in listing(image_tree(folder, ref, layers)):
            print(json.dumps(f))
    except Refused as e:
        print(f"oracle: {e}", file=sys.stderr)
        return e.code
    return 0


if __name__ == "__main__":
    sys.exit(main())
