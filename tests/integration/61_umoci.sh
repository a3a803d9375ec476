#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the tools made, unpacked by umoci, against the tree in the thin volume; the differences that
# are known are a table with reasons in check_umoci.py.
# needs: root
# weight: 15
. "$(dirname "$0")/../support/lib.sh"

[ "$(id -u)" -eq 0 ] || skip 'umoci can give files their owners only as root'
python3 "$SUPPORT/check_umoci.py" --program "$PROGRAM" --list "$LIST" --work "$WORK" \
    "$IMAGES/tools" "$IMAGES/debian"
finish
