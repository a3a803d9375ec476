#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The files of some Debian packages as one tar on stdout, in their places of a merged /usr.

  merge_debs.py FILE.deb...
"""
import re
import subprocess
import sys
import tarfile

MERGED = re.compile(r"^\./(bin|sbin|lib|lib32|lib64|libx32)(/|$)")


def main():
    folders = set()
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|", format=tarfile.GNU_FORMAT) as out:
        for deb in sorted(sys.argv[1:]):
            with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb],
                                  stdout=subprocess.PIPE) as unpack, \
                    tarfile.open(fileobj=unpack.stdout, mode="r|") as files:
                for m in files:
                    m.name = MERGED.sub(r"./usr/\1\2", m.name)
                    if m.islnk():
                        m.linkname = MERGED.sub(r"./usr/\1\2", m.linkname)
                    if m.isdir():
                        if m.name in folders:
                            continue
                        folders.add(m.name)
                    out.addfile(m, files.extractfile(m) if m.isreg() else None)


main()
