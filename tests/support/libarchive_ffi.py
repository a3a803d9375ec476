# SPDX-License-Identifier: Apache-2.0
"""As much of libarchive as the comparison of tar readers needs, by ctypes."""
import ctypes
import hashlib
import locale

EOF, WARN = 1, -20
TYPES = {0o100000: "file", 0o040000: "dir", 0o120000: "symlink", 0o020000: "char",
         0o060000: "block", 0o010000: "fifo"}


class Refused(Exception):
    pass


def load():
    locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    lib = ctypes.CDLL("libarchive.so.13")
    pointers = ("archive_read_new", "archive_write_new", "archive_entry_new")
    texts = ("archive_error_string", "archive_entry_pathname", "archive_entry_symlink",
             "archive_entry_hardlink")
    for name in pointers:
        getattr(lib, name).restype = ctypes.c_void_p
    for name in texts:
        getattr(lib, name).restype = ctypes.c_char_p
    for name in ("archive_entry_size", "archive_entry_uid", "archive_entry_gid",
                 "archive_entry_mtime"):
        getattr(lib, name).restype = ctypes.c_int64
    lib.archive_entry_mtime_nsec.restype = ctypes.c_long
    lib.archive_entry_filetype.restype = ctypes.c_uint
    lib.archive_entry_mode.restype = ctypes.c_uint
    for name in ("archive_entry_rdevmajor", "archive_entry_rdevminor"):
        getattr(lib, name).restype = ctypes.c_uint64
    return lib


class Reader:
    """Iterates over dicts like those of tar_list."""

    def __init__(self, lib, path):
        self.lib = lib
        self.archive = ctypes.c_void_p(lib.archive_read_new())
        lib.archive_read_support_format_tar(self.archive)
        lib.archive_read_support_format_empty(self.archive)
        self.check(lib.archive_read_open_filename(self.archive, path.encode(),
                                                  ctypes.c_size_t(10240)))

    def check(self, code):
        """WARN is for names that are no UTF-8; the bytes are right."""
        if code < 0:
            text = (self.lib.archive_error_string(self.archive) or b"").decode("utf-8", "replace")
            if code != WARN or "can't be converted" not in text:
                raise Refused(text)
        return code

    def digest(self, size):
        h, at = hashlib.sha256(), 0
        block, n, offset = ctypes.c_void_p(), ctypes.c_size_t(), ctypes.c_int64()
        while self.check(self.lib.archive_read_data_block(
                self.archive, ctypes.byref(block), ctypes.byref(n), ctypes.byref(offset))) != EOF:
            if n.value == 0:
                continue
            hash_zeros(h, offset.value - at)
            h.update(ctypes.string_at(block, n.value))
            at = offset.value + n.value
        hash_zeros(h, size - at)
        return h.hexdigest()

    def xattrs(self, entry):
        found, name = {}, ctypes.c_char_p()
        value, size = ctypes.c_void_p(), ctypes.c_size_t()
        self.lib.archive_entry_xattr_reset(entry)
        while self.lib.archive_entry_xattr_next(entry, ctypes.byref(name), ctypes.byref(value),
                                                ctypes.byref(size)) == 0:
            found[name.value.hex()] = ctypes.string_at(value, size.value).hex()
        return found

    def describe(self, entry):
        lib = self.lib
        hard = lib.archive_entry_hardlink(entry)
        kind = "link" if hard is not None else TYPES[lib.archive_entry_filetype(entry)]
        found = {"type": kind, "path": lib.archive_entry_pathname(entry).hex(),
                 "link": (hard or lib.archive_entry_symlink(entry) or b"").hex(),
                 "mode": lib.archive_entry_mode(entry) & 0o7777,
                 "uid": lib.archive_entry_uid(entry), "gid": lib.archive_entry_gid(entry),
                 "mtime": [lib.archive_entry_mtime(entry), lib.archive_entry_mtime_nsec(entry)],
                 "size": lib.archive_entry_size(entry) if kind == "file" else 0,
                 "xattrs": self.xattrs(entry)}
        if kind in ("char", "block"):
            found["rdev"] = [lib.archive_entry_rdevmajor(entry),
                             lib.archive_entry_rdevminor(entry)]
        if kind == "file":
            found["sha256"] = self.digest(found["size"])
        return found

    def __iter__(self):
        entry = ctypes.c_void_p()
        while self.check(self.lib.archive_read_next_header(self.archive,
                                                           ctypes.byref(entry))) != EOF:
            yield self.describe(entry)

    def close(self):
        self.lib.archive_read_free(self.archive)


def hash_zeros(h, n):
    zeros = bytes(65536)
    while n > 0:
        h.update(zeros[:min(n, 65536)])
        n -= 65536


def write(lib, path, fmt, members):
    """Members: dicts with path, and optionally data, sparse, link, hard, dir, mtime, xattrs..."""
    archive = ctypes.c_void_p(lib.archive_write_new())

    def must(code):
        if code < 0 and code != WARN:
            raise Refused((lib.archive_error_string(archive) or b"").decode())

    must(lib.archive_write_set_format_by_name(archive, fmt.encode()))
    must(lib.archive_write_open_filename(archive, path.encode()))
    for m in members:
        entry = ctypes.c_void_p(lib.archive_entry_new())
        data = m.get("data", b"")
        lib.archive_entry_set_pathname(entry, m["path"])
        lib.archive_entry_set_filetype(entry, m.get("filetype", 0o100000))
        lib.archive_entry_set_perm(entry, m.get("mode", 0o644))
        lib.archive_entry_set_uid(entry, ctypes.c_int64(m.get("uid", 0)))
        lib.archive_entry_set_gid(entry, ctypes.c_int64(m.get("gid", 0)))
        lib.archive_entry_set_mtime(entry, ctypes.c_int64(m.get("mtime", (0, 0))[0]),
                                    ctypes.c_long(m.get("mtime", (0, 0))[1]))
        lib.archive_entry_set_size(entry, ctypes.c_int64(len(data)))
        if "link" in m:
            lib.archive_entry_set_symlink(entry, m["link"])
        if "hard" in m:
            lib.archive_entry_set_hardlink(entry, m["hard"])
        for name, value in m.get("xattrs", {}).items():
            lib.archive_entry_xattr_add_entry(entry, name, value, ctypes.c_size_t(len(value)))
        for offset, size in m.get("sparse", []):
            lib.archive_entry_sparse_add_entry(entry, ctypes.c_int64(offset),
                                               ctypes.c_int64(size))
        must(lib.archive_write_header(archive, entry))
        if data:
            lib.archive_write_data(archive, data, ctypes.c_size_t(len(data)))
        lib.archive_entry_free(entry)
    must(lib.archive_write_close(archive))
    lib.archive_write_free(archive)
