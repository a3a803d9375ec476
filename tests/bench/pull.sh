#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Pulls a large image (about 50,000 files, 600 MB, 7 gzip layers) from a registry on loopback into
# an empty pool, beside `skopeo copy` to an OCI layout plus `umoci unpack`. Medians of alternating
# runs, after one run of each that does not count; both ends with their data synced to disk.
#
#   BENCH_RUNS   runs that count (default 5)
#   BENCH_DIR    where to work (default build/bench, on the disk that the pool would be on)
# shellcheck disable=SC2034
top=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "${BENCH_DIR:=$top/build/bench}"
export TMPDIR=$BENCH_DIR
. "$top/tests/support/lib.sh"
runs=${BENCH_RUNS:-5}

"$SUPPORT/images.sh" bench >/dev/null
start_registry
push "$IMAGES/bench:bench" bench:1
image=$REGISTRY/bench:1
timing() { # name command...
    sync
    python3 "$SUPPORT/peak.py" "$WORK/$1" "${@:2}" >"$WORK/log" 2>&1 ||
        { cat "$WORK/log"; fail "$1"; }
}

ours() {
    rm -rf "$WORK/root"
    timing thinpull "$PROGRAM" --root "$WORK/root" -q pull "$image"
}

# Owners are given only as root; else umoci maps them all to the user.
rootless=
[ "$(id -u)" -eq 0 ] || rootless=--rootless
theirs() {
    chmod -R u+rwX "$WORK/bundle" 2>/dev/null || true
    rm -rf "$WORK/layout" "$WORK/bundle"
    timing peers sh -c "skopeo --insecure-policy copy -q --src-tls-verify=false \
        'docker://$image' 'oci:$WORK/layout:bench' &&
        umoci unpack $rootless --image '$WORK/layout:bench' '$WORK/bundle' && sync -f '$WORK'"
}

for i in $(seq 0 "$runs"); do
    ours
    theirs
    if [ "$i" -eq 0 ]; then rm "$WORK/thinpull" "$WORK/peers"; fi
done
used=$(json pool status | jq .data.used_bytes)
files=$(find "$WORK/bundle/rootfs" -type f | wc -l)
check_pool
unpacked=$(find "$WORK/bundle/rootfs" -type f -links 1 -printf '%s\n' |
    awk '{ sum += $1 } END { print sum }')
linked=$(find "$WORK/bundle/rootfs" -type f -links +1 -printf '%i %s\n' | sort -u |
    awk '{ sum += $2 } END { print sum + 0 }')
python3 - "$WORK/thinpull" "$WORK/peers" "$used" $((unpacked + linked)) "$files" <<'PY'
import statistics
import sys

def medians(path):
    with open(path, encoding="utf-8") as f:
        rows = [[float(v) for v in line.split()] for line in f]
    return [statistics.median(column) for column in zip(*rows)], len(rows)

(ours, n), (theirs, _) = medians(sys.argv[1]), medians(sys.argv[2])
used, unpacked, files = (int(v) for v in sys.argv[3:6])
print(f"image: {files} files, {unpacked / 1e6:.0f} MB unpacked; medians of {n} alternating runs")
print(f"{'':24}{'wall s':>9}{'CPU s':>9}{'peak MiB':>10}")
for name, row in (("thinpull", ours), ("skopeo + umoci", theirs)):
    print(f"{name:24}{row[0]:9.2f}{row[1]:9.2f}{row[2] / 1024:10.0f}")
print(f"{'ratio':24}{theirs[0] / ours[0]:9.2f}{theirs[1] / ours[1]:9.2f}{theirs[2] / ours[2]:10.2f}")
print(f"pool: {used // 65536} blocks of 64 KiB, {used / unpacked:.2f} times the unpacked bytes")
promises = (("3 times faster", theirs[0] / ours[0] >= 3), ("below 256 MiB", ours[2] < 256 * 1024),
            ("at most 1.5 times the unpacked bytes", used / unpacked <= 1.5))
for promise, kept in promises:
    print(f"{promise}: {'yes' if kept else 'NO'}")
sys.exit(0 if all(kept for _, kept in promises) else 1)
PY
finish
