#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs a command and says whether it did it alone: no other program, no process but threads of its
# own, nothing mounted. Fails with the system calls that say otherwise.
#
# usage: no_exec.sh COMMAND [ARGUMENT...]
set -euo pipefail
calls=$(mktemp "${TMPDIR:-/tmp}/no_exec.XXXXXX")
trap 'rm -f "$calls"' EXIT

strace -f -qq -o "$calls" -e signal=none \
    -e trace=execve,execveat,fork,vfork,clone,clone3,mount,umount2,fsopen,fsmount,move_mount,open_tree \
    "$@"
# the first one is the command itself
sed -i '1{/execve(/d}' "$calls"
threads=$(grep -c 'CLONE_THREAD' "$calls" || true)
if grep -vE 'clone3?\(.*CLONE_THREAD|<\.\.\. clone3? resumed>' "$calls"; then
    echo "not alone: $*" >&2
    exit 1
fi
echo "alone, with $threads threads"
