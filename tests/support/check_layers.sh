#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Includes point one way: cmd -> registry -> oci -> pkg, and inside pkg from higher rank to lower,
# never between modules of one rank. Fails with a line for each include against that picture.
set -eu
cd "$(dirname "$0")/../.."

rank() {
    case "$1" in
    pkg/base/*) echo 0 ;;
    pkg/digest/*) echo 10 ;;
    pkg/json/*) echo 11 ;;
    pkg/stream/*) echo 20 ;;
    pkg/host/*) echo 21 ;;
    pkg/toml/*) echo 22 ;;
    pkg/tar/*) echo 30 ;;
    pkg/thin/*) echo 31 ;;
    pkg/ext4/*) echo 40 ;;
    pkg/catalog/*) echo 41 ;;
    pkg/snapshot/*) echo 50 ;;
    pkg/*) echo unknown ;;
    oci/*) echo 60 ;;
    registry/*) echo 70 ;;
    cmd/*) echo 80 ;;
    *) echo unknown ;;
    esac
}

bad=0
grep -rnE '^#include "' pkg oci registry cmd --include='*.[ch]' | sed 's/"$//; s/:#include "/ /; s/:\([0-9]*\) / \1 /' |
{
    while read -r file line target; do
        from=$(rank "$file")
        to=$(rank "$target")
        if [ "$from" = unknown ] || [ "$to" = unknown ]; then
            echo "$file:$line: $target has no place in the picture"
            bad=1
        elif [ "$from" = "$to" ]; then
            : # the same module
        elif [ $((from / 10)) -le $((to / 10)) ]; then
            echo "$file:$line: includes $target against the picture"
            bad=1
        fi
        case "$target" in
        *_internal.h)
            if [ "$(dirname "$file")" != "$(dirname "$target")" ]; then
                echo "$file:$line: $target is private to its folder"
                bad=1
            fi ;;
        esac
    done
    exit $bad
}

# A third-party header has one owner.
owner() { # header-pattern allowed-path-pattern
    if grep -rnE "^#include <$1" pkg oci registry cmd --include='*.[ch]' | grep -vE "^($2)"; then
        echo "<$1> belongs to $2 only"
        exit 1
    fi
}
owner 'openssl/' 'pkg/digest/'
owner 'jansson' 'pkg/json/'
owner 'sqlite3' 'pkg/catalog/'
owner '(ext2fs|et)/' 'pkg/ext4/'
owner 'curl/' 'registry/http'
owner 'archive' 'pkg/tar/'
owner '(isa-l|igzip)' 'pkg/stream/'
owner 'zstd' 'pkg/stream/'
owner 'libdevmapper' 'pkg/thin/kernel/'
owner 'blkid/' 'pkg/host/'
echo "layers: ok"
