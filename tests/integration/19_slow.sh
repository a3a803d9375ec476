#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A registry that sends a byte a second (F64, slow-loris): headers, manifest, config, layer. It is told
# from one that is slow by a minute of less than 100 B/s; then it is tried again, and given up.
# weight: 300
# waits: yes
. "$(dirname "$0")/../support/lib.sh"

python3 "$SUPPORT/hostile_registry.py" "$WORK/port" "$WORK/bad.log" &
server_pid=$!
wait_for "$WORK/port"
bad=localhost:$(cat "$WORK/port")

pids=()
for step in headers manifest config layer; do
    "$PROGRAM" --root "$WORK/root.$step" --progress none pull "$bad/slow-$step:1" \
        >"$WORK/out.$step" 2>"$WORK/err.$step" </dev/null &
    pids+=($!)
done
i=0
for step in headers manifest config layer; do
    code=0
    wait "${pids[$i]}" || code=$?
    i=$((i + 1))
    cat "$WORK/err.$step"
    [ "$code" -eq 9 ] || fail "$step: exit $code, not 9"
    [ "$(grep -c . "$WORK/err.$step")" -eq 1 ] || fail "$step: not one line"
    grep -q "slow-$step.*slow" "$WORK/err.$step" || fail "$step: what it was is not said"
    [ ! -s "$WORK/out.$step" ] || fail "$step: a result"
    check_nothing_stray "$WORK/root.$step"
done
finish
