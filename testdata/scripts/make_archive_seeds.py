#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of the fuzzers of archives: testdata/fuzz/{archive,docker_manifest}/NAME.

Run without arguments; the result is always the same.
"""
import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import sys
import tarfile
import tempfile

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
sys.path.insert(0, os.path.join(TOP, "tests/support"))
import docker_save  # noqa: E402

MANIFESTS = {
    "one": [{"Config": "ab.json", "RepoTags": ["x:1", "y:2"], "Layers": ["1/layer.tar"]}],
    "several": [{"Config": "a", "RepoTags": None, "Layers": None},
                {"Config": "sha256:b", "RepoTags": [], "Layers": ["b", "b"], "Parent": "c",
                 "LayerSources": {"sha256:d": {"size": 1}}}],
    "empty": [],
    "null": None,
}


def write(kind, name, data):
    folder = os.path.join(TOP, "testdata/fuzz", kind)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data)


def tiny_layer(text):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        info = tarfile.TarInfo("f")
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text))
    return out.getvalue()[:2048]


def tiny_image(path):
    layers = [tiny_layer(b"one"), tiny_layer(b"two")]
    config = json.dumps({"os": "linux", "architecture": "amd64", "rootfs": {
        "type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(x).hexdigest() for x in layers]}})
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in [("c", config.encode()), ("0", layers[0]), ("1", layers[1]),
                           ("manifest.json", json.dumps([{
                               "Config": "c", "RepoTags": ["x:1"],
                               "Layers": ["0", "1"]}]).encode())]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def main():
    for name, value in MANIFESTS.items():
        write("docker_manifest", name, json.dumps(value).encode())
    with tempfile.TemporaryDirectory() as work:
        source, out = work + "/source.tar", work + "/out.tar"
        tiny_image(source)
        for form in ("v10", "v25", "kaniko", "jib", "bazel", "v1", "circle", "outside", "sparse",
                     "null"):
            docker_save_to(form, source, out)
            with open(out, "rb") as f:
                data = f.read().rstrip(b"\0")
            data += b"\0" * (-len(data) % 512)
            write("archive", form, data)
        with open(source, "rb") as f:
            data = f.read()
    write("archive", "gzip", gzip.compress(data, mtime=0))
    write("archive", "xz", lzma.compress(data))
    write("archive", "bzip2", bz2.compress(data))
    write("archive", "tree", tiny_layer(b"tree"))


def docker_save_to(form, source, path):
    sys.argv = ["docker_save.py", form, source, path]
    docker_save.main()


if __name__ == "__main__":
    main()
