#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Containers and images whose file system is damaged, as a hostile guest or a bad disk leaves them:
# each verb ends well or says in one line what is damaged and what to do, and leaves nothing half
# made. What needs no look inside goes on working.
# weight: 6
[ "$(id -u)" != 0 ] || [ -n "${ALONE:-}" ] ||
    ALONE=1 exec unshare --mount --propagation private bash "$0" "$@"
. "$(dirname "$0")/../support/lib.sh"

image=oci:$IMAGES/tools:umoci
root=
if [ "$(id -u)" -eq 0 ]; then root=1; fi
[ -z "$root" ] || [ -b "$(losetup -f 2>/dev/null)" ] || skip 'no loop devices here'
umask 077

check_nothing_made() {
    local found
    found=$(find "$WORK" -maxdepth 1 \( -name 'made*' -o -name '.made*' \))
    [ -z "$found" ] || fail "left behind: $found"
    [ ! -e "$WORK/run" ] || [ -z "$(find "$WORK/run" -mindepth 1)" ] || fail 'the run folder is not empty'
    if grep -q " $WORK/" /proc/self/mounts; then fail 'a mount is left'; fi
    if [ -n "$root" ] && losetup -n -O BACK-FILE 2>/dev/null | grep -q "^$WORK/"; then
        fail 'a loop device is left'
    fi
}

# The last command failed, with one line that says this, and made nothing.
check_told() { # text hint
    expect_error "$1" "$2"
    check_nothing_made
}

# Damage box, whose file is $file: whatever looks into it says so.
is_told() { # exit-code text hint
    expect "$1" tp export --format tar -o "$WORK/made.tar" box
    check_told "$2" "$3"
    expect "$1" tp bundle box "$WORK/made" -- /bin/true
    check_told "$2" "$3"
    expect 0 tp inspect box
    expect 0 tp ls
    expect 0 tp df
}

mount_is_told() { # hint
    [ -n "$root" ] || return 0
    expect 8 tp mount box "$WORK/made"
    check_told 'mount box: ' "$1"
}

restore() {
    rm -f "$file"
    cp --sparse=always "$WORK/good.ext4" "$file"
}

expect 0 tp pool create --size 512M --base-size 64M
expect 0 tp -q pull "$image"
expect 0 tp create "$image" box
expect 0 tp path box
if [ -n "$root" ]; then expect 0 tp umount box; fi
file=$(json ls | jq -r '.[0].file')
cp --sparse=always "$file" "$WORK/good.ext4"
fsck='e2fsck on what'

say 'no file system at all'
dd if=/dev/zero of="$file" bs=4096 count=1 conv=notrunc status=none
is_told 8 'damaged file system: no ext4' "$fsck"
mount_is_told "$fsck"
say 'as it is it can still be saved'
expect 0 tp export --format raw -o "$WORK/saved" box
cmp -s "$WORK/saved" "$file" || fail 'other bytes'
rm "$WORK/saved"

say 'a file that ends too early'
restore
truncate -s 10M "$file"
is_told 8 'damaged file system: the superblock says' "$fsck"
mount_is_told "$fsck"

say 'a root directory that cannot be'
restore
debugfs -w -R 'set_inode_field / size 4095' "$file" >/dev/null 2>&1
is_told 8 'damaged file system: inode 2: directory of 4095 bytes' "$fsck"
say 'which e2fsck mends, as the hint says'
expect 0 tp path box
if [ -n "$root" ]; then device=$(cat "$WORK/out"); else device=$file; fi
e2fsck -fy "$device" >/dev/null 2>&1 || true
if [ -n "$root" ]; then expect 0 tp umount box; fi
expect 0 tp export --format tar -o "$WORK/mended.tar" box

say 'a dialect that is not ours'
restore
debugfs -w -R 'feature casefold' "$file" >/dev/null 2>&1
expect 10 tp export --format tar -o "$WORK/made.tar" box
check_told 'unknown features 0x20000' '--format raw'

say 'a journal to be replayed'
restore
debugfs -w -R 'feature needs_recovery' "$file" >/dev/null 2>&1
expect 10 tp export --format tar -o "$WORK/made.tar" box
check_told 'the journal has to be replayed' 'umount'
if [ -n "$root" ]; then
    expect 0 tp mount box
    expect 0 tp umount box
else
    e2fsck -p "$file" >/dev/null 2>&1 || true
fi
expect 0 tp export --format tar -o "$WORK/replayed.tar" box

say 'no file, an empty one, a link to somewhere else'
lost="'thinpull rm'"
rm "$file"
is_told 8 'is not there' "$lost"
mount_is_told "$lost"
: >"$file"
is_told 8 'has 0 bytes' "$lost"
mount_is_told "$lost"
rm "$file"
echo mine >"$WORK/mine"
ln -s "$WORK/mine" "$file"
is_told 8 'is a symlink' "$lost"
mount_is_told "$lost"
expect 8 tp export --format raw -o "$WORK/made.raw" box
check_told 'is a symlink' "$lost"
expect 0 tp rm box
[ "$(cat "$WORK/mine")" = mine ] || fail 'what a link led to has changed'
[ ! -L "$file" ] || fail 'the link is still there'
check_pool

say 'a block of a committed layer'
raw "$image" "$WORK/image.ext4"
block=$(debugfs -R 'blocks /data' "$WORK/image.ext4" 2>/dev/null | awk '{print $1}')
python3 - "$WORK/image.ext4" "$block" "$ROOT/pools/default/data" <<'PY'
import sys
image, block, pool = sys.argv[1], int(sys.argv[2]), sys.argv[3]
with open(image, 'rb') as f:
    f.seek(block * 4096)
    wanted = f.read(4096)
with open(pool, 'r+b') as f:
    data = f.read()
    places = [at for at in range(0, len(data), 4096) if data[at:at + 4096] == wanted]
    assert places, 'the block is not in the pool'
    for at in places:
        f.seek(at)
        f.write(b'?')
PY
expect 8 tp export --format tar -o "$WORK/made.tar" "$image"
check_told 'directory: wrong checksum' 'not the pool'
expect 0 tp image inspect "$image"
expect 0 tp create "$image" other
expect 8 tp export --format tar -o - other
check_told 'directory: wrong checksum' 'not the pool'
expect 0 tp rm other
expect 0 tp rmi "$image"
expect 0 tp -q pull "$image"
expect 0 tp export --format tar -o "$WORK/again.tar" "$image"
check_pool

say 'blocks of the metadata of the pool: it is the pool that is blamed'
meta=$ROOT/pools/default/meta
cp --sparse=always "$meta" "$WORK/meta"
blamed=0
for block in $(seq 1 $(($(json pool status | jq .metadata.used_bytes) / 4096))); do
    printf '\377\377\377\377' |
        dd of="$meta" bs=1 seek=$((block * 4096)) conv=notrunc status=none
    expect 0,8 tp export --format tar -o "$WORK/made.tar" "$image"
    if [ -s "$WORK/err" ]; then
        check_told "'thinpull pool check'" ''
        blamed=$((blamed + 1))
    fi
    rm -f "$WORK/made.tar"
    cp --sparse=always "$WORK/meta" "$meta"
done
[ $blamed -gt 3 ] || fail "only $blamed blocks of the metadata matter"
check_pool
finish
