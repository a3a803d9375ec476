#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Configuration files of other tools: our reader of TOML beside Python's, by hand and at random.
# weight: 5
. "$(dirname "$0")/../support/lib.sh"

python3 "$SUPPORT/toml_differential.py" "$TOP/build/release/tests/tools/toml_json" 3000 \
    ${THINPULL_AGAIN:+17} || fail 'TOML is read in two ways'
finish
