#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A file system without blocks or inodes left, at every kind of allocation: one line that names the
# layer, the entry and what to do, exit 6, the pool as before. Which sizes of base there can be.
# THINPULL_ROUNDS: with every number of blocks that is not enough.
# weight: 12
. "$(dirname "$0")/../support/lib.sh"

# base CODE OPTIONS...: what `pool create` makes of a size
base() {
    local code=$1
    shift
    ROOT=$WORK/base
    rm -rf "$ROOT"
    expect "$code" tp pool create "$@"
}

say 'sizes that cannot be'
for size in 0 1 4095 8388607 8384512 9000001 64T1 65T 16E -1 x; do
    base 3 --base-size $size
    expect_error 'base' 'thinpull help pool create'
    [ ! -e "$ROOT/pools/default" ] || fail "a pool with a base of $size"
done
for inodes in -1 x 2049 4294967296; do
    base 3 --base-size 8M --base-inodes $inodes
    expect_error 'inodes'
done

say 'sizes at the ends, between groups, and large'
image=oci:$IMAGES/cases:A58_all_modes
for size in 8M 8392704 9000448 129M 8G 1T; do
    base 0 --base-size $size
    expect 0 tp -q pull "$image"
    raw "$image" "$WORK/raw.ext4"
    [ "$("$LIST" "$WORK/raw.ext4" | wc -l)" -eq 10 ] || fail "not all of it in a base of $size"
    check_pool
done
rm "$WORK/raw.ext4"
# larger than a file can be on most hosts: the pool holds them all the same
large=16T
[ -z "${THINPULL_ROUNDS:-}" ] || large='16T 20T 64T'
for size in $large; do
    [ -z "${THINPULL_AGAIN:-}" ] || break
    base 0 --base-size $size
    expect 0 tp -q pull "$image"
    check_pool
done
ROOT=$WORK/base
base 0 --base-size 8M --base-inodes 1
expect 6 tp -q pull "$image"
expect_error 'entry m' 'all 16 are in use' '--base-inodes'
check_pool

say 'an entry of every kind on what is full'
how=
[ -z "${THINPULL_AGAIN:-}" ] || how=--last
[ -z "${THINPULL_ROUNDS:-}" ] || how=--every
mkdir "$WORK/full"
python3 "$SUPPORT/check_full.py" --program "$PROGRAM" --work "$WORK/full" $how
finish
