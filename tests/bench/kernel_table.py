#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The table of kernel.sh from its values; exit status 1 when a ratio is not what we promise.

The snapshot is made and mounted by two commands of containerd's (ctr, mount) and by one of ours
(create --mount), each net of one that does nothing and that ran right behind it; by two commands of
ours (create, mount) for comparison. Ratios are of medians. A net time of nothing or less is none: what else the
machine did was more, and nothing is shown by it.
"""
import sys

import values


def main():
    of = values.Values(sys.argv[1])

    def net(who, kind):
        if who != "containerd":
            return of.median(f"{who}_snapshot_{kind}")
        return two_commands(who, kind)

    def two_commands(who, kind):
        return of.median(f"{who}_create_{kind}") + of.median(f"{who}_mount_{kind}")

    def times_faster(ours, theirs):
        return theirs / ours if ours > 0 and theirs > 0 else float("nan")

    print(f"medians of {of.runs('containerd_pull_wall')} alternating runs in one guest; "
          "ratios: how many times faster than containerd\n")
    print(f"{'':22}{'pull':>18}{'one more mounted snapshot, net':>34}{'pool':>9}")
    print(f"{'':22}{'wall s':>9}{'CPU s':>9}{'wall ms':>12}{'CPU ms':>10}{'nothing ms':>12}"
          f"{'blocks':>9}")
    names = ("containerd", "thinpull", "thinpull_no_zero")
    for who in names:
        print(f"{who.replace('_no_', ' --no-'):22}"
              f"{of.median(who + '_pull_wall'):9.2f}{of.median(who + '_pull_cpu'):9.2f}"
              f"{net(who, 'wall') * 1e3:12.0f}{net(who, 'cpu') * 1e3:10.0f}"
              f"{of.median(who + '_nothing_wall') * 1e3:12.0f}{of.median(who + '_blocks'):9.0f}")
    kept = []
    for who in names[1:]:
        pull = [of.median(f"containerd_pull_{kind}") / of.median(f"{who}_pull_{kind}")
                for kind in ("wall", "cpu")]
        snapshot = [times_faster(net(who, kind), net("containerd", kind))
                    for kind in ("wall", "cpu")]
        title = who.replace("_no_", " --no-") + ", ratio"
        print(f"{title:22}{pull[0]:9.2f}{pull[1]:9.2f}{snapshot[0]:12.2f}{snapshot[1]:10.2f}")
        wall, cpu = two_commands(who, "wall"), two_commands(who, "cpu")
        print(f"{'  by two commands':40}{wall * 1e3:12.0f}{cpu * 1e3:10.0f}"
              f"   {times_faster(wall, net('containerd', 'wall')):.2f} times faster")
        kept += [(f"{title[:-7]}: pull at least 4 times faster", pull[0] >= 4),
                 (f"{title[:-7]}: snapshot at least 5 times faster", snapshot[0] >= 5)]
    print()
    return values.promises(kept)


sys.exit(main())
