#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Files are contiguous: in every layer of a real system each new file is one run of blocks. It breaks
# only where it must: where the next 64 KiB hold something of the file system itself (superblock
# copies, bitmaps, inode tables, the journal), or were not wholly free in the layer below, whose
# blocks may not be copied in the pool for the sake of a few free ones among them. libext2fs tells.
. "$(dirname "$0")/../support/lib.sh"
extents=$TOP/build/release/tests/tools/ext4_extents
layers='debian-1 debian-2 debian-3 debian'

say 'what is not contiguous is seen'
truncate -s 8M "$WORK/by-hand"
mke2fs -q -F -t ext4 -O ^has_journal "$WORK/by-hand"
head -c 20000 /dev/urandom >"$WORK/small"
head -c 400000 /dev/urandom >"$WORK/large"
printf '%s\n' "write $WORK/small a" "write $WORK/small b" "rm a" "write $WORK/large c" |
    debugfs -w -f - "$WORK/by-hand" >/dev/null 2>&1
"$extents" "$WORK/by-hand" >"$WORK/list"
[ "$(awk '$1 == "f" && $4 > 1 + $5' "$WORK/list" | wc -l)" -eq 1 ] ||
    { cat "$WORK/list"; fail 'a file around another one does not count as broken'; }

say 'every new file of every layer'
tp -q pool create --base-size 2G >/dev/null
before=
for layer in $layers; do
    tp -q pull "oci:$IMAGES/debian:$layer" >/dev/null
    raw "oci:$IMAGES/debian:$layer" "$WORK/$layer.ext4"
    # shellcheck disable=SC2086
    "$extents" "$WORK/$layer.ext4" $before >"$WORK/list"
    before=$WORK/$layer.ext4
    awk -v layer="$layer" '
        $1 == "f" { files++; broken += $4 > 1; bad += $4 > 1 + $5; blocks += $3 }
        END { printf "%s: %d new files of %d blocks, %d in more than one run, %d without need\n",
              layer, files, blocks, broken, bad; exit bad > 0 || files == 0 || broken > files / 1000 + 1 }
    ' "$WORK/list" || fail "$layer: files are not contiguous"
done
finish
