#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many processes at once on one root folder, each doing what may be done at any time.

  storm.py layout DIR               images that share layers, tags a b c d and pinned
  storm.py first PROGRAM ROOT DIR   all images pulled at the same time into a root that is not there
  storm.py run PROGRAM ROOT DIR SECONDS SEED

Each command has a list of exit codes that are right whatever the others do; any other ends it all
with 1. Some commands are ended by SIGTERM or SIGKILL on their way.
"""
import io
import json
import random
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time

from ocilayout import Layout

IMAGES = {"a": (1, 2, 3), "b": (1, 2, 4), "c": (1, 5), "d": (1, 2, 3, 6, 7), "pinned": (1, 2, 8)}
TAGS = ("a", "b", "c", "d")
PATIENCE_S = 60


def layer(number):
    """A directory of its own, files of others replaced, one taken away."""
    out = io.BytesIO()
    chance = random.Random(number)
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        def add(name, data=b"", kind=tarfile.REGTYPE):
            info = tarfile.TarInfo(name)
            info.type, info.size, info.mtime = kind, len(data), 1700000000 + number
            info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
            tar.addfile(info, io.BytesIO(data))
        add("etc", kind=tarfile.DIRTYPE)
        add("etc/same", b"layer %d\n" % number)
        add(f"dir-{number}", kind=tarfile.DIRTYPE)
        for i in range(40):
            add(f"dir-{number}/file-{i}", chance.randbytes(chance.randrange(1, 40000)))
        if number > 1:
            add("dir-1/.wh.file-%d" % number)
    return out.getvalue()


def make_layout(folder):
    layout = Layout(folder)
    stored = {n: layout.put_layer(layer(n)) for n in sorted({n for i in IMAGES.values() for n in i})}
    for tag, numbers in IMAGES.items():
        layout.put_image(tag, [stored[n][0] for n in numbers], [stored[n][1] for n in numbers])
    print(len(stored))


class Storm:
    def __init__(self, program, root, layout):
        self.base = [program, "--root", root, "--lock-timeout", str(PATIENCE_S)]
        self.layout = layout
        self.wrong = []
        self.done = {}
        self.lock = threading.Lock()

    def image(self, tag):
        return f"oci:{self.layout}:{tag}"

    def command(self, allowed, *words, end_with=None, after=0.0):
        with subprocess.Popen([*self.base, *words], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            if end_with:
                time.sleep(after)
                child.send_signal(end_with)
                allowed = (*allowed, -end_with, 128 + end_with)
            try:
                out, err = child.communicate(timeout=2 * PATIENCE_S)
                code = child.returncode
            except subprocess.TimeoutExpired:
                child.kill()
                out, err = child.communicate()
                code = "never ends"
        with self.lock:
            self.done[words[0]] = self.done.get(words[0], 0) + 1
            if code not in allowed:
                self.wrong.append(f"{' '.join(words)}: exit {code}, not one of {allowed}: "
                                  f"{err.decode(errors='replace').strip()}")
        return code, out

    def listed(self, *words):
        code, out = self.command((0,), "--json", *words)
        if code != 0:
            return []
        try:
            return json.loads(out)
        except ValueError as e:
            with self.lock:
                self.wrong.append(f"{' '.join(words)}: {e}: {out[:200]}")
            return []

    # --- what each of the processes does, again and again ---

    def puller(self, chance):
        end, after = None, 0.0
        if chance.random() < 0.5:
            end = chance.choice((signal.SIGTERM, signal.SIGKILL))
            after = chance.random() * 0.12
        self.command((0,), "-q", "pull", self.image(chance.choice(TAGS)), end_with=end, after=after)

    def creator(self, chance):
        name = f"box-{chance.randrange(6)}"
        roll = chance.random()
        if roll < 0.5:
            self.command((0, 2, 7), "create", self.image(chance.choice(TAGS + ("pinned",))), name)
        elif roll < 0.6:
            self.command((0, 2, 7), "create", self.image(chance.choice(TAGS)), name,
                         end_with=chance.choice((signal.SIGTERM, signal.SIGKILL)),
                         after=chance.random() * 0.03)
        else:
            self.command((0, 2), "rm", name)

    def remover(self, chance):
        end = chance.choice((None, None, signal.SIGTERM, signal.SIGKILL))
        self.command((0, 2, 7), "rmi", self.image(chance.choice(TAGS)),
                     end_with=end, after=chance.random() * 0.03)
        time.sleep(chance.random() * 0.1)

    def reader(self, chance):
        what = chance.randrange(9)
        if what == 0:
            refs = [i["ref"] for i in self.listed("images")]
            if self.image("pinned") not in refs:
                with self.lock:
                    self.wrong.append(f"images: pinned is not among {refs}")
        elif what == 1:
            if "pin" not in [c["name"] for c in self.listed("ls")]:
                with self.lock:
                    self.wrong.append("ls: the container pin is not there")
        elif what == 2:
            self.listed("pool", "status")
        elif what == 3:
            self.listed("info")
        elif what == 4:
            self.listed("df")
        elif what == 5:
            self.listed("tree")
        elif what == 6:
            self.listed("inspect", "pin")
        elif what == 7:
            self.listed("image", "inspect", self.image("pinned"))
        else:
            with tempfile.TemporaryDirectory() as folder:
                self.command((0,), "export", "-o", f"{folder}/out", "--format",
                             chance.choice(("raw", "tar")),
                             chance.choice(("pin", self.image("pinned"))))

    def checker(self, chance):
        self.command((0,), "pool", "check")
        name = f"own-{chance.randrange(1000000)}"
        # What was made a moment ago is there, for whoever looks.
        if self.command((0,), "--json", "create", self.image("pinned"), name)[0] == 0:
            if name not in [c["name"] for c in self.listed("ls")]:
                with self.lock:
                    self.wrong.append(f"ls: {name} is not there just after create")
            self.command((0,), "rm", name)

    def loop(self, what, seed, end):
        chance = random.Random(seed)
        while time.monotonic() < end and not self.wrong:
            what(chance)

    def together(self, threads):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(" ".join(f"{n} {verb}," for verb, n in sorted(self.done.items())))
        for line in self.wrong:
            print(line)
        return 1 if self.wrong else 0

    def run(self, seconds, seed):
        end = time.monotonic() + seconds
        roles = (self.puller, self.puller, self.puller, self.creator, self.creator, self.remover,
                 self.reader, self.reader, self.checker)
        return self.together([threading.Thread(target=self.loop, args=(what, f"{seed}/{i}", end))
                              for i, what in enumerate(roles)])

    def first(self):
        def look(stop):
            while not stop.is_set():
                self.command((0,), "images")
                self.command((0,), "ls")
                self.command((0, 2), "pool", "status")

        stop = threading.Event()
        looking = threading.Thread(target=look, args=(stop,))
        looking.start()
        code = self.together([threading.Thread(target=self.command,
                                               args=((0,), "-q", "pull", self.image(tag)))
                              for tag in IMAGES])
        stop.set()
        looking.join()
        return code or (1 if self.wrong else 0)


def main():
    what = sys.argv[1]
    if what == "layout":
        make_layout(sys.argv[2])
        return 0
    storm = Storm(*sys.argv[2:5])
    if what == "first":
        return storm.first()
    return storm.run(float(sys.argv[5]), sys.argv[6])


sys.exit(main())
