#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The file engine in numbers: medians of several runs, where it makes sense beside what the same
# machine takes for the same in the same run. Two pools: a small one with real data, and one of
# 100 GiB that is full, made by thin_restore over a data file that is a hole, so that it costs
# neither time nor space; its metadata is real and is read from disk each time.
#
#   BENCH_RUNS   runs that count (default 5)
#   BENCH_DIR    where to work (default build/bench, on the disk that the pool would be on)
top=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "${BENCH_DIR:=$top/build/bench}"
export TMPDIR=$BENCH_DIR
. "$top/tests/support/lib.sh"
bench=$TOP/build/release/tests/bench/thin_bench
values=$WORK/values
blocks=$((100 * 16384)) # of 64 KiB: 100 GiB
spare=$((4 * 16384))
small=$WORK/small large=$WORK/large

measure() { # what folder
    "$bench" "$1" "$2" >>"$values"
}

timed() { # name command...
    local TIMEFORMAT="$1 %R"
    { time "${@:2}" >"$WORK/log" 2>&1; } 2>>"$values" || { cat "$WORK/log"; fail "$2"; }
}

make_large() {
    mkdir "$large"
    cat >"$WORK/xml" <<XML
<superblock uuid="" time="0" transaction="0" version="2" data_block_size="128" nr_data_blocks="$((blocks + spare))">
<device dev_id="1" mapped_blocks="$blocks" transaction="0" creation_time="0" snap_time="0">
<range_mapping origin_begin="0" data_begin="0" length="$blocks" time="0"/>
</device></superblock>
XML
    truncate -s $(((blocks + spare) * 65536)) "$large/data"
    truncate -s 96M "$large/meta"
    thin_restore -i "$WORK/xml" -o "$large/meta" >"$WORK/log" || { cat "$WORK/log"; fail thin_restore; }
    measure prepare "$large"
    thin_check -q "$large/meta" || fail 'thin_check of the large pool'
    cp --sparse=always "$large/meta" "$WORK/meta"
}

run_once() {
    mkdir "$small"
    measure basics "$small"
    rm -r "$small"
    cp --sparse=always "$WORK/meta" "$large/meta"
    for what in nothing open-read open-write check diff; do measure $what "$large"; done
    timed thin_check thin_check -q "$large/meta"
    timed thin_delta thin_delta --snap1 1 --snap2 2 "$large/meta"
    for what in write discard delete; do measure $what "$large"; done
    cp --sparse=always "$WORK/meta" "$large/meta"
    # What is left of the writes is not mapped any more.
    fallocate -p -o 0 -l "$(stat -c %s "$large/data")" "$large/data"
}

make_large
for _ in $(seq "${BENCH_RUNS:-5}"); do run_once; done
python3 "$TOP/tests/bench/thin_table.py" "$values"
finish
