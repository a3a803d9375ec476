#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Whether several builds of the program make the same file systems, byte by byte, of all test images
# and of large folders: same_bytes.sh PROGRAM...
set -euo pipefail
support=$(dirname "$0")
work=$(mktemp -d "${TMPDIR:-/tmp}/thinpull-bytes.XXXXXX")
trap 'rm -rf "$work"' EXIT
bash "$support/images.sh" debian cases tools >"$work/images"
python3 "$support/names_layout.py" "$work/names"
python3 "$support/many_files_layout.py" "$work/many" spread flat
mapfile -t layouts <"$work/images"
python3 "$support/check_builds.py" --work "$work/builds" "$@" "${layouts[@]}" \
    "$work/names" "$work/many"
