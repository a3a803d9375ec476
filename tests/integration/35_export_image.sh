#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `export --format oci-archive`: what skopeo, buildah and umoci make of it as an OCI archive and as
# one of docker's; taken in again it has the same tree, and exported again the same bytes. An image
# that was pulled with --keep-blobs is the same image then.
# weight: 45
. "$(dirname "$0")/../support/lib.sh"
cd "$WORK"
other() { "$PROGRAM" --root "$WORK/other" "$@"; }

# again NAME REF: export, take in elsewhere, export there: tree and bytes are the same. Leaves
# NAME.tar.
again() {
    expect 0 tp -q export --format oci-archive -o "$1.tar" "$2"
    rm -rf "$1.layout"
    mkdir "$1.layout"
    tar -xf "$1.tar" -C "$1.layout"
    expect 0 other -q pull "oci:$WORK/$1.layout"
    expect 0 tp -q export --format tar -o want.tree "$2"
    expect 0 other -q export --format tar -o got.tree "oci:$WORK/$1.layout"
    cmp want.tree got.tree || fail "$1: another tree"
    expect 0 other tag "oci:$WORK/$1.layout" "${3:-$1:again}"
    expect 0 other -q export --format oci-archive -o again.tar "${3:-$1:again}"
    if [ -n "${3:-}" ]; then
        cmp "$1.tar" again.tar || fail "$1: other bytes when exported again"
    else # without the name that it has now
        [ "$(tar -xOf "$1.tar" index.json | jq -r '.manifests[0].digest')" = \
            "$(tar -xOf again.tar index.json | jq -r '.manifests[0].digest')" ] ||
            fail "$1: another image when exported again"
    fi
    [ "$(tar -xOf "$1.tar" manifest.json | jq -r '.[0].Layers | length')" = 1 ] || fail "$1: layers"
    expect 0 other rmi "${3:-$1:again}" "oci:$WORK/$1.layout"
    rm -r "$1.layout" ./*.tree again.tar
}

say 'a real system, under its name'
expect 0 tp -q pull "oci:$IMAGES/debian:debian"
expect 0 tp tag "oci:$IMAGES/debian:debian" debian:12
again debian debian:12 debian:12
[ "$(tar -xOf debian.tar manifest.json | jq -r '.[0].RepoTags[0]')" = docker.io/library/debian:12 ] ||
    fail 'no tag for docker'
# Every member is what its name says, and those that name others stand before them.
tar -tf debian.tar >names
[ "$(head -n 3 names | xargs)" = 'oci-layout index.json manifest.json' ] || fail 'another order'
grep '^blobs/sha256/.' names | while read -r name; do
    [ "$(tar -xOf debian.tar "$name" | sha256sum | cut -d' ' -f1)" = "$(basename "$name")" ] ||
        fail "$name is not what it is called"
done
config=$(tar -xOf debian.tar "$(tar -xOf debian.tar manifest.json | jq -r '.[0].Config')")
[ "$(jq -cS .config <<<"$config")" = \
    "$(json image inspect debian:12 | jq -cS .config)" ] || fail 'the config of running is another'
[ "$(jq '[.history[] | select(.empty_layer | not)] | length' <<<"$config")" -eq 1 ] ||
    fail 'steps and layers do not go together'
layer=$(tar -xOf debian.tar manifest.json | jq -r '.[0].Layers[0]')
[ "sha256:$(basename "$layer")" = "$(jq -r '.rootfs.diff_ids[0]' <<<"$config")" ] || fail DiffID

say 'what skopeo makes of it'
for from in oci-archive:debian.tar docker-archive:debian.tar docker-archive:debian.tar:debian:12; do
    expect 0 skopeo --insecure-policy copy -q "$from" "oci:skopeo:x"
    [ "$(skopeo inspect --config oci:skopeo:x | jq -cS .rootfs)" = "$(jq -cS .rootfs <<<"$config")" ] ||
        fail "skopeo: other layers of $from"
    rm -rf skopeo
done
[ "$(skopeo inspect --config --raw oci-archive:debian.tar | sha256sum)" = \
    "$(printf %s "$config" | sha256sum)" ] || fail 'skopeo: another config'

say 'what umoci unpacks of it'
expect 0 tp -q pull "oci:$IMAGES/tools:plain"
again plain "oci:$IMAGES/tools:plain"
mkdir layout
tar -xf plain.tar -C layout
expect 0 skopeo --insecure-policy copy -q oci:layout oci:layout.named:x
umoci_options=
[ "$(id -u)" -eq 0 ] || umoci_options=--rootless
# shellcheck disable=SC2086
expect 0 umoci unpack $umoci_options --image layout.named:x unpacked
expect 0 tp export --format tar -o tree.tar "oci:$IMAGES/tools:plain"
[ "$(cd unpacked/rootfs && find . | sort | sha256sum)" = \
    "$(tar -tf tree.tar | sed 's|/$||' | sort | sha256sum)" ] || fail 'umoci: other names'
chmod -R u+rwX unpacked

if [ "$(id -u)" -eq 0 ]; then
    say 'what buildah loads'
    store=(--root "$WORK/buildah" --runroot "$WORK/buildah.run" --storage-driver vfs)
    for from in oci-archive:plain.tar docker-archive:plain.tar; do
        expect 0 buildah "${store[@]}" pull -q "$from"
        id=$(tail -n 1 out)
        [ "$(buildah "${store[@]}" inspect --type image "$id" | jq -r '.OCIv1.rootfs.diff_ids[0]')" = \
            "$(tar -xOf plain.tar manifest.json | jq -r '.[0].LayerSources | keys[0]')" ] ||
            fail "buildah: another layer of $from"
        buildah "${store[@]}" rmi -af >/dev/null 2>&1
    done
fi

say 'every kind of entry'
n=0 every=2
[ -z "${THINPULL_AGAIN:-}" ] || every=7
for tag in $(jq -r '.manifests[].annotations[]' "$IMAGES/cases/index.json"); do
    n=$((n + 1))
    case $tag in *60_gib | A75_many_*) continue ;; esac
    [ $((n % every)) -eq 0 ] || continue
    tp -q pull "oci:$IMAGES/cases:$tag" >/dev/null 2>&1 || continue
    again "case" "oci:$IMAGES/cases:$tag"
    expect 0 tp -q rmi "oci:$IMAGES/cases:$tag"
done

say 'a container, to a pipe, to a full disk'
expect 0 tp create debian:12 box
again box box
[ "$(tar -xOf box.tar manifest.json | jq -c '.[0].RepoTags')" = null ] || fail 'a container has a tag'
tp export --format oci-archive -o - box | cmp - box.tar || fail 'other bytes in a pipe'
LC_ALL=C "$ASAN_PROGRAM" --root "$ROOT" export --format oci-archive -o - box | cmp - box.tar ||
    fail 'other bytes by another build'
expect 0 json export --format oci-archive -o box2.tar box
expect_json '[.name, .format, .size_bytes] | join(" ")' \
    "box oci-archive $(stat -c %s box.tar)" <out
[ "$(stat -c %a box.tar)" = 600 ] || fail 'others may read it'
expect 6 bash -c "'$PROGRAM' --root '$ROOT' export --format oci-archive -o - box >/dev/full"
expect 6 bash -c "ulimit -f 100; trap '' XFSZ; exec '$PROGRAM' --root '$ROOT' export \
    --format oci-archive -o part.tar box"
[ ! -e part.tar ] || fail 'a part of an archive is there'
expect 2 tp export --format oci-archive -o none.tar nobody
[ ! -e none.tar ] || fail 'an archive of nothing'
check_pool

say '--keep-blobs: as it was pulled'
python3 "$SUPPORT/registry_store.py" "$WORK/registry" "$IMAGES/debian:debian"
start_registry
ref=$REGISTRY/debian:debian
digest=$(jq -r '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == "debian")
    .digest' "$IMAGES/debian/index.json")
layers() { json image inspect "$1" | jq -c '[.layers[] | .digest, .chain_id]'; }
before=$(wc -l <"$WORK/registry.log")
expect 0 json pull --keep-blobs "$ref" # its layers are there, its blobs are not
expect_json '.[0] | [.layers, .layers_fetched, .digest] | tostring' "[4,4,\"$digest\"]" <out
# A large one by several requests.
[ "$(tail -n "+$((before + 1))" "$WORK/registry.log" |
    grep -oE 'GET /v2/[^ ]*/blobs/sha256:[0-9a-f]*' | sort -u | wc -l)" -eq 4 ] ||
    fail 'not four blobs were fetched'
expect 0 json pull --keep-blobs "$ref"
expect_json '.[0].layers_fetched' 0 <out
expect 0 other -q pull --keep-blobs "$ref" # nothing is there
for of in tp other; do
    expect 0 $of -q export --format oci-archive -o $of.tar "$ref"
done
cmp tp.tar other.tar || fail 'other bytes'
[ "$(tar -xOf tp.tar index.json | jq -r '.manifests[0].digest')" = "$digest" ] ||
    fail 'another image'
mkdir kept
tar -xf tp.tar -C kept
"$PROGRAM" --root "$WORK/third" -q pull "oci:$WORK/kept" >/dev/null
[ "$("$PROGRAM" --root "$WORK/third" --json image inspect "oci:$WORK/kept" |
    jq -c '[.layers[] | .digest, .chain_id]')" = "$(layers "$ref")" ] || fail 'other ChainIDs'
say 'by import, from a pipe, under its name'
tag=docker.io/library/as/pulled:1
expect 0 tp tag "$ref" "$tag"
tp export --format oci-archive -o - "$tag" >pipe.tar
expect 0 bash -c '"$0" --root "$1" import - <"$2"' "$PROGRAM" "$WORK/fourth" pipe.tar
[ "$(cat out)" = "$tag@$digest" ] || fail "import printed $(cat out)"
[ "$("$PROGRAM" --root "$WORK/fourth" --json image inspect "$tag" |
    jq -c '[.layers[] | .digest, .chain_id]')" = "$(layers "$ref")" ] || fail 'import: other ChainIDs'
expect 0 "$PROGRAM" --root "$WORK/fourth" -q import box.tar --tag box:1
expect 0 "$PROGRAM" --root "$WORK/fourth" -q export --format tar -o import.tree box:1
expect 0 tp -q export --format tar -o box.tree box
cmp import.tree box.tree || fail 'import: another tree of a container'
expect 0 tp -q rmi "$tag"
for from in oci-archive:tp.tar docker-archive:tp.tar; do
    expect 0 skopeo --insecure-policy copy -q "$from" "oci:skopeo:x"
    [ "$(skopeo inspect --config oci:skopeo:x | jq -cS .rootfs)" = \
        "$(skopeo inspect --config "oci:$IMAGES/debian:debian" | jq -cS .rootfs)" ] ||
        fail "skopeo: other layers of $from"
    rm -rf skopeo
done
expect 0 tp -q export --format oci-archive -o box3.tar box # a container has one layer, whatever is kept
cmp box.tar box3.tar || fail 'the container is another'
layer=$(jq -r '.layers[0].digest' "kept/blobs/${digest/://}")
printf x | dd of="$ROOT/content/blobs/${layer/://}" bs=1 seek=77 conv=notrunc status=none
expect 5 tp export --format oci-archive -o damaged.tar "$ref"
expect_error 'layer 1/4' "$layer"
[ ! -e damaged.tar ] || fail 'a damaged archive is there'
expect 0 json pull --keep-blobs "$ref"
expect_json '.[0].layers_fetched' 1 <out
expect 0 tp -q export --format oci-archive -o tp2.tar "$ref"
cmp tp.tar tp2.tar || fail 'not mended'
expect 0 other rmi "$ref"
[ -z "$(find other/content/blobs -type f)" ] || fail 'blobs stay without an image'
say 'killed while it keeps them'
for ms in $(points 200 8); do
    (timeout -s KILL "0.$(printf %03d "$ms")" "$PROGRAM" --root "$WORK/other" -q pull --keep-blobs "$ref") \
        >/dev/null 2>&1 || true
done
expect 0 other -q pull --keep-blobs "$ref"
expect 0 other -q export --format oci-archive -o other2.tar "$ref"
cmp other.tar other2.tar || fail 'other bytes after kills'
[ -z "$(find other/content -name '*.part')" ] || fail 'a part of a blob is left'
check_pool
check_pool "$WORK/other"
finish
