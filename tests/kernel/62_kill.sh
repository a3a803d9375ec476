#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 at more than 50 calls of pull, create, rm, rmi, mount, umount, extend and pool create: the
# next command works, and when the same has been asked for again and is taken back nothing is left,
# no device, no loop device, no mount, no data block; what was there before has its bytes.
# THINPULL_EVERY=1: at every call that changes something.
# weight: 60
. "$(dirname "$0")/lib.sh"
export THINPULL_ENGINE=kernel
FAULT_SO=$TOP/build/release/tests/tools/fault.so
layout=$WORK/layout
old=oci:$layout:old image=oci:$layout:new
points=0 hits=0

total() { # WORDS...: calls of the program
    LD_PRELOAD=$FAULT_SO FAULT_COUNT=$WORK/count expect 0 tp "$@"
    read -r total <"$WORK/count"
    [ "$total" -gt 3 ] || fail "$total calls are seen of $*"
}

spread() { # COUNT: as many numbers up to $total
    seq 1 $((${THINPULL_EVERY:-($total + $1 - 1) / $1})) "$total"
}

# kill_at N WORDS...: then commands that only read, in turns.
kill_at() {
    local n=$1 got=0 reading=(images ls 'pool status' info tree)
    shift
    LD_PRELOAD=$FAULT_SO FAULT=kill FAULT_AT=$n tp "$@" >/dev/null 2>&1 || got=$?
    case $got in 0) ;; 137) hits=$((hits + 1)) ;; *) fail "$*: exit $got, killed at call $n" ;; esac
    points=$((points + 1))
    when="$*, killed at call $n of $total"
    # shellcheck disable=SC2086
    expect 0 tp ${reading[points % 5]}
}

# as_before ID...: blocks in use, and nothing of ours is there but these.
as_before() {
    local now
    nothing_left "$@"
    now=$(used)
    [ "$now" = "$clean" ] || fail "$when: $now blocks are used, without a kill $clean"
}

same_bytes() { # REF|NAME FILE
    rm -f "$WORK/got"
    expect 0 tp -q export --format raw -o "$WORK/got" "$1"
    cmp "$WORK/got" "$WORK/$2" || fail "$1: other bytes"
}

is_there() { # NAME: of a container
    [[ $'\n'$(tp -q ls)$'\n' == *$'\n'"$1"$'\n'* ]]
}

has_image() {
    [[ $'\n'$(tp -q images)$'\n' == *$'\n'"$image"$'\n'* ]]
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
expect 0 tp -q rmi "$image"

clean=$(used)
total -q pull "$image"
expect 0 tp -q rmi "$image"
for n in $(spread 14); do
    kill_at "$n" -q pull "$image"
    expect 0 tp -q pull "$image"
    nothing_left
    [ $((points % 4)) != 0 ] || same_bytes "$image" want.new
    expect 0 tp -q rmi "$image"
    as_before
done
say "pull: killed at up to 14 of $total calls"

expect 0 tp -q pull "$image"
total -q rmi "$image"
for n in $(spread 8); do
    expect 0 tp -q pull "$image"
    kill_at "$n" -q rmi "$image"
    if has_image; then expect 0 tp -q rmi "$image"; fi
    as_before
done
say "rmi: killed at up to 8 of $total calls"

expect 0 tp -q pull "$image"
clean=$(used)
total create "$image" box
expect 0 tp rm box
for n in $(spread 8); do
    kill_at "$n" create "$image" box
    if ! is_there box; then expect 0 tp create "$image" box; fi
    expect 0 tp rm box
    as_before
done
say "create: killed at up to 8 of $total calls"

expect 0 tp create "$image" box
total rm box
for n in $(spread 8); do
    expect 0 tp create "$image" box
    kill_at "$n" rm box
    if is_there box; then expect 0 tp rm box; fi
    as_before
done
say "rm: killed at up to 8 of $total calls"
