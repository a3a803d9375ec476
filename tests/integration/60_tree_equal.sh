#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# For every layer of every test image: the tree in the thin volume, read by our own reader and, as
# root, through a loop mount, is what the oracle computes; e2fsck finds nothing; what must be
# refused is refused with its exit code and leaves a clean pool. The second run takes every fourth.
# weight: 90
. "$(dirname "$0")/../support/lib.sh"

python3 "$SUPPORT/check_trees.py" --program "$PROGRAM" --list "$LIST" --work "$WORK" \
    ${ONLY_CASE:+--only "$ONLY_CASE"} ${THINPULL_AGAIN:+--every 4} \
    "$IMAGES/cases" "$IMAGES/tools" "$IMAGES/debian"
finish
