#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A pull is one process, on the file engine: no program is started, nothing is mounted, whoever runs
# it. (A credential helper would be, where one is configured.) The kernel engine:
# tests/kernel/41_no_exec.sh.
# weight: 5
. "$(dirname "$0")/../support/lib.sh"

strace -o "$WORK/strace" true 2>/dev/null || skip 'strace may not trace here'

alone() {
    expect 0 bash "$SUPPORT/no_exec.sh" "$PROGRAM" --root "$ROOT" "$@"
    tail -n 1 "$WORK/out"
}

say 'what starts a program or a process is noticed'
expect 1 bash "$SUPPORT/no_exec.sh" sh -c 'true; /bin/true; true'
expect 1 bash "$SUPPORT/no_exec.sh" sh -c '(true); true'

start_registry
push "$IMAGES/debian:debian-2" test/debian:2
say 'pull, with a pool to make'
alone pull -q "$REGISTRY/test/debian:2"
say 'pull of the layers above, from a layout'
alone pull -q "oci:$IMAGES/debian:debian"
say 'create and rm'
alone create "oci:$IMAGES/debian:debian" box
alone rm box
finish
