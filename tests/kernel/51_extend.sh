#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Pools on loop devices are extended before they are full: by commands in passing, for what a pull is
# going to need, by `pool watch` while a container is written; never beyond what the host has.
# weight: 20
. "$(dirname "$0")/lib.sh"

layout=$WORK/layout
python3 "$TOP/tests/support/tiny_layout.py" "$layout" v1 1 >/dev/null
tiny=oci:$layout:v1

# value KEY: of the pool's status
value() {
    tp --json pool status | jq -r "$1"
}

MiB() {
    echo $(($(value .data.total_bytes) >> 20))
}

# fill NAME MIB: that much more in a container
fill() {
    local device
    device=$(tp path "$1")
    mount -o noatime "$device" /media
    dd if=/dev/zero of="/media/fill.$2" bs=64k count=$(($2 * 16)) conv=fsync status=none
    umount /media
    tp umount "$1" >/dev/null
}

say 'in passing'
tp pool create --loop --size 32M --base-size 128M >/dev/null
tp -q pull "$tiny" >/dev/null
tp create "$tiny" box >/dev/null
[ "$(value .low_water_blocks)" -eq 102 ] || fail 'the low water mark is not a fifth'
fill box 28
tp --autoextend-threshold 100 create "$tiny" two 2>"$WORK/err" && fail 'the guard lets it through'
grep -q min_free_space "$WORK/err" || fail 'not the guard'
[ "$(MiB)" -eq 32 ] || fail 'extended by who was told not to'
tp create "$tiny" two 2>"$WORK/err" >/dev/null
grep -q 'pool default extended: data' "$WORK/err" || { cat "$WORK/err"; fail 'not said'; }
[ "$(MiB)" -eq 38 ] || fail "$(MiB) MiB instead of a fifth more than 32"
tp -q --autoextend-threshold 50 --autoextend-percent 100 rm two 2>"$WORK/err" >/dev/null
[ ! -s "$WORK/err" ] || fail 'not quiet'
[ "$(MiB)" -eq 76 ] || fail "$(MiB) MiB instead of twice 38"

say 'metadata as well'
before=$(value .metadata.total_bytes)
pool=$(value .devices.pool)
messages() { python3 "$TOP/tests/support/dm_messages.py" "${pool##*/}" "$@" >/dev/null; }
messages 'create_thin %' 1000 1250
used=$(value .metadata.used_bytes)
[ $((used * 100 / before)) -gt 50 ] || fail "metadata: $used of $before"
tp --autoextend-threshold 50 create "$tiny" three >/dev/null 2>"$WORK/err"
[ "$(value .metadata.total_bytes)" -gt "$before" ] ||
    { cat "$WORK/err"; fail 'the metadata were not extended'; }
messages 'delete %' 1000 1250
tp pool check >/dev/null

say 'for what a pull needs, before it fetches'
tp --pool large pool create --loop --size 64M --base-size 256M >/dev/null
tp --pool large pull "oci:$TOP/build/images/debian:debian-1" 2>"$WORK/err" >/dev/null
grep -q 'pool large extended: data 0 of 64 MiB' "$WORK/err" || { cat "$WORK/err"; fail 'not said'; }
grep -n 'extended\|done' "$WORK/err" | head -n 1 | grep -q extended || fail 'fetched first'

say 'never beyond what the host has'
mkdir "$WORK/small"
mount -t tmpfs -o size=64M tmpfs "$WORK/small"
ROOT=$WORK/small/root
tp pool create --loop --size 32M --base-size 64M >/dev/null
tp -q pull "$tiny" >/dev/null
tp create "$tiny" box >/dev/null
fill box 28
dd if=/dev/zero of="$WORK/small/others" bs=1M count=29 status=none
tp create "$tiny" two 2>"$WORK/err" && fail 'the guard lets it through'
grep -q 'was not extended as it should be: the file system of' "$WORK/err" ||
    { cat "$WORK/err"; fail 'not said that the host is full'; }
[ "$(MiB)" -lt 34 ] || fail "$(MiB) MiB on a host that has not so many"
rm "$WORK/small/others"
tp create "$tiny" two >/dev/null 2>&1
[ "$(MiB)" -ge 38 ] || fail 'not extended when there was room again'
tp pool destroy --yes >/dev/null 2>&1 || tp pool deactivate >/dev/null
ROOT=$WORK/root

say 'watched, while a container is written'
tp rm box three >/dev/null
"$PROGRAM" --root "$ROOT" --json pool watch >"$WORK/events" 2>"$WORK/watch.err" &
watch=$!
wait_for() { # PATTERN: among the events
    local i
    for i in $(seq 100); do
        ! grep -q "$1" "$WORK/events" || return 0
        sleep 0.1
    done
    cat "$WORK/events" "$WORK/watch.err"
    fail "no event $1"
}
wait_for '"watching"'
tp create "$tiny" box >/dev/null
mount -o noatime "$(tp path box)" /media
before=$(MiB)
for i in $(seq 12); do
    dd if=/dev/zero of="/media/$i" bs=64k count=128 conv=fsync status=none || fail "the writer met the end: $i"
done
umount /media
wait_for '"extended"'
[ "$(MiB)" -gt "$before" ] || fail 'not extended'
[ "$(value .mode)" = rw ] || fail "mode $(value .mode)"
tp umount box >/dev/null
tp pool deactivate >/dev/null
wait_for '"inactive"'
tp pool activate >/dev/null
sleep 2
[ "$(grep -c '"watching"' "$WORK/events")" -eq 2 ] || { cat "$WORK/events"; fail 'not watched again'; }
kill -TERM $watch
wait $watch || fail "ended with $?"
tail -n 1 "$WORK/events" | jq -e '.event == "end"' >/dev/null || fail 'no end'
mkdir "$WORK/results"
for event in watching extended inactive end; do
    grep -m 1 "\"event\": *\"$event\"" "$WORK/events" >"$WORK/results/pool_watch.$event"
done
tp --json help >"$WORK/help"
mapfile -t others < <(jq -r '.[] | select(.available) | .verb | gsub(" "; "_")
                             | select(. != "pool_watch")' "$WORK/help")
python3 "$TOP/tests/support/check_json.py" "$TOP/testdata/schemas" "$WORK/results" "$WORK/help" \
    "${others[@]}" || fail 'events and their schema differ'
