#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Archives that GNU tar, Python and libarchive write, in all their formats and with all forms of
# sparse files, mean the same to our reader as to those three.
. "$(dirname "$0")/../support/lib.sh"

python3 "$SUPPORT/tar_differential.py" "$TOP/build/release/tests/tools/tar_list" "$WORK" ||
    fail 'the readers differ'
finish
