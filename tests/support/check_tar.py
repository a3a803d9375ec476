#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Exports every image of some layouts as a tar and holds what others make of it against the oracle.

  check_tar.py --program P --list EXT4_LIST --work DIR [--only PATTERN] [--every N] LAYOUT...

Readers: the program itself (the tar as the only layer of an image, pulled again), the oracle,
Python; as root also GNU tar, bsdtar and umoci, which extract it to an ext4 mounted at DIR/mnt.
"""
import argparse
import collections
import fnmatch
import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile

import oracle
from ocilayout import Layout
from tree import BlockHash, HUGE, differences, escape, list_folder

SHOWN = 12
XATTR = "SCHILY.xattr."
PY_TYPES = {tarfile.REGTYPE: "f", tarfile.AREGTYPE: "f", tarfile.SYMTYPE: "l", tarfile.CHRTYPE: "c",
            tarfile.BLKTYPE: "b", tarfile.DIRTYPE: "d", tarfile.FIFOTYPE: "p"}

# Names, types, times and attributes: these go to all readers. The other cases differ in how their
# trees came about, which no tar shows: some of them will do, and nobody extracts them.
EXTRACTED = r"cases:A([789]|1\d|2[0-7]|60|6[123])_|tools:(?!.*-[0-9]$)|debian:debian$"

# What the others do otherwise: reader, image, difference or error, reason.
KNOWN = (
    ("tar", "cases:A8_deep_path*", r"error: (.|\n)*File name too long",
     "paths of more than 4096 bytes are given to the kernel whole"),
    ("umoci", "cases:A8_deep_path*", r"error: (.|\n)*file name too long", "the same"),
    ("bsdtar", "cases:A8_deep_path_of_long_parts", r"error: (.|\n)*File name too long", "the same"),
    ("bsdtar", "cases:A8_deep_path", r"/(deep/)*deep: mtime: ",
     "the times of folders whose path is too long are lost"),
    ("bsdtar", "*", r"/: mtime: ", "it leaves the time of the folder that it extracts into"),
    ("bsdtar", "cases:A7_strange_bytes", r"/(e%CC%81|%C3%A9): ", "names are composed"),
    ("bsdtar", "cases:A60_*", r"/\w+: mtime: oracle \[-",
     "a fraction before 1970 is added where it should be taken away"),
    ("bsdtar", "cases:A63_posix_acl*", r"/[cdpx]: xattrs: ", "it knows ACLs only as text"),
    ("umoci", "cases:A60_*", r"/\w+: mtime: oracle \[\d{11},",
     "Go counts nanoseconds in 64 bits, up to the year 2262"),
    ("tar", "cases:A62_hundreds", r"/y: xattrs: ", "given one by one, the kernel lets small values "
     "stay in the block until it is full"),
    ("bsdtar", "cases:A62_hundreds", r"error: (.|\n)*user.number-", "the same"),
    ("umoci", "cases:A62_hundreds", r"error: (.|\n)*no space left on device", "the same"),
    ("tar", "cases:A62_libarchive", r"/x: xattrs: ",
     "a name with a '=' has only the form of libarchive"),
    ("python", "cases:A62_libarchive", r"/x: xattrs: ", "the same"),
    ("umoci", "*", r"/.*: xattrs: .*", "an empty value is a deleted PAX record to Go"),
)


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False,
                          stdin=subprocess.DEVNULL, **more)


class Failed(Exception):
    pass


def must(done):
    if done.returncode:
        raise Failed(f"{done.args[0]}: exit {done.returncode}: {done.stderr.strip()[-1000:]}")
    return done


# --- Python ---------------------------------------------------------------------------------------


def python_content(archive, member):
    if member.size > HUGE:
        blocks, stored = BlockHash(), archive.fileobj
        position = member.offset_data
        for offset, size in member.sparse:
            stored.seek(position)
            blocks.data(offset, stored.read(size))
            position += size
        return {"blocks_sha256": blocks.digest(member.size)}
    whole, source = hashlib.sha256(), archive.extractfile(member)
    while data := source.read(1 << 20):
        whole.update(data)
    return {"sha256": whole.hexdigest()}


def python_mtime(member):
    text = member.pax_headers.get("mtime")
    if text is None:
        return [int(member.mtime), 0]
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    seconds, _, fraction = digits.partition(".")
    ns = sign * (int(seconds) * 10**9 + int((fraction + "0" * 9)[:9]))
    return [ns // 10**9, ns % 10**9]


def raw(text):
    return text.encode("utf-8", "surrogateescape")


def python_fact(archive, member, path):
    fact = {"path": path, "type": PY_TYPES[member.type], "mode": f"{member.mode:04o}",
            "uid": member.uid, "gid": member.gid, "mtime": python_mtime(member)}
    found = {escape(raw(k[len(XATTR):])): raw(v).hex() for k, v in member.pax_headers.items()
             if k.startswith(XATTR)}
    if found:
        fact["xattrs"] = found
    if fact["type"] == "l":
        del fact["mode"]
        fact["target"] = escape(raw(member.linkname))
    elif fact["type"] in "cb":
        fact["rdev"] = f"{member.devmajor}:{member.devminor}"
    elif fact["type"] == "f":
        fact["size"] = member.size
        fact.update(python_content(archive, member))
    return fact


def python_path(text):
    """Without the "./" that each path has, in the form of the list."""
    path = raw(text)
    if path != b"." and not path.startswith(b"./"):
        raise Failed(f"path {text!r} does not start with ./")
    return escape(path[2:])


def python_tree(path):
    found, groups = {}, collections.defaultdict(list)
    with tarfile.open(path, "r:", errors="surrogateescape", encoding="utf-8") as archive:
        for member in archive:
            name = python_path(member.name)
            if member.islnk():
                first = python_path(member.linkname)
                found[name] = dict(found[first], path=name)
            else:
                found[name] = python_fact(archive, member, name)
                first = name
            if found[name]["type"] != "d":
                groups[first].append(name)
    for first, names in groups.items():
        for name in names:
            found[name].update(ino_group=first, nlink=len(names))
    children = collections.Counter(p.rpartition("/")[0] for p, f in found.items()
                                   if p and f["type"] == "d")
    for name, fact in found.items():
        if fact["type"] == "d":
            links = 2 + children[name]
            fact["nlink"] = links if links <= oracle.LINK_MAX else 1
    return found


# --- the others -----------------------------------------------------------------------------------


class Checker:
    def __init__(self, args):
        self.args = args
        self.root, self.tar = f"{args.work}/root", f"{args.work}/a.tar"
        self.layout = f"{args.work}/layout"
        self.disk, self.mount = f"{args.work}/disk", f"{args.work}/mnt"
        self.folder = f"{self.mount}/x"
        self.counts, self.used = collections.Counter(), set()
        self.readers = {"thinpull": self.thinpull, "oracle": self.oracle,
                        "python": lambda: python_tree(self.tar)}
        self.extractors = {}
        if os.geteuid() == 0:
            self.extractors = {"tar": self.gnu, "bsdtar": self.bsdtar, "umoci": self.umoci}

    def program(self, *more):
        return run(self.args.program, "--root", self.root, *more)

    def empty(self, folder):
        must(run("rm", "-rf", folder))

    def thinpull(self):
        image = f"{self.args.work}/raw.ext4"
        must(self.program("-q", "pull", f"oci:{self.layout}:tar"))
        must(self.program("export", "-o", image, f"oci:{self.layout}:tar"))
        must(run("e2fsck", "-fn", image))
        listed = must(run(self.args.list, image))
        return {f["path"]: f for f in map(json.loads, listed.stdout.splitlines())}

    def oracle(self):
        try:
            return {f["path"]: f for f in oracle.listing(oracle.image_tree(self.layout, "tar"))}
        except oracle.Refused as e:
            raise Failed(str(e)) from e

    def extract(self, *command):
        self.empty(self.folder)
        os.mkdir(self.folder)
        must(run(*command, "-f", self.tar, "-C", self.folder))
        return {f["path"]: f for f in list_folder(os.fsencode(self.folder))}

    def gnu(self):
        return self.extract("tar", "-xp", "--numeric-owner", "--xattrs", "--xattrs-include=*")

    def bsdtar(self):
        return self.extract("bsdtar", "-xp", "--numeric-owner", "--xattrs")

    def umoci(self):
        """It writes holes out as zeros."""
        self.empty(self.folder)
        must(run("umoci", "unpack", "--image", f"{self.layout}:tar", self.folder))
        return {f["path"]: f for f in list_folder(os.fsencode(f"{self.folder}/rootfs"))}

    # --- comparing ---

    def is_known(self, reader, what, line):
        for entry in KNOWN:
            if reader == entry[0] and fnmatch.fnmatch(what, entry[1]) and re.match(entry[2], line):
                self.used.add(entry)
                return True
        return False

    def report(self, what, reader, lines):
        new = [line for line in lines if not self.is_known(reader, what, line)]
        self.counts["known"] += len(lines) - len(new)
        self.counts["problems"] += len(new)
        for line in new[:SHOWN]:
            print(f"{what}: {reader}: {line[:300]}", flush=True)
        if len(new) > SHOWN:
            print(f"{what}: {reader}: ... {len(new)} in all")

    def read_by(self, name, reader, what, want):
        try:
            got = reader()
        except (Failed, tarfile.TarError) as e:
            self.report(what, name, [f"error: {e}"])
            return
        self.report(what, name, differences(want, got, ("oracle", name)))
        self.counts[name] += 1

    def image(self, what, folder, tag):
        ref = f"oci:{folder}:{tag}"
        if self.program("-q", "pull", ref).returncode:
            return  # 60_tree_equal.sh says which may be refused
        must(self.program("export", "--format", "tar", "-o", self.tar, ref))
        self.empty(self.layout)
        with open(self.tar, "rb") as f:
            Layout(self.layout).make("tar", [f.read()], "plain")
        want = {f["path"]: f for f in oracle.listing(oracle.image_tree(folder, tag))}
        for name, reader in self.readers.items():
            self.read_by(name, reader, what, want)
        huge = any(f.get("size", 0) > HUGE for f in want.values())
        for name, reader in self.extractors.items():
            if re.match(EXTRACTED, what) and not (name == "umoci" and huge):
                self.read_by(name, reader, what, want)
        self.counts["images"] += 1

    def layouts(self):
        for folder in self.args.layouts:
            with open(f"{folder}/index.json", encoding="utf-8") as f:
                tags = [d["annotations"]["org.opencontainers.image.ref.name"]
                        for d in json.load(f)["manifests"]]
            images = [(f"{os.path.basename(folder)}:{t}", t) for t in tags
                      if fnmatch.fnmatch(t, self.args.only)]
            telling = [i for i in images if re.match(EXTRACTED, i[0])]
            others = [i for i in images if i not in telling]
            for what, tag in telling[::self.args.every] + others[::5 * self.args.every]:
                self.image(what, folder, tag)

    def on_a_disk(self):
        """A file system that holds all that ours do, for those who extract."""
        with open(self.disk, "wb") as f:
            f.truncate(64 << 30)
        must(run("mke2fs", "-q", "-t", "ext4", "-O", "ea_inode", "-E", "lazy_itable_init=1",
                 self.disk))
        os.mkdir(self.mount)
        must(run("mount", "-o", "loop,noatime", self.disk, self.mount))
        try:
            self.layouts()
        finally:
            must(run("umount", self.mount))

    def stale(self):
        """What is known and not seen any more, when all images were looked at."""
        if self.args.only == "*" and self.args.every == 1 and os.geteuid() == 0:
            for entry in KNOWN:
                if entry not in self.used:
                    self.report(entry[1], entry[0], [f"known, but not seen: {entry[2]}"])


def main():
    parser = argparse.ArgumentParser()
    for name in ("program", "list", "work"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--only", default="*")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("layouts", nargs="+")
    checker = Checker(parser.parse_args())
    must(checker.program("pool", "create", "--base-size", "2G"))
    if checker.extractors:
        checker.on_a_disk()
    else:
        checker.layouts()
    checker.stale()
    print("tar: " + ", ".join(f"{n} {what}" for what, n in sorted(checker.counts.items())))
    return 1 if checker.counts["problems"] or not checker.counts["images"] else 0


sys.exit(main())
