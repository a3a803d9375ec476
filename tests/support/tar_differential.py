#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Archives by GNU tar, Python and libarchive, read by our reader and by all of them.

  tar_differential.py TAR_LIST WORK_FOLDER

Prints each archive and what differs; fails when something does. What is known to differ is left
out here, each with its reason.
"""
import hashlib
import io
import json
import os
import stat
import subprocess
import sys
import tarfile

import libarchive_ffi

PY_TYPES = {tarfile.REGTYPE: "file", tarfile.AREGTYPE: "file", tarfile.CONTTYPE: "file",
            tarfile.GNUTYPE_SPARSE: "file", tarfile.LNKTYPE: "link", tarfile.SYMTYPE: "symlink",
            tarfile.CHRTYPE: "char", tarfile.BLKTYPE: "block", tarfile.DIRTYPE: "dir",
            tarfile.FIFOTYPE: "fifo"}
problems = []


def complain(text):
    problems.append(text)
    print(text)


# --- readers: each gives a list of dicts --------------------------------------------------------

def read_ours(program, path):
    run = subprocess.run([program, path], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        return run.stderr.strip()
    return [json.loads(line) for line in run.stdout.splitlines()]


def read_libarchive(lib, path):
    try:
        reader = libarchive_ffi.Reader(lib, path)
    except libarchive_ffi.Refused as e:
        return str(e)
    try:
        return list(reader)
    except libarchive_ffi.Refused as e:
        return str(e)
    finally:
        reader.close()


def python_digest(archive, member):
    h, source = hashlib.sha256(), archive.extractfile(member)
    while data := source.read(1 << 20):
        h.update(data)
    return h.hexdigest()


def read_python(path):
    found = []
    try:
        with tarfile.open(path, "r:", errors="surrogateescape", encoding="utf-8") as archive:
            for m in archive:
                e = {"type": PY_TYPES[m.type], "path": os.fsencode(m.name).hex(),
                     "link": os.fsencode(m.linkname).hex() if m.issym() or m.islnk() else "",
                     "mode": m.mode & 0o7777, "uid": m.uid, "gid": m.gid, "mtime": m.mtime,
                     "size": m.size if m.isfile() else 0}
                if m.ischr() or m.isblk():
                    e["rdev"] = [m.devmajor, m.devminor]
                if m.isfile():
                    e["sha256"] = python_digest(archive, m)
                found.append(e)
    except (tarfile.TarError, KeyError, OSError) as e:
        return f"{type(e).__name__}: {e}"
    return found


def read_gnu(path, folder):
    """Extracted; owners and devices only as root."""
    os.makedirs(folder)
    run = subprocess.run(["tar", "--numeric-owner", "--warning=no-timestamp", "-xpf", path,
                          "-C", folder], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        return run.stderr.strip()
    return folder


# --- comparing ------------------------------------------------------------------------------------

def same_python_time(ours, theirs):
    """Python keeps a float."""
    return abs(ours[0] + ours[1] / 1e9 - theirs) < 1e-5


def same_libarchive_time(ours, theirs):
    """3.6 takes a negative time with a fraction for another one (measured: -1.5 is -1 + .5)."""
    return ours == theirs or (ours[0] < 0 and ours[1] != 0)


def compare_entry(name, who, ours, theirs, same_time):
    for key in theirs:
        a, b = ours.get(key), theirs[key]
        if key == "path":  # Python drops the slash of folders
            a, b = a.removesuffix("2f"), b.removesuffix("2f")
            if who == "Python" and b"/GNUSparseFile." in bytes.fromhex(b):
                continue  # of two records for a name it takes the one that comes last
        if key == "mtime":
            if not same_time(a, b):
                complain(f"{name}: {who}: {ours['path']}: mtime {a} and {b}")
        elif a != b:
            complain(f"{name}: {who}: {bytes.fromhex(ours['path'])}: {key}: {a} and {b}")


def compare_list(name, who, ours, theirs, same_time):
    if isinstance(theirs, str):
        complain(f"{name}: {who} refuses: {theirs}")
        return
    if len(ours) != len(theirs):
        complain(f"{name}: {len(ours)} members, {who} sees {len(theirs)}")
        return
    for a, b in zip(ours, theirs):
        compare_entry(name, who, a, b, same_time)


def file_digest(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while data := f.read(1 << 20):
            h.update(data)
    return h.hexdigest()


def compare_gnu(name, ours, folder):
    if not os.path.isdir(folder):
        complain(f"{name}: GNU tar refuses: {folder}")
        return
    last = {bytes.fromhex(e["path"]).rstrip(b"/"): e for e in ours}
    for path, e in last.items():
        full = os.path.join(os.fsencode(folder), path)
        try:
            st = os.lstat(full)
        except OSError as error:
            complain(f"{name}: GNU tar: {path}: {error}")
            continue
        if e["type"] == "symlink" and os.readlink(full).hex() != e["link"]:
            complain(f"{name}: GNU tar: {path}: link {os.readlink(full)}")
        if e["type"] == "file":
            if file_digest(full) != e["sha256"]:
                complain(f"{name}: GNU tar: {path}: other content")
            # A hard link that comes later brings its own attributes.
            if st.st_nlink == 1 and stat.S_IMODE(st.st_mode) != e["mode"]:
                complain(f"{name}: GNU tar: {path}: mode {st.st_mode:o} and {e['mode']:o}")
            if st.st_nlink == 1 and [st.st_mtime_ns // 10**9, st.st_mtime_ns % 10**9] != e["mtime"]:
                complain(f"{name}: GNU tar: {path}: mtime {st.st_mtime_ns} and {e['mtime']}")
            if os.geteuid() == 0 and (st.st_uid, st.st_gid) != (e["uid"], e["gid"]):
                complain(f"{name}: GNU tar: {path}: owner {st.st_uid}:{st.st_gid}")


def compare(program, lib, work, name, path, extract=True):
    ours = read_ours(program, path)
    if isinstance(ours, str):
        complain(f"{name}: refused: {ours}")
        return
    compare_list(name, "libarchive", ours, read_libarchive(lib, path), same_libarchive_time)
    compare_list(name, "Python", ours, read_python(path), same_python_time)
    if extract:
        folder = os.path.join(work, "x")
        compare_gnu(name, ours, read_gnu(path, folder))
        subprocess.run(["chmod", "-R", "u+rwX", folder], check=False)
        subprocess.run(["rm", "-rf", folder], check=True)
    print(f"{name}: {len(ours)} members")


# --- a tree, and archives of it -----------------------------------------------------------------------

def put(top, name, data=b"", mode=0o644, mtime_ns=10**18 + 123456789):
    path = os.path.join(os.fsencode(top), name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)
    os.chmod(path, mode)
    os.utime(path, ns=(mtime_ns, mtime_ns))


def put_sparse(top, name, size, regions):
    path = os.path.join(os.fsencode(top), name)
    with open(path, "wb") as f:
        for i, (offset, length) in enumerate(regions):
            f.seek(offset)
            f.write(bytes([65 + i % 26]) * length)
        f.truncate(size)
    os.utime(path, ns=(1, 10**18))


def make_tree(top):
    os.makedirs(top)
    for size in (0, 1, 511, 512, 513, 10240, 100001):
        put(top, b"size/%d" % size, bytes(i * 7 % 251 for i in range(size)))
    for mode in (0o600, 0o4755, 0o2711, 0o1644, 0o400):
        put(top, b"mode/%o" % mode, b"x", mode)
    for ns in (0, 1, 999999999, 10**9, 2**31 * 10**9, 8589934592 * 10**9, -10**9, -1500000000):
        put(top, b"time/%d" % ns, b"", 0o644, ns)
    put(top, b"names/" + b"n" * 100)
    put(top, b"names/" + b"n" * 101)
    put(top, b"names/" + b"/".join([b"deep" * 20] * 6) + b"/" + b"f" * 255)
    put(top, b"names/new\nline\ttab\\back")
    put(top, b"names/\xff\xfe latin")
    put(top, "names/日本 ü".encode())
    for i, target in enumerate((b"x", b"/abs/../x/", b"t" * 100, b"t" * 101, b"u" * 300,
                                "日本".encode(), b"\xff")):
        os.symlink(target, os.path.join(os.fsencode(top), b"link%d" % i))
    os.link(f"{top}/size/513", f"{top}/zz-hard")
    os.mkfifo(f"{top}/fifo")
    os.makedirs(f"{top}/empty/" + "dir" * 40)
    if os.geteuid() == 0:
        os.mknod(f"{top}/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        os.mknod(f"{top}/big", 0o660 | stat.S_IFBLK, os.makedev(4095, 1048575))
        os.chown(f"{top}/size/1", 12345, 2097151)


def make_sparse_tree(top):
    os.makedirs(top)
    k = 1024
    put_sparse(top, b"start", 1000 * k, [(900 * k, 100 * k)])
    put_sparse(top, b"middle", 1000 * k, [(0, 4 * k), (500 * k, 4 * k), (992 * k, 8 * k)])
    put_sparse(top, b"end", 1000 * k + 13, [(0, 4 * k)])
    put_sparse(top, b"all", 5000 * k + 1, [])
    put_sparse(top, b"odd-end", 1000 * k + 77, [(1000 * k, 77)])
    put_sparse(top, b"many", 64 * 40 * k, [(i * 64 * k, 4 * k) for i in range(40)])
    put_sparse(top, b"one-more-than-the-header", 64 * 5 * k, [(i * 64 * k, 4 * k)
                                                              for i in range(5)])
    put_sparse(top, b"map-of-two-blocks", 64 * 60 * k, [(i * 64 * k, 4 * k) for i in range(60)])
    put_sparse(top, b"n" * 150, 1000 * k, [(500 * k, 4 * k)])
    put(top, b"after", b"after")


def gnu(path, tree, *options):
    run = subprocess.run(["tar", *options, "-cf", path, "-C", tree, "."], capture_output=True,
                         text=True, check=False)
    if not os.path.exists(path):
        raise SystemExit(run.stderr)


def python_special(path):
    """Headers that no file of ours has: owners, times, attributes."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for i, (uid, gid) in enumerate([(0, 0), (2097151, 2097152), (4200664, 4294967294)]):
            m = tarfile.TarInfo(f"owner{i}")
            m.uid, m.gid, m.mtime = uid, gid, 1.25
            archive.addfile(m)
        m = tarfile.TarInfo("attributes")
        m.pax_headers = {"SCHILY.xattr.user.a": "value=with=signs", "comment": "none",
                         "SCHILY.xattr.user.b": "x" * 2000}
        m.size = 3
        archive.addfile(m, io.BytesIO(b"abc"))


def libarchive_special(lib, path, fmt):
    big, short = bytes(range(256)) * 40, fmt in ("ustar", "v7tar")
    members = [
        {"path": b"dir", "filetype": 0o040000, "mode": 0o755, "mtime": (7, 5)},
        {"path": b"dir/file", "data": big, "mtime": (1234567890, 123456789)},
        {"path": b"n" * (90 if short else 150), "data": b"x"},
        {"path": b"sym", "filetype": 0o120000, "link": b"t" * (90 if short else 150)},
        {"path": b"hard", "hard": b"dir/file"},
        {"path": b"owner", "uid": 262143, "gid": 99999 if short else 2000000},
    ]
    if fmt.startswith("pax"):
        members += [
            {"path": b"attributes", "xattrs": {b"user.x": b"\0\1=\n\xff", b"user.empty": b""}},
            {"path": b"holes", "data": bytes(4096) + big[:4096] + bytes(8192) + b"end",
             "sparse": [(4096, 4096), (16384, 3)]},
            {"path": b"after", "data": b"after"},
        ]
    libarchive_ffi.write(lib, path, fmt, members)


def archives(lib, work):
    """(name, path, may GNU tar extract it) of each."""
    tree, sparse = f"{work}/tree", f"{work}/sparse"
    make_tree(tree)
    make_sparse_tree(sparse)
    path = f"{work}/a.tar"
    for fmt in ("v7", "oldgnu", "gnu", "ustar", "posix"):
        gnu(path, tree, f"--format={fmt}")
        yield f"GNU tar {fmt}", path, True
        os.unlink(path)
    gnu(path, tree, "--format=posix", "--pax-option=delete=atime", "-b1", "--owner=3000000",
        "--group=4200664")
    yield "GNU tar posix, large owners", path, True
    gnu(path, tree, "--format=gnu", "-b64", "--owner=3000000", "--group=4200664")
    yield "GNU tar gnu, large owners", path, True
    for options in (["--format=gnu"], ["--format=oldgnu"],
                    *(["--format=posix", f"--sparse-version={v}"] for v in ("0.0", "0.1", "1.0"))):
        for detect in ("raw", "seek"):
            gnu(path, sparse, "--sparse", f"--hole-detection={detect}", *options)
            yield f"GNU tar sparse {' '.join(options)} {detect}", path, True
    for fmt, name in ((tarfile.USTAR_FORMAT, "ustar"), (tarfile.GNU_FORMAT, "gnu"),
                      (tarfile.PAX_FORMAT, "pax")):
        with tarfile.open(path, "w", format=fmt, errors="surrogateescape",
                          encoding="utf-8") as archive:
            for sub in ("size", "mode", "empty") + (("names",) if name != "ustar" else ()):
                archive.add(f"{tree}/{sub}", sub)
        yield f"Python {name}", path, True
    python_special(path)
    yield "Python, special members", path, os.geteuid() == 0
    for fmt in ("pax", "paxr", "ustar", "gnutar", "v7tar"):
        libarchive_special(lib, path, fmt)
        yield f"libarchive {fmt}", path, True


def main():
    program, work = sys.argv[1:]
    os.umask(0o022)
    lib = libarchive_ffi.load()
    n = 0
    for name, path, extract in archives(lib, work):
        compare(program, lib, work, name, path, extract)
        n += 1
    print(f"{n} archives, {len(problems)} differences")
    return 1 if problems or n < 25 else 0


sys.exit(main())
