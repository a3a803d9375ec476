#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes one OCI layout with a tag for each case, and cases.json beside it for the tests.

  case_images.py LAYOUT [WORKDIR]
"""
import json
import sys

from cases import (TREE, Codec, codecs, hostile, metadata, names, paths, streams, types,
                   whiteouts)
from ocilayout import Layout, digest_of
from tarmaker import archive


def store(layout, layer):
    if isinstance(layer, Codec):
        return layout.put(layer.stored, layer.kind), digest_of(layer.tar)
    if isinstance(layer, bytes):
        return layout.put_layer(layer)
    return layout.put_layer(archive(layer))


def main():
    layout = Layout(sys.argv[1])
    listed = []
    for module in (names, types, paths, whiteouts, metadata, streams, codecs,
                   hostile):
        for name, case in module.CASES.items():
            stored = [store(layout, layer) for layer in case.layers]
            layout.put_image(name, [s[0] for s in stored], [s[1] for s in stored])
            expect = case.expect
            codes = [] if expect == TREE else list(expect) if isinstance(expect, tuple) \
                else [expect]
            listed.append({"tag": name, "refused": codes, "layers": len(stored),
                           "has": list(case.has), "lacks": list(case.lacks)})
    with open(f"{layout.folder}/cases.json", "w", encoding="utf-8") as f:
        json.dump(listed, f, indent=1)
    print(f"{len(listed)} cases")


main()
