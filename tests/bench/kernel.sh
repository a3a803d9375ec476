#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A large image (about 50,000 files, 600 MB, 7 gzip layers) pulled into a thin pool of the kernel's,
# and one more mounted snapshot of it, beside containerd's devmapper snapshotter in the same guest of
# the lab kernel: alternating runs, each on a disk of its own with the caches dropped. What is
# measured is in kernel_guest.sh, how it is judged in kernel_table.py.
#
#   BENCH_RUNS    runs of each that count (default 3, at most 5)
#   BENCH_DIR     where the disks of the guest are, 2 GB (default build/bench)
#   BENCH_SECONDS 1: the seconds of each run too
#   LAB_MACHINE   uml or qemu, see tests/kernel/boot.sh: User-Mode Linux flatters who does few calls
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
case ":$PATH:" in *:/usr/sbin:*) ;; *) PATH=$PATH:/usr/sbin:/sbin ;; esac
export PYTHONDONTWRITEBYTECODE=1 BENCH_RUNS=${BENCH_RUNS:-3} LAB_MEMORY=${LAB_MEMORY:-3G}
mkdir -p "${BENCH_DIR:=$top/build/bench}"
work=$(mktemp -d "$BENCH_DIR/kernel.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
[ "$BENCH_RUNS" -le 5 ] || { echo 'bench: at most 5 runs, a guest has 16 disks' >&2; exit 3; }

bash "$top/tests/support/images.sh" bench >/dev/null
disks=()
for i in $(seq $((3 * BENCH_RUNS))); do
    truncate -s 20G "$work/disk$i"
    disks+=("$work/disk$i")
done
bash "$top/tests/kernel/boot.sh" tests/bench/kernel_guest.sh "${disks[@]}" >"$work/output" ||
    { cat "$work/output"; exit 1; }
grep '^value ' "$work/output" | cut -d' ' -f2- >"$work/values"
if [ -n "${BENCH_SECONDS:-}" ]; then cat "$work/values"; fi
python3 "$top/tests/bench/kernel_table.py" "$work/values"
