#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The ext4 writer in numbers. First its speed, on trees that are made up: medians of several runs.
# Then how contiguous files are and what cold reads of them cost, in three file systems of one size
# with the tree of the large image: pulled by us, filled by `mke2fs -d`, and, as root, extracted by a
# kernel into a fresh mkfs.ext4.
#
#   BENCH_RUNS   runs that count (default 5)
#   BENCH_DIR    where to work (default build/bench)
#   BENCH_IMAGE  of which image (default: the large one)
top=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "${BENCH_DIR:=$top/build/bench}"
export TMPDIR=$BENCH_DIR
. "$top/tests/support/lib.sh"
bench=$TOP/build/release/tests/bench/ext4_bench
extents=$TOP/build/release/tests/tools/ext4_extents
values=$WORK/values
size=8G

for _ in $(seq "${BENCH_RUNS:-5}"); do
    "$bench" 50000 "$WORK/made-up" >>"$values"
    rm "$WORK/made-up"
done
python3 "$TOP/tests/bench/ext4_table.py" speed "$values"

if [ -z "${BENCH_IMAGE:-}" ]; then
    "$SUPPORT/images.sh" bench >/dev/null
    BENCH_IMAGE=oci:$IMAGES/bench:bench
fi
images=(thinpull="$WORK/ours")
tp -q pool create --base-size $size >/dev/null
tp -q pull "$BENCH_IMAGE" >/dev/null
tp -q export --format raw -o "$WORK/ours" "$BENCH_IMAGE" >/dev/null
truncate -s $size "$WORK/by-mke2fs"
mkdir "$WORK/folder"
if [ "$(id -u)" -eq 0 ]; then
    mount -o ro,loop "$WORK/ours" "$WORK/folder"
    mke2fs -q -F -t ext4 -d "$WORK/folder" "$WORK/by-mke2fs"
    umount "$WORK/folder"
    truncate -s $size "$WORK/kernel"
    mkfs.ext4 -q -F "$WORK/kernel"
    mount -o loop "$WORK/kernel" "$WORK/folder"
    tp -q export --format tar -o - "$BENCH_IMAGE" |
        tar -C "$WORK/folder" --warning=no-unknown-keyword --numeric-owner -xf -
    umount "$WORK/folder"
    images+=(kernel="$WORK/kernel")
else
    echo 'no root: no file system by a kernel, no cold reads'
    tp -q export --format tar -o - "$BENCH_IMAGE" |
        tar -C "$WORK/folder" --warning=no-unknown-keyword --delay-directory-restore \
            --anchored --exclude='./dev/*' -xf -
    chmod -R u+rwX "$WORK/folder"
    mke2fs -q -F -t ext4 -d "$WORK/folder" "$WORK/by-mke2fs"
fi
images+=(mke2fs="$WORK/by-mke2fs")
python3 "$TOP/tests/bench/ext4_table.py" images "$extents" "$WORK/folder" "${images[@]}"
finish
