#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sends messages to a device-mapper device, many of them without a program for each.

  dm_messages.py DEVICE [FORMAT FIRST LAST]

The lines of stdin, or FORMAT with % for each number from FIRST to LAST. Prints how many were taken;
ends with status 1 at the first that is not.
"""
import ctypes
import sys

TARGET_MSG = 17  # libdevmapper.h


def main():
    dm = ctypes.CDLL("libdevmapper.so.1.02.1")
    dm.dm_task_create.restype = ctypes.c_void_p
    logger = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p)
    quiet = logger(lambda *_: None)
    dm.dm_log_init(quiet)
    lines = (line.strip() for line in sys.stdin)
    if len(sys.argv) > 2:
        lines = (sys.argv[2].replace("%", str(i))
                 for i in range(int(sys.argv[3]), int(sys.argv[4]) + 1))
    done = 0
    for line in lines:
        task = ctypes.c_void_p(dm.dm_task_create(TARGET_MSG))
        dm.dm_task_set_name(task, sys.argv[1].encode())
        dm.dm_task_set_sector(task, ctypes.c_uint64(0))
        dm.dm_task_set_message(task, line.encode())
        ok = dm.dm_task_run(task)
        dm.dm_task_destroy(task)
        if not ok:
            print(done)
            sys.exit(1)
        done += 1
    print(done)


main()
