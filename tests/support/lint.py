#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The rules of the house that a program can check: sizes, first lines, a unit test for each source
of the libraries, formatting, shell syntax."""
import os
import re
import subprocess
import sys

MAX_FILE, MAX_FUNCTION = 800, 70
C_FOLDERS = ("cmd", "registry", "oci", "pkg", "tests")
MIRRORED = ("registry", "oci", "pkg")
PRINTS_NOT = tuple(f"{folder}/" for folder in MIRRORED)
PRINTS = re.compile(r"\b(v?f?printf|dprintf|f?puts|putchar|perror)\(")
SCRIPT_FOLDERS = ("tests", ".ci", "testdata")
SKIP = {"build", ".git", "__pycache__", "corpus"}


def walk(folders):
    for folder in folders:
        for top, dirs, names in os.walk(folder):
            dirs[:] = sorted(d for d in dirs if d not in SKIP)
            yield from (os.path.join(top, n) for n in sorted(names))


def functions(lines):
    """(first line, length) of each function: with Linux braces one starts with '{' in column 0."""
    start = None
    for i, line in enumerate(lines, 1):
        if line.rstrip() == "{":
            start = i
        elif line.startswith("}") and start is not None:
            yield start, i - start + 1
            start = None


def check_text(path, lines, problems):
    first = lines[0] if lines else ""
    if first.startswith("#!") and len(lines) > 1:
        first = lines[1]
    if "SPDX-License-Identifier: Apache-2.0" not in first:
        problems.append(f"{path}:1: no SPDX line")
    if len(lines) > MAX_FILE:
        problems.append(f"{path}:{len(lines)}: more than {MAX_FILE} lines")
    for i, line in enumerate(lines, 1):
        if line != line.rstrip():
            problems.append(f"{path}:{i}: white space at the end")


def check_c(path, lines, problems):
    for start, length in functions(lines):
        if length > MAX_FUNCTION:
            problems.append(f"{path}:{start}: function of {length} lines, at most {MAX_FUNCTION}")
    if path.endswith(".h") and "#pragma once" not in lines:
        problems.append(f"{path}:1: no #pragma once")
    for i, line in enumerate(lines, 1):
        if re.match(r'#include "\.', line) or re.match(r'#include "[^/"]+"', line):
            problems.append(f"{path}:{i}: include without its folder")
        if path.startswith(PRINTS_NOT) and PRINTS.search(line):
            problems.append(f"{path}:{i}: only cmd/ prints")


def check_script(path, shebang, problems):
    if "python" in shebang:
        with open(path, encoding="utf-8") as f:
            try:
                compile(f.read(), path, "exec")
            except SyntaxError as e:
                problems.append(f"{path}:{e.lineno}: {e.msg}")
        return
    with open(path, encoding="utf-8") as f:  # what is sourced only says so for shellcheck
        sourced_by_bash = "# shellcheck shell=bash\n" in f.read()
    shell = "bash" if "bash" in shebang or sourced_by_bash else "sh"
    run = subprocess.run([shell, "-n", path], capture_output=True, text=True, check=False)
    if run.returncode:
        problems.append(run.stderr.strip())


def check_mirrors(problems):
    """Each source of the libraries has a unit test of its own, at the same place."""
    for path in walk(MIRRORED):
        if not path.endswith(".c"):
            continue
        stem = path[:-2]
        if os.path.basename(path) == "library.c":  # one line each, a test for all
            stem = "pkg/library"
        if not os.path.exists(f"tests/unit/{stem}_test.c"):
            problems.append(f"{path}:1: no tests/unit/{stem}_test.c")


def check_format(paths, problems):
    run = subprocess.run(["clang-format", "--dry-run", "-Werror", *paths], capture_output=True,
                         text=True, check=False)
    if run.returncode:
        found = [line for line in run.stderr.splitlines() if "error:" in line]
        problems.extend(found or [run.stderr.strip() or "clang-format failed"])


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
    problems, c_files = [], []
    for path in walk(C_FOLDERS):
        if path.endswith((".c", ".h")):
            with open(path, encoding="utf-8") as f:
                lines = f.read().splitlines()
            c_files.append(path)
            check_text(path, lines, problems)
            check_c(path, lines, problems)
    for path in list(walk(SCRIPT_FOLDERS)) + ["Makefile"]:
        if path.endswith((".c", ".h", ".md", ".txt")) or os.path.islink(path):
            continue
        with open(path, "rb") as f:
            head = f.read(2)
        if not (path.endswith((".sh", ".py")) or path == "Makefile" or head == b"#!"):
            continue
        with open(path, encoding="utf-8") as f:
            lines = f.read().splitlines()
        check_text(path, lines, problems)
        if path != "Makefile":
            check_script(path, "python" if path.endswith(".py") else lines[0], problems)
    check_mirrors(problems)
    check_format(c_files, problems)
    for p in problems:
        print(p)
    print(f"lint: {len(problems)} problems" if problems else f"lint: ok ({len(c_files)} C files)")
    return 1 if problems else 0


sys.exit(main())
