#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the unit tests reach: a table of lines by file and by folder, from gcov's counts.

  coverage.py [--floor PERCENT] [--missing] BUILD_FOLDER

Fails when a source file is below the floor. --missing names the lines that nothing ran.
"""
import argparse
import collections
import glob
import json
import os
import subprocess
import sys

LAYERS = ("pkg", "oci", "registry")


def sources():
    return sorted(path for layer in LAYERS
                  for path in glob.glob(f"{layer}/**/*.c", recursive=True))


def count(build, source):
    """{file: {line: how often}} of one object: its own lines and those of headers' inlines.

    gcov reads .gcno alone when no test program with this object ran: all its lines are 0 then."""
    stem = f"{build}/{source[:-2]}"
    notes = stem + (".gcda" if os.path.exists(stem + ".gcda") else ".gcno")
    run = subprocess.run(["gcov", "--json-format", "--stdout", notes], check=True,
                         capture_output=True, text=True)
    counts = collections.defaultdict(lambda: collections.defaultdict(int))
    for entry in json.loads(run.stdout)["files"]:
        for line in entry["lines"]:
            counts[entry["file"]][line["line_number"]] += line["count"]
    return counts


def collect(build):
    lines = collections.defaultdict(lambda: collections.defaultdict(int))
    for source in sources():
        for path, found in count(build, source).items():
            if path.startswith(tuple(layer + "/" for layer in LAYERS)):
                for line, times in found.items():
                    lines[path][line] += times
    return lines


def ranges(numbers):
    """[3, 4, 5, 9] as '3-5 9'."""
    text, numbers = [], sorted(numbers)
    while numbers:
        n = 1
        while n < len(numbers) and numbers[n] == numbers[0] + n:
            n += 1
        text.append(f"{numbers[0]}-{numbers[n - 1]}" if n > 1 else str(numbers[0]))
        numbers = numbers[n:]
    return " ".join(text)


def row(name, run, all_, note=""):
    return f"{100 * run / all_:6.1f}% {run:6} of {all_:6}  {name}{note}"


def report(lines, missing):
    """Prints the table; returns {file: percent}."""
    percent, folders = {}, collections.defaultdict(lambda: [0, 0])
    for path in sorted(lines):
        ran = sum(1 for times in lines[path].values() if times)
        absent = [line for line, times in lines[path].items() if not times]
        print(row(path, ran, len(lines[path]),
                  "  not run: " + ranges(absent) if missing and absent else ""))
        percent[path] = 100 * ran / len(lines[path])
        for folder in (os.path.dirname(path) + "/", path.split("/")[0], "all"):
            folders[folder][0] += ran
            folders[folder][1] += len(lines[path])
    print()
    for folder in sorted(folders, key=lambda f: (f == "all", f)):
        print(row(folder, *folders[folder]))
    return percent


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--floor", type=float, default=0, metavar="PERCENT")
    parser.add_argument("--missing", action="store_true", help="name the lines that nothing ran")
    parser.add_argument("build")
    args = parser.parse_args()
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
    percent = report(collect(args.build), args.missing)
    low = [path for path in percent if path.endswith(".c") and percent[path] < args.floor]
    for path in low:
        print(f"{path}: {percent[path]:.1f} % of its lines, the floor is {args.floor:g} %")
    print("coverage: " + (f"{len(low)} files below the floor" if low else "ok"))
    return 1 if low else 0


sys.exit(main())
