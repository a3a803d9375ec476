#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# pool check, dump and repair of pools on loop devices and on devices, while the kernel has them and
# while it does not: as thin_check and thin_dump see them. Damaged ones are repaired with nothing lost,
# and the kernel goes on with them; what cannot be repaired is refused, with nothing changed.
# weight: 25
. "$(dirname "$0")/lib.sh"
export THINPULL_ENGINE=kernel
layout=$WORK/layout

for n in 1 3; do python3 "$TOP/tests/support/tiny_layout.py" "$layout" "v$n" $n >/dev/null; done
tiny=oci:$layout:v1

said() {
    grep -qF -- "$1" "$WORK/err" || { cat "$WORK/err"; fail "not said: $1"; }
}

# metadata: a loop device with nothing but the metadata of the inactive pool, until metadata_down
metadata_up() {
    local place=$ROOT/pools/default/place.json start=0 bytes=0
    device=$ROOT/pools/default/meta
    [ -f "$device" ] || { device=$WORK/disks/meta start=$(jq .metadata_start "$place")
        bytes=$(jq .metadata_bytes "$place"); }
    device=$(losetup -f --show -o "$start" --sizelimit "$bytes" "$device")
}
metadata_down() {
    losetup -d "$device"
}

theirs() { # what thin_dump and thin_check say of the inactive pool
    metadata_up
    thin_dump "$device" >"$WORK/theirs"
    checked=0
    thin_check "$device" >/dev/null 2>&1 || checked=$?
    metadata_down
}

spoil() {
    metadata_up
    python3 "$TOP/tests/support/spoil_pool.py" "$device" "$1"
    sum=$(sha256sum <"$device")
    metadata_down
}

unchanged() { # since it was spoilt
    metadata_up
    [ "$(sha256sum <"$device")" = "$sum" ] || fail "$1 changed something"
    metadata_down
}

for kind in loop device; do
    say "$kind: in use"
    ROOT=$WORK/$kind
    case $kind in
    loop) expect 0 tp pool create --loop --size 1G --base-size 64M ;;
    device)
        mkdir "$WORK/disks"
        truncate -s 256M "$WORK/disks/data"
        truncate -s 8M "$WORK/disks/meta"
        expect 0 tp pool create --base-size 64M --device "$(losetup -f --show "$WORK/disks/data")" \
            --metadata-device "$(losetup -f --show "$WORK/disks/meta")" ;;
    esac
    expect 0 tp -q pull "$tiny"
    expect 0 tp create "$tiny" box
    expect 0 tp mount box "$WORK/own"
    echo kept >"$WORK/own/kept"
    expect 0 tp pool check
    [ "$(<"$WORK/out")" = clean ] || fail 'not clean'
    expect 7 tp pool repair
    said 'pool deactivate'
    pool=(/dev/mapper/thinpull-*-pool)
    expect 2 tp pool dump --metadata-snap
    dmsetup message "${pool[0]}" 0 reserve_metadata_snap
    expect 0 tp pool dump --metadata-snap
    cp "$WORK/out" "$WORK/held"
    read -r _ _ _ meta _ <<<"$(dmsetup table "${pool[0]}")"
    thin_dump --metadata-snap "/dev/$(basename "$(readlink "/sys/dev/block/$meta")")" >"$WORK/theirs"
    cmp "$WORK/held" "$WORK/theirs" || fail 'the held root has another dump'
    expect 0 tp pool check
    dmsetup message "${pool[0]}" 0 release_metadata_snap
    expect 0 tp umount box
    expect 0 tp pool dump
    cp "$WORK/out" "$WORK/active"

    say "$kind: at rest"
    expect 0 tp pool deactivate
    expect 0 tp pool check
    expect 0 tp pool deactivate # what is in the pool is held against its record, which needs the kernel
    theirs
    [ $checked = 0 ] || fail 'thin_check finds something'
    cmp "$WORK/active" "$WORK/theirs" || fail 'not what thin_dump prints'
    expect 0 tp pool dump
    cmp "$WORK/active" "$WORK/out" || fail 'another dump at rest'
    expect 0 tp pool deactivate
    expect 0 tp pool repair
    [ "$(<"$WORK/out")" = clean ] || fail 'a sound pool is not clean'

    hows=maps
    [ $kind = loop ] || hows='counts maps'
    for how in $hows; do
        say "$kind: damaged: $how"
        spoil "$how"
        theirs
        [ $checked != 0 ] || fail 'thin_check finds nothing'
        expect 8 tp pool check
        said 'repair --dry-run'
        all_gone
        ! grep -q 'not repairable' "$WORK/out" || fail 'something is not repairable'
        expect 0 tp pool repair --dry-run
        unchanged 'the dry run'
        if [ "$how" = counts ]; then # the kernel notices only when it wants a block
            expect 0 tp pool activate
            expect 8 tp pool check
            ! grep -q 'not repairable' "$WORK/out" || fail 'something is not repairable while it is active'
            expect 0 tp pool dump
            cmp "$WORK/active" "$WORK/out" || fail 'another dump of a damaged pool'
            expect 0 tp pool deactivate
            unchanged 'what only looks'
        fi
        expect 0 tp pool repair
        grep -q '(repaired)$' "$WORK/out" || fail 'nothing repaired'
        theirs
        [ $checked = 0 ] || fail 'thin_check finds something afterwards'
        expect 0 tp mount box "$WORK/own"
        [ "$(<"$WORK/own/kept")" = kept ] || fail 'lost'
        cp /bin/true "$WORK/own/$how"
        expect 0 tp umount box
        expect 0 tp -q pull "oci:$layout:v3"
        expect 0 tp rmi "oci:$layout:v3"
        pool_clean
    done

    say "$kind: what cannot be repaired"
    spoil tree
    expect 8 tp pool check
    grep -q 'not repairable' "$WORK/out" || fail 'it does not say so'
    all_gone
    expect 8 tp pool repair
    said 'nothing was changed'
    unchanged 'what was refused'
done
