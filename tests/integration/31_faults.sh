#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The host's disk is full, or fails, at many points of a pull, a create and a remove: a clear error,
# a clean pool, and the same again succeeds. And a small file system that is really full.
# weight: 50
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/faults.sh"

image=oci:$IMAGES/tools:umoci
first_pull "$image"
say "a pull is $total calls"

for how in enospc eio; do
    codes=6
    [ $how = enospc ] || codes=1,6,8
    for n in $(points "$total" 14); do
        fresh
        # the very last calls may be ones whose failure does no harm
        expect "0,$codes" fault $how "$n" "$PROGRAM" --root "$ROOT" -q pull "$image"
        if grep -q '^thinpull: ' "$WORK/err"; then expect_error "$image"; fi
        check_pool
        expect 0 tp -q pull "$image"
        check_pool
        expect_bytes "$image" "afterwards, $how at $n"
    done
    say "pull: $how at up to 14 points"
done

at_start -q pull "$image"
fresh
total=$(calls "$PROGRAM" --root "$ROOT" create "$image" box)
for n in $(points "$total" 10); do
    fresh
    expect 0,1,6,8 fault enospc "$n" "$PROGRAM" --root "$ROOT" create "$image" box
    check_pool
    tp -q ls | grep -qx box || expect 0 tp create "$image" box
    expect 0 tp rm box
done
say "create: disk full at points of $total"

at_start create "$image" box
fresh
total=$(calls "$PROGRAM" --root "$ROOT" rm box)
for n in $(points "$total" 10); do
    fresh
    expect 0,1,6,8 fault eio "$n" "$PROGRAM" --root "$ROOT" rm box
    check_pool
    if tp -q ls | grep -qx box; then expect 0 tp rm box; fi
    expect 0 tp rmi "$image"
    check_pool
done
say "rm: failing disk at points of $total"

# A file system of its own needs mount: as root, or in a user namespace.
inside='
. "$SUPPORT/lib.sh"
mkdir -p "$1" && mount -t tmpfs -o size=40m none "$1"
ROOT=$1/root
expect 6 tp -q pull "oci:$IMAGES/debian:debian"
expect_error "oci:$IMAGES/debian:debian"
if [ -d "$ROOT/pools" ]; then check_pool; fi
expect 0 tp -q pull "oci:$IMAGES/tools:umoci"
check_pool
mount -t tmpfs -o remount,size=1500m none "$1"
expect 0 tp -q pull "oci:$IMAGES/debian:debian"
check_pool
umount "$1"
'
enter="unshare --mount --propagation private"
[ "$(id -u)" -eq 0 ] || enter="unshare --user --map-root-user --mount"
if $enter true 2>/dev/null; then
    export SUPPORT IMAGES
    # shellcheck disable=SC2086
    THINPULL=$PROGRAM THINPULL_TOP=$TOP THINPULL_IMAGES=$IMAGES $enter bash -c "$inside" sh \
        "$WORK/tmpfs"
    say 'a full file system, then a larger one'
fi
finish
