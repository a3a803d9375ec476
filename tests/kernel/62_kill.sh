#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 at 50 calls and more of pull, rmi, create, rm, mount, umount, extend, pool create and
# destroy. The next command, which is the same one again, or one that reads before it, works; after one
# that changes something there is nothing that would not be there without kills, no device, no loop
# device, no mount, no data block, no id; and what was there before has its bytes.
# THINPULL_EVERY=1: at every call that changes something; 2: at every second one...
# weight: 45
. "$(dirname "$0")/lib.sh"
export THINPULL_ENGINE=kernel
FAULT_SO=$TOP/build/release/tests/tools/fault.so
layout=$WORK/layout
old=oci:$layout:old image=oci:$layout:new
points=0 hits=0

# total WORDS...: calls of it, which succeeds
total() {
    LD_PRELOAD=$FAULT_SO FAULT_COUNT=$WORK/count expect 0 tp "$@"
    read -r total <"$WORK/count"
    [ "$total" -gt 3 ] || fail "$total calls are seen of $*"
}

# kill_at N WORDS...: then, at times, one that reads. Counts may differ by what is activated, so the
# last ones may not be reached.
kill_at() {
    local n=$1 reading=(images ls 'pool status' tree info)
    shift
    when="$*, killed at call $n"
    LD_PRELOAD=$FAULT_SO FAULT=kill FAULT_AT=$n expect 0,137 tp "$@"
    [ $code = 0 ] || hits=$((hits + 1))
    points=$((points + 1))
    [ $((points % 4)) != 0 ] || expect 0 tp ${reading[points / 4 % 5]}
}

# again CODE WORDS...: the same, which may have been done, and is refused with this status; what is left
# of it then is for the next command.
again() {
    expect "0,$1" tp "${@:2}"
    [ $code = 0 ] || expect 0 tp ls
}

# both COUNT TOTAL TOTAL: as many pairs of numbers up to these
both() {
    local i count=$1
    [ -z "${THINPULL_EVERY:-}" ] || count=$((($2 > $3 ? $2 : $3) / THINPULL_EVERY))
    for i in $(seq 0 $((count - 1))); do
        echo $((1 + i * ($2 - 1) / (count - 1))) $((1 + i * ($3 - 1) / (count - 1)))
    done
}

blocks() { # as the kernel counts them
    local status
    status=$(dmsetup status "$pool")
    # shellcheck disable=SC2086
    set -- $status
    echo "${6%/*}"
}

# all_as BLOCKS [ID...]: so many are used, and nothing is left behind
all_as() {
    local now
    nothing_left "${@:2}"
    now=$(blocks)
    [ "$now" = "$1" ] || fail "$when: $now blocks are used, without a kill $1"
}

same_bytes() { # REF|NAME FILE
    rm -f "$WORK/got"
    expect 0 tp -q export --format raw -o "$WORK/got" "$1"
    cmp "$WORK/got" "$WORK/$2" || fail "$when: $1 has other bytes"
}

python3 "$TOP/tests/support/tiny_layout.py" "$layout" old 1 >"$WORK/out"
python3 "$TOP/tests/support/tiny_layout.py" "$layout" new 3 >"$WORK/out"
pool_create loop --base-size 64M
expect 0 tp -q pull "$old"
expect 0 tp create "$old" keep
expect 0 tp -q pull "$image"
for name in "$old" "$image" keep; do
    tp -q export --format raw -o "$WORK/want.${name##*:}" "$name" >/dev/null
done
pool=$(dmsetup ls | sed -n 's/^\(thinpull-[0-9a-f]*-pool\)\t.*/\1/p')
with_image=$(blocks)
expect 0 tp -q rmi "$image"
clean=$(blocks)
thins=$(tp --json pool status | jq .thin_count)

total -q pull "$image"
pull=$total
total -q rmi "$image"
for pair in $(both 11 "$pull" "$total" | tr ' ' ,); do
    kill_at "${pair%,*}" -q pull "$image"
    expect 0 tp -q pull "$image"
    all_as "$with_image"
    [ $((points % 8)) != 1 ] || same_bytes "$image" want.new
    kill_at "${pair#*,}" -q rmi "$image"
    again 2 -q rmi "$image"
done
say "pull of $pull calls, rmi of $total: $points kills"

expect 0 tp -q pull "$image"
all_as "$with_image"
total create "$image" box
create=$total
with_box=$(blocks)
total rm box
for pair in $(both 6 "$create" "$total" | tr ' ' ,); do
    kill_at "${pair%,*}" create "$image" box
    again 7 create "$image" box
    all_as "$with_box"
    kill_at "${pair#*,}" rm box
    again 2 rm box
done
say "create of $create calls, rm of $total: $points kills"

expect 0 tp create "$image" box
total mount box
mount=$total
total umount box
for pair in $(both 3 "$mount" "$total" | tr ' ' ,); do
    kill_at "${pair%,*}" mount box
    expect 0 tp mount box
    read -r path <"$WORK/out"
    [ -e "$path/etc/os-release" ] || fail "$when: nothing is mounted on $path"
    kill_at "${pair#*,}" umount box
    again 2,7 umount box
    nothing_left
done
say "mount of $mount calls, umount of $total: $points kills"

expect 0 tp rm box
all_as "$with_image"
size=$((2 << 30))
total pool extend --size $((size += 64 << 20))
for n in $(both 7 "$total" 1 | cut -d' ' -f1); do
    kill_at "$n" pool extend --size $((size += 64 << 20))
    expect 0 tp pool extend --size $size
    [ "$(blockdev --getsize64 "/dev/mapper/$pool")" = $size ] || fail "$when: not extended"
    all_as "$with_image"
done
say "extend of $total calls: $points kills"

# UUIDs of all devices of ours, files under loop devices
ours() {
    cat /sys/block/dm-*/dm/uuid /sys/block/loop*/loop/backing_file 2>/dev/null | sort
}

before=$(ours)
other=(--pool other pool)
total "${other[@]}" create --loop --size 256M --base-size 64M
create=$total
total "${other[@]}" destroy
for pair in $(both 4 "$create" "$total" | tr ' ' ,); do
    kill_at "${pair%,*}" "${other[@]}" create --loop --size 256M --base-size 64M
    again 7 "${other[@]}" create --loop --size 256M --base-size 64M
    kill_at "${pair#*,}" "${other[@]}" destroy
    again 2 "${other[@]}" destroy
    [ "$(ours)" = "$before" ] || fail "$when: $(ours)"
    [ ! -e "$ROOT/pools/other" ] || fail "$when: files are left"
    all_as "$with_image"
done
say "pool create of $create calls, destroy of $total: $points kills"

say 'afterwards'
same_bytes "$old" want.old
same_bytes keep want.keep
expect 0 tp -q rmi "$image"
all_as "$clean"
[ "$(tp --json pool status | jq .thin_count)" = "$thins" ] || fail 'thin devices are left'
pool_clean
[ $hits -ge 50 ] || fail "only $hits of $points were killed"
echo "$hits of $points killed"
