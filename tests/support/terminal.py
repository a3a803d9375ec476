# SPDX-License-Identifier: Apache-2.0
"""As much of a terminal as progress needs: a screen with what scrolled off above it, and programs
run on one. An escape sequence that it does not know is an error."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

SEQUENCE = re.compile(rb"\x1b\[([0-9]*)([AJK])")


class Screen:
    """Long lines wrap. A narrower screen cuts its lines, a lower one loses the upper ones."""

    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.gone, self.lines = [], [[]]  # scrolled off; on the screen
        self.row = self.column = 0
        self.wrapped = 0

    def resize(self, columns, rows):
        self.columns = columns
        self.lines = [line[:columns] for line in self.lines]
        self.column = min(self.column, columns - 1)
        while self.row >= rows:
            self.scroll()
        self.lines = self.lines[:rows]
        self.rows = rows

    def scroll(self):
        self.gone.append(self.lines.pop(0))
        self.row -= 1

    def down(self):
        self.row += 1
        if self.row == self.rows:
            self.scroll()
        while len(self.lines) <= self.row:
            self.lines.append([])

    def put(self, char):
        if self.column == self.columns:
            self.wrapped += 1
            self.column = 0
            self.down()
        line = self.lines[self.row]
        line += " " * (self.column + 1 - len(line))
        line[self.column] = char
        self.column += 1

    def escape(self, count, what):
        if what == b"A":
            self.row = max(0, self.row - int(count or 1))
        elif what == b"K":
            del self.lines[self.row][self.column:]
        else:
            del self.lines[self.row][self.column:]
            del self.lines[self.row + 1:]

    def feed(self, data):
        """All of it but a sequence or character that is not complete, which is returned."""
        while data:
            first = data[:1]
            if first == b"\x1b":
                found = SEQUENCE.match(data)
                if not found:
                    if re.fullmatch(rb"\x1b(\[[0-9]*)?", data):
                        return data
                    raise ValueError(f"unknown sequence {data[:12]!r}")
                self.escape(*found.groups())
                data = data[found.end():]
                continue
            if first == b"\r":
                self.column = 0
            elif first == b"\n":
                self.down()
            elif first[0] < 0x20 or first[0] == 0x7f:
                raise ValueError(f"control character {first!r}")
            else:
                length = 1 + sum(first[0] >= limit for limit in (0xc2, 0xe0, 0xf0))
                if len(data) < length:
                    return data
                self.put(data[:length].decode())
                data = data[length:]
                continue
            data = data[1:]
        return b""

    def text(self):
        """What is on the screen, without empty lines at its end."""
        lines = ["".join(line).rstrip() for line in self.lines]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def history(self):
        return ["".join(line).rstrip() for line in self.gone] + self.text()


class Run:
    """A program whose standard error is a terminal; its standard output too when both is set."""

    def __init__(self, command, columns=80, rows=24, both=False, env=None, before=""):
        self.screen = Screen(columns, rows)
        self.master, terminal = pty.openpty()
        self.raw, self.left, self.frames = b"", b"", []
        self.winsize(columns, rows)
        self.screen.feed(before.replace("\n", "\r\n").encode())
        self.pid = os.fork()
        if self.pid == 0:
            self.child(command, terminal, both, dict(os.environ, **(env or {})))
        os.close(terminal)

    @staticmethod
    def child(command, terminal, both, env):
        os.setsid()
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
        null = os.open("/dev/null", os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(terminal if both else null, 1)
        os.dup2(terminal, 2)
        os.closerange(3, 64)
        os.execve(command[0], command, {k: v for k, v in env.items() if v is not None})

    def winsize(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns, rows):
        self.screen.resize(columns, rows)
        self.winsize(columns, rows)

    def read(self):
        """False at the end."""
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.raw += data
        self.left = self.screen.feed(self.left + data)
        self.frames.append((time.monotonic(), data, self.screen.text()))
        return bool(data)

    def finish(self, each=None, timeout=60):
        """Exit status, negative for a signal; each(run) is called after each read."""
        end = time.monotonic() + timeout
        while True:
            if not select.select([self.master], [], [], 0.5)[0]:
                if time.monotonic() > end:
                    os.kill(self.pid, signal.SIGKILL)
                    os.waitpid(self.pid, 0)
                    raise TimeoutError("\n".join(self.screen.history()))
                continue
            if not self.read():
                break
            if each:
                each(self)
        os.close(self.master)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
