#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""As many names, links and folders as ext4 can have, held against what the rules say by simple sums
(the oracle would take long): by our reader and, as root, by a mount.

  check_many.py --program P --list EXT4_LIST --work DIR

layer 1    x has 65,000 names, 64,999 of them in d; d also has 64,998 folders, as many as are counted
layer 2    10 more files in d and one more folder: they are not counted any more; two names of x
           less and one more
layer 3    a folder less: they are counted again
or layer 3 two names more of x: one too many
"""
import argparse
import json
import os
import subprocess
import sys

from cases import d, f, h, wh
from ocilayout import Layout
from tarmaker import archive

LINKS = 65000


def layers():
    first = [f("x", "content")]
    first += [h(f"d/link-{i:05d}", "x") for i in range(LINKS - 1)]
    first += [d(f"d/{i:05d}") for i in range(LINKS - 2)]
    second = [f(f"d/later-{i}", "later") for i in range(10)]
    second += [d("d/one-more"), wh("x"), wh("d/link-00001"), h("y", "d/link-00000")]
    return first, second, [wh("d/00007")], [h("z1", "y"), h("z2", "y")]


def want():
    """path -> (type, links) after the second layer."""
    names = {"": ("d", 3), "y": ("f", LINKS - 1), "d": ("d", 1), "d/one-more": ("d", 2)}
    names.update({f"d/link-{i:05d}": ("f", LINKS - 1) for i in range(LINKS - 1) if i != 1})
    names.update({f"d/{i:05d}": ("d", 2) for i in range(LINKS - 2)})
    names.update({f"d/later-{i}": ("f", 1) for i in range(10)})
    return names


class Failed(Exception):
    pass


def run(*command, code=0):
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False,
                          stdin=subprocess.DEVNULL)
    if done.returncode != code:
        raise Failed(f"{command[0]}: exit {done.returncode}: {done.stdout[-500:]}{done.stderr}")
    return done


def compare(what, got):
    expected = want()
    wrong = [f"/{p}: {got.get(p)}, expected {expected.get(p)}"
             for p in expected.keys() | got.keys() if got.get(p) != expected.get(p)]
    if wrong:
        raise Failed("\n".join([f"{what}: {len(wrong)} differences"] + sorted(wrong)[:10]))


def by_reader(lister, image):
    facts = map(json.loads, run(lister, image).stdout.splitlines())
    compare("reader", {f["path"]: (f["type"], f["nlink"]) for f in facts})


def by_mount(image, folder):
    os.mkdir(folder)
    run("mount", "-o", "ro,loop,noatime", image, folder)
    try:
        names = {"": ("d", os.lstat(folder).st_nlink)}
        for above in ("", "d"):
            with os.scandir(f"{folder}/{above}") as entries:
                for e in entries:
                    path = f"{above}/{e.name}" if above else e.name
                    names[path] = ("d" if e.is_dir() else "f", e.stat().st_nlink)
    finally:
        run("umount", folder)
    compare("mount", names)


def check(args):
    root = ("--root", f"{args.work}/root")
    layout = Layout(f"{args.work}/layout")
    tars = [archive(members) for members in layers()]
    layout.make("many", tars[:2], "plain")
    layout.make("less", tars[:3], "plain")
    layout.make("more", tars[:2] + tars[3:], "plain")
    ref, image = f"oci:{args.work}/layout:many", f"{args.work}/many.ext4"
    less, fewer = f"oci:{args.work}/layout:less", f"{args.work}/less.ext4"
    run(args.program, *root, "pool", "create", "--base-size", "4G")
    run(args.program, *root, "-q", "pull", ref)
    refused = run(args.program, *root, "-q", "pull", f"oci:{args.work}/layout:more", code=6).stderr
    if "layer 3/3" not in refused or "entry z2: no link left: y has 65000" not in refused:
        raise Failed(f"one name more: {refused}")
    run(args.program, *root, "pool", "check")
    run(args.program, *root, "export", "--format", "raw", "-o", image, ref)
    run("e2fsck", "-fn", image)
    by_reader(args.list, image)
    run(args.program, *root, "-q", "pull", less)
    run(args.program, *root, "export", "--format", "raw", "-o", fewer, less)
    if "Links: 65000 " not in run("debugfs", "-R", "stat /d", fewer).stdout:
        raise Failed("the folders of d are not counted again")
    run("e2fsck", "-fn", fewer)
    if os.geteuid() == 0:
        by_mount(image, f"{args.work}/mnt")


def main():
    parser = argparse.ArgumentParser()
    for name in ("program", "list", "work"):
        parser.add_argument("--" + name, required=True)
    try:
        check(parser.parse_args())
    except Failed as e:
        print(e)
        return 1
    print(f"many: {len(want())} names")
    return 0


sys.exit(main())
