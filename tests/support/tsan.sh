#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# tsan.sh PROGRAM [ARGUMENT...]: run what was built with FLAVOUR=tsan. A race makes it exit 66.
#
# gcc 12's runtime wants its shadow where kernels since 6.6 put libraries (vm.mmap_rnd_bits = 32):
# "unexpected memory mapping". Without randomised addresses it starts on any kernel; where that
# may not be asked for, as in most containers, the program starts as it is.
set -eu
export TSAN_OPTIONS="exitcode=66 second_deadlock_stack=1 ${TSAN_OPTIONS:-}"
if setarch -R true 2>/dev/null; then exec setarch -R "$@"; fi
exec "$@"
