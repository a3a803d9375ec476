#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes an OCI image layout of a few files with Python alone: tiny_layout.py DIR [TAG [LAYERS]].

Each layer adds a file and replaces another. The same arguments give the same bytes.
"""
import gzip
import hashlib
import io
import json
import os
import sys
import tarfile


def blob(folder, data):
    digest = hashlib.sha256(data).hexdigest()
    with open(f"{folder}/blobs/sha256/{digest}", "wb") as f:
        f.write(data)
    return {"digest": "sha256:" + digest, "size": len(data)}


def layer(number):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        def add(name, kind, data=b"", mode=0o644, link=""):
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.mtime, info.linkname = kind, mode, 1700000000 + number, link
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        add("etc", tarfile.DIRTYPE, mode=0o755)
        add("etc/os-release", tarfile.REGTYPE, b"NAME=tiny\nLAYER=%d\n" % number)
        add(f"etc/file-{number}", tarfile.REGTYPE, bytes([number]) * 200000)
        add(f"etc/link-{number}", tarfile.SYMTYPE, link="os-release", mode=0o777)
    return out.getvalue()


def main():
    folder = sys.argv[1]
    tag = sys.argv[2] if len(sys.argv) > 2 else "latest"
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    os.makedirs(f"{folder}/blobs/sha256", exist_ok=True)
    tars = [layer(i + 1) for i in range(count)]
    diff_ids = ["sha256:" + hashlib.sha256(t).hexdigest() for t in tars]
    config = {"architecture": "amd64", "os": "linux", "created": "2024-01-01T00:00:00Z",
              "config": {"Cmd": ["/bin/true"]}, "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    config["architecture"] = machine
    manifest = {
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json",
                   **blob(folder, json.dumps(config).encode())},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                    **blob(folder, gzip.compress(t, mtime=0))} for t in tars]}
    entry = {"mediaType": manifest["mediaType"], **blob(folder, json.dumps(manifest).encode()),
             "annotations": {"org.opencontainers.image.ref.name": tag}}
    index = {"schemaVersion": 2, "manifests": []}
    if os.path.exists(f"{folder}/index.json"):
        with open(f"{folder}/index.json", encoding="utf-8") as f:
            index = json.load(f)
    index["manifests"] = [m for m in index["manifests"]
                          if m["annotations"]["org.opencontainers.image.ref.name"] != tag] + [entry]
    with open(f"{folder}/oci-layout", "w", encoding="utf-8") as f:
        json.dump({"imageLayoutVersion": "1.0.0"}, f)
    with open(f"{folder}/index.json", "w", encoding="utf-8") as f:
        json.dump(index, f)
    print(entry["digest"])


main()
