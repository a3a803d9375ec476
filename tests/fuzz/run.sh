#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs each fuzz target given, from its seeds in testdata/fuzz/NAME, for FUZZ_SECONDS (0: the seeds
# only). New inputs go to build/fuzz/corpus; a crash is kept in build/fuzz/crashes and fails.
set -eu
cd "$(dirname "$0")/../.."
seconds=${FUZZ_SECONDS:-60}
if [ "$seconds" -eq 0 ]; then limit=-runs=0; else limit=-max_total_time=$seconds; fi
status=0
for target in "$@"; do
    name=$(basename "$target" _fuzz)
    corpus=build/fuzz/corpus/$name
    seeds=testdata/fuzz/$name
    mkdir -p "$corpus" build/fuzz/crashes
    [ -d "$seeds" ] || seeds=
    # shellcheck disable=SC2086
    if "$target" "$limit" -rss_limit_mb=2048 -timeout=20 -print_final_stats=1 \
        -artifact_prefix="build/fuzz/crashes/$name-" "$corpus" $seeds \
        >"build/fuzz/$name.log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "build/fuzz/$name.log")
        echo "fuzz: $name: ${runs:-0} runs, ok"
    else
        tail -n 40 "build/fuzz/$name.log"
        echo "fuzz: $name: FAILED, see build/fuzz/$name.log and build/fuzz/crashes"
        status=1
    fi
done
exit $status
