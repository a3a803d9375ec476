#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tables about the ext4 writer: of the values of ext4_bench, and of some file systems side by side.

  ext4_table.py speed FILE
  ext4_table.py images EXT4_EXTENTS FOLDER NAME=IMAGE...
"""
import os
import random
import statistics
import subprocess
import sys
import time

from values import Values, promises, row

LOOKUPS, READS, ROUNDS = 2000, 1000, 3


def speed(path):
    v = Values(path)

    def changed(what, names):
        row(what, f"{v.median(names + '_wall') * 1e3:.2f} ms",
            f"reads {v.median(names + '_read_kib'):.0f} KiB, "
            f"writes {v.median(names + '_written_kib'):.0f} KiB")

    print(f"medians of {v.runs('fill_50000_wall')} runs, into a sparse file, not synced")
    wall, cpu, mb = (v.median(f"fill_50000_{name}") for name in ("wall", "cpu", "mb"))
    row(f"50,000 files of {mb:.0f} MB", f"{wall:.2f} s",
        f"{50000 / wall:.0f} files/s; CPU {cpu:.2f} s; peak {v.median('fill_50000_peak_mib'):.0f} MiB")
    changed("one file more", "one_1")
    changed("one file more, nothing remembered", "cold_1")
    changed("50,000 empty files in one folder", "dir_50000")
    for n in (1, 10, 100, 1000):
        changed(f"{n:,} names more in it, nothing remembered", f"add_cold_{n}")


class Image:
    def __init__(self, name, path, extents):
        self.name, self.path, self.cold = name, path, {}
        listed = subprocess.run([extents, path], check=True, capture_output=True, text=True).stdout
        self.kinds = {"f": [], "d": []}
        for line in listed.splitlines():
            kind, _, _, runs, _ = line.split()
            self.kinds[kind].append(int(runs))

    def broken(self, kind):
        return sum(runs > 1 for runs in self.kinds[kind])

    def mean(self, kind):
        return sum(self.kinds[kind]) / len(self.kinds[kind])


class Mounted:
    """Mounted from a loop device, with nothing of it in memory."""

    def __init__(self, image, folder):
        self.image, self.folder = image, folder

    def __enter__(self):
        fd = os.open(self.image.path, os.O_RDONLY)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)
        subprocess.run(["mount", "-o", "ro,loop,noatime", self.image.path, self.folder], check=True)
        self.device = os.stat(self.folder).st_dev
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", self.folder], check=True)

    def reads(self):
        stat = f"/sys/dev/block/{os.major(self.device)}:{os.minor(self.device)}/stat"
        with open(stat, encoding="ascii") as f:
            fields = f.read().split()
        return int(fields[0]), int(fields[2]) * 512


def files_of(folder):
    return sorted(os.path.relpath(os.path.join(at, name), folder)
                  for at, _, names in os.walk(folder) for name in names
                  if os.path.isfile(os.path.join(at, name))
                  and not os.path.islink(os.path.join(at, name)))


def look_up(folder, paths):
    for path in paths:
        os.lstat(os.path.join(folder, path))


def read_files(folder, paths):
    for path in paths:
        with open(os.path.join(folder, path), "rb", buffering=0) as f:
            f.read()


def measure_cold(images, folder):
    with Mounted(images[0], folder):
        paths = files_of(folder)
    for round_number in range(ROUNDS):
        chance = random.Random(round_number)
        for what, do, n in (("lookups", look_up, LOOKUPS), ("reads", read_files, READS)):
            some = chance.sample(paths, min(n, len(paths)))
            for image in images:
                with Mounted(image, folder) as at:
                    ios, size = at.reads()
                    started = time.monotonic()
                    do(folder, some)
                    took = time.monotonic() - started
                    after = at.reads()
                    image.cold.setdefault(what, []).append(
                        (took, after[0] - ios, after[1] - size))


def compare(images, what, show):
    print(f"  {what:46}" + "".join(f"{show(image):>12}" for image in images))


def compare_images(extents, folder, named):
    images = [Image(*item.split("=", 1), extents) for item in named]
    if len(images) == 3:
        measure_cold(images, folder)
    print("\nfile systems of one tree:")
    compare(images, "", lambda i: i.name)
    for kind, name in (("f", "files"), ("d", "folders")):
        compare(images, f"{name} with blocks", lambda i, k=kind: f"{len(i.kinds[k])}")
        compare(images, f"{name} in more than one run", lambda i, k=kind: f"{i.broken(k)}")
        compare(images, f"runs of a {name[:-1]}, mean", lambda i, k=kind: f"{i.mean(k):.4f}")
        compare(images, f"runs of a {name[:-1]}, most", lambda i, k=kind: f"{max(i.kinds[k])}")
    for what, n in (("lookups", LOOKUPS), ("reads", READS)):
        if not images[0].cold:
            break

        def median(image, column, key=what):
            return statistics.median(r[column] for r in image.cold[key])

        title = f"{n:,} cold " + ("lookups" if what == "lookups" else "files read")
        compare(images, f"{title}, ms", lambda i, m=median: f"{m(i, 0) * 1e3:.0f}")
        compare(images, f"{title}, reads of the disk", lambda i, m=median: f"{m(i, 1):.0f}")
        compare(images, f"{title}, MiB read", lambda i, m=median: f"{m(i, 2) / 2**20:.1f}")
    ours = images[0]
    held = [("less than one in a thousand files of ours is in more than one run",
             ours.broken("f") * 1000 < len(ours.kinds["f"]))]
    held += [(f"no more of our files and folders are broken than the {image.name}'s",
              all(ours.broken(kind) <= image.broken(kind) for kind in "fd"))
             for image in images[1:] if image.name == "kernel"]
    return promises(held)


if sys.argv[1] == "speed":
    speed(sys.argv[2])
else:
    sys.exit(compare_images(sys.argv[2], sys.argv[3], sys.argv[4:]))
