#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pulls on terminals of several kinds, and looks at what stands on them.

  check_progress.py PROGRAM WORK REGISTRY

The registry is bad_registry.py with the images of progress_layout.py.
"""
import os
import re
import signal
import sys
import time

from terminal import Run, Screen

FINAL = r"layer +{}/{} sha256:[0-9a-f]{{12}}  (done [0-9.]+ [KMG]?i?B|already there)"
problems = []


def need(ok, what, run=None):
    if ok:
        return
    problems.append(what)
    print(f"{what}")
    if run:
        print("    | " + "\n    | ".join(run.screen.history()))


class Test:
    def __init__(self, program, work, registry):
        self.program, self.work, self.registry, self.n = program, work, registry, 0

    def root(self, again=False):
        self.n += not again
        return f"{self.work}/root{self.n}"

    def start(self, image, *options, how="slow", again=False, env=None, **more):
        command = [self.program, "--root", self.root(again), *options, "pull",
                   f"{self.registry}/{how}:{image}"]
        return Run(command, env=dict({"TERM": "xterm"}, **(env or {})), **more)

    def is_final(self, what, run, n, above=1):
        """A line for each layer, in order, each once; the cursor below."""
        lines = run.screen.history()[above:]
        need(len(lines) == n and all(re.fullmatch(FINAL.format(i + 1, n), line)
                                     for i, line in enumerate(lines)), f"{what}: the end", run)
        on_screen = len(run.screen.text())
        need(run.screen.column == 0 and run.screen.row == on_screen, f"{what}: cursor", run)

    # --- cases ---

    def usual(self):
        run = self.start("five", before="$ thinpull\n")
        need(run.finish() == 0, "usual: exit", run)
        self.is_final("usual", run, 5, above=2)
        need(run.screen.history()[:2] == ["$ thinpull", f"{self.registry}/slow:five: 5 layers"],
             "usual: what is above", run)
        seen = "\n".join("\n".join(text) for _, _, text in run.frames)
        for state in (r"waiting", r"fetching [0-9.]+/[0-9.]+ KiB",
                      r"done [0-9.]+ KiB"):
            need(re.search(rf"layer [1-5]/5 sha256:[0-9a-f]{{12}}  {state}\n", seen),
                 f"usual: never {state}", run)
        need(all(len([l for l in text if l.startswith("layer ")]) == 5
                 for _, _, text in run.frames if len(text) > 1), "usual: not five lines always")
        draws = [at for at, data, _ in run.frames if b"\x1b[5A" in data or b"\x1b[4A" in data]
        need(len(draws) > 3, "usual: nothing moves")
        need(len(draws) <= 12 * (draws[-1] - draws[0]) + 2, "usual: more than 10 times a second")
        again = self.start("five", again=True)
        need(again.finish() == 0, "again: exit", again)
        self.is_final("again", again, 5)
        need(all("already there" in line for line in again.screen.text()[1:]), "again", again)

    def slow_to_unpack(self):
        run = self.start("heavy", how="good")
        need(run.finish() == 0, "heavy: exit", run)
        self.is_final("heavy", run, 3)
        need(any(re.search(r"layer 1/3 .*  unpacking\nlayer 2/3 .*  fetched [0-9.]+ KiB\n",
                           "\n".join(text)) for _, _, text in run.frames), "heavy: states", run)

    def more_layers_than_rows(self):
        run = self.start("forty", rows=8, how="good", before="above 1\nabove 2\n")
        need(run.finish() == 0, "low: exit", run)
        self.is_final("low", run, 40, above=3)
        need(run.screen.history()[:2] == ["above 1", "above 2"], "low: what is above", run)
        slow = self.start("ten", rows=6, before="above\n" * 4)
        need(slow.finish() == 0, "low, slow: exit", slow)
        self.is_final("low, slow", slow, 10, above=5)
        need(any(re.search(r"^\.\.\. and \d+ more$", "\n".join(text), re.M)
                 for _, _, text in slow.frames), "low, slow: no word of the others")

    def tiny(self):
        for columns, rows in ((1, 1), (2, 2), (20, 3), (300, 1)):
            run = self.start("five", columns=columns, rows=rows)
            need(run.finish() == 0, f"{columns}x{rows}: exit", run)
            last = [l for l in run.screen.history() if l][-1:]
            need(columns < 20 or last[0].startswith("layer 5/5 sha256:"[:columns - 1]),
                 f"{columns}x{rows}: the end", run)

    def narrow(self):
        run = self.start("five", columns=30)
        need(run.finish() == 0, "narrow: exit", run)
        lines = [l for l in run.screen.history() if l.startswith("layer ")]
        need(len(lines) == 5 and all(len(l) <= 29 for l in lines), "narrow: lines", run)
        title = -(-len(f"{self.registry}/slow:five: 5 layers") // 30) - 1
        need(run.screen.wrapped <= title, "narrow: layers wrap", run)

    def resized(self):
        """Lower, higher, wider while it runs; the last lines are right wherever it ended."""
        for name, sizes in (("lower", [(80, 24), (80, 5)]), ("wider", [(60, 24), (120, 24)]),
                            ("both", [(100, 30), (70, 4), (70, 30), (100, 6)])):
            left = list(sizes[1:])
            due = [time.monotonic() + 0.4]

            def change(run, left=left, due=due):
                if left and time.monotonic() > due[0]:
                    run.resize(*left.pop(0))
                    due[0] = time.monotonic() + 0.3

            run = self.start("ten", columns=sizes[0][0], rows=sizes[0][1])
            need(run.finish(change) == 0, f"{name}: exit", run)
            need(not left, f"{name}: not resized in time")
            final = [l for l in run.screen.history() if re.search("  done ", l)]
            need(len(final) == 10 and all(re.fullmatch(FINAL.format(i + 1, 10), l)
                                          for i, l in enumerate(final))
                 and run.screen.text()[-1] == final[-1], f"{name}: the end", run)

    def too_narrow_for_what_stands_there(self):
        """Whatever the terminal makes of lines that do not fit any more, nothing above goes."""
        done = []

        def change(run):
            if not done and any("fetching" in l for l in run.screen.text()):
                run.resize(20, 24)
                done.append(True)

        run = self.start("five", before="above 1\nabove 2\nabove 3\n")
        need(run.finish(change) == 0 and done, "narrower: exit", run)
        need(run.screen.history()[:3] == ["above 1", "above 2", "above 3"], "narrower", run)
        need([l[:9] for l in run.screen.history()[-5:]] == [f"layer {i}/5" for i in range(1, 6)],
             "narrower: the end", run)

    def warnings(self):
        run = self.start("warned", env={"LANG": "C"})
        need(run.finish() == 0, "warnings: exit", run)
        lines = run.screen.history()
        warned = [l for l in lines if l.startswith("thinpull: warning: ")]
        need(len(warned) == 12 and all(re.search(r"file-\d+: xattr trusted.x is not kept$", l)
                                       for l in warned), "warnings: lines", run)
        rest = [l for l in lines if l not in warned]
        need(len(rest) == 5 and all(re.fullmatch(FINAL.format(i + 1, 4), l)
                                    for i, l in enumerate(rest[1:])), "warnings: layers", run)

    def debug(self):
        run = self.start("five", "--debug", columns=200, rows=50)
        need(run.finish() == 0, "debug: exit", run)
        lines = [l for l in run.screen.history() if not l.startswith("thinpull: debug: ")]
        need(len(lines) == 6 and all(re.fullmatch(FINAL.format(i + 1, 5), l)
                                     for i, l in enumerate(lines[1:])), "debug: layers", run)
        need(any(l.startswith("thinpull: debug: ") for l in run.screen.history()), "debug: none")

    def failed(self):
        run = self.start("five", how="gone")
        need(run.finish() == 2, "failed: exit", run)
        lines = run.screen.history()
        need(len([l for l in lines if l.startswith("layer ")]) == 5, "failed: layers", run)
        error = [i for i, l in enumerate(lines) if l.startswith("thinpull: pull ")]
        need(error == [6], "failed: the error is not below", run)

    def interrupted(self):
        sent = []

        def stop(run):
            if not sent and any("fetching" in l for l in run.screen.text()):
                os.kill(run.pid, signal.SIGINT)
                sent.append(True)

        run = self.start("five")
        need(run.finish(stop) == 130, "interrupted: exit", run)
        lines = run.screen.history()
        need(len([l for l in lines if l.startswith("layer ")]) == 5
             and any("ended by signal 2" in l for l in lines[6:]), "interrupted", run)
        need(run.screen.column == 0, "interrupted: cursor", run)

    def result(self):
        """What goes to standard output is below, also on the same terminal."""
        run = self.start("five", both=True)
        need(run.finish() == 0, "result: exit", run)
        lines = run.screen.history()
        need(re.match(r".*/slow:five@sha256:", "".join(lines[6:])), "result", run)

    def plain(self):
        """Where lines cannot be written over, or are not wanted, none is."""
        for what, options, env in (("dumb", (), {"TERM": "dumb"}), ("no TERM", (), {"TERM": None}),
                                   ("asked for", ("--progress", "plain"), {}),
                                   ("json", ("--progress", "json"), {})):
            run = self.start("five", *options, how="good", env=env)
            need(run.finish() == 0 and b"\x1b" not in run.raw and run.raw, f"plain, {what}", run)
        for what in (("-q",), ("--progress", "none")):
            run = self.start("five", *what, how="good")
            need(run.finish() == 0 and not run.raw, f"silent, {what}", run)


def model():
    """The judge is judged first."""
    screen = Screen(5, 3)
    need(screen.feed(b"ab\r\ncd\x1b[") == b"\x1b[", "model: half a sequence")
    screen.feed(b"\x1b[1A\rx\x1b[K\n\n\r\xc3\xbc\n\r1234567\r\n")
    need(screen.history() == ["x", "cd", "ü", "12345", "67"], "model")
    need(screen.text() == ["12345", "67"] and screen.row == 2 and screen.wrapped == 1, "model")
    screen.feed(b"\x1b[2A\r\x1b[J")
    need(screen.text() == [], "model: clear")


def main():
    model()
    test = Test(*sys.argv[1:])
    for case in (test.usual, test.slow_to_unpack, test.more_layers_than_rows, test.tiny, test.narrow, test.resized,
                 test.too_narrow_for_what_stands_there, test.warnings, test.debug, test.failed,
                 test.interrupted, test.result, test.plain):
        case()
    print(f"progress: {len(problems)} problems")
    return 1 if problems else 0


sys.exit(main())
