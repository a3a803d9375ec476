#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What is no image to run is refused by its name (rules B2 to B5), from a registry and from a
# layout; foreign layers come from the registry, and their urls are asked by nobody (B19) unless they
# may be (33_foreign.sh).
# weight: 6
. "$(dirname "$0")/../support/lib.sh"

layout=$WORK/odd
start_bad_registry "$layout"
python3 "$SUPPORT/odd_images.py" "$layout" "http://$bad/elsewhere/" >"$WORK/tags"

# refused TAG CODE TEXT...: by both ways, before any layer is fetched
refused() {
    local tag=$1 code=$2 from
    shift 2
    say "$tag"
    for from in "$bad/good:$tag" "oci:$layout:$tag"; do
        expect "$code" tp -q pull "$from"
        expect_error "pull $from: " "$@"
    done
}

refused helm 10 'config: not a runnable image' application/vnd.cncf.helm.config.v1+json
refused wasm 10 'config: not a runnable image' application/vnd.wasm.config.v0+json
refused plugin 10 'config: not a runnable image' application/vnd.docker.plugin.v1+json
refused empty 10 'config: not a runnable image' application/vnd.oci.empty.v1+json \
    'an artifact of type application/vnd.example.thing'
refused cosign 10 'layers[0]: not a runnable image' \
    application/vnd.dev.cosign.simplesigning.v1+json
refused in-toto 10 'layers[0]: not a runnable image' application/vnd.in-toto+json
refused encrypted 10 'layers[0]: encrypted layers' layer.v1.tar+gzip+encrypted
refused docker-encrypted 10 'layers[0]: encrypted layers' diff.tar.gzip+enc
refused schema1 10 'docker schema 1' 'pushed again'
refused signed-schema1 10 'docker schema 1'
refused artifact 10 'not a runnable image' application/vnd.oci.artifact.manifest.v1+json
refused index-of-artifacts 2 'no image in the index' application/vnd.oci.artifact.manifest.v1+json
say untyped-schema1
expect 10 tp -q pull "$bad/good:untyped-schema1"
expect_error 'docker schema 1'
[ "$(grep -c ' /v2/good/blobs/' "$WORK/bad.log")" -eq 0 ] || fail 'a blob was fetched'
[ ! -e "$ROOT/pools/default" ] || fail 'there is a pool'

for tag in foreign nondistributable; do
    say "$tag: from the registry, when it has it"
    expect 0 tp -q pull "$bad/good:$tag"
    expect 0 tp rmi "$bad/good:$tag"
    expect 0 tp -q pull "oci:$layout:$tag"
    expect 0 tp rmi "oci:$layout:$tag"
    say "$tag: and nowhere else"
    expect 2 tp -q pull "$bad/gone:$tag"
    expect_error 'layer 1/1 sha256:' 'a foreign layer, whose urls are not followed' '404 not found'
    digest=$(jq -r --arg tag "$tag" '.manifests[] | select(.annotations |
        .["org.opencontainers.image.ref.name"] == $tag).digest' "$layout/index.json")
    rm "$layout/blobs/sha256/$(jq -r '.layers[0].digest' "$layout/blobs/${digest/://}" |
        cut -d: -f2)"
    expect 2 tp -q pull "oci:$layout:$tag"
    expect_error 'a foreign layer, whose urls are not followed' 'no blob sha256:'
done
! grep -q elsewhere "$WORK/bad.log" || fail 'a url of a foreign layer was asked'
check_pool
finish
