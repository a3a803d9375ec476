#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Images of OCI layouts as the storage of a docker-registry, whose blobs are links to those of the
layouts: nothing is copied, and no registry needs to run.

  registry_store.py FOLDER LAYOUT:TAG...     they are called LAYOUT's last part, with the tag

Spec: docker distribution, registry/storage/paths.go.
"""
import json
import os
import sys

import ocilayout


class Store:
    def __init__(self, folder):
        self.folder = f"{folder}/docker/registry/v2"

    def link(self, path, digest):
        """A file that says a digest."""
        path = f"{self.folder}/repositories/{path}/link"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(digest)

    def blob(self, layout, digest):
        algorithm, hexes = digest.split(":")
        folder = f"{self.folder}/blobs/{algorithm}/{hexes[:2]}/{hexes}"
        if not os.path.exists(folder):
            os.makedirs(folder)
            os.symlink(os.path.abspath(layout.path(digest)), f"{folder}/data")

    def manifest(self, layout, name, descriptor):
        """A manifest with its parts, or an index with all that it lists."""
        document = json.loads(layout.read(descriptor))
        for entry in document.get("manifests", []):
            self.manifest(layout, name, entry)
        if "config" in document:
            for part in [document["config"], *document["layers"]]:
                self.blob(layout, part["digest"])
                self.link(f"{name}/_layers/{part['digest'].replace(':', '/')}", part["digest"])
        digest = descriptor["digest"]
        self.blob(layout, digest)
        self.link(f"{name}/_manifests/revisions/{digest.replace(':', '/')}", digest)

    def add(self, layout, name, tag):
        descriptor = layout.find(tag)
        self.manifest(layout, name, descriptor)
        digest = descriptor["digest"]
        revision = digest.replace(":", "/")
        self.link(f"{name}/_manifests/tags/{tag}/current", digest)
        self.link(f"{name}/_manifests/tags/{tag}/index/{revision}", digest)


def main():
    store = Store(sys.argv[1])
    for image in sys.argv[2:]:
        folder, tag = image.rsplit(":", 1)
        store.add(ocilayout.Layout(folder), os.path.basename(folder), tag)


main()
