#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The unit tests that talk to device-mapper (they include tests/support/lab.h): what they skip on a
# machine that has none runs here, so a skip is a failure. THINPULL_FLAVOUR says which build (release).
# weight: 30
. "$(dirname "$0")/lib.sh"

flavour=${THINPULL_FLAVOUR:-release}
cd "$TOP"
for source in $(grep -rl --include='*_test.c' '"tests/support/lab.h"' tests/unit | sort); do
    test=build/$flavour/${source%.c}
    SECONDS=0
    if ! timeout 600 "$test" >"$WORK/output" 2>&1 || grep -q '^\[  SKIPPED \]' "$WORK/output"; then
        cat "$WORK/output"
        fail "$test"
    fi
    echo "$(grep -c '^\[       OK \]' "$WORK/output") ok, $SECONDS s: ${source#tests/unit/}"
done
[ -z "$(dmsetup ls | grep -v '^No devices')" ] || fail "left: $(dmsetup ls)"
[ -z "$(losetup -a)" ] || fail "left: $(losetup -a)"
