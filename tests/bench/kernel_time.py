#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a command some times and appends "NAME_wall S" and "NAME_cpu S" to a file. The processor's time
is the whole machine's, of which daemons and the kernel's own threads are a part, without that of one
process, the registry. "{}" in a word is the number of the time. With a second command, which does
nothing, each time is followed by one of that, and the values are those of the first net of it.

  kernel_time.py FILE PID NAME TIMES COMMAND... [-- COMMAND...]

Wall is the median, of differences where there are two commands: what else the machine does meets both
of a pair. The processor's time is the mean, since its clock is a coarse one.
"""
import os
import statistics
import sys
import time

TICK = os.sysconf("SC_CLK_TCK")


def busy(pid):
    with open("/proc/stat", encoding="ascii") as f:
        user, nice, system, _, _, irq, softirq = (int(v) for v in f.readline().split()[1:8])
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        his = f.read().rsplit(")", 1)[1].split()
    return (user + nice + system + irq + softirq - int(his[11]) - int(his[12])) / TICK


def run(words, pid):
    """Seconds of wall and of the processor."""
    before, started = busy(pid), time.monotonic()
    _, status = os.waitpid(os.posix_spawnp(words[0], words, os.environ), 0)
    if status:
        sys.exit(f"{words}: {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - started, busy(pid) - before


def main():
    path, pid, name, times, *command = sys.argv[1:]
    nothing = None
    if "--" in command:
        at = command.index("--")
        command, nothing = command[:at], command[at + 1:]
    walls, cpus = [], []
    for i in range(int(times)):
        wall, cpu = run([word.replace("{}", str(i + 1)) for word in command], pid)
        less_wall, less_cpu = run(nothing, pid) if nothing else (0, 0)
        walls.append(wall - less_wall)
        cpus.append(cpu - less_cpu)
    with open(path, "a", encoding="utf-8") as f:
        f.write(f"{name}_wall {statistics.median(walls):.4f}\n"
                f"{name}_cpu {statistics.mean(cpus):.4f}\n")


main()
