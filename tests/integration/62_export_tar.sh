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
    wait $pid 2>/dev/null || status=$?
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

[ "$(id -u)" -eq 0 ] || finish # only root mounts
say 'a container that the kernel wrote to'
expect 0 tp mount box m
rm -rf m/*
python3 - m <<'PY'
import os, socket, sys
top = sys.argv[1]
def put(name, data=b"", mode=0o644, mtime_ns=10**18 + 7):
    path = f"{top}/{name}"
    with open(path, "wb") as f:
        f.write(data)
    os.chmod(path, mode)
    os.utime(path, ns=(1, mtime_ns))
    return path
put("before", mtime_ns=-250000000)
put("setuid", b"x", 0o6755)
os.chown(put("owned"), 4000000, 4294967294)
os.setxattr(put("attributes"), "user.a=b", b"\0")
os.setxattr(f"{top}/attributes", "trusted.mine", b"t")
os.setxattr(f"{top}/attributes", "user.large", bytes(range(256)) * 10)
os.setxattr(put("capable", mode=0o755), "security.capability", bytes.fromhex(
    "0100000200200000000000000000000000000000"))
os.makedirs(f"{top}/C:/deep")
os.chmod(f"{top}/C:/deep", 0o1777)
put("C:/with\nnewline")
os.link(f"{top}/setuid", f"{top}/C:/link")
with open(f"{top}/preallocated", "wb") as f:
    os.posix_fallocate(f.fileno(), 0, 1 << 20)
    os.pwrite(f.fileno(), b"middle", 500000)
with open(f"{top}/holes", "wb") as f:
    for i in range(100):
        os.pwrite(f.fileno(), b"data", i << 20)
    f.truncate(1 << 30)
os.mkfifo(f"{top}/fifo")
os.mknod(f"{top}/whiteout-like", 0o20000, 0)
os.symlink("C:/nowhere", f"{top}/-link")
put(".wh.file")
os.makedirs(f"{top}/run")
for name in ("a", "b"):
    socket.socket(socket.AF_UNIX).bind(f"{top}/run/{name}")
os.chmod(top, 0o711)
PY
python3 "$SUPPORT/tree.py" list m | grep -v '"type": "s"' >want
expect 7 tp export --format tar -o a.tar box
cmp a.tar before.tar
expect 0 tp umount box
expect 0 tp export --format tar -o a.tar box
[ "$(grep -c '^thinpull: warning: ' err)" = 2 ] || { cat err; fail 'not two warnings'; }
grep -qF './run/a and 1 more: a socket is not in the tar' err || { cat err; fail 'no word of the sockets'; }
grep -qF './.wh.file: as a layer' err || fail 'no word of what looks like a whiteout'
[ "$(stat -c %s a.tar)" -lt 2000000 ] || fail 'preallocated blocks or holes were written'
mkdir x
tar -xpf a.tar -C x --numeric-owner --xattrs --xattrs-include='*' 2>tar.err ||
    { cat tar.err; fail 'tar -x'; }
python3 "$SUPPORT/tree.py" list x >got
# An xattr with a '=' in its name has a form that GNU tar does not know, and says so.
sed -i 's/"user.a=b": "00", //' want
python3 "$SUPPORT/tree.py" compare want got mounted extracted

say 'a journal that was not replayed'
file=$(find "$ROOT/containers" -name '*.ext4')
debugfs -w -R 'feature needs_recovery' "$file" >/dev/null 2>&1
expect 10 tp export --format tar -o a.tar box
expect_error 'journal' 'thinpull mount' 'thinpull umount'
expect 0 tp mount box m
expect 0 tp umount box
expect 0 tp export --format tar -o b.tar box
finish
