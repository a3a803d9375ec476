#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `export --format tar`: the tree of every test image as others read it, and how it gets to files,
# pipes and full disks.
# weight: 75
. "$(dirname "$0")/../support/lib.sh"

say 'what readers make of it'
python3 "$SUPPORT/check_tar.py" --program "$PROGRAM" --list "$LIST" --work "$WORK" \
    ${ONLY_CASE:+--only "$ONLY_CASE"} ${THINPULL_AGAIN:+--every 4} \
    "$IMAGES/cases" "$IMAGES/tools" "$IMAGES/debian"
rm -rf "$ROOT"

say 'the same bytes, wherever they go'
image=oci:$IMAGES/tools:plain
tp -q pull "$image" >/dev/null
tp create "$image" box >/dev/null
cd "$WORK"
expect 0 json export --format tar -o a.tar box
expect_json 'keys | join(" ")' 'file format name size_bytes written_bytes' <out
expect_json '.name, .file, .format' $'box\na.tar\ntar' <out
expect_json .size_bytes "$(stat -c %s a.tar)" <out
[ "$(stat -c %a a.tar)" = 600 ] || fail 'others may read the tar'
tp export --format tar -o - box | cmp - a.tar
tp export --format tar -o - box >stdout.tar
cmp stdout.tar a.tar
tp export --format tar -o b.tar "$image"
cmp b.tar a.tar
LC_ALL=C "$ASAN_PROGRAM" --root "$ROOT" export --format tar -o b.tar box
cmp b.tar a.tar
{ echo before && tp export --format tar -o - box; } >appended.tar
{ echo before && cat a.tar; } | cmp - appended.tar
ROOT=$WORK/other
tp pool create --base-size 1G --block-size 1M >/dev/null
tp -q pull "$image" >/dev/null
tp export --format tar -o b.tar "$image"
cmp b.tar a.tar
ROOT=$WORK/root
[ "$(tar -tf a.tar | head -n 1)" = ./ ] || fail 'the first member is not the root'
! tar -tf a.tar | grep -v '^\./' || fail 'a path that does not start with ./'
tar -tf a.tar 2>&1 >/dev/null | grep . && fail 'GNU tar has something to say'
! grep -a -q -e LIBARCHIVE -e hdrcharset a.tar || fail 'records that others do not know'
expect 0 tp export -o c.tar box
[ "$(od -An -tx2 -j1080 -N2 c.tar | tr -d ' ')" = ef53 ] || fail 'a name chose the format'

say 'huge holes'
image=oci:$IMAGES/cases:A19_sparse_60_gib
tp -q pull "$image" >/dev/null
expect 0 timeout 20 "$PROGRAM" --root "$ROOT" export --format tar -o big.tar "$image"
[ "$(stat -c %s big.tar)" -lt 100000 ] || fail "$(stat -c %s big.tar) bytes for holes"
tar -tvf big.tar | grep -q ' 64424509440 ' || { tar -tvf big.tar; fail 'not of 60 GiB'; }

say 'what stops it'
cp a.tar before.tar
expect 6 bash -c "ulimit -f 100; trap '' XFSZ; exec '$PROGRAM' --root '$ROOT' export --format tar -o a.tar box"
expect_error 'a.tar' 'file too large'
cmp a.tar before.tar
expect 6 bash -c "'$PROGRAM' --root '$ROOT' export --format tar -o - box >/dev/full"
expect_error 'standard output' 'no space'
status=0
{ "$PROGRAM" --root "$ROOT" export --format tar -o - box 2>err || echo $? >status; } |
    head -c 1 >/dev/null
status=$(cat status)
[ "$status" = 1 ] || fail "a pipe that nobody reads: exit $status"
expect_error 'broken pipe'
for signal in KILL TERM; do
    mkfifo stuck
    exec 9<>stuck
    "$PROGRAM" --root "$ROOT" export --format tar -o stuck box 2>err &
    pid=$!
    for _ in $(seq 200); do
        grep -q pipe_write "/proc/$pid/wchan" 2>/dev/null && break
        sleep 0.02
    done
    kill -$signal $pid
    status=0
    wait $pid || status=$?
    [ "$status" = $((128 + $(kill -l $signal))) ] || fail "SIG$signal: exit $status"
    exec 9<&-
    rm stuck
done
FAULT_SO=$TOP/build/release/tests/tools/fault.so
mkdir out.d
for at in 1 2 3; do
    expect 137 env LD_PRELOAD="$FAULT_SO" FAULT=kill FAULT_AT=$at \
        "$PROGRAM" --root "$ROOT" export --format tar -o out.d/a.tar box
    [ -z "$(ls -A out.d | grep -v '^\.thinpull-')" ] || fail "killed at $at: a tar is there"
done
expect 2 tp export --format tar -o none.tar nobody
[ ! -e none.tar ] || fail 'a tar of nothing'
expect 10 tp export --format oci-archive -o x box
finish
