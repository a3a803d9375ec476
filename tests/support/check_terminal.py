#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs shells in containers on a terminal of its own: what they see, resizing, ^C, what is left.

  check_terminal.py COMMAND...    that runs a container; the container's command is appended
"""
import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time


def resize(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


class Session:
    """A command on a new terminal."""

    def __init__(self, command):
        self.text = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(command[0], command)

    def expect(self, word):
        """Read until the word is there; what is before and it are taken."""
        end = time.monotonic() + 20
        while word not in self.text:
            if time.monotonic() > end or not self.read_more(end - time.monotonic()):
                sys.exit(f"FAIL: no {word!r} in {self.text!r}")
        before, _, self.text = self.text.partition(word)
        return before

    def read_more(self, seconds):
        if not select.select([self.fd], [], [], max(seconds, 0))[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # the other end is closed
            return False
        self.text += data
        return bool(data)

    def send(self, data):
        os.write(self.fd, data)

    def end(self, want):
        while self.read_more(20):
            pass
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.fd)
        if status != want:
            sys.exit(f"FAIL: exit {status}, expected {want}: {self.text!r}")


def check_sees_a_terminal(command):
    s = Session([*command, "sh", "-c",
                 "test -t 0 && test -t 1 && echo is-one; echo ready; read x; stty size; exit 5"])
    s.expect(b"is-one")
    s.expect(b"ready")
    resize(s.fd, 33, 77)
    time.sleep(0.3)
    s.send(b"\n")
    s.expect(b"33 77")
    s.end(5)


def check_interrupt(command):
    """^C goes to the container's foreground process, once, and to nobody else."""
    s = Session([*command, "sh", "-c",
                 "trap 'echo interrupted' INT; echo ready; sleep 0.5; sleep 0.5; exit 6"])
    s.expect(b"ready")
    s.send(b"\x03")
    s.expect(b"interrupted")
    s.end(6)


def check_modes_come_back(command):
    """The runtime sets the terminal to raw; it is as before afterwards, also when it was killed."""
    s = Session(["/bin/sh", "-c",
                 'before=$(stty -g); "$@" sh -c "exit 3"; echo status=$?'
                 '; test "$before" = "$(stty -g)" && echo same', "sh", *command])
    s.expect(b"status=3")
    s.expect(b"same")
    s.end(0)
    s = Session(["/bin/sh", "-c",
                 'before=$(stty -g); "$@" sh -c "echo ready; sleep 100"; echo status=$?'
                 '; test "$before" = "$(stty -g)" && echo same', "sh", *command])
    s.expect(b"ready")
    os.kill(grandchild(s.pid, 3), 9)
    s.expect(b"status=137")
    s.expect(b"same")
    s.end(0)


def grandchild(pid, generations):
    for _ in range(generations):
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            pid = int(f.read().split()[0])
    return pid


def check_no_terminal_with_a_pipe(command):
    """Standard output is a pipe: no terminal in the container, though input is one."""
    s = Session(["/bin/sh", "-c",
                 '"$@" sh -c "test -t 1 && echo one; test -t 0 && echo other" | cat; echo done',
                 "sh", *command])
    seen = s.expect(b"done")
    if b"one" in seen:
        sys.exit(f"FAIL: a terminal on a pipe: {seen!r}")
    s.end(0)


def main():
    command = sys.argv[1:]
    check_sees_a_terminal(command)
    check_interrupt(command)
    check_modes_come_back(command)
    check_no_terminal_with_a_pipe(command)


main()
