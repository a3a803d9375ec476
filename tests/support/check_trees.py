#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pulls every image of some layouts and holds each resulting tree against the oracle.

  check_trees.py --program P --list EXT4_LIST --work DIR [--only PATTERN] [--every N] LAYOUT...

A layout with cases.json says which images must be refused, and how.
"""
import argparse
import collections
import fnmatch
import json
import os
import shutil
import subprocess
import sys

import oracle
from tree import differences, list_folder

SHOWN = 12


def arguments():
    parser = argparse.ArgumentParser()
    for name in ("program", "list", "work"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--only", default="*")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("layouts", nargs="+")
    return parser.parse_args()


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False,
                          stdin=subprocess.DEVNULL)


class Checker:
    def __init__(self, args):
        self.args, self.root = args, f"{args.work}/root"
        self.raw, self.mount = f"{args.work}/raw.ext4", f"{args.work}/mnt"
        self.problems, self.counts = [], collections.Counter()
        os.makedirs(self.mount, exist_ok=True)

    def program(self, *more):
        return run(self.args.program, "--root", self.root, *more)

    def problem(self, what, lines):
        self.problems.append(what)
        print(f"{what}:")
        for line in lines[:SHOWN]:
            print(f"    {line}")
        if len(lines) > SHOWN:
            print(f"    ... {len(lines)} in all")

    def pool_is_clean(self, what):
        check = self.program("pool", "check")
        if check.returncode:
            self.problem(f"{what}: pool check", check.stdout.splitlines()
                         + check.stderr.splitlines())
            shutil.rmtree(self.root)
            self.program("pool", "create", "--base-size", "2G")

    def refused(self, what, ref, codes):
        pull = self.program("-q", "pull", ref)
        errors = [l for l in pull.stderr.splitlines() if l.startswith("thinpull: ")
                  and not l.startswith("thinpull: warning: ")]
        if pull.returncode not in codes or len(errors) != 1 or pull.stdout:
            self.problem(f"{what}: exit {pull.returncode}, expected {codes}",
                         pull.stderr.splitlines() + pull.stdout.splitlines())
        self.counts["refused"] += 1
        self.pool_is_clean(what)

    def want(self, folder, tag):
        root = oracle.image_tree(folder, tag)
        return {f["path"]: f for f in oracle.listing(root)}

    def accepted(self, what, folder, tag):
        ref = f"oci:{folder}:{tag}"
        pull = self.program("-q", "pull", ref)
        if pull.returncode:
            self.problem(f"{what}: exit {pull.returncode}, expected a tree",
                         pull.stderr.splitlines())
            self.pool_is_clean(what)
            return
        if os.path.exists(self.raw):
            os.unlink(self.raw)
        export = self.program("export", "--format", "raw", "-o", self.raw, ref)
        if export.returncode:
            self.problem(f"{what}: export", export.stderr.splitlines())
            return
        fsck = run("e2fsck", "-fn", self.raw)
        if fsck.returncode:
            self.problem(f"{what}: e2fsck", fsck.stdout.splitlines() + fsck.stderr.splitlines())
        want = self.want(folder, tag)
        self.by_reader(what, want)
        if os.geteuid() == 0:
            self.by_mount(what, want)
        self.counts["trees"] += 1

    def by_reader(self, what, want):
        listed = run(self.args.list, self.raw)
        if listed.returncode:
            self.problem(f"{what}: reader", listed.stderr.splitlines())
            return
        got = {f["path"]: f for f in map(json.loads, listed.stdout.splitlines())}
        found = differences(want, got, ("oracle", "reader"))
        if found:
            self.problem(f"{what}: reader", found)

    def by_mount(self, what, want):
        mount = run("mount", "-o", "ro,loop,noatime", self.raw, self.mount)
        if mount.returncode:
            self.problem(f"{what}: mount", mount.stderr.splitlines())
            return
        try:
            got = {f["path"]: f for f in list_folder(os.fsencode(self.mount))}
        finally:
            run("umount", self.mount)
        found = differences(want, got, ("oracle", "mount"))
        if found:
            self.problem(f"{what}: mount", found)
        self.counts["mounts"] += 1

    def layout(self, folder):
        refusals = {}
        if os.path.exists(f"{folder}/cases.json"):
            with open(f"{folder}/cases.json", encoding="utf-8") as f:
                refusals = {c["tag"]: c["refused"] for c in json.load(f)}
        with open(f"{folder}/index.json", encoding="utf-8") as f:
            tags = [d["annotations"]["org.opencontainers.image.ref.name"]
                    for d in json.load(f)["manifests"]]
        for tag in [t for t in tags if fnmatch.fnmatch(t, self.args.only)][::self.args.every]:
            what, ref = f"{os.path.basename(folder)}:{tag}", f"oci:{folder}:{tag}"
            if refusals.get(tag):
                self.refused(what, ref, refusals[tag])
            else:
                self.accepted(what, folder, tag)


def main():
    args = arguments()
    checker = Checker(args)
    made = checker.program("pool", "create", "--base-size", "2G")
    if made.returncode:
        print(made.stderr)
        return 1
    for folder in args.layouts:
        checker.layout(folder)
        checker.pool_is_clean(folder)
    print(f"trees: {checker.counts['trees']} by the reader, {checker.counts['mounts']} by mount, "
          f"{checker.counts['refused']} refused, {len(checker.problems)} problems")
    return 1 if checker.problems or not checker.counts["trees"] else 0


sys.exit(main())
