#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs programs under valgrind's memcheck, some at a time; an error or a leak fails, and so does the
# program itself. What needs a system call that this valgrind does not know is counted apart, the
# sanitizers have seen it. usage: valgrind.sh [-j N] PROGRAM...
set -euo pipefail
jobs=1
if [ "${1:-}" = -j ]; then jobs=$2; shift 2; fi
[ $# -gt 0 ] || { echo 'valgrind: no programs' >&2; exit 3; }
logs=$(mktemp -d "${TMPDIR:-/tmp}/thinpull-valgrind.XXXXXX")
trap 'rm -rf "$logs"' EXIT
export logs
export THINPULL_EVERY="${THINPULL_EVERY:-23}" # of the long proofs a part

# Memory still reachable at the end is not lost: libraries keep tables that way. What is lost does not
# change the exit status, or it would for children that tests end halfway; it is told nevertheless.
one() { # PROGRAM
    local log=$logs/${1//\//_} started=$SECONDS code=0
    valgrind -q --error-exitcode=99 --leak-check=full --child-silent-after-fork=yes \
        --errors-for-leak-kinds=none --show-leak-kinds=definite,indirect,possible "./$1" >"$log" 2>&1 || code=$?
    if grep -q 'unhandled [^ ]* syscall' "$log"; then
        echo "skip $1: valgrind does not know one of its system calls"
    elif [ "$code" -ne 0 ] || grep -q ' lost in loss record ' "$log"; then
        echo "FAIL $1: exit status $code"
        sed 's/^/    /' "$log"
    else
        echo "ok   $1: $((SECONDS - started)) s"
    fi | tee "$log.result"
}
export -f one

printf '%s\0' "$@" | xargs -0 -n 1 -P "$jobs" bash -c 'one "$1"' -
count() {
    cat "$logs"/*.result | grep -c "^$1" || true
}
echo "valgrind: $(count ok) passed, $(count FAIL) failed, $(count skip) skipped"
[ "$(count FAIL)" -eq 0 ] && [ "$(count ok)" -gt 0 ]
