#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Images of 50,000 files with a layer of 8 KiB on top: many_files_layout.py LAYOUT KIND...

  spread   in 500 folders        flat   all in one folder

Tags: KIND-1 the lower layer alone; KIND-new a new file; KIND-replaced one in the place of another;
KIND-some four of 2 KiB, each in another folder, and a file that goes.
"""
import sys

from ocilayout import Layout
from tarmaker import archive

FILES, FOLDERS = 50000, 500
WHEN = 1700000000


def path(kind, number):
    folder = f"d/{number % FOLDERS:03}" if kind == "spread" else "d"
    return f"{folder}/a-file-of-some-length-{number:05}"


def file(name, data):
    return {"name": name, "type": "f", "mtime": WHEN, "data": data}


def folder(name):
    return {"name": name, "type": "d", "mtime": WHEN}


def noise(count):
    """Bytes that no hole is made of."""
    return bytes(1 + i * 7 % 251 for i in range(count))


def lower(kind):
    folders = [folder("d")]
    if kind == "spread":
        folders += [folder(f"d/{n:03}") for n in range(FOLDERS)]
    return archive(folders + [file(path(kind, n), b"%d" % n if n % 5 == 0 else b"")
                              for n in range(FILES)])


def some(kind):
    folder_of, gone = path(kind, 12345).rsplit("/", 1)
    inside = path(kind, 34567).rsplit("/", 1)[0]
    return [file(path(kind, 60001), noise(2048)), file(path(kind, 2000), noise(2048)),
            folder(inside), file(f"{inside}/new", noise(2048)), file("d/top", noise(2048)),
            file(f"{folder_of}/.wh.{gone}", b"")]


def main():
    layout = Layout(sys.argv[1])
    for kind in sys.argv[2:]:
        below = lower(kind)
        layout.make(f"{kind}-new", [below, archive([file(path(kind, 60000), noise(8192))])])
        layout.make(f"{kind}-replaced", [below, archive([file(path(kind, 23456), noise(8192))])])
        layout.make(f"{kind}-some", [below, archive(some(kind))])
        layout.make(f"{kind}-1", [below])


if __name__ == "__main__":
    main()
