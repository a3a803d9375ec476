#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Beside a real udevd with the rules of Debian: it makes our nodes, is told to let nobody look into
# our devices, and is waited for; stopped or killed it costs a bounded wait and a warning, and no
# semaphore is left.
# weight: 25
. "$(dirname "$0")/lib.sh"

try=$TOP/build/release/tests/tools/devmap_try
unset DM_DISABLE_UDEV

none_left() {
    [ "$(dmsetup ls)" = 'No devices found' ] || fail "$1: left $(dmsetup ls)"
    [ "$(ls /dev/mapper)" = control ] || fail "$1: left $(ls /dev/mapper)"
    [ "$(wc -l </proc/sysvipc/sem)" -eq 1 ] || fail "$1: left $(cat /proc/sysvipc/sem)"
}

told() { # WHAT PATTERN: what the last command said
    grep -q "$2" "$WORK/told" || fail "$1: $(cat "$WORK/told")"
}

run() {
    "$try" "$@" >"$WORK/told" 2>&1 || fail "$*: $(cat "$WORK/told")"
    cat "$WORK/told"
}

say 'no udevd'
run cycle thinpull-1 THINPULL-1 1
told 'no udevd' 'udev: no'
none_left 'no udevd'

say 'udevd'
/lib/systemd/systemd-udevd --daemon >/dev/null 2>&1
udevd=$(pgrep -o -f '^/lib/systemd/systemd-udevd')
run create thinpull-1 THINPULL-1
told 'udevd' '^create: 4 ioctls, .* udev: yes'
[ "$(readlink /dev/mapper/thinpull-1)" = ../dm-0 ] || fail 'not the node that udevd makes'
udevadm info /dev/dm-0 >"$WORK/info"
for flag in SUBSYSTEM_RULES DISK_RULES OTHER_RULES; do
    grep -q "DM_UDEV_DISABLE_${flag}_FLAG=1" "$WORK/info" || fail "$(cat "$WORK/info")"
done
if grep -E 'ID_FS|disk/by-' "$WORK/info"; then fail 'udevd has looked into it'; fi
run remove THINPULL-1
run cycle thinpull-1 THINPULL-1 10
none_left 'udevd'

say 'DM_DISABLE_UDEV beside it'
DM_DISABLE_UDEV=1 run cycle thinpull-1 THINPULL-1 10
told 'disabled' '^cycle: 41 ioctls, .* udev: no'
udevadm settle
none_left 'disabled'

say 'udevd is stopped: SIGTERM ends the wait'
kill -STOP "$udevd"
"$try" create thinpull-2 THINPULL-2 >"$WORK/told" 2>&1 &
sleep 0.5
kill -TERM $!
wait $! || fail "$(cat "$WORK/told")"
told 'ended' '^create: 4 ioctls, [0-9]\{3,4\} ms'
[ -b /dev/mapper/thinpull-2 ] || fail 'no node'
[ "$(wc -l </proc/sysvipc/sem)" -eq 1 ] || fail "left $(cat /proc/sysvipc/sem)"

say 'udevd is stopped: waited for once, told, and gone on without it'
run cycle thinpull-1 THINPULL-1 3
told 'stopped' '^warning: udevd does not answer: going on without it'
told 'stopped' '^cycle: 13 ioctls, 1[0-9]\{4\} ms, udev: no'
[ "$(wc -l </proc/sysvipc/sem)" -eq 1 ] || fail "left $(cat /proc/sysvipc/sem)"

say 'udevd goes on'
kill -CONT "$udevd"
run remove THINPULL-2
told 'goes on' 'udev: yes'
run cycle thinpull-1 THINPULL-1 1
udevadm settle
none_left 'goes on'

say 'udevd is killed'
run create thinpull-1 THINPULL-1
kill -KILL "$udevd"
run remove THINPULL-1
told 'killed' 'udev: no'
run cycle thinpull-1 THINPULL-1 1
none_left 'killed'
