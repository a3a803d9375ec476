#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Boots the lab kernel (User-Mode Linux, with real dm-thin) and runs one script in it as root:
#
#   boot.sh SCRIPT [DISK...]     output and exit status are the script's; disks are /dev/ubda...
#   boot.sh --shell [DISK...]    a shell instead
#
# The guest sees the machine's files, this source tree at /run/src, where the script starts, and at
# /run/lab a folder of its own. LAB_MEMORY says how much RAM it has (2G); the variables below reach
# the script.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
script=$1
shift
kernel=$(command -v linux.uml) || { echo 'no linux.uml: make deps'; exit 77; }
modules=$(find /usr/lib/uml/modules -mindepth 2 -maxdepth 2 -name kernel | sort -V | tail -n 1)
dir=$(mktemp -d "${TMPDIR:-/tmp}/thinpull-lab.XXXXXX")
name=$(basename "$dir")
mkdir "$dir/home" # the kernel keeps the state of its instances in ~/.uml

# Not by the program's name: other guests may be running. All processes of this one say its name.
kill_guest() {
    local pid
    for pid in $(grep -lazF "umid=$name" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3); do
        kill -KILL "$pid" 2>/dev/null || true
    done
}

clean_up() {
    local status=$?
    kill_guest
    rm -rf --one-file-system "$dir"
    exit $status
}
trap clean_up EXIT
trap 'exit 130' INT TERM

disks=()
for disk; do
    disks+=("ubd$(printf "\\x$(printf %x $((97 + ${#disks[@]})))")=$disk")
done

variables=()
for variable in THINPULL_ROUNDS THINPULL_SEED THINPULL_EVERY THINPULL_FLAVOUR BENCH_RUNS; do
    [ -z "${!variable:-}" ] || variables+=("$variable=${!variable}")
done

boot() {
    HOME=$dir/home "$kernel" mem="${LAB_MEMORY:-2G}" rootfstype=hostfs rootflags=/ rw \
        init="$top/tests/kernel/init.sh" con=null quiet loglevel=3 umid="$name" \
        "${disks[@]}" LAB_SRC="$top" LAB_DIR="$dir" LAB_MODULES="$modules" "${variables[@]}" "$@"
}

if [ "$script" = --shell ]; then
    boot con0=fd:0,fd:1
    exit 0
fi
boot con0=null,fd:1 LAB_SCRIPT="${script#"$top"/}" >"$dir/console" 2>&1 </dev/null || true
[ -f "$dir/output" ] && cat "$dir/output"
[ -f "$dir/status" ] || { cat "$dir/console"; echo 'the lab kernel ended before the script'; exit 1; }
exit "$(cat "$dir/status")"
