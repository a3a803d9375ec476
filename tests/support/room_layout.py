#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Images that need room in a pool.

  room_layout.py LAYOUT claim TAG BYTES       one layer that is said to have so many, and is not there
  room_layout.py LAYOUT fill TAG MIB LAYERS   a file of so many in each layer, which packs to nothing
"""
import sys

from ocilayout import OCI, Layout, digest_of
from tarmaker import archive

WHEN = 1700000000


def claim(layout, tag, size):
    name = digest_of(tag.encode())
    layer = {"mediaType": OCI + "layer.v1.tar", "digest": name, "size": size}
    layout.put_image(tag, [layer], [name])


def fill(layout, tag, mib, layers):
    data = b"not a hole;" * ((mib << 20) // 11)
    stored = [layout.put_layer(archive([{"name": f"file-{n}", "type": "f", "mtime": WHEN, "data": data}]))
              for n in range(layers)]
    layout.put_image(tag, [s[0] for s in stored], [s[1] for s in stored])


def main():
    layout, what, tag, *numbers = sys.argv[1:]
    {"claim": claim, "fill": fill}[what](Layout(layout), tag, *(int(n) for n in numbers))


main()
