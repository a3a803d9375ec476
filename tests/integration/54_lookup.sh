#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A name in a folder of 20,000 is found by a kernel that has nothing cached with at most 6 blocks
# read, also after a layer that takes hundreds of names and brings others; debugfs finds every name
# in the leaf that its hash leads to. Beside it, what folders made by a kernel and by mke2fs need.
# Names that all have the same hash, layer by layer, are found and gone as they should be.
# needs: root
# weight: 15
# Mounts of its own, so that namespaces which others make meanwhile have no copies of them.
[ -n "${ALONE:-}" ] || ALONE=1 exec unshare --mount --propagation private bash "$0" "$@"
. "$(dirname "$0")/../support/lib.sh"
[ -b "$(losetup -f 2>/dev/null)" ] || skip 'no loop devices here'

LIMIT=6
ONE_HASH_LIMIT=$((LIMIT + 7)) # and the further leaves of that hash
layout=$WORK/layout
image=$WORK/image.ext4
mkdir "$WORK/mnt"

check() { # VERB ARGS...
    python3 "$SUPPORT/check_lookup.py" "$@" || fail "$*"
}

python3 "$SUPPORT/names_layout.py" "$layout"
# look_up KIND LAYERS LIMIT REF
look_up() {
    say "$1 names, $2 layers"
    expect 0 tp -q pull "$4"
    raw "$4" "$image"
    check index "$image" "$1" "$2"
    check reads "$image" "$WORK/mnt" "$1" "$2" "$3"
}
for kind in short long; do
    look_up $kind 1 $LIMIT "oci:$layout:$kind-1"
    look_up $kind 2 $LIMIT "oci:$layout:$kind"
done

say 'short names, by the kernel'
usual() { # mke2fs arguments
    rm -f "$image"
    truncate -s 1G "$image"
    mke2fs -q -t ext4 -N 40000 -E lazy_itable_init=0,lazy_journal_init=0 "$@" "$image"
}
usual
mount -o loop "$image" "$WORK/mnt"
check fill "$WORK/mnt" short
umount "$WORK/mnt"
check reads "$image" "$WORK/mnt" short 1

say 'by mke2fs -d, of 4,000 names'
mkdir "$WORK/some"
check fill "$WORK/some" some
usual -d "$WORK/some"
check reads "$image" "$WORK/mnt" some 1

for layers in 1 2 3; do
    ref=oci:$layout:collide-$layers
    [ $layers != 3 ] || ref=oci:$layout:collide
    look_up collide $layers $ONE_HASH_LIMIT "$ref"
    "$LIST" "$image" | jq -r '.path | select(startswith("d/")) | .[2:]' | sort >"$WORK/got"
    python3 -c "
import sys
sys.path.insert(0, '$SUPPORT')
import names_layout
print('\n'.join(names_layout.there('collide', $layers)))" | sort >"$WORK/want"
    cmp "$WORK/want" "$WORK/got" || fail 'our reader finds others'
done
check_pool
finish
