#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""OCI image layouts, written byte by byte.

  ocilayout.py make LAYOUT TAG FILE.tar...   an image whose layers are these tars, gzipped
  ocilayout.py plain LAYOUT TAG FILE.tar...  the same, not compressed
  ocilayout.py prefixes LAYOUT TAG           tags TAG-1, TAG-2... for its first layers
"""
import gzip
import hashlib
import json
import os
import sys

OCI = "application/vnd.oci.image."
REF_NAME = "org.opencontainers.image.ref.name"


def gz(data, level=6, members=1):
    """Gzip with a fixed header; in several members when asked."""
    step = -(-len(data) // members) or 1
    return b"".join(gzip.compress(data[i:i + step], level, mtime=0)
                    for i in range(0, max(len(data), 1), step))


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Layout:
    def __init__(self, folder):
        self.folder = folder
        os.makedirs(f"{folder}/blobs/sha256", exist_ok=True)
        if os.path.exists(f"{folder}/index.json"):
            return  # one that is only read may be somebody else's
        with open(f"{folder}/oci-layout", "w", encoding="utf-8") as f:
            f.write('{"imageLayoutVersion":"1.0.0"}')
        self.write_index([])

    def write_index(self, manifests):
        with open(f"{self.folder}/index.json", "w", encoding="utf-8") as f:
            json.dump({"schemaVersion": 2, "manifests": manifests}, f)

    def index(self):
        with open(f"{self.folder}/index.json", encoding="utf-8") as f:
            return json.load(f)["manifests"] or []

    def path(self, digest):
        return f"{self.folder}/blobs/" + digest.replace(":", "/")

    def read(self, descriptor):
        with open(self.path(descriptor["digest"]), "rb") as f:
            return f.read()

    def put(self, data, media_type):
        """Store a blob; returns its descriptor."""
        digest = digest_of(data)
        with open(self.path(digest), "wb") as f:
            f.write(data)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def put_json(self, value, media_type):
        return self.put(json.dumps(value).encode(), media_type)

    def tag(self, name, descriptor):
        kept = [d for d in self.index() if d.get("annotations", {}).get(REF_NAME) != name]
        self.write_index(kept + [dict(descriptor, annotations={REF_NAME: name})])

    def find(self, name):
        return next(d for d in self.index() if d.get("annotations", {}).get(REF_NAME) == name)

    def put_image(self, name, layers, diff_ids, config=None, edit=None):
        """Manifest and config over stored layers; `edit` may spoil the manifest."""
        config = dict(config or {"created": "1970-01-01T00:00:00Z", "architecture": "amd64",
                                 "os": "linux", "config": {"Cmd": ["/bin/sh"]}})
        config["rootfs"] = {"type": "layers", "diff_ids": diff_ids}
        manifest = {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
                    "config": self.put_json(config, OCI + "config.v1+json"), "layers": layers}
        if edit:
            edit(manifest)
        descriptor = self.put_json(manifest, OCI + "manifest.v1+json")
        self.tag(name, descriptor)
        return descriptor

    def put_layer(self, tar, codec="gzip"):
        """Store a tar as a layer; returns (descriptor, DiffID)."""
        if codec == "plain":
            return self.put(tar, OCI + "layer.v1.tar"), digest_of(tar)
        if isinstance(codec, bytes):
            return self.put(codec, OCI + "layer.v1.tar+gzip"), digest_of(tar)
        return self.put(gz(tar), OCI + "layer.v1.tar+gzip"), digest_of(tar)

    def make(self, name, tars, codec="gzip"):
        stored = [self.put_layer(tar, codec) for tar in tars]
        return self.put_image(name, [s[0] for s in stored], [s[1] for s in stored])

    def prefixes(self, name):
        """Tags NAME-1 .. NAME-n for the first layers of an image; returns n."""
        manifest = json.loads(self.read(self.find(name)))
        config = json.loads(self.read(manifest["config"]))
        diff_ids = config["rootfs"]["diff_ids"]
        config.pop("history", None)
        for n in range(1, len(diff_ids)):
            self.put_image(f"{name}-{n}", manifest["layers"][:n], diff_ids[:n], config)
        return len(diff_ids)


def main():
    verb, layout, name = sys.argv[1], Layout(sys.argv[2]), sys.argv[3]
    if verb == "prefixes":
        print(layout.prefixes(name))
        return
    tars = []
    for path in sys.argv[4:]:
        with open(path, "rb") as f:
            tars.append(f.read())
    layout.make(name, tars, "plain" if verb == "plain" else "gzip")


if __name__ == "__main__":
    main()
