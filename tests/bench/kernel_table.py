#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The table of kernel.sh from its values; exit status 1 when a ratio is not what we promise.

The snapshot is made and mounted by two commands on each side; it is shown net of what these take
when they do nothing. Ratios are of the medians of pulls, and of the least of what takes a moment: a
difference of medians would be one of what else the machine did.
"""
import sys

import values


def main():
    of = values.Values(sys.argv[1])

    def net(who, kind):
        made, mounted = of.least(f"{who}_create_{kind}"), of.least(f"{who}_mount_{kind}")
        nothing = of.least(f"{who}_nothing_{kind}")
        last = f"{who}_mount_nothing_{kind}"
        return made + mounted - nothing - (of.least(last) if last in of else nothing)

    print(f"medians (snapshots: the least) of {of.runs('containerd_pull_wall')} alternating runs in "
          "one guest; ratios: how many times faster than containerd\n")
    print(f"{'':22}{'pull':>18}{'one more mounted snapshot, net':>34}{'pool':>9}")
    print(f"{'':22}{'wall s':>9}{'CPU s':>9}{'wall ms':>12}{'CPU ms':>10}{'nothing ms':>12}"
          f"{'blocks':>9}")
    names = ("containerd", "thinpull", "thinpull_no_zero")
    for who in names:
        print(f"{who.replace('_no_', ' --no-'):22}"
              f"{of.median(who + '_pull_wall'):9.2f}{of.median(who + '_pull_cpu'):9.2f}"
              f"{net(who, 'wall') * 1e3:12.0f}{net(who, 'cpu') * 1e3:10.0f}"
              f"{of.least(who + '_nothing_wall') * 1e3:12.0f}{of.median(who + '_blocks'):9.0f}")
    kept = []
    for who in names[1:]:
        pull = [of.median(f"containerd_pull_{kind}") / of.median(f"{who}_pull_{kind}")
                for kind in ("wall", "cpu")]
        # What is below the clock's grain counts as its grain.
        snapshot = [net("containerd", kind) / max(net(who, kind), grain)
                    for kind, grain in (("wall", 0.001), ("cpu", 0.01))]
        title = who.replace("_no_", " --no-") + ", ratio"
        print(f"{title:22}{pull[0]:9.2f}{pull[1]:9.2f}{snapshot[0]:12.2f}{snapshot[1]:10.2f}")
        kept += [(f"{title[:-7]}: pull at least 4 times faster", pull[0] >= 4),
                 (f"{title[:-7]}: snapshot at least 5 times faster", snapshot[0] >= 5)]
    print()
    return values.promises(kept)


sys.exit(main())
