#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Extracts every image of some layouts into a folder and holds the tree against that of the raw
export, with exactly the exceptions that pkg/ext4/extract.h writes down; what is around the folder
must stay as it is.

  check_extract.py --program P --list EXT4_LIST --extract EXT4_EXTRACT --work DIR [--bundle]
                   [--only PATTERN] [--every N] LAYOUT...

--bundle: by the verb of that name, as an ordinary user; else by the tool. Both tell what was lost.
"""
import argparse
import collections
import fnmatch
import json
import os
import re
import subprocess
import sys

from tree import differences, list_folder, rootless, without_folder_links

SHOWN = 12
WARNINGS = {"owners": "owner", "devices": "device", "file capabilities": "capability",
            "ACLs": "acl", "extended attributes": "xattr", "setgid bits": "setgid"}
# Links of hostile trees lead here when they lead out.
OF_THE_HOST = ["/", "/etc", "/etc/passwd", "/etc/group", "/etc/hostname", "/dev", "/dev/null"]


def arguments():
    parser = argparse.ArgumentParser()
    for name in ("program", "list", "extract", "work"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--bundle", action="store_true")
    parser.add_argument("--only", default="*")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("layouts", nargs="+")
    return parser.parse_args()


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False,
                          stdin=subprocess.DEVNULL)


def remove(path):
    subprocess.run(["chmod", "-R", "u+rwX", path], check=True)
    subprocess.run(["rm", "-rf", path], check=True)


def state(path):
    """What changes when somebody touches it; a device is written to all the time."""
    st = os.lstat(path)
    if path in OF_THE_HOST:
        return st.st_ino, st.st_mode, st.st_uid, st.st_gid, st.st_nlink
    return (st.st_ino, st.st_mode, st.st_uid, st.st_gid, st.st_nlink, st.st_size, st.st_mtime_ns,
            st.st_ctime_ns)


class Canary:
    """A folder with places that links may lead to; the extraction is in x/ in the middle of it."""

    def __init__(self, top):
        self.top, self.inner = top, f"{top}/x"
        for folder in ("", "/etc", "/tmp", "/dev", "/d", "/a", "/x"):
            os.mkdir(top + folder, 0o700)
        for name in ("x1", "etc/passwd", "etc/shadow", "etc/x", "dev/null", "a/x", "d/x"):
            with open(f"{top}/{name}", "w", encoding="utf-8") as f:
                f.write("canary")
        os.symlink("etc", f"{top}/link")
        self.before = self.look()

    def look(self):
        found = {path: state(path) for path in OF_THE_HOST}
        for folder, folders, files in os.walk(self.top):
            if folder == self.top:
                folders.remove("x")
            for path in [folder] + [f"{folder}/{name}" for name in files]:
                found[path] = state(path)
        return found

    def harm(self):
        now = self.look()
        return [f"touched: {p}" for p in sorted(set(now) | set(self.before))
                if now.get(p) != self.before.get(p)]


class Checker:
    def __init__(self, args):
        self.args, self.root, self.raw = args, f"{args.work}/root", f"{args.work}/raw.ext4"
        self.canary = Canary(f"{args.work}/around")
        self.problems, self.counts, self.kept = [], collections.Counter(), {}

    def program(self, *more):
        return run(self.args.program, "--root", self.root, *more)

    def problem(self, what, lines):
        self.problems.append(what)
        print(f"{what}:")
        for line in lines[:SHOWN]:
            print(f"    {line}")
        if len(lines) > SHOWN:
            print(f"    ... {len(lines)} in all")

    def host_keeps(self, attributes):
        """Asked by doing it, in the order of names."""
        key = json.dumps(attributes, sort_keys=True)
        if key not in self.kept:
            path, self.kept[key] = f"{self.canary.inner}/attributes", {}
            with open(path, "w", encoding="utf-8"):
                pass
            raw = {unescape(n): n for n in attributes}
            for name in sorted(raw):
                try:
                    os.setxattr(path, name, bytes.fromhex(attributes[raw[name]]))
                    self.kept[key][raw[name]] = attributes[raw[name]]
                except OSError:
                    pass
            os.unlink(path)
        return self.kept[key]

    def tree_of_raw(self, what):
        listed = run(self.args.list, self.raw)
        if listed.returncode:
            self.problem(f"{what}: list", listed.stderr.splitlines())
            return None
        return {f["path"]: f for f in map(json.loads, listed.stdout.splitlines())}

    def check_losses(self, what, told, losses):
        if told != losses:
            self.problem(f"{what}: lost", [f"told {told}", f"true {losses}"])

    def by_tool(self, what, folder, losses):
        done = run(self.args.extract, self.raw, folder)
        if done.returncode:
            self.problem(f"{what}: extract", done.stderr.splitlines())
            return False
        told = {line.split("\t")[0]: int(line.split("\t")[1])
                for line in done.stdout.splitlines()}
        self.check_losses(what, told, losses)
        return True

    def by_bundle(self, what, ref, losses):
        bundle = f"{self.canary.inner}/bundle"
        made = self.program("create", ref, "box")
        done = self.program("bundle", "box", bundle, "sh") if made.returncode == 0 else made
        if done.returncode:
            self.problem(f"{what}: bundle", done.stderr.splitlines())
            return None
        line = re.search(r"container box, not kept without root:(.*)", done.stderr)
        told = re.findall(r"[:,]? (" + "|".join(WARNINGS) + r") (\d+) \(", line[1] if line else "")
        self.check_losses(what, {WARNINGS[kind]: int(n) for kind, n in told}, losses)
        return bundle

    def image(self, what, ref):
        if os.path.exists(self.raw):
            os.unlink(self.raw)
        export = self.program("export", "--format", "raw", "-o", self.raw, ref)
        if export.returncode:
            self.problem(f"{what}: export", export.stderr.splitlines())
            return
        tree = self.tree_of_raw(what)
        if tree is None:
            return
        want, losses = rootless(tree, os.geteuid(), os.getegid(), self.host_keeps)
        top = rootfs = f"{self.canary.inner}/rootfs"
        if self.args.bundle:
            top = self.by_bundle(what, ref, losses)
            rootfs = f"{top}/rootfs"
        if top and (self.args.bundle or self.by_tool(what, rootfs, losses)):
            self.compare(what, want, rootfs)
            self.counts["trees"] += 1
        if self.args.bundle:
            self.program("rm", "box")
        if top and os.path.exists(top):
            remove(top)

    def compare(self, what, want, rootfs):
        harm = self.canary.harm()
        os.chmod(rootfs, os.lstat(rootfs).st_mode | 0o700)
        want[""]["mode"] = f"{int(want['']['mode'], 8) | 0o700:04o}"
        got = {f["path"]: f for f in list_folder(os.fsencode(rootfs), unlock=True)}
        found = differences(want, without_folder_links(got), ("raw", "folder"))
        if found or harm:
            self.problem(what, harm + found)

    def layout(self, folder):
        refused = set()
        if os.path.exists(f"{folder}/cases.json"):
            with open(f"{folder}/cases.json", encoding="utf-8") as f:
                refused = {c["tag"] for c in json.load(f) if c["refused"]}
        with open(f"{folder}/index.json", encoding="utf-8") as f:
            tags = [d["annotations"]["org.opencontainers.image.ref.name"]
                    for d in json.load(f)["manifests"]]
        tags = [t for t in tags if fnmatch.fnmatch(t, self.args.only) and t not in refused]
        for tag in tags[::self.args.every]:
            what, ref = f"{os.path.basename(folder)}:{tag}", f"oci:{folder}:{tag}"
            pull = self.program("-q", "pull", ref)
            if pull.returncode:
                self.problem(f"{what}: pull", pull.stderr.splitlines())
            else:
                self.image(what, ref)


def unescape(text):
    raw, i = bytearray(), 0
    while i < len(text):
        step = 3 if text[i] == "%" else 1
        raw += bytes.fromhex(text[i + 1:i + 3]) if step == 3 else text[i].encode()
        i += step
    return bytes(raw)


def main():
    args = arguments()
    checker = Checker(args)
    made = checker.program("pool", "create", "--base-size", "2G")
    if made.returncode:
        print(made.stderr)
        return 1
    for folder in args.layouts:
        checker.layout(folder)
    print(f"trees: {checker.counts['trees']} extracted by "
          f"{'bundle' if args.bundle else 'the tool'}, {len(checker.problems)} problems")
    return 1 if checker.problems or not checker.counts["trees"] else 0


sys.exit(main())
