#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a command and appends a line "WALL_S CPU_S PEAK_KIB" of it and its children to a file.

  peak.py FILE COMMAND...
"""
import resource
import subprocess
import sys
import time

started = time.monotonic()
code = subprocess.run(sys.argv[2:], check=False).returncode
wall = time.monotonic() - started
used = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(sys.argv[1], "a", encoding="utf-8") as f:
    f.write(f"{wall:.3f} {used.ru_utime + used.ru_stime:.3f} {used.ru_maxrss}\n")
sys.exit(code if code >= 0 else 128 - code)
