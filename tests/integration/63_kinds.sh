#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What an image can hold too much of for a case of its own: as many links, folders and names as
# ext4 has. All other kinds of entry are cases, see the table in tests/README.md.
# needs: root
# weight: 12
. "$(dirname "$0")/../support/lib.sh"

mkdir "$WORK/many"
python3 "$SUPPORT/check_many.py" --program "$PROGRAM" --list "$LIST" --work "$WORK/many"
finish
