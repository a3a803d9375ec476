#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 of run at random times, with and without --rm: once the next command has run, whichever it
# is, nothing is left of it but, without --rm, a container that is not running.
# weight: 40
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/runs.sh"
need_runs
marker=9$$
seed=${THINPULL_SEED:-$RANDOM$RANDOM}
RANDOM=$seed
say "seed $seed (THINPULL_SEED)"
KILLS=12
[ -z "${THINPULL_AGAIN:-}" ] || KILLS=6
expect 0 tp -q pull "$IMAGE:plain"
expect 0 tp create "$IMAGE:plain" bystander
clean=$(json pool status | jq -c '[.thin_count, .data.used_bytes]')

# The container writes, has a child of another session, and ends some time after it started.
words='echo 1 | dd conv=fsync of=/srv/new 2>/dev/null; setsid sleep MARKER & sleep 0.1'
words=${words/MARKER/$marker}

took_ms=100000
for _ in 1 2 3; do
    started=$(date +%s%N)
    expect 0 tp run -q --rm "$IMAGE:plain" sh -c "$words"
    this_ms=$((($(date +%s%N) - started) / 1000000))
    [ $this_ms -ge $took_ms ] || took_ms=$this_ms
done
check_nothing_runs "$marker"

next_command() { # n
    case $(($1 % 6)) in
    0) expect 0 tp images ;;
    1) expect 0 tp ls ;;
    2) expect 0 tp -q pull "$IMAGE:plain" ;;
    3) expect 0 tp run -q --rm "$IMAGE:plain" true ;;
    4) expect 0 tp pool status ;;
    5) expect 2 tp rm no-such-container ;;
    esac
}

all=0
for rm in --rm --name=victim; do
    killed=0
    # Those that ended before are not counted: on a busy machine the next one may be faster.
    for i in $(seq $((3 * KILLS))); do
        [ $killed -lt $KILLS ] || break
        # Spread over the run and a little more.
        at_ms=$((RANDOM * took_ms * 11 / 10 / 32768))
        "$PROGRAM" --root "$ROOT" run -q $rm "$IMAGE:plain" sh -c "$words" >/dev/null 2>&1 &
        pid=$!
        sleep "$(printf '%d.%03d' $((at_ms / 1000)) $((at_ms % 1000)))"
        kill -KILL $pid 2>/dev/null || true
        code=0
        { wait $pid; } 2>/dev/null || code=$?
        [ $code != 137 ] || killed=$((killed + 1))
        next_command $((RANDOM % 6))
        check_nothing_runs "$marker"
        names=$(json ls | jq -r '.[].name + " " + .[].state' | sort -u)
        json ls | jq -e 'all(.name == "bystander" or .name == "victim")' >/dev/null ||
            fail "kill $i after $at_ms ms: containers: $names"
        if [ $rm = --rm ]; then
            json ls | jq -e 'length == 1' >/dev/null || fail "kill $i after $at_ms ms: $names"
        elif json ls | jq -e 'length == 2' >/dev/null; then
            json ls | jq -e 'all(.state != "running" and .state != "mounted")' >/dev/null ||
                fail "kill $i after $at_ms ms: $names"
            expect 0 tp rm victim
        fi
        check_nothing_runs "$marker"
        [ "$(json pool status | jq -c '[.thin_count, .data.used_bytes]')" = "$clean" ] ||
            fail "kill $i after $at_ms ms: the pool holds more than before"
    done
    [ $killed -ge $((KILLS / 2)) ] || fail "$rm: only $killed runs were killed before their end"
    all=$((all + killed))
done
say "a run takes $took_ms ms; $all were killed before their end"

say 'first process, runtime and command killed together, and what was running stays as it is'
for i in 1 2 3 4 5; do
    start_run --rm "$IMAGE:plain" sh -c "echo ready; setsid sleep $marker & sleep 5"
    inner=$(awk '{print $1}' "/proc/$run_pid/task/$run_pid/children")
    kill -KILL "$run_pid" "$inner"
    { wait "$run_pid"; } 2>/dev/null || true
    expect 0 tp ls
    check_nothing_runs "$marker"
done
json ls | expect_json '[.[].name] | join(" ")' bystander
check_pool
finish
