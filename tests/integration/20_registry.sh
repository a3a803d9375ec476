#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A real registry on loopback: by tag, by digest, docker's manifest types, an index of platforms;
# nothing is fetched twice, and what comes is what a layout folder gives.
# weight: 30
. "$(dirname "$0")/../support/lib.sh"

start_registry
push "$IMAGES/debian:debian" test/debian:12
push "$IMAGES/debian:debian" test/docker:12 --format v2s2
push "$IMAGES/tools:umoci" test/small:1

say 'by tag, then nothing more to fetch'
expect 0 tp -q pull "$REGISTRY/test/debian:12"
grep -qE "^$REGISTRY/test/debian:12@sha256:[0-9a-f]{64}$" "$WORK/out" ||
    fail "pull printed $(cat "$WORK/out")"
digest=$(sed 's/.*@//' "$WORK/out")
blobs=$(blobs_fetched)
[ "$blobs" -ge "$(cat "$IMAGES/debian.layers")" ] || fail "$blobs blobs fetched"
expect 0 tp -q pull "$REGISTRY/test/debian:12"
expect 0 tp -q pull "docker://$REGISTRY/test/debian:12"
[ "$(blobs_fetched)" -eq "$blobs" ] || fail 'blobs were fetched again'
check_pool

say 'by digest, and by both'
expect 0 tp -q pull "$REGISTRY/test/debian@$digest"
expect 0 tp -q pull "$REGISTRY/test/debian:12@$digest"
expect 0 tp -q "$REGISTRY/test/debian:12@$digest"
expect 2 tp -q pull "$REGISTRY/test/debian@sha256:$(printf 'ab%.0s' $(seq 32))"
expect_error "$REGISTRY/test/debian"

say "docker's own types: another manifest over the same layers"
json pull "$REGISTRY/test/docker:12" | expect_json '.[0].layers_fetched' 0
check_pool

say 'the same bytes as from a layout folder'
raw "$REGISTRY/test/debian:12" "$WORK/registry.ext4"
"$PROGRAM" --root "$WORK/other" -q pull "oci:$IMAGES/debian:debian" >/dev/null
"$PROGRAM" --root "$WORK/other" export --format raw -o "$WORK/layout.ext4" \
    "oci:$IMAGES/debian:debian" >/dev/null
[ "$(content "$WORK/registry.ext4")" = "$(content "$WORK/layout.ext4")" ] || fail 'other bytes'
rm -rf "$WORK/other" "$WORK"/*.ext4

say 'an index: the platform decides'
python3 - "$WORK/multi" "$IMAGES/tools" <<'PY'
import json, shutil, sys
sys.path.insert(0, "tests/support")
from ocilayout import Layout, OCI
shutil.copytree(sys.argv[2], sys.argv[1])
layout = Layout(sys.argv[1])
def entry(tag, platform):
    return dict({k: v for k, v in layout.find(tag).items() if k != "annotations"},
                platform=platform)
def as_platform(tag, arch, variant=None):
    manifest = json.loads(layout.read(layout.find(tag)))
    config = json.loads(layout.read(manifest["config"]))
    config["architecture"] = arch
    manifest["config"] = layout.put_json(config, OCI + "config.v1+json")
    found = layout.put_json(manifest, OCI + "manifest.v1+json")
    return dict(found, platform=dict({"os": "linux", "architecture": arch},
                                     **({"variant": variant} if variant else {})))
index = {"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": [
    as_platform("gnutar-gnu", "arm64", "v8"),
    dict(entry("gnutar-ustar", {"os": "unknown", "architecture": "unknown"}),
         annotations={"vnd.docker.reference.type": "attestation-manifest"}),
    entry("umoci", {"os": "linux", "architecture": "amd64"}),
    as_platform("gnutar-posix", "arm", "v7")]}
layout.tag("multi", layout.put_json(index, OCI + "index.v1+json"))
PY
push "$WORK/multi:multi" test/multi:1 --all
expect 0 tp -q pull --platform linux/amd64 "$REGISTRY/test/multi:1"
raw "$REGISTRY/test/multi:1" "$WORK/amd64.ext4"
"$LIST" "$WORK/amd64.ext4" | sort >"$WORK/got"
python3 "$SUPPORT/oracle.py" "$IMAGES/tools:umoci" >"$WORK/want"
python3 "$SUPPORT/tree.py" compare "$WORK/want" "$WORK/got" oracle thinpull
expect 0 "$PROGRAM" --root "$WORK/arm" -q pull --platform linux/arm64 "$REGISTRY/test/multi:1"
"$PROGRAM" --root "$WORK/arm" --json images | expect_json '.[0].platform' linux/arm64
expect 2 tp -q pull --platform linux/riscv64 "$REGISTRY/test/multi:1"
expect_error amd64 # the platforms that there are
rm -rf "$WORK/arm" "$WORK/multi"

say 'several references at once'
expect 0 tp -q pull "$REGISTRY/test/small:1" "$REGISTRY/test/debian:12"
[ "$(wc -l <"$WORK/out")" -eq 2 ] || fail 'not a line for each'

say 'a registry that is gone does not hurt what is here'
address=$REGISTRY
stop_registry
expect 9 tp -q pull "$address/test/debian:12"
expect_error "$address/test/debian:12"
expect 0 tp create "$address/test/debian:12" box
expect 0 tp rm box
check_pool
finish
