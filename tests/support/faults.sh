# SPDX-License-Identifier: Apache-2.0
# For scripts that let the program fail, or end it, at chosen calls that change a file; sourced
# after lib.sh. Each try begins with a copy of the root in $start.
# shellcheck shell=bash

FAULT_SO=$TOP/build/release/tests/tools/fault.so
[ -f "$FAULT_SO" ] || fail "$FAULT_SO is not built: make tool-bin"
start=$WORK/start

# fault HOW N COMMAND...: enospc, eio, kill or term at the n-th call
fault() {
    local how=$1 n=$2
    shift 2
    LD_PRELOAD=$FAULT_SO FAULT=$how FAULT_AT=$n "$@"
}

# calls COMMAND...: how many there are
calls() {
    LD_PRELOAD=$FAULT_SO FAULT_COUNT=$WORK/count "$@" >/dev/null 2>&1
    cat "$WORK/count"
}

fresh() {
    chmod -R u+rwX "$ROOT" 2>/dev/null || true
    rm -rf "$ROOT"
    cp -a --sparse=always "$start" "$ROOT"
}

# at_start WORDS...: the program on the root that each try begins with
at_start() {
    local ROOT=$start
    expect 0 tp "$@"
}

# first_pull IMAGE: from now on tries begin with an empty pool. One pull of it in $ROOT, $total
# calls; $want stands for its bytes.
first_pull() {
    at_start pool create --base-size 1G
    fresh
    total=$(calls "$PROGRAM" --root "$ROOT" -q pull "$1")
    [ "$total" -gt 30 ] || fail 'the calls are not seen'
    raw "$1" "$WORK/want.ext4"
    want=$(content "$WORK/want.ext4")
}

# expect_bytes REF WHEN: those of the first pull
expect_bytes() {
    raw "$1" "$WORK/got.ext4"
    [ "$(content "$WORK/got.ext4")" = "$want" ] || fail "$2: other bytes"
}
