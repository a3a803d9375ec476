#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Check-out: by several at once, on a full disk, where blocks can be shared; as an ordinary user,
# who gets the file; and what was written there by a virtual machine is the container's.
# weight: 20
# Mounts of its own, so that namespaces which others make meanwhile have no copies of them.
[ "$(id -u)" != 0 ] || [ -n "${ALONE:-}" ] ||
    ALONE=1 exec unshare --mount --propagation private bash "$0" "$@"
. "$(dirname "$0")/../support/lib.sh"

FAULT_SO=$TOP/build/release/tests/tools/fault.so
image=oci:$IMAGES/tools:umoci
user=
[ "$(id -u)" = 0 ] || user=yes
[ -n "$user" ] || [ -b "$(losetup -f 2>/dev/null)" ] || skip 'no loop devices here'

file_of() { # NAME
    json ls | jq -r ".[] | select(.name == \"$1\") | .file"
}

# As path, but the device goes again.
check_out() { # NAME
    tp path "$1" >/dev/null && { [ -n "$user" ] || tp umount "$1" >/dev/null; }
}

check_intact() { # the container is in the pool, and nothing else is anywhere
    [ "$(json ls | jq -r '.[0].state')" = ready ] || fail 'it has left the pool'
    [ -z "$(find "$ROOT" -path '*/containers/*' -type f ! -name lock)" ] || fail 'a file is left'
    raw box "$WORK/got.ext4"
    [ "$(content "$WORK/got.ext4")" = "$want" ] || fail 'other bytes'
    check_pool
}

expect 0 tp pool create --base-size 1G
expect 0 tp -q pull "$image"
expect 0 tp create "$image" box
raw box "$WORK/want.ext4"
want=$(content "$WORK/want.ext4")

if [ -n "$user" ]; then
    say 'an ordinary user gets the file, and is not allowed to mount'
    expect 10 tp mount box
    expect_error root
    check_intact
    expect 0 tp --json path box
    file=$(jq -r .path "$WORK/out")
    expect_json .kind file <"$WORK/out"
    [ -f "$file" ] && [ "$(stat -c %a "$file")" = 600 ]
    [ "$(file_of box)" = "$file" ]
    [ "$(content "$file")" = "$want" ] || fail 'other bytes'
    say 'what is written to the file is the container'
    debugfs -w -R "write $WORK/err from_outside" "$file" >/dev/null 2>&1
    raw box "$WORK/got.ext4"
    debugfs -R 'stat /from_outside' "$WORK/got.ext4" 2>/dev/null | grep 'Type: regular' >/dev/null ||
        fail 'the write is lost'
    [ "$(json ls | jq '.[0].mapped_bytes')" -eq $(($(stat -c %b "$file") * 512)) ]
    expect 0 tp path box
    [ "$(cat "$WORK/out")" = "$file" ]
    expect 0 tp rm box
    [ ! -e "$file" ]
    expect 0 tp create "$image" box
    raw box "$WORK/want.ext4"
    want=$(content "$WORK/want.ext4")
fi

say 'a disk that is full from some point on'
total=$(LD_PRELOAD=$FAULT_SO FAULT_COUNT=$WORK/count "$PROGRAM" --root "$ROOT" path box \
    >/dev/null && cat "$WORK/count")
[ -n "$user" ] || expect 0 tp umount box
expect 0 tp rm box
expect 0 tp create "$image" box
raw box "$WORK/want.ext4"
want=$(content "$WORK/want.ext4")
for n in $(points "$total" 12); do
    code=0
    LD_PRELOAD=$FAULT_SO FAULT=enospc FAULT_AT=$n "$PROGRAM" --root "$ROOT" path box \
        >"$WORK/out" 2>"$WORK/err" || code=$?
    if [ $code = 0 ]; then break; fi # nothing needed room any more
    [ $code = 6 ] || { cat "$WORK/err"; fail "call $n: exit $code"; }
    expect_error 'No space left'
    check_intact
done
[ "$n" -gt 1 ] || fail 'room was never needed'
for n in $(points "$total" 12); do
    code=0
    LD_PRELOAD=$FAULT_SO FAULT=eio FAULT_AT=$n "$PROGRAM" --root "$ROOT" path box \
        >"$WORK/out" 2>"$WORK/err" || code=$?
    if [ $code = 0 ]; then
        [ -n "$user" ] || expect 0 tp umount box
        expect 0 tp rm box
        expect 0 tp create "$image" box
        raw box "$WORK/want.ext4"
        want=$(content "$WORK/want.ext4")
        continue
    fi
    [ $code = 1 ] || { cat "$WORK/err"; fail "call $n: exit $code"; }
    expect 0 tp ls
    # The device was not to be had: that is after the check-out.
    [ "$(json ls | jq -r '.[0].state')" = checked_out ] || check_intact
done
say "of $total calls"

say 'several at once: of one container it is done once, and all get it'
expect 0 tp rm -f box
for name in a b c; do expect 0 tp create "$image" $name; done
pids=()
for i in $(seq 9); do
    name=$(echo a b c | cut -d' ' -f$((i % 3 + 1)))
    tp --json path $name >"$WORK/out.$i" 2>"$WORK/err.$i" &
    pids+=($!)
done
for i in $(seq 9); do
    wait "${pids[$((i - 1))]}" || { cat "$WORK/err.$i"; fail "path $i"; }
done
[ "$(cat "$WORK"/out.* | jq -r '[.name, .path] | join(" ")' | sort -u | wc -l)" -eq 3 ] ||
    fail 'not three paths'
say 'and what one removes another does not get'
for name in a b c; do
    tp rm -f $name >/dev/null 2>"$WORK/err.rm.$name" &
    rm_pid=$!
    got=0
    tp path $name >"$WORK/out" 2>"$WORK/err" || got=$?
    wait $rm_pid || { cat "$WORK/err.rm.$name"; fail 'rm'; }
    case $got in 0 | 2) ;; *) cat "$WORK/err"; fail "path exit $got" ;; esac
done
[ "$(json ls | jq length)" -eq 0 ]
[ -z "$(find "$ROOT/containers" -type f ! -name lock)" ] || fail 'a file is left'
check_pool
if [ -n "$user" ]; then finish; fi

say 'a host without room: refused before it is full'
mkdir "$WORK/small"
mount -t tmpfs -o size=24m none "$WORK/small"
ROOT=$WORK/small/root
expect 0 tp pool create --size 64M --base-size 256M
expect 0 tp -q pull "$image"
expect 0 tp create "$image" box
raw box "$WORK/want.ext4"
want=$(content "$WORK/want.ext4")
left=$(($(stat -f -c %a "$WORK/small") * $(stat -f -c %S "$WORK/small")))
head -c $((left - 600000)) /dev/zero >"$WORK/small/ballast"
expect 6 tp mount box
expect_error "$ROOT/containers" MiB
check_intact
rm "$WORK/small/ballast"
expect 0 tp mount box
expect 0 tp rm -f box
umount "$WORK/small"

say 'where blocks can be shared, a check-out takes next to nothing'
image=oci:$IMAGES/debian:debian
truncate -s 2G "$WORK/disk"
mkfs.xfs -q -m reflink=1 "$WORK/disk"
mkdir "$WORK/xfs"
mount -o loop "$WORK/disk" "$WORK/xfs"
ROOT=$WORK/xfs/root
expect 0 tp -q pull "$image"
expect 0 tp create "$image" box
raw box "$WORK/want.ext4"
want=$(content "$WORK/want.ext4")
sync -f "$WORK/xfs"
before=$(stat -f -c %f "$WORK/xfs")
expect 0 tp --debug path box
grep 'check-out of box' "$WORK/err"
sync -f "$WORK/xfs"
took=$(((before - $(stat -f -c %f "$WORK/xfs")) * $(stat -f -c %S "$WORK/xfs")))
file=$(file_of box)
mapped=$(json ls | jq '.[0].mapped_bytes')
[ "$mapped" -gt 50000000 ] || fail "only $mapped bytes are in the file"
[ "$took" -lt $((mapped / 10)) ] || fail "$took bytes of $mapped were taken"
filefrag -v "$file" | grep shared >/dev/null || fail 'no block is shared'
expect 0 tp umount box
[ "$(content "$file")" = "$want" ] || fail 'other bytes'
expect 0 tp mount box
point=$(cat "$WORK/out")
rm -rf "$point/usr/share/doc"
echo written >"$point/file"
expect 0 tp umount box
say 'and the pool is as it was'
raw "$image" "$WORK/image.ext4"
check_pool
expect 0 tp rm box
expect 0 tp create "$image" box
expect 0 tp mount box
[ ! -e "$(cat "$WORK/out")/file" ] || fail 'a write to one container is in the next'
expect 0 tp umount box
umount "$WORK/xfs"
finish
