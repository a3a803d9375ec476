#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A pull that stands still. While it waits for the network it has no lock, and everybody goes on.
# While it writes a layer it has the pool's: readers go on and see what was there before, other
# writers wait, or are told after --lock-timeout who it is; afterwards all is as one after the other.
# weight: 15
. "$(dirname "$0")/../support/lib.sh"

image=oci:$IMAGES/tools:umoci
debian=$IMAGES/debian
meta=$ROOT/pools/default/meta
owner=$ROOT/pools/default/owner
pull_pid=
user=
[ "$(id -u)" = 0 ] || user=yes

end_pull() {
    [ -z "$pull_pid" ] || { kill -CONT "$pull_pid"; kill "$pull_pid"; } 2>/dev/null || true
}
trap 'end_pull; clean_up' EXIT

# Whatever it does, it must not take for ever; there is no other limit.
in_time() { # command...
    timeout 120 "$PROGRAM" --root "$ROOT" "$@"
}

is_locked() {
    ! flock -n "$meta" true
}

file_sum() {
    content "$1"
    rm -f "$1"
}

# What readers say, without what changes from one moment to the next.
readers() {
    in_time --json images | jq -cS '.[] | del(.size_bytes)'
    in_time --json ls | jq -cS .
    in_time --json inspect box | jq -cS .
    in_time --json image inspect "$image" | jq -cS .
    in_time --json info | jq -c .engine
    in_time --json pool status | jq -c '[.block_bytes, .needs_check]'
    in_time --json df | jq -cS '.images, .containers'
    in_time tree
    in_time export -o "$WORK/r.raw" "$image" && file_sum "$WORK/r.raw"
    in_time export -o "$WORK/r.raw" box && file_sum "$WORK/r.raw"
    in_time export --format tar -o "$WORK/r.tar" "$image" && sha256sum <"$WORK/r.tar"
    in_time export --format tar -o - box | sha256sum
}

readers_see() { # what they saw before
    readers >"$WORK/readers" 2>&1 || { cat "$WORK/readers"; fail 'a reader'; }
    cmp "$WORK/readers" "$1" || { diff "$1" "$WORK/readers"; fail 'readers see something else'; }
}

expect 0 tp pool create --base-size 4G
expect 0 tp -q pull "$image"
expect 0 tp create "$image" box
expect 0 tp create "$image" spare
readers >"$WORK/before"
start_bad_registry "$debian"

say 'a pull that waits for the network'
"$PROGRAM" --root "$ROOT" -q pull "$bad/stall:debian" >"$WORK/pull.out" 2>"$WORK/pull.err" &
pull_pid=$!
for _ in $(seq 300); do
    # the config is small and comes at once, the layer after it does not
    if [ "$(grep -c 'GET /v2/stall/blobs/.* 200' "$WORK/bad.log")" -ge 2 ]; then break; fi
    sleep 0.1
done
kill -0 $pull_pid || { cat "$WORK/pull.err"; fail 'it does not wait'; }
[ ! -e "$owner" ] || fail "it waits with the lock of the pool: $(cat "$owner")"
! is_locked || fail 'it waits with a lock'
readers_see "$WORK/before"
expect 0 in_time --lock-timeout 5 pool check
expect 0 in_time --lock-timeout 5 create "$image" more
expect 0 in_time --lock-timeout 5 path more
[ -n "$user" ] || expect 0 in_time --lock-timeout 5 umount more
expect 0 in_time --lock-timeout 5 rename more most
expect 0 in_time --lock-timeout 5 tag "$image" localhost/other:1
expect 0 in_time --lock-timeout 5 rm most
expect 0 in_time --lock-timeout 5 rmi localhost/other:1
expect 0 in_time --lock-timeout 5 -q pull "oci:$IMAGES/tools:python"
expect 0 in_time --lock-timeout 5 rmi "oci:$IMAGES/tools:python"
kill -0 $pull_pid || fail 'it has not waited all the while'
readers_see "$WORK/before"
kill $pull_pid
wait $pull_pid || true
pull_pid=
check_pool

# Start a pull and stop it while it has the lock.
stop_pull_at_work() {
    "$PROGRAM" --root "$ROOT" -q pull "$bad/good:debian" >"$WORK/pull.out" 2>"$WORK/pull.err" &
    pull_pid=$!
    while kill -0 $pull_pid 2>/dev/null; do
        if grep -qs ' pull ' "$owner"; then
            kill -STOP $pull_pid
            # it may have ended just then
            if grep -qs "^$pull_pid pull " "$owner" && is_locked; then return; fi
            kill -CONT $pull_pid
        fi
    done
    cat "$WORK/pull.err"
    fail 'it never had the lock'
}

say 'a pull that stands still while it writes a layer'
stop_pull_at_work
readers_see "$WORK/before"
for words in "create $image other" 'rm spare' "tag $image x/y:z" "pull oci:$debian:debian-2" 'pool check'; do
    # shellcheck disable=SC2086
    expect 7 in_time --lock-timeout 1 $words
    expect_error "in use by process $pull_pid (pull) since 20"
done
is_locked || fail 'it has lost its lock meanwhile'
readers_see "$WORK/before"

say 'those who wait get their turn'
waiting=()
for words in "create $image late" 'rm spare' "pull oci:$debian:debian-2"; do
    # shellcheck disable=SC2086
    "$PROGRAM" --root "$ROOT" -q $words >"$WORK/late.${#waiting[@]}" 2>&1 &
    waiting+=($!)
done
sleep 0.5
for pid in "${waiting[@]}"; do kill -0 "$pid" || fail 'one did not wait'; done
kill -CONT $pull_pid
wait $pull_pid || { cat "$WORK/pull.err"; fail 'the pull'; }
pull_pid=
for i in "${!waiting[@]}"; do
    wait "${waiting[$i]}" || { cat "$WORK/late.$i"; fail "waiting command $i"; }
done
[ "$(tp -q ls | sort | tr '\n' ' ')" = 'box late ' ] || fail "containers: $(tp -q ls)"
[ "$(tp -q images | wc -l)" -eq 3 ] || fail "images: $(tp -q images)"
check_pool
raw "$bad/good:debian" "$WORK/got.ext4"
finish
