#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# On the kernel engine, too, a pull is one process: from a registry and from a layout, with the pool
# made and activated on the way, then create and rm. No program is started, nothing is mounted.
# weight: 10
. "$(dirname "$0")/lib.sh"

alone() {
    bash "$TOP/tests/support/no_exec.sh" "$PROGRAM" --root "$ROOT" --engine kernel "$@" >"$WORK/out" ||
        { cat "$WORK/out"; fail "$*"; }
    tail -n 1 "$WORK/out"
}

say 'what starts a program, a process or mounts is noticed'
! bash "$TOP/tests/support/no_exec.sh" sh -c 'true; /bin/true; true' >"$WORK/out" 2>&1 || fail 'exec'
! bash "$TOP/tests/support/no_exec.sh" sh -c '(true); true' >"$WORK/out" 2>&1 || fail 'fork'
! bash "$TOP/tests/support/no_exec.sh" mount -t tmpfs none "$WORK" >"$WORK/out" 2>&1 || fail 'mount'
umount "$WORK" 2>/dev/null || true

start_registry "$TOP/build/images/debian:debian-2"
say 'pull, with a pool to make'
alone pull -q "$REGISTRY/debian:debian-2"
say 'pull of the layers above, from a layout'
alone pull -q "oci:$TOP/build/images/debian:debian"
say 'create and rm'
alone create "oci:$TOP/build/images/debian:debian" box
alone rm box
