#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A layout with what stands beside images today: index_layout.py LAYOUT

  multi     an index: linux/amd64, linux/arm64/v8, and an attestation of each (unknown/unknown)
  nested    an index of the index
  artifact  a manifest of an artifact with an empty config, of OCI 1.1
  referrers an index as a registry keeps it for what refers to the image of linux/amd64
  signed    an image of one layer with a subject, annotations, and an artifactType

The two platforms share their lowest layer. Prints the digests of the parts as JSON.
"""
import json
import sys

from ocilayout import OCI, REF_NAME, Layout
from tarmaker import archive

EMPTY = "application/vnd.oci.empty.v1+json"


def untagged(layout, descriptor):
    """Kept in the folder, and in no index.json."""
    layout.write_index([d for d in layout.index() if d["digest"] != descriptor["digest"]])
    return {key: descriptor[key] for key in ("mediaType", "digest", "size")}


def image(layout, architecture, layers, variant=None):
    stored = [layout.put_layer(archive(members)) for members in layers]
    config = {"os": "linux", "architecture": architecture, "created": "2024-01-01T00:00:00Z",
              "config": {"Cmd": ["/bin/" + architecture]}}
    if variant:
        config["variant"] = variant
    return untagged(layout, layout.put_image(
        architecture, [s[0] for s in stored], [s[1] for s in stored], config))


def attestation(layout, subject):
    manifest = {
        "schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
        "config": layout.put_json({"os": "unknown", "architecture": "unknown"},
                                  OCI + "config.v1+json"),
        "layers": [layout.put_json({"about": subject["digest"]}, "application/vnd.in-toto+json")]}
    return dict(layout.put_json(manifest, OCI + "manifest.v1+json"),
                platform={"os": "unknown", "architecture": "unknown"},
                annotations={"vnd.docker.reference.type": "attestation-manifest",
                             "vnd.docker.reference.digest": subject["digest"]})


def artifact(layout, subject=None):
    manifest = {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
                "artifactType": "application/vnd.example.sbom", "config": layout.put(b"{}", EMPTY),
                "layers": [layout.put(b"a list of parts" * 100, "text/plain")]}
    if subject:
        manifest["subject"] = subject
    return layout.put_json(manifest, OCI + "manifest.v1+json")


def index(layout, entries):
    return layout.put_json({"schemaVersion": 2, "mediaType": OCI + "index.v1+json",
                            "manifests": entries}, OCI + "index.v1+json")


def main():
    layout = Layout(sys.argv[1])
    base = [{"name": "base", "data": b"the same for all " * 10000}]
    amd64, arm64 = (image(layout, name, [base, [{"name": name, "data": name * 5000}]], variant)
                    for name, variant in (("amd64", None), ("arm64", "v8")))
    proofs = [attestation(layout, amd64), attestation(layout, arm64)]
    # Attestations first: who takes the first entry that comes is wrong.
    multi = index(layout, proofs + [
        dict(amd64, platform={"os": "linux", "architecture": "amd64"}),
        dict(arm64, platform={"os": "linux", "architecture": "arm64", "variant": "v8"})])
    layout.tag("multi", multi)
    layout.tag("nested", index(layout, [multi]))
    layout.tag("artifact", artifact(layout))
    referrer = dict(artifact(layout, amd64), artifactType="application/vnd.example.sbom")
    # What a registry has for referrers where it does not know them: a tag of their subject.
    layout.tag("referrers", index(layout, [referrer]))
    layout.tag(amd64["digest"].replace(":", "-"), index(layout, [referrer]))
    layer, diff_id = layout.put_layer(archive([{"name": "signed", "data": b"x" * 3000}]))

    def refer(manifest):
        manifest.update(subject=amd64, artifactType="application/vnd.example.image",
                        annotations={"org.example": "1"})
    layout.put_image("signed", [layer], [diff_id], edit=refer)
    json.dump({"multi": multi["digest"], "amd64": amd64["digest"], "arm64": arm64["digest"],
               "proofs": [p["digest"] for p in proofs],
               "names": [d["annotations"][REF_NAME] for d in layout.index()]}, sys.stdout)


main()
