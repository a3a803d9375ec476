#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Containers of a pool that the kernel runs are its thin devices: create, path, mount, bundle, run,
# export, rename, rm; what is busy; read-only ones; after a reboot; and that neither a device nor a
# mount is left, whoever is killed.
# weight: 25
. "$(dirname "$0")/lib.sh"

export THINPULL_ENGINE=kernel
image=oci:$TOP/build/images/busybox:plain
RANDOM=${THINPULL_SEED:-7}
KILLS=${THINPULL_ROUNDS:-5}

# expect CODE WORDS...: of tp; what it printed is in $out
expect() {
    local want=$1 code=0
    shift
    out=$(tp "$@" 2>"$WORK/err") || code=$?
    [ "$code" = "$want" ] || { cat "$WORK/err"; fail "$*: exit $code, expected $want"; }
}

# Programs are dear here, so what follows starts as few as it can.

# looks NAME KEY VALUE...: what inspect says of it
looks() {
    local name=$1 json
    shift
    json=$(tp --json inspect "$name")
    for ((; $#; )); do
        [[ $json =~ \"$1\":\ *\"?([^\",}]*) ]] || fail "$name has no $1"
        # shellcheck disable=SC2053
        [[ ${BASH_REMATCH[1]} = $2 ]] || fail "$name: $1 is ${BASH_REMATCH[1]}, not $2"
        shift 2
    done
}

ours() { # what device-mapper has but the pool and its record
    local name all
    all=$(dmsetup ls)
    while read -r name _; do
        [[ $name =~ ^(No|thinpull-[0-9a-f]{12}-(pool|0))$ ]] || echo "$name"
    done <<<"$all"
}

none() { # PATTERN: that no path matches
    local paths
    mapfile -t paths < <(compgen -G "$1")
    [ ${#paths[@]} -eq 0 ] || fail "left: ${paths[*]}"
}

# Nothing but the pool: neither devices, mounts, loop devices, control groups, processes, mount
# points nor files of containers.
check_free() {
    local left
    left=$(ours)
    [ -z "$left" ] || fail "left: $left"
    [[ ! $(</proc/self/mounts) =~ /dev/(mapper/|loop) ]] || fail "left: $(</proc/self/mounts)"
    left=(/sys/block/loop*/loop)
    [ ${#left[@]} -eq 2 ] || fail "left: ${left[*]}"
    none '/sys/fs/cgroup/thinpull-*'
    none "$THINPULL_RUN_DIR/*"
    none "$ROOT/containers/default/[0-9]*"
    ! grep -las 'sleep.999' /proc/[0-9]*/cmdline || fail 'a process is left'
}

expect 0 pool create --loop --size 2G --base-size 1G
expect 0 -q pull "$image"

say 'a container is a thin device, and nothing else'
expect 0 create "$image" box
looks box state ready device null
expect 0 path box
device=$out
[ -b "$device" ] && [ "${device#/dev/mapper/thinpull-}" != "$device" ] || fail "no device: $device"
looks box state attached device "$device"
[ "$(ours)" = "${device##*/}" ]
expect 0 --json path box
[ "$(jq -r '.path, .kind' <<<"$out" | xargs)" = "$device device" ]
say 'what a virtual machine writes to it is exported; what is open is busy'
echo from-outside >"$WORK/text"
exec 8<>"$device"
debugfs -w -R "write $WORK/text /outside" /proc/self/fd/8 >"$WORK/err" 2>&1
expect 7 umount box
grep -q "$device is in use" "$WORK/err" || fail "$(cat "$WORK/err")"
exec 8>&-
expect 0 export -o "$WORK/raw" box
[ "$(debugfs -R 'cat /outside' "$WORK/raw" 2>/dev/null)" = from-outside ] || fail 'not exported'
expect 0 umount box
check_free

say 'mount, write, umount, mount again'
expect 0 mount box
point=$out
[ "$(cat "$point/outside")" = from-outside ]
grep " $point ext4 " /proc/self/mounts | grep nodev | grep noatime | grep -q errors=remount-ro ||
    fail "$(grep "$point" /proc/self/mounts)"
looks box state mounted mount_point "$point"
echo written >"$point/new"
for words in "rm box" "rename box other" "export -o $WORK/x box" "export --format tar -o $WORK/x box"; do
    # shellcheck disable=SC2086
    expect 7 $words
    grep -q "$point" "$WORK/err" || fail "$words: $(cat "$WORK/err")"
done
exec 8<"$point"
expect 7 umount box
exec 8<&-
expect 0 mount box "$WORK/twice"
expect 0 umount "$WORK/twice"
check_free
expect 0 export --format tar -o "$WORK/tar" box
[ "$(tar -xOf "$WORK/tar" ./new)" = written ] || fail 'not in the tar'
expect 0 export --format tar -o "$WORK/tar" "$image"
! tar -tf "$WORK/tar" ./new 2>/dev/null || fail 'in the image'
check_free
expect 0 create --mount "$WORK/atonce" "$image" quick
[ "$out" = quick ] || fail "create --mount says $out"
looks quick state mounted mount_point "$WORK/atonce"
[ "$(stat -fc %T "$WORK/atonce")" = ext2/ext3 ] || fail 'it is not mounted'
[ "$(dumpe2fs -h "$(findmnt -no SOURCE "$WORK/atonce")" 2>/dev/null | awk '/UUID/ { print $3 }')" != \
    "$(dumpe2fs -h "$WORK/raw" 2>/dev/null | awk '/UUID/ { print $3 }')" ] || fail 'two of one UUID'
echo quick >"$WORK/atonce/new"
expect 0 umount quick
check_free
expect 0 mount quick
[ "$(cat "$out/new")" = quick ] || fail 'the write is lost'
expect 0 rm -f quick
expect 0 create --read-only --mount "$WORK/atonce" "$image" quick
! touch "$WORK/atonce/x" 2>/dev/null || fail 'the mount can be written to'
expect 0 rm -f quick
touch "$WORK/file"
expect 1 create --mount "$WORK/file" "$image" quick
expect 2 inspect quick
check_free
expect 0 rename box crate
expect 0 mount crate
[ "$(cat "$out/new")" = written ] || fail 'the write is lost'
expect 0 rm -f crate
check_free

say 'read-only ones'
expect 0 create --read-only "$image" fixed
expect 0 path fixed
[ "$(blockdev --getro "$out")" -eq 1 ] || fail 'the device can be written to'
expect 0 mount fixed
! touch "$out/x" 2>/dev/null || fail 'the mount can be written to'
expect 0 export -o "$WORK/raw" fixed
expect 0 umount fixed
expect 0 rm fixed
check_free

say 'after a reboot containers are there, on no device, and can be mounted at once'
expect 0 create "$image" box
expect 0 path box
expect 0 pool deactivate
[ -z "$(dmsetup ls | grep thinpull-)" ] || fail 'the pool is still there'
expect 0 mount box
expect 7 pool deactivate
expect 0 umount box
check_free

say 'one that the file engine has checked out stays in its file'
expect 0 pool deactivate
tp --engine file mount box >/dev/null
tp --engine file umount box >/dev/null
expect 0 mount box
looks box state mounted device '/dev/loop*'
expect 0 rm -f box
check_free

say 'bundle, and a runtime'
expect 0 create "$image" box
expect 0 bundle box "$WORK/bundle" -- sh -c 'echo bundled >/srv/made; exit 5'
code=0
runc --root "$WORK/runc" run -b "$WORK/bundle" lab || code=$?
[ $code = 5 ] || fail "runc: exit $code"
[ "$(cat "$WORK/bundle/rootfs/srv/made")" = bundled ]
expect 0 umount box
expect 0 rm box
check_free

say 'run, by runc and by crun'
for runtime in runc crun; do
    expect 6 run -q --rm --runtime $runtime "$image" sh -c 'echo $HOSTNAME out; exit 6'
    check_free
    expect 125 run -q --rm --runtime $runtime "$image" no-such-program
    check_free
done
expect 0 run -q --name kept "$image" sh -c 'echo kept >/srv/new'
looks kept state ready
expect 0 mount kept
[ "$(cat "$out/srv/new")" = kept ]
say 'a running one is busy, and has no hold of others'
mkfifo "$WORK/fifo"
"$PROGRAM" --root "$ROOT" run -q --name running "$image" sh -c 'echo; while :; do sleep 999; done' \
    >"$WORK/fifo" 2>&1 &
pid=$!
read -r _ <"$WORK/fifo" # it says something
looks running state running device '/dev/mapper/*'
for words in 'rm -f running' 'path running' "export -o $WORK/x running"; do
    # shellcheck disable=SC2086
    expect 7 $words
    grep -q running "$WORK/err"
done
for _ in $(seq 50); do # until its first process has let go of what the host has mounted
    ! tp umount kept >/dev/null 2>&1 || break
done
looks kept state ready # the run does not hold it
kill -KILL $pid
{ wait $pid || true; } 2>/dev/null
expect 0 images
check_free
looks running state ready
expect 0 rm running kept
check_free

say 'kill -9 of run at several points, and of an export: nothing is left'
used_blocks() { # of data
    local line
    line=$(dmsetup status "${device%-*}-pool")
    [[ $line =~ thin-pool\ [0-9]+\ [0-9]+/[0-9]+\ ([0-9]+)/ ]]
    used=${BASH_REMATCH[1]}
}
used_blocks
clean=$used
words='echo 1 | dd conv=fsync of=/srv/new 2>/dev/null; setsid sleep 999 & sleep 0.2'
started=$(date +%s%N)
expect 0 run -q --rm "$image" sh -c "$words"
took_ms=$((($(date +%s%N) - started) / 1000000))
for i in $(seq "$KILLS"); do
    rm=--rm
    [ $((i % 2)) = 0 ] || rm=--name=victim
    at_ms=$((took_ms * (i - 1) / KILLS + RANDOM % 40))
    "$PROGRAM" --root "$ROOT" run -q $rm "$image" sh -c "$words" >/dev/null 2>&1 &
    pid=$!
    sleep "$(printf '%d.%03d' $((at_ms / 1000)) $((at_ms % 1000)))"
    inner=$(awk '{print $1}' "/proc/$pid/task/$pid/children" 2>/dev/null) || true
    # shellcheck disable=SC2086
    [ $((i % 3)) != 0 ] || kill -KILL $inner 2>/dev/null || true
    kill -KILL $pid 2>/dev/null || true
    { wait $pid || true; } 2>/dev/null
    expect 0 images
    check_free
    tp rm -f victim >/dev/null 2>&1
    check_free
    used_blocks
    [ $used = $clean ] || fail "kill $i after $at_ms ms: $used blocks are used, not $clean"
done
"$PROGRAM" --root "$ROOT" export -o - "$image" >"$WORK/fifo" 2>&1 &
pid=$!
exec 8<"$WORK/fifo"
read -r -N 1 _ <&8
kill -KILL $pid
{ wait $pid || true; } 2>/dev/null
exec 8<&-
[[ "$(ours)" = *-volume ]] || fail 'the export had nothing open'
expect 0 images
check_free
echo "a run takes $took_ms ms; $SECONDS s"
expect 0 pool deactivate
check_pool
