#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Types into a login on a terminal: check_login.py USER PASSWORD PROGRAM ARGS...

The password must not be shown, ^C must leave the terminal as it was, and what was typed must do.
"""
import os
import pty
import select
import sys
import termios
import time


def start(argv):
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(argv[0], argv)
    return pid, fd


def read_until(fd, text, seconds=30):
    seen, end = b"", time.monotonic() + seconds
    while text not in seen:
        if not select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
            sys.exit(f"no {text!r} in {seen!r}")
        try:
            piece = os.read(fd, 4096)
        except OSError:  # its end
            piece = b""
        if not piece:
            sys.exit(f"ended without {text!r}: {seen!r}")
        seen += piece
    return seen


def read_rest(fd):
    seen = b""
    while True:
        try:
            piece = os.read(fd, 4096)
        except OSError:
            return seen
        if not piece:
            return seen
        seen += piece


def echoes(fd):
    return bool(termios.tcgetattr(fd)[3] & termios.ECHO)


def wait_for(what, seconds=30):
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            sys.exit("the terminal does not change")
        time.sleep(0.01)


def main():
    user, password, argv = sys.argv[1], sys.argv[2], sys.argv[3:]

    pid, fd = start(argv)
    read_until(fd, b"User name: ")
    os.write(fd, user.encode() + b"\n")
    read_until(fd, b"Password: ")
    wait_for(lambda: not echoes(fd))
    os.write(fd, password.encode() + b"\n")
    rest = read_rest(fd)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status or password.encode() in rest:
        sys.exit(f"status {status}: {rest!r}")

    # Kept open by us, so that its modes can be looked at when the program has ended.
    master, slave = pty.openpty()
    pid = os.fork()
    if pid == 0:
        os.login_tty(slave) if hasattr(os, "login_tty") else login_tty(slave)
        os.execv(argv[0], [*argv, "--username", user])
    read_until(master, b"Password: ")
    wait_for(lambda: not echoes(master))
    os.write(master, b"half of it\x03")
    status = os.waitpid(pid, 0)[1]
    if os.waitstatus_to_exitcode(status) != 130:
        sys.exit(f"^C: {status}")
    if not echoes(slave):
        sys.exit("the terminal stays hidden after ^C")


def login_tty(fd):
    import fcntl  # pylint: disable=import-outside-toplevel
    os.setsid()
    fcntl.ioctl(fd, termios.TIOCSCTTY, 0)
    for target in range(3):
        os.dup2(fd, target)


main()
