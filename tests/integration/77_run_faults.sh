#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run ended at chosen calls, of the command or of the first process of its namespaces: by SIGKILL,
# by SIGTERM, by calls that fail. Once the next command has run nothing is left.
# weight: 30
[ ! -w /dev/shm ] || export TMPDIR=/dev/shm
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/runs.sh"
need_runs
FAULT_SO=$TOP/build/release/tests/tools/fault.so
POINTS=${POINTS:-7}
marker=6$$
words="echo x >/srv/new; setsid sleep $marker & exit 3"
expect 0 tp -q pull "$IMAGE:plain"
expect 0 tp run -q --rm "$IMAGE:plain" true
clean=$(json pool status | jq -c '[.thin_count, .data.used_bytes]')

fault() { # how call words of run
    local how=$1 at=$2
    shift 2
    env LD_PRELOAD="$FAULT_SO" FAULT="$how" FAULT_AT="$at" \
        timeout -s KILL 60 "$PROGRAM" --root "$ROOT" run -q "$@" "$IMAGE:plain" sh -c "$words"
}

check_after() { # what
    expect 0 tp ls
    check_nothing_runs "$marker"
    json ls | jq -e 'all(.state != "running" and .state != "mounted")' >/dev/null ||
        { json ls; fail "$1: it runs"; }
    if json ls | jq -e 'length == 1' >/dev/null; then expect 0 tp rm victim; fi
    json ls | expect_json length 0
    check_nothing_runs "$marker"
    [ "$(json pool status | jq -c '[.thin_count, .data.used_bytes]')" = "$clean" ] ||
        fail "$1: the pool holds more than before"
    check_pool
}

for rm in --rm --name=victim; do
    code=0
    LD_PRELOAD=$FAULT_SO FAULT_COUNT=$WORK/count tp run -q $rm "$IMAGE:plain" sh -c "$words" \
        2>"$WORK/err" || code=$?
    [ $code = 3 ] || { cat "$WORK/err"; fail "exit $code"; }
    [ $rm = --rm ] || expect 0 tp rm victim
    # The first process counts on from where the command is: a few calls more.
    total=$(($(cat "$WORK/count") + 8))
    for n in $(points $total "$POINTS"); do
        expect 3,137 fault kill "$n" $rm
        if [ $rm = --rm ]; then
            expect 0 tp images
            json ls | expect_json length 0
        fi
        check_after "$rm, killed at call $n"
    done
    for n in $(points $total "$POINTS"); do
        expect 3,143 fault term "$n" $rm
        # The command's own end, or the container's, which had started?
        if grep -q 'ended by signal 15' "$WORK/err"; then
            expect_error 'ended by signal 15'
            json ls | expect_json length 0
        fi
        check_after "$rm, SIGTERM at call $n"
    done
    for how in enospc eio; do
        for n in $(points $total $((POINTS / 2))); do
            expect 3,125 fault $how "$n" $rm
            check_after "$rm, $how at call $n"
        done
    done
    say "$rm: at up to $POINTS of $total calls each"
done
finish
