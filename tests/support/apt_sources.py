#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints this machine's own apt sources of its Debian release as one-line entries.

Third-party sources (another suite name) are left out: a root file system is made from these.
"""
import glob
import re
import sys


def codename():
    with open("/etc/os-release", encoding="utf-8") as f:
        found = re.search(r'^VERSION_CODENAME="?(\w+)', f.read(), re.M)
    return found.group(1) if found else "stable"


def one_line(path):
    """Entries of a sources.list: (options, uri, suite, components)."""
    with open(path, encoding="utf-8") as f:
        for line in f:
            m = re.match(r"deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]*)", line.strip())
            if m:
                yield (m.group(1) or "").strip(), m.group(2), m.group(3), m.group(4).strip()


def stanzas(path):
    """The deb822 stanzas of a .sources file as dicts, keys in lower case, no comments."""
    with open(path, encoding="utf-8") as f:
        text = "\n".join(line for line in f.read().splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", text):
        fields = {}
        for m in re.finditer(r"^(\S+?):[ \t]*(.*(?:\n[ \t]+.*)*)", stanza, re.M):
            fields[m.group(1).lower()] = m.group(2)
        if fields:
            yield fields


def deb822(path):
    for s in stanzas(path):
        if "deb" not in s.get("types", "").split() or s.get("enabled", "yes").lower() == "no":
            continue
        options = []
        signed = s.get("signed-by", "").strip()
        if signed.startswith("/"):
            options.append("signed-by=" + signed.split()[0])
        if s.get("trusted", "").lower() == "yes":
            options.append("trusted=yes")
        for uri in s.get("uris", "").split():
            for suite in s.get("suites", "").split():
                yield " ".join(options), uri, suite, s.get("components", "").strip()


def main():
    entries, name = [], codename()
    for path in ["/etc/apt/sources.list"] + sorted(glob.glob("/etc/apt/sources.list.d/*.list")):
        try:
            entries += one_line(path)
        except FileNotFoundError:
            pass
    for path in sorted(glob.glob("/etc/apt/sources.list.d/*.sources")):
        entries += deb822(path)
    own = [e for e in entries if re.fullmatch(name + r"([-/].*)?", e[2])]
    if not own:
        sys.exit(f"no apt source of this machine is for {name}")
    for options, uri, suite, components in own:
        print(" ".join(["deb"] + ([f"[{options}]"] if options else []) + [uri, suite, components]))


main()
