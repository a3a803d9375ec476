#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A layout of what is kept in registries beside images, a tag for each: odd_images.py LAYOUT URL

URL is what foreign layers name as the place to get them from. Their blobs are above 1 KiB.
"""
import json
import sys

from ocilayout import OCI, REF_NAME, Layout, digest_of, gz
from tarmaker import archive

DOCKER = "application/vnd.docker."
ARTIFACTS = {
    "helm": ("application/vnd.cncf.helm.config.v1+json",
             "application/vnd.cncf.helm.chart.content.v1.tar+gzip"),
    "wasm": ("application/vnd.wasm.config.v0+json", "application/wasm"),
    "empty": ("application/vnd.oci.empty.v1+json", "application/vnd.example.data"),
    "cosign": (OCI + "config.v1+json", "application/vnd.dev.cosign.simplesigning.v1+json"),
    "in-toto": (OCI + "config.v1+json", "application/vnd.in-toto+json"),
    "encrypted": (OCI + "config.v1+json", OCI + "layer.v1.tar+gzip+encrypted"),
    "docker-encrypted": (DOCKER + "container.image.v1+json",
                         DOCKER + "image.rootfs.diff.tar.gzip+enc"),
    "plugin": ("application/vnd.docker.plugin.v1+json", DOCKER + "image.rootfs.diff.tar.gzip"),
}
FOREIGN = {
    "foreign": DOCKER + "image.rootfs.foreign.diff.tar.gzip",
    "nondistributable": OCI + "layer.nondistributable.v1.tar+gzip",
}


def tar(mark):
    noise = "".join(digest_of(f"{mark}{i}".encode()) for i in range(60))
    return archive([{"name": mark, "type": "f", "data": noise}])


def artifact(layout, tag, types, more):
    manifest = {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
                "config": layout.put(b"{}", types[0]), "layers": [layout.put(gz(b"x"), types[1])]}
    layout.tag(tag, layout.put_json(dict(manifest, **more), OCI + "manifest.v1+json"))


def main():
    layout = Layout(sys.argv[1])
    for tag, types in ARTIFACTS.items():
        more = {"artifactType": "application/vnd.example.thing"} if tag == "empty" else {}
        artifact(layout, tag, types, more)
    for tag, kind in FOREIGN.items():
        data = tar(tag)
        layer = dict(layout.put(gz(data), kind), urls=[sys.argv[2] + tag])
        layout.put_image(tag, [layer], [digest_of(data)])
    for tag, suffix in (("schema1", "v1+json"), ("signed-schema1", "v1+prettyjws")):
        layout.tag(tag, layout.put_json(
            {"schemaVersion": 1, "name": "x", "tag": tag, "fsLayers": [], "history": []},
            DOCKER + "distribution.manifest." + suffix))
    # As a registry that does not say what it is, and an artifact of the draft of OCI 1.1.
    layout.tag("untyped-schema1", dict(layout.put_json(
        {"schemaVersion": 1, "name": "y", "fsLayers": []}, "application/json")))
    layout.tag("artifact", layout.put_json(
        {"mediaType": "application/vnd.oci.artifact.manifest.v1+json", "blobs": []},
        "application/vnd.oci.artifact.manifest.v1+json"))
    only = {k: v for k, v in layout.find("artifact").items() if k != "annotations"}
    layout.tag("index-of-artifacts", layout.put_json(
        {"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": [only]},
        OCI + "index.v1+json"))
    print(json.dumps([d["annotations"][REF_NAME] for d in layout.index()]))


main()
