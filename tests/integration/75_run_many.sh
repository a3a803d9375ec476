#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 100 runs in a row, then some at the same time: mounts, loop devices, processes, files, control
# groups and the pool are as before. Prints how long a run takes.
# weight: 30
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/runs.sh"
need_runs
marker=8$$
RUNS=100
[ -z "${THINPULL_AGAIN:-}" ] || RUNS=40

# Others mount too while this runs: what is this test's of the machine, check_nothing_runs knows.
counts() {
    echo "files $(find "$ROOT" "$THINPULL_RUN_DIR" 2>/dev/null | sort | sha256sum | cut -c1-12)" \
        "pool $(json pool status | jq -c '[.thin_count, .data.used_bytes]')"
}

expect 0 tp -q pull "$IMAGE:plain"
# One first, so that folders and lock files that stay are there.
expect 0 tp run -q --rm "$IMAGE:plain" true
expect 0 tp images # the catalog
before=$(counts)

times=$WORK/times
for i in $(seq $RUNS); do
    started=$(date +%s%N)
    code=0
    "$PROGRAM" --root "$ROOT" run -q --rm "$IMAGE:plain" sh -c "echo $i >/srv/new; exit $((i % 7))" \
        2>"$WORK/err" || code=$?
    [ $code = $((i % 7)) ] || { cat "$WORK/err"; fail "run $i: exit $code"; }
    echo $((($(date +%s%N) - started) / 1000000)) >>"$times"
done
sort -n "$times" | awk '{t[NR] = $1} END {
    printf "-- %d runs: %d ms at least, %d in the middle, %d at most\n", NR, t[1], t[int((NR + 1) / 2)], t[NR]}'
check_nothing_runs "$marker"
[ "$(counts)" = "$before" ] || fail "before: $before; after: $(counts)"

say 'at the same time'
pids=
for i in $(seq 16); do
    "$PROGRAM" --root "$ROOT" run -q --rm "$IMAGE:plain" sh -c "sleep 0.$((i % 4)); exit $i" \
        2>"$WORK/err.$i" &
    pids="$pids $!"
done
run_pid=$pids
i=0
for pid in $pids; do
    i=$((i + 1))
    code=0
    wait "$pid" || code=$?
    [ $code = $i ] || { cat "$WORK/err.$i"; fail "run $i of those at the same time: exit $code"; }
done
run_pid=
check_nothing_runs "$marker"
[ "$(counts)" = "$before" ] || fail "before: $before; after: $(counts)"
check_pool
finish
