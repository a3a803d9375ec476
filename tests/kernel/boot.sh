#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Boots the lab kernel, with real dm-thin, and runs one script in it as root:
#
#   boot.sh SCRIPT [DISK...]     output and exit status are the script's; disks are /dev/ubda...
#   boot.sh --shell [DISK...]    a shell instead
#
# The guest sees the machine's files, this source tree at /run/src, where the script starts, and at
# /run/lab a folder of its own. LAB_MEMORY says how much RAM it has (2G), LAB_MACHINE what it is: uml
# or qemu, see uml.sh and qemu.sh. The variables below reach the script.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
script=$1
shift
lab_disks=("$@")
# shellcheck source=tests/kernel/uml.sh
. "$top/tests/kernel/${LAB_MACHINE:-uml}.sh"
dir=$(mktemp -d "${TMPDIR:-/tmp}/thinpull-lab.XXXXXX")
name=$(basename "$dir")

clean_up() {
    local status=$?
    machine_stop
    rm -rf --one-file-system "$dir"
    exit $status
}
trap clean_up EXIT
trap 'exit 130' INT TERM

variables=()
for variable in THINPULL_ROUNDS THINPULL_SEED THINPULL_EVERY THINPULL_FLAVOUR BENCH_RUNS; do
    [ -z "${!variable:-}" ] || variables+=("$variable=${!variable}")
done

boot() {
    machine_start LAB_SRC="$top" LAB_DIR="$dir" "${variables[@]}" "$@"
}

if [ "$script" = --shell ]; then
    boot $console_shell
    exit 0
fi
boot $console_script LAB_SCRIPT="${script#"$top"/}" >"$dir/console" 2>&1 </dev/null || true
[ -f "$dir/output" ] && cat "$dir/output"
[ -f "$dir/status" ] || { cat "$dir/console"; echo 'the lab kernel ended before the script'; exit 1; }
exit "$(cat "$dir/status")"
