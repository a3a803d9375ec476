#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# path, mount and umount as root: what is written stays in the container, ls tells its state, two
# are mounted at once, what is in use is busy, and at the end no mount and no device is left.
# needs: root
# weight: 20
# Mounts of its own, so that namespaces which others make meanwhile have no copies of them.
[ "$(id -u)" != 0 ] || [ -n "${ALONE:-}" ] ||
    ALONE=1 exec unshare --mount --propagation private bash "$0" "$@"
. "$(dirname "$0")/../support/lib.sh"

. "$(dirname "$0")/../support/runs.sh"
[ -b "$(losetup -f 2>/dev/null)" ] || skip 'no loop devices here'
image=oci:$IMAGES/tools:umoci

field() { # NAME KEY
    json ls | jq -r ".[] | select(.name == \"$1\") | .$2"
}

state() { # NAME
    field "$1" state
}

devices() {
    cat /sys/block/loop*/loop/backing_file 2>/dev/null | grep -c "^$ROOT/" || true
}

# Neither mounts, devices nor mount points of this root.
check_free() {
    [ "$(devices)" -eq 0 ] || fail 'a loop device is left'
    ! grep -q " $WORK/" /proc/self/mounts || fail 'a mount is left'
    [ ! -d "$THINPULL_RUN_DIR" ] || [ -z "$(ls "$THINPULL_RUN_DIR")" ] ||
        fail 'a mount point is left'
}

expect 0 tp pool create --base-size 1G
expect 0 tp -q pull "$image"
expect 0 tp create "$image" box
expect 0 tp create "$image" other

say 'mount, write, umount, export'
[ "$(state box)" = ready ]
expect 0 tp mount box
point=$(cat "$WORK/out")
mountpoint -q "$point" || fail "$point is no mount point"
case $point in "$THINPULL_RUN_DIR"/*/default/box) ;; *) fail "mounted on $point" ;; esac
[ "$(stat -c %a "$(dirname "$point")")" = 700 ] || fail 'others can reach the mount point'
grep " $point " /proc/self/mounts | grep nodev >/dev/null || fail 'devices of the image work'
[ "$(state box)" = mounted ]
[ "$(field box mount_point)" = "$point" ]
[ -b "$(field box device)" ]
echo written >"$point/file"
mknod "$point/null" c 1 3
cp "$PROGRAM" "$point/large"
expect 0 tp umount box
[ "$(cat "$WORK/out")" = box ]
[ "$(state box)" = checked_out ]
raw box "$WORK/box.ext4"
[ "$(debugfs -R 'cat /file' "$WORK/box.ext4" 2>/dev/null)" = written ] || fail 'the write is lost'
check_free

say 'made and mounted at once, or not at all'
expect 0 tp create --mount "$WORK/atonce" "$image" quick
[ "$(cat "$WORK/out")" = quick ]
mountpoint -q "$WORK/atonce" || fail 'it is not mounted'
[ "$(field quick mount_point)" = "$WORK/atonce" ]
expect 0 tp rm -f quick
touch "$WORK/file"
expect 1 tp create --mount "$WORK/file" "$image" quick
grep -q "$WORK/file" "$WORK/err" || fail "$(cat "$WORK/err")"
expect 2 tp inspect quick
rm -r "$WORK/file" "$WORK/atonce"
check_free

say 'and it is there at the next mount, in a folder of choice that is made'
expect 0 tp --json mount box "$WORK/a dir"
jq -e '.name == "box" and (.device | test("^/dev/loop"))' "$WORK/out" >/dev/null
[ "$(jq -r .mount_point "$WORK/out")" = "$WORK/a dir" ]
cmp "$PROGRAM" "$WORK/a dir/large"
say 'twice is once; a second place is one more'
expect 0 tp mount box "$WORK/a dir"
expect 0 tp mount box
[ "$(grep -c " $WORK/" /proc/self/mounts)" -eq 2 ] || fail 'not two mounts'
[ "$(devices)" -eq 1 ] || fail 'not one device'

say 'two containers at once, told apart by their UUID'
expect 0 tp mount other
[ "$(blkid -o value -s UUID "$(field box device)")" != \
    "$(blkid -o value -s UUID "$(field other device)")" ] || fail 'the same UUID twice'
[ ! -e "$(cat "$WORK/out")/file" ] || fail 'a write to one is in the other'

say 'what is mounted is busy, and says where'
for words in 'rm box' 'export -o x.ext4 box'; do
    # shellcheck disable=SC2086
    expect 7 tp $words
    expect_error "$WORK/a dir"
done
[ ! -e x.ext4 ]
expect 2 tp umount "$WORK"
expect 2 tp umount nothing
expect 2 tp mount nothing
expect 2 tp path nothing
expect 0 tp --json umount "$WORK/a dir"
[ "$(jq -r .name "$WORK/out")" = box ]
[ "$(state box)" = checked_out ]
expect 0 tp umount box

say 'a mount in use stays'
exec 8<"$(field other mount_point)"
expect 7 tp umount other
expect_error 'in use'
[ "$(state other)" = mounted ]
expect 7 tp rm -f other
exec 8<&-
expect 0 tp rm -f other
[ "$(json ls | jq length)" -eq 1 ]
[ "$(find "$ROOT/containers" -name '*.ext4' | wc -l)" -eq 1 ] || fail 'the file is left'
check_free

say 'nor does a device go that is mounted in another namespace'
expect 0 tp mount box
unshare -m --propagation private sleep 60 &
server_pid=$!
for _ in $(seq 100); do
    ! grep -q " $WORK/" "/proc/$server_pid/mounts" 2>/dev/null || break
    sleep 0.05
done
expect 7 tp umount box
expect_error 'in use'
[ "$(state box)" = attached ]
kill $server_pid
wait $server_pid || true
server_pid=
expect 0 tp umount box
check_free

say 'but runs of others let go of it'
expect 0 tp -q pull "$IMAGE:plain"
expect 0 tp mount box
start_run --rm "$IMAGE:plain" sh -c 'trap "exit 7" TERM; echo ready; while :; do sleep 0.1; done'
expect 0 tp umount box
[ "$(state box)" = checked_out ]
kill "$run_pid"
end_run 7
check_free

say 'path is a device that stays the same'
expect 0 tp path box
device=$(cat "$WORK/out")
[ -b "$device" ]
[ "$(state box)" = attached ]
expect 0 tp --json path box
expect_json .path "$device" <"$WORK/out"
expect_json .kind device <"$WORK/out"
exec 8<"$device"
expect 7 tp umount box
expect_error "$device" 'in use'
exec 8<&-
[ "$(state box)" = attached ]
say 'what a virtual machine wrote to it is exported'
debugfs -w -R "write $WORK/err from_outside" "$device" >/dev/null 2>&1
raw box "$WORK/box.ext4"
debugfs -R 'stat /from_outside' "$WORK/box.ext4" 2>/dev/null | grep 'Type: regular' >/dev/null ||
    fail 'the write is lost'
expect 0 tp rm box
check_free

say 'read-only containers are mounted so, and can be read meanwhile'
expect 0 tp create --read-only "$image" fixed
expect 0 tp mount fixed
if touch "$(cat "$WORK/out")/file" 2>/dev/null; then fail 'a read-only container was written to'; fi
raw fixed "$WORK/fixed.ext4"
expect 0 tp umount fixed
raw fixed "$WORK/again.ext4"
[ "$(content "$WORK/fixed.ext4")" = "$(content "$WORK/again.ext4")" ] || fail 'it has changed'

say 'the run folder: an option wins over the environment, that over the configuration'
mount_parent() { # words before the verb
    expect 0 tp "$@" mount fixed
    dirname "$(dirname "$(dirname "$(cat "$WORK/out")")")"
    expect 0 tp "$@" umount fixed
}
echo "{\"run_dir\": \"$WORK/of config\"}" >"$WORK/config.json"
[ "$(mount_parent --config "$WORK/config.json")" = "$THINPULL_RUN_DIR" ]
[ "$(unset THINPULL_RUN_DIR && mount_parent --config "$WORK/config.json")" = "$WORK/of config" ]
[ "$(mount_parent --run-dir "$WORK/of option")" = "$WORK/of option" ]
expect 3 tp --run-dir= ls
[ -z "$(ls "$WORK/of option" "$WORK/of config" | grep -v :)" ] || fail 'a mount point is left'

say 'what is mounted keeps its name'
expect 0 tp mount fixed
expect 7 tp rename fixed firm
expect_error mounted
expect 0 tp umount fixed
expect 0 tp rename fixed firm
check_free
expect 0 tp rm firm
check_pool
[ "$(find "$ROOT/containers" -type f ! -name lock | wc -l)" -eq 0 ] || fail 'files are left'
finish
