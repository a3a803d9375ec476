# SPDX-License-Identifier: Apache-2.0
"""Values that the benchmark programs print ("NAME NUMBER" lines, each name once for each run), and
how tables show them."""
import statistics
from collections import defaultdict


class Values:
    def __init__(self, path):
        self.of = defaultdict(list)
        with open(path, encoding="utf-8") as f:
            for line in f:
                name, number = line.split()
                self.of[name].append(float(number))

    def __contains__(self, name):
        return name in self.of

    def median(self, name):
        return statistics.median(self.of[name])

    def runs(self, name):
        return len(self.of[name])

    def ratio(self, ours, theirs):
        """Of each run, so that both were made under the same load."""
        return statistics.median(a / b for a, b in zip(self.of[ours], self.of[theirs]))


def time(seconds):
    for unit, factor in (("s", 1), ("ms", 1e3), ("us", 1e6)):
        if seconds * factor >= 1:
            break
    return f"{seconds * factor:.3g} {unit}"


def row(what, value, beside=""):
    print(f"  {what:46}{value:>14}  {beside}".rstrip())


def promises(what):
    """Pairs of a sentence and whether it holds. The exit status."""
    for sentence, kept in what:
        print(f"{sentence}: {'yes' if kept else 'NO'}")
    return 0 if all(kept for _, kept in what) else 1
