# SPDX-License-Identifier: Apache-2.0
"""Tar streams with every byte under control: what image builders write, and what they should not.

A member is a dict: name, type, data, mode, uid, gid, mtime, target, dev=(major, minor), xattrs,
pax (extra records), format ("ustar", "pax", "gnu"), raw (bytes to put instead of all that).
"""
import struct

BLOCK = 512
TYPES = {"f": b"0", "l": b"2", "h": b"1", "c": b"3", "b": b"4", "d": b"5", "p": b"6"}


def to_bytes(text):
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def octal(value, width):
    """A numeric field: octal with a NUL, base-256 when that does not fit."""
    if 0 <= value < 8 ** (width - 1):
        return b"%0*o\0" % (width - 1, value)
    if value < 0:
        value += 1 << (8 * width)
        return value.to_bytes(width, "big")
    return (value | 0x80 << (8 * (width - 1))).to_bytes(width, "big")


def checksum(block):
    return sum(block[:148]) + 8 * 32 + sum(block[156:BLOCK])


def seal(block):
    """Put the checksum of a header in its place."""
    return block[:148] + b"%06o\0 " % checksum(block) + block[156:]


def header(name, typeflag, size=0, mode=0o644, uid=0, gid=0, mtime=0, target=b"", dev=(0, 0),
           prefix=b"", magic=b"ustar\x0000"):
    block = struct.pack(
        "100s8s8s8s12s12s8s1s100s8s32s32s8s8s155s12x", name, octal(mode, 8), octal(uid, 8),
        octal(gid, 8), octal(size, 12), octal(mtime, 12), b"", typeflag, target, magic, b"", b"",
        octal(dev[0], 8), octal(dev[1], 8), prefix)
    return seal(block)


def padded(data):
    return data + b"\0" * (-len(data) % BLOCK)


def pax_record(key, value):
    body = b" " + to_bytes(key) + b"=" + to_bytes(value) + b"\n"
    size = len(body)
    while len(str(size)) + len(body) != size:
        size = len(str(size)) + len(body)
    return str(size).encode() + body


def pax_header(records, typeflag=b"x", name=b"PaxHeaders/x"):
    body = b"".join(pax_record(k, v) for k, v in records)
    return header(name, typeflag, len(body)) + padded(body)


def gnu_long(typeflag, text):
    text = text + b"\0"
    return header(b"././@LongLink", typeflag, len(text), magic=b"ustar  \0") + padded(text)


def time_text(mtime):
    """(sec, nsec) or a number, as PAX writes it; the fraction counts up from sec."""
    sec, nsec = mtime
    if sec < 0 and nsec:
        total = -(sec * 10**9 + nsec)
        return f"-{total // 10**9}.{total % 10**9:09d}"
    return f"{sec}.{nsec:09d}" if nsec else f"{sec}"


def split_ustar(name):
    """(prefix, name) when a long name fits ustar that way, else None."""
    if len(name) <= 100:
        return b"", name
    for i in range(min(len(name) - 1, 155), 0, -1):
        if name[i:i + 1] == b"/" and 0 < len(name) - i - 1 <= 100:
            return name[:i], name[i + 1:]
    return None


def names(m, name, target, records):
    """Long names in the way of the member's format: (bytes in front, prefix, name, target)."""
    front, prefix, style = b"", b"", m.get("format", "pax")
    if style == "gnu":
        if len(target) > 100:
            front += gnu_long(b"K", target)
        if len(name) > 100:
            front += gnu_long(b"L", name)
        return front, prefix, name[:100], target[:100]
    split = split_ustar(name)
    if split:
        prefix, name = split
    else:
        records.append(("path", name))
        name = name[:100]
    if len(target) > 100:
        records.append(("linkpath", target))
        target = target[:100]
    return front, prefix, name, target


def member(m):
    """One member as bytes: extension headers, header, padded data."""
    if "raw" in m:
        return m["raw"]
    records = []
    kind = m.get("type", "f")
    typeflag = TYPES.get(kind, to_bytes(kind))
    data = to_bytes(m.get("data", b""))
    mtime = m.get("mtime", 0)
    if isinstance(mtime, tuple):
        records.append(("mtime", time_text(mtime)))
        mtime = max(mtime[0], 0)
    records += [("SCHILY.xattr." + k, v) for k, v in m.get("xattrs", {}).items()]
    records += list(m.get("pax", []))
    front, prefix, name, target = names(m, to_bytes(m["name"]), to_bytes(m.get("target", b"")),
                                        records)
    if records:
        front += pax_header(records)
    block = header(name, typeflag, m.get("size", len(data)),
                   m.get("mode", 0o755 if kind == "d" else 0o644), m.get("uid", 0), m.get("gid", 0),
                   mtime, target, m.get("dev", (0, 0)), prefix,
                   b"ustar  \0" if m.get("format") == "gnu" else b"ustar\x0000")
    return front + block + padded(data)


def archive(members, end=2 * BLOCK):
    """A whole stream; `end` bytes of zeros close it."""
    return b"".join(member(m) for m in members) + b"\0" * end
