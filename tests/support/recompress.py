#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The images of a layout once more, their layers compressed another way.

  recompress.py LAYOUT NEW_LAYOUT HOW TAG...

  HOW: plain, gzip, zstd, frames (zstd, a frame for each 1 MiB), chunked (as zstd:chunked), pzstd
DiffIDs and names stay.
"""
import gzip
import json
import sys

import zstd_frames as zf
from ocilayout import OCI, Layout, gz

HOW = {
    "plain": ("", lambda tar: tar),
    "gzip": ("+gzip", gz),
    "zstd": ("+zstd", zf.zstd),
    "frames": ("+zstd", lambda tar: zf.frames(tar, max(1, len(tar) >> 20))),
    "chunked": ("+zstd", lambda tar: zf.chunked(tar, max(1, len(tar) >> 22))),
    "pzstd": ("+zstd", lambda tar: zf.zstd(tar, "-p", "2", program="pzstd")),
}


class Source(Layout):
    """One that is there already, perhaps of somebody else."""

    def __init__(self, folder):  # pylint: disable=super-init-not-called
        self.folder = folder


def main():
    source, target, how = Source(sys.argv[1]), Layout(sys.argv[2]), sys.argv[3]
    suffix, pack = HOW[how]
    done = {}
    for tag in sys.argv[4:]:
        manifest = json.loads(source.read(source.find(tag)))
        config = json.loads(source.read(manifest["config"]))
        for layer in manifest["layers"]:
            data = source.read(layer)
            if layer["digest"] not in done:
                tar = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
                done[layer["digest"]] = target.put(pack(tar), f"{OCI}layer.v1.tar{suffix}")
        target.put_image(tag, [done[l["digest"]] for l in manifest["layers"]],
                         config["rootfs"]["diff_ids"], config)


main()
