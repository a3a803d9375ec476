#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Types lines into an interactive shell, presses Tab behind each, and prints what the shell made of
them, a line each.

  press_tab.py bash|zsh SETUP LINE...      SETUP: a file of commands for the shell to read first
"""
import os
import pty
import select
import signal
import sys
import tempfile
import time

TIMEOUT_S = 20
KEY = b"\x18\x14"  # Ctrl-X Ctrl-T: writes down the line and clears it

SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"],
             "bind 'set bell-style none'\n"
             "bind -x '\"\\C-x\\C-t\": printf \"%s\\n\" \"$READLINE_LINE\" >>{0}; READLINE_LINE='\n"),
    "zsh": (["zsh", "-f", "-i"],
            "show_line() {{ print -r -- \"$BUFFER\" >>{0}; BUFFER= }}\n"
            "zle -N show_line\nbindkey '^X^T' show_line\nunsetopt beep\n"),
}


class Terminal:
    def __init__(self, command):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "dumb"
            os.execvp(command[0], command)

    def type(self, keys):
        os.write(self.fd, keys)

    def drain(self):
        """The shell must never wait for us to read."""
        while select.select([self.fd], [], [], 0.02)[0]:
            try:
                if not os.read(self.fd, 65536):
                    return
            except OSError:
                return

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def wait_for(terminal, path, lines):
    """Until the file has so many lines."""
    end = time.monotonic() + TIMEOUT_S
    while time.monotonic() < end:
        terminal.drain()
        with open(path, encoding="utf-8") as f:
            found = f.read().splitlines()
        if len(found) >= lines:
            return found
    sys.exit(f"press_tab: no answer within {TIMEOUT_S} s")


def main():
    shell, setup, lines = sys.argv[1], sys.argv[2], sys.argv[3:]
    command, preparation = SHELLS[shell]
    with tempfile.TemporaryDirectory() as folder:
        out, start = f"{folder}/out", f"{folder}/start"
        with open(start, "w", encoding="utf-8") as f:
            f.write(preparation.format(out) + f". '{setup}'\necho ready >>{out}\n")
        open(out, "w", encoding="utf-8").close()
        terminal = Terminal(command)
        try:
            terminal.type(f". {start}\n".encode())
            found = wait_for(terminal, out, 1)
            for i, line in enumerate(lines):
                terminal.type(line.encode() + b"\t")
                terminal.drain()
                terminal.type(KEY)
                found = wait_for(terminal, out, i + 2)
        finally:
            terminal.end()
    for line in found[1:]:
        print(line)


main()
