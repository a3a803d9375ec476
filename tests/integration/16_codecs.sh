#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Layers in zstd as the world makes them (rules A69, A70): what comes out is what the zstd program
# says, layouts and a registry give the same tree as with gzip, types that lie are told once, bombs
# end where they must, and what no layer may be is called by its name.
# weight: 25
. "$(dirname "$0")/../support/lib.sh"

say 'the same as the zstd program, for frames good and damaged'
python3 "$SUPPORT/zstd_differential.py" "$TOP/build/release/tests/tools/stream_cat" "$WORK" ||
    fail 'the readers differ'

as_zstd() { # how
    rm -rf "$WORK/$1"
    python3 "$SUPPORT/recompress.py" "$IMAGES/tools" "$WORK/$1" "$1" umoci gnutar-posix
}

tree() { # reference
    raw "$1" "$WORK/raw.ext4"
    content "$WORK/raw.ext4"
}

# No two of them may find each other's layers, which have the same ChainIDs.
apart() {
    chmod -R u+rwX "$ROOT" 2>/dev/null || true
    rm -rf "$ROOT"
}

say 'layouts: zstd, one frame and many, with skippable ones'
expect 0 tp -q pull "oci:$IMAGES/tools:umoci"
want=$(tree "oci:$IMAGES/tools:umoci")
for how in zstd frames chunked pzstd plain; do
    as_zstd "$how"
    apart
    expect 0 tp -q pull "oci:$WORK/$how:umoci"
    [ ! -s "$WORK/err" ] || fail "$how: $(cat "$WORK/err")"
    [ "$(tree "oci:$WORK/$how:umoci")" = "$want" ] || fail "$how: other bytes than with gzip"
done
check_pool

say 'a registry: as skopeo compresses, and as the layouts have it'
start_registry
push "$IMAGES/tools:umoci" zstd/skopeo:1 --dest-compress-format zstd --dest-compress
push "$WORK/chunked:umoci" zstd/chunked:1
skopeo inspect --raw --tls-verify=false "docker://$REGISTRY/zstd/skopeo:1" |
    expect_json '[.layers[].mediaType | endswith("+zstd")] | all' true
for name in skopeo chunked; do
    apart
    expect 0 tp -q pull "$REGISTRY/zstd/$name:1"
    [ ! -s "$WORK/err" ] || fail "$name: $(cat "$WORK/err")"
    [ "$(tree "$REGISTRY/zstd/$name:1")" = "$want" ] || fail "$name: other bytes than with gzip"
done
say 'the same layers by another compression are not fetched again'
blobs=$(blobs_fetched)
json pull "$REGISTRY/zstd/skopeo:1" | expect_json '.[0].layers_fetched' 0
[ "$(blobs_fetched)" -le $((blobs + 1)) ] || fail 'layers were fetched again'
check_pool
stop_registry

warnings() {
    grep -c '^thinpull: warning: ' "$WORK/err" || true
}

say 'A70: a type that says something else is one warning that names the layer'
for body in plain gzip zstd; do
    for said in plain gzip zstd; do
        apart
        [ "$body" != "$said" ] || continue
        expect 0 tp -q pull "oci:$IMAGES/cases:A70_${body}_called_$said"
        [ "$(warnings)" -eq 1 ] || { cat "$WORK/err"; fail "not one warning"; }
        grep -qE "warning: layer 1/1 sha256:[0-9a-f]{64}: its type is .*, its content is $body " \
            "$WORK/err" || { cat "$WORK/err"; fail 'another warning'; }
    done
done
say "B3: docker's plain type says nothing of compression"
for hidden in gzip zstd; do
    apart
    expect 0 tp -q pull "oci:$IMAGES/cases:B3_docker_hides_$hidden"
    [ "$(warnings)" -eq 0 ] || { cat "$WORK/err"; fail 'a warning'; }
done

say 'what no layer may be has a name, and so has what is wrong'
refused() { # case code text...
    local tag=$1 code=$2
    shift 2
    expect "$code" tp -q pull "oci:$IMAGES/cases:$tag"
    expect_error "layer 1/1 sha256:" "$@"
    [ "$(warnings)" -eq 0 ] || { cat "$WORK/err"; fail 'a warning beside the error'; }
}
refused F46_bzip2 10 'compressed with bzip2'
refused F46_xz 10 'compressed with xz'
refused F46_lzma 10 'compressed with lzma'
refused F46_lz4 10 'compressed with lz4'
refused F43_gzip_in_zstd 11 'compressed twice (gzip inside)'
refused F43_zstd_in_gzip 11 'compressed twice (zstd inside)'
refused A68_gzip_in_gzip 11 'compressed twice (gzip inside)'
refused A69_dictionary 11 'dictionary 7'
refused A69_window_of_2_gib 11 'a window of 2048 MiB'
refused A69_bad_checksum 11 'wrong checksum'
refused A69_cut 11 'truncated'
refused A69_garbage_after 11 'garbage after the last frame'
check_pool

say 'F41: a bomb of 200 KB that would be 6 GiB'
apart
python3 - "$WORK/bomb" <<'PY'
import sys
sys.path.insert(0, "tests/support")
import zstd_frames as zf
from ocilayout import Layout, OCI
layout = Layout(sys.argv[1])
layer = layout.put(zf.rle_frame(b"\0", 6 << 30), OCI + "layer.v1.tar+zstd")
layout.put_image("bomb", [layer], ["sha256:" + "ab" * 32])
PY
expect 0 tp pool create --base-size 64M
expect 11 tp -q pull "oci:$WORK/bomb:bomb"
expect_error 'unpacks to more than the allowed 134217728 bytes'
check_pool
finish
