#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Images with a large folder d, as an OCI layout: names_layout.py LAYOUT

  short    20,000 names of 6 to 40 bytes; a second layer takes 300 and brings 300 others
  long     the same with names of 251 bytes, the longest a marker takes away: two levels of index
  collide  names that all have the same hash come and go among others, in three layers

TAG-N has the first N layers, TAG all. Only for a folder of the host, there is also `some`: 4,000.
"""
import os
import sys

from ocilayout import Layout
from tarmaker import archive

NAMES, CHANGED = 20000, 300
WHEN = 1700000000
WORDS = ("lib", "python3", "share", "locale", "module", "test", "data", "index", "cache", "icon")
COLLIDING = os.path.join(os.path.dirname(__file__), "../../testdata/ext4/colliding-names.txt")


def short_name(number):
    mixed = number * 2654435761 & 0xffffffff
    words = [WORDS[(mixed >> shift) % len(WORDS)] for shift in (28, 20, 12, 4)]
    return "-".join(words[:1 + mixed % 4]) + f"-{number}"


def long_name(number):
    return short_name(number).rjust(251, "x")


def colliding():
    with open(COLLIDING, encoding="ascii") as f:
        return f.read().split()


def twenty_thousand(name):
    return [([name(n) for n in range(NAMES)], []),
            ([name(n) for n in range(NAMES, NAMES + CHANGED)],
             [name(n) for n in range(0, NAMES, NAMES // CHANGED)][:CHANGED])]


def among_others():
    one, usual = colliding(), [short_name(n) for n in range(2500)]
    return [(usual[:2000] + one[:27], []),
            (usual[2000:] + one[:26:-1][:27], one[:27:3] + usual[:2000:40]),
            (one[54:] + one[:27:6], one[27:54:4])]


KINDS = {"short": lambda: twenty_thousand(short_name), "long": lambda: twenty_thousand(long_name),
         "collide": among_others,
         "some": lambda: [([short_name(n) for n in range(4000)], [])]}


def history(kind):
    """For each layer, the names that come and those that go."""
    return KINDS[kind]()


def there(kind, layers):
    """The names in the folder after some layers."""
    names = set()
    for new, gone in history(kind)[:layers]:
        names = names - set(gone) | set(new)
    return names


def absent(kind, layers):
    """Those of other layers, and some of none."""
    every = {n for new, _ in history(kind) for n in new}
    return sorted(every - there(kind, layers)) + ["0", "~" * 255, "d"]


def empty(path):
    return {"name": path, "type": "f", "mtime": WHEN}


def main():
    layout = Layout(sys.argv[1])
    for kind in ("short", "long", "collide"):
        tars = [archive([empty("d/.wh." + n) for n in gone] + [empty("d/" + n) for n in new])
                for new, gone in history(kind)]
        layout.make(kind, tars)
        layout.prefixes(kind)


if __name__ == "__main__":
    main()
