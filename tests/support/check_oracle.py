#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the oracle against what the cases say by hand: refused or not, which paths are there.

  check_oracle.py CASES_LAYOUT
"""
import json
import os
import sys

import oracle
from tree import escape


def problems_of(folder, case):
    try:
        root = oracle.image_tree(folder, case["tag"])
    except oracle.Refused as e:
        if e.code not in case["refused"]:
            return [f"refused with {e.code} ({e}), expected {case['refused'] or 'a tree'}"]
        return []
    if case["refused"]:
        return [f"accepted, expected exit {case['refused']}"]
    paths = {f["path"] for f in oracle.listing(root)}
    found = [f"{p} is missing" for p in case["has"] if escape(os.fsencode(p)) not in paths]
    return found + [f"{p} is there" for p in case["lacks"] if escape(os.fsencode(p)) in paths]


def main():
    folder, bad = sys.argv[1], 0
    with open(f"{folder}/cases.json", encoding="utf-8") as f:
        cases = json.load(f)
    for case in cases:
        for problem in problems_of(folder, case):
            print(f"{case['tag']}: {problem}")
            bad += 1
    print(f"oracle: {len(cases)} cases, {bad} problems")
    return 1 if bad else 0


sys.exit(main())
