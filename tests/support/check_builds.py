#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds several builds of the program against each other: the same images in, the same bytes out.

  check_builds.py --work DIR PROGRAM... LAYOUT...

Each pulls every image of the layouts into a pool of its own and exports it raw. What one refuses,
all must refuse, with the same exit code.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys

REFUSED = "exit"


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False,
                          stdin=subprocess.DEVNULL)


class Build:
    def __init__(self, program, work):
        self.program, self.root, self.raw = program, f"{work}/root", f"{work}/raw.ext4"
        shutil.rmtree(work, ignore_errors=True)
        os.makedirs(work)
        self.do("pool", "create", "--base-size", "2G")

    def do(self, *words):
        return run(self.program, "--root", self.root, *words)

    def result(self, ref):
        """One word for what the build makes of an image."""
        pull = self.do("-q", "pull", ref)
        if pull.returncode:
            return f"{REFUSED} {pull.returncode}"
        if os.path.exists(self.raw):
            os.unlink(self.raw)
        export = self.do("export", "--format", "raw", "-o", self.raw, ref)
        if export.returncode:
            raise SystemExit(f"{self.program}: export {ref}: {export.stderr}")
        summed = run(sys.executable, os.path.join(os.path.dirname(__file__), "sparse_sum.py"),
                     self.raw)
        if summed.returncode:
            raise SystemExit(summed.stderr)
        return summed.stdout.strip()


def images(layout):
    with open(f"{layout}/index.json", encoding="utf-8") as f:
        return [d["annotations"]["org.opencontainers.image.ref.name"]
                for d in json.load(f)["manifests"]]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", required=True)
    parser.add_argument("what", nargs="+", help="programs, then layouts")
    args = parser.parse_args()
    builds = [Build(os.path.abspath(p), f"{args.work}/{n}")
              for n, p in enumerate(args.what) if os.path.isfile(p)]
    refs = [f"oci:{os.path.abspath(layout)}:{tag}"
            for layout in args.what if os.path.isdir(layout) for tag in images(layout)]
    other, refused = 0, 0
    for ref in refs:
        results = [b.result(ref) for b in builds]
        refused += results[0].startswith(REFUSED)
        if len(set(results)) != 1:
            other += 1
            print(f"{ref}:")
            for build, result in zip(builds, results):
                print(f"    {build.program}: {result}")
    print(f"builds: {len(builds)}, images: {len(refs)}, refused by all: {refused}, "
          f"not the same: {other}")
    return 1 if other or len(builds) < 2 or refused == len(refs) else 0


sys.exit(main())
