#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The same image gives the same file-system bytes, for each of its layers: in two pools, over lower
# layers of an earlier pull, after kills, by another compiler and under sanitizers, with other pool
# block sizes, in another environment, with other images pulled before, and with zstd in the place of
# gzip. `make compilers` compares more images as other builds make them.
# weight: 60
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/faults.sh"

# sums ROOT IMAGE LAYERS: one word for each layer, lowest first
sums() {
    local i ref
    for i in $(seq "$3"); do
        ref=$2
        [ "$i" -eq "$3" ] || ref=$2-$i
        "$PROGRAM" --root "$1" -q pull "$ref" >/dev/null
        rm -f "$WORK/sum.ext4"
        "$PROGRAM" --root "$1" export --format raw -o "$WORK/sum.ext4" "$ref" >/dev/null
        content "$WORK/sum.ext4"
    done
    rm -f "$WORK/sum.ext4"
}

# same WHAT ROOT IMAGE LAYERS: as in the first pool; the root is removed
same() {
    sums "$2" "$3" "$4" >"$WORK/got"
    diff "$WORK/want" "$WORK/got" >&2 || fail "$1: other bytes"
    say "$1: the same"
    rm -rf "$2"
}

try() { # image layers
    local image=$1 layers=$2 i n tag folder program
    say "$image"
    rm -rf "$WORK/a"
    "$PROGRAM" --root "$WORK/a" -q pull "$image" >/dev/null
    sums "$WORK/a" "$image" "$layers" >"$WORK/want"
    rm -rf "$WORK/a"

    (umask 077 && env -i PATH=/bin LC_ALL=C TZ=Asia/Kathmandu COLUMNS=7 \
        "$PROGRAM" --root "$WORK/b" -q pull "$image" >/dev/null)
    same 'another pool, in another environment' "$WORK/b" "$image" "$layers"

    "$PROGRAM" --root "$WORK/c" pool create --block-size 1M >/dev/null
    for i in $(seq $((layers - 1))); do
        "$PROGRAM" --root "$WORK/c" -q pull "$image-$i" >/dev/null
    done
    same 'large pool blocks, each layer by a pull of its own' "$WORK/c" "$image" "$layers"

    "$PROGRAM" --root "$WORK/d" pool create --block-size 128k >/dev/null
    "$PROGRAM" --root "$WORK/d" -q pull "oci:$IMAGES/tools:gnutar-gnu" "$image" >/dev/null
    same 'another block size, after another image' "$WORK/d" "$image" "$layers"

    tag=${image##*:}
    folder=${image#oci:}
    python3 "$SUPPORT/recompress.py" "${folder%:*}" "$WORK/zstd" frames "$tag" \
        $(seq -f "$tag-%g" $((layers - 1)))
    same 'zstd in the place of gzip' "$WORK/g" "oci:$WORK/zstd:$tag" "$layers"
    rm -rf "$WORK/zstd"

    n=$(calls "$PROGRAM" --root "$WORK/e" -q pull "$image")
    rm -rf "$WORK/e"
    for i in $(seq 8); do
        fault kill $((n * i / 12 + 1)) "$PROGRAM" --root "$WORK/e" -q pull "$image" \
            >/dev/null 2>&1 || true
    done
    same 'killed eight times and resumed' "$WORK/e" "$image" "$layers"

    for program in "$ASAN_PROGRAM" "$CLANG_PROGRAM"; do
        [ -x "$program" ] || continue
        "$program" --root "$WORK/f" -q pull "$image" >/dev/null
        same "by ${program#"$TOP/"}, with sanitizers" "$WORK/f" "$image" "$layers"
    done
}

try "oci:$IMAGES/tools:umoci" 5
[ -n "${THINPULL_AGAIN:-}" ] || try "oci:$IMAGES/debian:debian" "$(cat "$IMAGES/debian.layers")"
finish
