#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An image with one layer that is one file of noise, not compressed: big_layout.py LAYOUT TAG MIB."""
import hashlib
import os
import sys

from ocilayout import OCI, Layout
from tarmaker import archive

PIECE = 1 << 20


def main():
    folder, tag, mib = sys.argv[1], sys.argv[2], int(sys.argv[3])
    layout = Layout(folder)
    # A header made for an empty file, with the size that follows put in.
    header = bytearray(archive([{"name": "big", "type": "f", "mtime": 0, "data": b""}], end=0)[:512])
    header[124:136] = b"%011o\0" % (mib * PIECE)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    noise = os.urandom(PIECE - 16)
    blob = hashlib.sha256()
    path = f"{folder}/blob"
    with open(path, "wb") as out:
        def put(data):
            blob.update(data)
            out.write(data)
        put(bytes(header))
        for number in range(mib):
            put(b"%016d" % number + noise)
        put(bytes(1024))
        size = out.tell()
    digest = "sha256:" + blob.hexdigest()
    os.rename(path, layout.path(digest))
    layer = {"mediaType": OCI + "layer.v1.tar", "digest": digest, "size": size}
    config = layout.put_json({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {
        "type": "layers", "diff_ids": [digest]}}, OCI + "config.v1+json")
    layout.tag(tag, layout.put_json({
        "schemaVersion": 2, "mediaType": OCI + "manifest.v1+json", "config": config,
        "layers": [layer]}, OCI + "manifest.v1+json"))


main()
