#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Random trees as folders given to `mke2fs -d` and as layers given to the program: the same file
# systems, to our reader and to a mount, but for a table of what is known of mke2fs.
# THINPULL_ROUNDS=200 tries as many, from THINPULL_SEED on.
# needs: root
# weight: 8
. "$(dirname "$0")/../support/lib.sh"

[ "$(id -u)" -eq 0 ] || skip 'only root gives files owners, devices and capabilities'
python3 "$SUPPORT/check_mke2fs.py" --program "$PROGRAM" --list "$LIST" --work "$WORK" \
    --seed "${THINPULL_SEED:-1}" --rounds "${THINPULL_ROUNDS:-5}"
finish
