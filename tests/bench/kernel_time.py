#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a command some times and appends "NAME_wall S", the least, and "NAME_cpu S", the mean, to a
file: what takes a moment is disturbed least by others on the machine when it is shortest. The
processor's time is the whole machine's, of which daemons and the kernel's own threads are a part,
without that of one process, the registry. "{}" in a word is the number of the time.

  kernel_time.py FILE PID NAME TIMES COMMAND...
"""
import os
import sys
import time

TICK = os.sysconf("SC_CLK_TCK")


def busy(pid):
    with open("/proc/stat", encoding="ascii") as f:
        user, nice, system, _, _, irq, softirq = (int(v) for v in f.readline().split()[1:8])
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        his = f.read().rsplit(")", 1)[1].split()
    return (user + nice + system + irq + softirq - int(his[11]) - int(his[12])) / TICK


def seconds(words):
    started = time.monotonic()
    _, status = os.waitpid(os.posix_spawnp(words[0], words, os.environ), 0)
    if status:
        sys.exit(f"{words}: {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - started


def main():
    path, pid, name, times, *command = sys.argv[1:]
    before = busy(pid)
    wall = min(seconds([word.replace("{}", str(i + 1)) for word in command])
               for i in range(int(times)))
    cpu = (busy(pid) - before) / int(times)
    with open(path, "a", encoding="utf-8") as f:
        f.write(f"{name}_wall {wall:.4f}\n{name}_cpu {cpu:.4f}\n")


main()
