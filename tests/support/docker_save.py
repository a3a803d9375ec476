#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An archive as tools write it that are not packaged: docker_save.py FORM IN OUT

Takes an image as a docker archive that skopeo wrote (IN), and writes it in the form of another tool:
  v10      docker 1.10 to 24: HEX.json, ID/layer.tar, symlinks to layers of before, JSON last
  v25      docker 25 and later, ctr: an OCI layout with manifest.json beside it
  kaniko   sha256:HEX as config, layers HEX.tar.gz
  jib      config.json, layers HEX.tar.gz, manifest.json first
  bazel    ./ before every name, layers as hard links and twice
  first    manifest.json and index.json before everything else
  v1       docker before 1.10: repositories and no manifest.json
Bad ones, each to be refused:
  climb absolute twice config layer circle outside sparse many truncated null
"""
import gzip
import hashlib
import io
import json
import sys
import tarfile


def sha(data):
    return hashlib.sha256(data).hexdigest()


class Image:
    def __init__(self, path):
        with tarfile.open(path) as tar:
            entry = json.load(tar.extractfile("manifest.json"))[0]
            self.tags = entry["RepoTags"]
            self.config = tar.extractfile(entry["Config"]).read()
            self.layers = [tar.extractfile(name).read() for name in entry["Layers"]]

    def entry(self, config, layers):
        return [{"Config": config, "RepoTags": self.tags, "Layers": layers}]


class Out:
    def __init__(self, path, form=tarfile.PAX_FORMAT):
        self.tar = tarfile.open(path, "w", format=form)

    def file(self, name, data):
        info = tarfile.TarInfo(name)
        info.size = len(data)
        self.tar.addfile(info, io.BytesIO(data))

    def text(self, name, value):
        self.file(name, json.dumps(value).encode())

    def link(self, name, target, kind=tarfile.SYMTYPE):
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        self.tar.addfile(info)

    def folder(self, name):
        info = tarfile.TarInfo(name)
        info.type, info.mode = tarfile.DIRTYPE, 0o755
        self.tar.addfile(info)


def v10(image, out):
    names = []
    for i, layer in enumerate(image.layers):
        folder = sha(b"%d" % i)
        out.folder(folder + "/")
        out.file(folder + "/VERSION", b"1.0")
        out.text(folder + "/json", {"id": folder})
        if i == 1:  # seen before in another image of the same archive
            out.file("0ld/layer.tar", layer)
            out.link(folder + "/layer.tar", "../0ld/layer.tar")
        else:
            out.file(folder + "/layer.tar", layer)
        names.append(folder + "/layer.tar")
    out.file(sha(image.config) + ".json", image.config)
    out.text("manifest.json", image.entry(sha(image.config) + ".json", names))
    out.text("repositories", {"x": {"1": "ab"}})


def v25(image, out):
    def blob(data, kind):
        name = "blobs/sha256/" + sha(data)
        out.file(name, data)
        return {"mediaType": "application/vnd.oci.image." + kind, "size": len(data),
                "digest": "sha256:" + sha(data)}
    out.folder("blobs/")
    out.folder("blobs/sha256/")
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": blob(image.config, "config.v1+json"),
                "layers": [blob(layer, "layer.v1.tar") for layer in image.layers]}
    entry = blob(json.dumps(manifest).encode(), "manifest.v1+json")
    entry["annotations"] = {"io.containerd.image.name": image.tags[0],
                            "org.opencontainers.image.ref.name": image.tags[0].split(":")[-1]}
    out.text("index.json", {"schemaVersion": 2, "manifests": [entry]})
    out.text("manifest.json", image.entry(
        "blobs/sha256/" + sha(image.config), ["blobs/sha256/" + sha(l) for l in image.layers]))
    out.text("oci-layout", {"imageLayoutVersion": "1.0.0"})


def zipped(image):
    return [gzip.compress(layer, mtime=0) for layer in image.layers]


def kaniko(image, out):
    layers = zipped(image)
    out.file("sha256:" + sha(image.config), image.config)
    for layer in layers:
        out.file(sha(layer) + ".tar.gz", layer)
    out.text("manifest.json", image.entry("sha256:" + sha(image.config),
                                          [sha(layer) + ".tar.gz" for layer in layers]))


def jib(image, out):
    layers = zipped(image)
    out.text("manifest.json",
             image.entry("config.json", [sha(layer) + ".tar.gz" for layer in layers]))
    for layer in layers:
        out.file(sha(layer) + ".tar.gz", layer)
    out.file("config.json", image.config)


def bazel(image, out):
    names = []
    for i, layer in enumerate(image.layers):
        out.file(f"./{i}.tar", layer)
        out.file(f"./{i}.tar", layer)
        out.link(f"./{i}/layer.tar", f"./{i}.tar", tarfile.LNKTYPE)
        names.append(f"{i}/layer.tar")
    out.file(f"./{sha(image.config)}.json", image.config)
    out.text("./manifest.json", image.entry(sha(image.config) + ".json", names))


def first(image, out):
    names = [f"{i}/layer.tar" for i in range(len(image.layers))]
    out.text("manifest.json", image.entry("z.json", names))
    out.file("z.json", image.config)
    for name, layer in reversed(list(zip(names, image.layers))):
        out.file(name, layer)


def v1(image, out):
    out.text("repositories", {"x": {"1": "ab"}})
    out.file("ab/layer.tar", image.layers[0])
    out.text("ab/json", {"id": "ab"})


def simple(image, out, config="c.json", layers=None):
    for i, layer in enumerate(image.layers):
        out.file(f"{i}.tar", layer)
    out.file(config, image.config)
    out.text("manifest.json", image.entry(
        config, layers or [f"{i}.tar" for i in range(len(image.layers))]))


def climb(image, out):
    simple(image, out)
    out.file("../../etc/cron.d/x", b"x")


def absolute(image, out):
    simple(image, out)
    out.file("/etc/cron.d/x", b"x")


def twice(image, out):
    simple(image, out)
    out.text("manifest.json", image.entry("c.json", ["0.tar"]))


def config(image, out):  # a name that another digest goes with
    simple(image, out, config="ab" * 32 + ".json")


def layer(image, out):  # another layer than the config says
    image.layers[-1] = bytes(image.layers[-1][:-1]) + b"\1"
    simple(image, out)


def circle(image, out):
    out.link("0.tar", "9.tar")
    out.link("9.tar", "0.tar")
    image.layers[0:1] = []
    out.file("c.json", image.config)
    out.text("manifest.json", image.entry("c.json", ["0.tar"] * (len(image.layers) + 1)))


def outside(image, out):
    out.link("0.tar", "../../../../etc/passwd")
    out.file("c.json", image.config)
    out.text("manifest.json", image.entry("c.json", ["0.tar"] * len(image.layers)))


def sparse(image, out):  # a layer of 8 EiB, of which nothing is stored
    info = tarfile.TarInfo("0.tar")
    info.pax_headers = {"GNU.sparse.size": str(2**62), "GNU.sparse.numblocks": "1",
                        "GNU.sparse.map": "0,0"}
    out.tar.addfile(info)
    out.file("c.json", image.config)
    out.text("manifest.json", image.entry("c.json", ["0.tar"] * len(image.layers)))


def many(image, out):  # a manifest.json without an end
    out.file("c.json", image.config)
    out.file("manifest.json", b"[" + b" " * (21 << 20) + b"]")


def null(image, out):
    out.text("manifest.json", None)


def truncated(image, out):
    simple(image, out)


def main():
    form, source, path = sys.argv[1:]
    out = Out(path)
    globals()[form](Image(source), out)
    out.tar.close()
    if form == "truncated":
        with open(path, "r+b") as f:
            f.truncate(100000)


if __name__ == "__main__":
    main()
