#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Under valgrind's memcheck, the release build that users have: a way from a pull to its removal, an
# image that is refused, and unit tests that are quick there. No error, nothing lost. All unit tests:
# `make valgrind`.
# weight: 25
. "$(dirname "$0")/../support/lib.sh"
ERRORS=99 # the exit status when valgrind finds any

# memcheck CODE WORDS...: the program's exit status is that; valgrind finds nothing.
memcheck() {
    local want=$1 got=0
    shift
    valgrind -q --error-exitcode=$ERRORS --leak-check=full \
        --errors-for-leak-kinds=definite,indirect,possible \
        --show-leak-kinds=definite,indirect,possible \
        "$PROGRAM" --root "$ROOT" "$@" >"$WORK/out" 2>"$WORK/err" </dev/null || got=$?
    [ "$got" -eq "$want" ] || { cat "$WORK/out" "$WORK/err"; fail "$*: exit $got, expected $want"; }
    say "$*"
}

cases=oci:$IMAGES/cases
memcheck 0 -q pull "oci:$IMAGES/tools:umoci"
[ -z "${THINPULL_AGAIN:-}" ] || finish
memcheck 0 -q pull "$cases:A62_large" "$cases:A62_hundreds" "$cases:A18_sparse_10" \
    "$cases:A63_posix_acl_large"
memcheck 11 -q pull "$cases:A61_bad_checksum"
memcheck 0 create "$cases:A62_large" box
memcheck 0 --json export --format raw -o "$WORK/raw.ext4" box
memcheck 0 export --format tar -o "$WORK/box.tar" "oci:$IMAGES/tools:umoci"
memcheck 0 rm box
memcheck 0 rmi "oci:$IMAGES/tools:umoci"
memcheck 0 pool check
check_pool

cd "$TOP"
units=build/release/tests/unit
bash "$SUPPORT/valgrind.sh" $units/pkg/ext4/{directory_block,groups_take,inode_table,nodes}_test \
    $units/pkg/ext4/{writer_content,writer_xattr,xattr_read}_test \
    $units/pkg/thin/file/{cache,fsck_share,trees}_test
finish
