#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# SIGTERM at many points of each command: it ends with 143 and a line that says so, or it had done
# its work; nothing is left behind, without another command that cleans up; the same then succeeds.
# weight: 20
[ ! -w /dev/shm ] || export TMPDIR=/dev/shm
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/faults.sh"

POINTS=${POINTS:-6}
layout=$WORK/layout
image=oci:$layout:d
python3 "$SUPPORT/storm.py" layout "$layout" >"$WORK/layers"

# at_each WORDS...: the command, ended at up to POINTS of the calls that it makes.
at_each() {
    local total step n ended=0
    fresh
    total=$(calls tp "$@")
    step=$(((total + POINTS - 1) / POINTS))
    for n in $(seq 1 "$step" "$total"); do
        fresh
        expect 0,143 fault term "$n" "$PROGRAM" --root "$ROOT" "$@"
        if grep -q '^thinpull: ' "$WORK/err"; then
            expect_error 'ended by signal 15'
            ended=$((ended + 1))
        fi
        check_nothing_stray "$ROOT"
        [ -z "$(find "$ROOT" "$WORK/out.d" -name owner -o -name '.thinpull-*')" ] ||
            fail "$1 at call $n: left behind"
        [ ! -d "$ROOT/pools/default" ] || check_pool
        case $1 in
        rm | rmi) expect 0,2 tp "$@" ;;
        create) expect 0,7 tp "$@" ;;
        pool) expect 0,7 tp "$@" ;;
        *) expect 0 tp "$@" ;;
        esac
        check_pool
    done
    say "$*: ended $ended times at up to $POINTS of $total calls"
}

mkdir "$WORK/out.d" "$start"
at_each -q pull "$image"
at_each pool create --base-size 1G
ROOT=$start
expect 0 tp -q pull "oci:$layout:a"
ROOT=$WORK/root
at_each -q pull "$image"

start_registry
push "$layout:d" test/d:1
at_each -q pull "$REGISTRY/test/d:1"
stop_registry

ROOT=$start
expect 0 tp -q pull "$image"
ROOT=$WORK/root
at_each create "$image" box
at_each export -o "$WORK/out.d/raw" "$image"
at_each export --format tar -o "$WORK/out.d/tar" "$image"
at_each rmi "$image"
ROOT=$start
expect 0 tp create "$image" box
ROOT=$WORK/root
at_each rm box
finish
