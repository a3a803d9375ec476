#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns the values of thin_bench into a table.

  thin_table.py FILE
"""
import sys

from values import Values, promises, row, time

values = Values(sys.argv[1])
median = values.median


def rate(what, name, unit, plain):
    row(what, f"{median(name):.0f} {unit}",
        f"{values.ratio(name, plain):.2f} times a plain file's {median(plain):.0f}")


def duration(what, name, beside=""):
    row(what, time(median(name)), beside)


def peak(what, name):
    row(what, f"{median('peak_' + name) - median('peak_nothing'):.1f} MiB")


print(f"medians of {values.runs('write_new')} runs; blocks of 64 KiB")
print("a pool with real data, everything durable:")
rate("sequential write, new blocks", "write_new", "MiB/s", "plain_new")
rate("sequential write, in place", "write_in_place", "MiB/s", "plain_in_place")
rate("random 4 KiB, shared: copies the block", "overwrite_shared", "/s", "plain_shared")
rate("random 4 KiB, private: in place", "overwrite_private", "/s", "plain_private")
duration("commit of one new block", "commit_small",
         f"{values.ratio('commit_small', 'plain_syncs'):.2f} times 3 plain writes of 4 KiB, each synced")
duration("commit of 2,000 copied blocks", "commit_copied", "125 MiB of data in it")
duration("create_snap", "create_snap")
duration("commit of 2,000 new snapshots", "commit_snapshots")
duration("blocks that 2,001 devices map", "count_mapped")
duration("blocks that only one of them maps", "count_exclusive")
print("a pool of 100 GiB, 1,638,400 mappings, metadata not in memory:")
duration("open for reading", "open_read")
duration("open for writing", "open_write",
         f"{time(median('open_restored'))} the first time after thin_restore")
duration("strict check", "check", f"thin_check: {time(median('thin_check'))}")
duration("diff, 3 blocks differ", "diff_few",
         f"{median('diff_few_reads'):.0f} nodes read; thin_delta: {time(median('thin_delta'))}")
duration("diff, 1,000 scattered blocks differ", "diff_many",
         f"{median('diff_many_reads'):.0f} nodes read")
row("random 4 KiB, shared, all over the pool", f"{median('large_write'):.0f} /s")
duration("commit of 1,000 scattered blocks", "large_commit")
duration("discard of 10 GiB", "discard", f"and {time(median('discard_commit'))} its commit")
duration("delete of 100 GiB and 3 snapshots", "delete",
         f"and {time(median('delete_commit'))} the commit")
print("memory at most, beyond what the program itself takes, for 100 GiB of pool:")
peak("open for reading", "open-read")
peak("open for writing", "open-write")
peak("strict check", "check")
peak("diff", "diff")
peak("1,000 scattered writes and their commit", "write")
peak("discard of 10 GiB", "discard")
peak("delete of all", "delete")

sys.exit(promises((
    ("a pool of 1.6 million mappings opens in less than a second",
     max(median("open_read"), median("open_write")) < 1),
    ("a diff of 3 blocks reads less than 20 nodes", median("diff_few_reads") < 20))))
