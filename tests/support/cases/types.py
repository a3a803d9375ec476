# SPDX-License-Identifier: Apache-2.0
"""A15 to A30: types of entries, sparse files, devices, links."""
from cases import INVALID, NO_SPACE, Case, d, f, h, l, wh
from tarmaker import header, octal, padded, pax_header, seal


def raw(*parts):
    return dict(raw=b"".join(parts))


def typed(flag, name=b"x", size=0, **more):
    return raw(header(name, flag, size, **more))


def old_sparse(name, runs, size, data, extra=()):
    """A file in the old GNU form: up to four runs in the header, the rest in blocks behind it."""
    block = bytearray(header(name, b"S", len(data), magic=b"ustar  \0"))
    for i, (offset, length) in enumerate(runs):
        block[386 + 24 * i:410 + 24 * i] = octal(offset, 12) + octal(length, 12)
    block[482] = 1 if extra else 0
    block[483:495] = octal(size, 12)
    blocks = [seal(bytes(block))]
    for start in range(0, len(extra), 21):
        more = bytearray(512)
        for i, (offset, length) in enumerate(extra[start:start + 21]):
            more[24 * i:24 + 24 * i] = octal(offset, 12) + octal(length, 12)
        more[504] = 1 if start + 21 < len(extra) else 0
        blocks.append(bytes(more))
    return raw(*blocks, padded(data))


def sparse00(name, runs, size, data):
    records = [("GNU.sparse.size", str(size)), ("GNU.sparse.numblocks", str(len(runs)))]
    for offset, length in runs:
        records += [("GNU.sparse.offset", str(offset)), ("GNU.sparse.numbytes", str(length))]
    return raw(pax_header(records), header(name, b"0", len(data)), padded(data))


def sparse01(name, runs, size, data):
    records = [("GNU.sparse.size", str(size)), ("GNU.sparse.numblocks", str(len(runs))),
               ("GNU.sparse.name", name),
               ("GNU.sparse.map", ",".join(f"{o},{n}" for o, n in runs))]
    return raw(pax_header(records), header(b"GNUSparseFile.1/x", b"0", len(data)), padded(data))


def sparse10(name, runs, size, data):
    text = f"{len(runs)}\n" + "".join(f"{o}\n{n}\n" for o, n in runs)
    body = padded(text.encode()) + data
    records = [("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.name", name),
               ("GNU.sparse.realsize", str(size))]
    return raw(pax_header(records), header(b"GNUSparseFile.1/x", b"0", len(body)), padded(body))


MANY = [(i * 10240, 512) for i in range(119)] + [(1300000, 77)]
MANY_DATA = bytes((i * 7) % 251 for i in range(119 * 512 + 77))
HOLES = [(0, 512), (1 << 20, 1024), (1600000, 5), (3 << 20, 0)]
HOLES_DATA = bytes(i % 249 + 1 for i in range(512 + 1024 + 5))

FILE_MAX = (2**32 - 1) * 4096  # logical blocks have 32 bits, and the last number is not used

CASES = {
    "A15_typeflag_nul": Case([typed(b"\0", b"old", 3), raw(padded(b"abc"))], has=["old"]),
    "A15_folder_by_slash": Case([typed(b"0", b"dir/", mode=0o755), typed(b"\0", b"v7/", mode=0o700)],
                                has=["dir", "v7"]),
    "A15_contiguous_is_file": Case([typed(b"7", b"cont", 3), raw(padded(b"abc"))]),
    **{f"A15_type_{n}": Case([f("a"), typed(flag)], expect=INVALID) for n, flag in (
        ("dumpdir", b"D"), ("label", b"V"), ("multivolume", b"M"), ("old_long", b"N"),
        ("solaris_acl", b"A"), ("solaris_x", b"X"), ("unknown", b"Z"), ("digit8", b"8"))},
    "A16_size_on_folder": Case([raw(header(b"dir", b"5", 600, mode=0o755)), f("after", "x")],
                               has=["dir", "after"]),
    "A16_size_on_symlink": Case([raw(header(b"ln", b"2", 9, target=b"t")), f("after", "x")],
                                has=["after"]),
    "A16_size_on_link": Case([f("a", "1"), raw(header(b"b", b"1", 1, target=b"a")),
                              f("after", "x")], has=["b", "after"]),
    "A16_size_with_body": Case([f("a", "1"), raw(header(b"b", b"1", 9, target=b"a"),
                                                 padded(b"some body"))], expect=INVALID),
    "A17_short_file": Case(header(b"x", b"0", 5000) + padded(b"abc"), expect=INVALID),
    "A18_sparse_old": Case([old_sparse(b"s", HOLES, 3 << 20, HOLES_DATA)]),
    "A18_sparse_old_long": Case([old_sparse(b"s", MANY[:4], 2 << 20, MANY_DATA, MANY[4:]),
                                 f("after", "x")], has=["after"]),
    "A18_sparse_00": Case([sparse00(b"s", HOLES, 3 << 20, HOLES_DATA), f("after", "x")]),
    "A18_sparse_01": Case([sparse01(b"s", HOLES, 3 << 20, HOLES_DATA), f("after", "x")],
                          has=["s"]),
    "A18_sparse_10": Case([sparse10(b"s", HOLES, 3 << 20, HOLES_DATA), f("after", "x")],
                          has=["s"]),
    "A18_sparse_10_map_of_blocks": Case([sparse10(b"s", MANY, 2 << 20, MANY_DATA),
                                         f("after", "x")], has=["s", "after"]),
    "A18_sparse_nothing": Case([sparse10(b"s", [(0, 0)], 0, b""),
                                sparse00(b"t", [(100000, 0)], 100000, b""),
                                old_sparse(b"u", [], 0, b"")]),
    "A18_sparse_hole_at_start": Case([sparse01(b"s", [(99999, 3)], 100002, b"abc")]),
    "A18_sparse_holes_everywhere": Case(
        [sparse01(b"start", [(1 << 20, 4096)], (1 << 20) + 4096, b"s" * 4096),
         sparse01(b"middle", [(0, 4096), (1 << 20, 4096)], (1 << 20) + 4096, b"m" * 8192),
         sparse01(b"end", [(0, 4096)], 1 << 20, b"e" * 4096),
         sparse10(b"all", [(0, 0)], (1 << 30) + 1, b""),
         sparse01(b"odd", [(3584, 1024), (12287, 512), (20480, 1)], 99999, b"o" * 1537)]),
    "A18_sparse_run_within_a_block": Case([sparse01(b"s", [(0, 5), (4096, 5)], 9000, b"x" * 10)],
                                          expect=INVALID),
    "A18_sparse_overlap": Case([sparse01(b"s", [(0, 10), (5, 10)], 100, b"x" * 20)],
                               expect=INVALID),
    "A18_sparse_beyond_size": Case([sparse01(b"s", [(95, 10)], 100, b"x" * 10)], expect=INVALID),
    "A18_sparse_map_shorter_than_data": Case([sparse01(b"s", [(0, 10)], 100, b"x" * 20)],
                                             expect=INVALID),
    "A18_sparse_10_endless_map": Case([raw(pax_header([
        ("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.name", "s"),
        ("GNU.sparse.realsize", "5")]), header(b"x", b"0", 512), padded(b"99999999999\n0\n"))],
        expect=INVALID),
    "A19_sparse_60_gib": Case([sparse10(b"big", [(i * 10 << 30, 512) for i in range(6)],
                                        60 << 30, b"".join(bytes([i + 1]) * 512
                                                           for i in range(6)))]),
    "A19_sparse_12_gib_hole": Case([old_sparse(b"hole", [(0, 512), ((12 << 30) - 3, 3)],
                                               12 << 30, b"a" * 512 + b"xyz")]),
    "A19_largest_file": Case([sparse10(b"most", [(FILE_MAX - 1, 1)], FILE_MAX, b"!"),
                              sparse10(b"ends", [(0, 512), (1 << 43, 512), (FILE_MAX - 4097, 4097)],
                                       FILE_MAX, b"1" * 512 + b"m" * 512 + b"e" * 4097),
                              sparse10(b"hole", [(0, 0)], FILE_MAX, b"")]),
    "A19_one_byte_more": Case([sparse10(b"most", [(0, 1)], FILE_MAX + 1, b"!")], expect=NO_SPACE),
    "A19_last_byte_of_16_tib": Case([sparse10(b"most", [((1 << 44) - 1, 1)], 1 << 44, b"!")],
                                    expect=NO_SPACE),
    "A19_sparse_beyond_ext4": Case([sparse10(b"big", [(0, 3)], 1 << 45, b"abc")],
                                   expect=NO_SPACE),
    "A20_devices": Case([d("dev"), dict(name="dev/null", type="c", dev=(1, 3), mode=0o666),
                         dict(name="dev/sda", type="b", dev=(8, 0), mode=0o660, gid=6),
                         dict(name="dev/max", type="c", dev=(4095, 1048575)),
                         dict(name="dev/mid", type="b", dev=(259, 256)),
                         dict(name="dev/zero", type="c", dev=(0, 0))]),
    "A20_device_too_large": Case([dict(name="c", type="c", dev=(4096, 0))], expect=INVALID),
    "A20_minor_too_large": Case([dict(name="c", type="c", dev=(1, 1 << 20))], expect=INVALID),
    "A21_fifo": Case([dict(name="p", type="p", mode=0o622, uid=3, mtime=(5, 6))]),
    "A22_symlinks": Case([l("abs", "/etc/passwd"), l("dots", "../../.."), l("slash", "a/"),
                          l("gone", "no/such/thing"), l("long", "t" * 4095),
                          l("bytes", b"\xff\xfe", uid=7, gid=8, mtime=(9, 123)),
                          l("short", "x" * 59), l("middle", "x" * 60), l("block", "x" * 200),
                          l("last", "y" * 4094)]),
    "A22_symlink_too_long": Case([l("long", "t" * 4096)], expect=INVALID),
    "A22_symlink_without_target": Case([l("empty", "")], expect=INVALID),
    "A23_link_through_symlinks": Case([d("real"), f("real/x", "1"), l("rel", "real"),
                                       l("abs", "/real"), h("one", "rel/x"), h("two", "abs/x"),
                                       l("real/y", "x"), h("three", "rel/y")]),
    "A24_absolute_target": Case([f("d/x", "1"), h("y", "/d/x")], has=["y"]),
    "A24_target_leaves_root": Case([f("x", "1"), h("y", "../../x")], expect=INVALID),
    "A24_target_missing": Case([h("y", "no/x")], expect=INVALID),
    "A24_target_later": Case([h("y", "x"), f("x", "1")], expect=INVALID),
    "A25_link_to_symlink": Case([f("file", "1", mode=0o600), l("sym", "file"),
                                 h("again", "sym", mode=0o777, uid=5)]),
    "A25_link_to_dangling_symlink": Case([l("sym", "nowhere"), h("again", "sym")]),
    "A26_link_to_folder": Case([d("d"), h("x", "d")], expect=INVALID),
    "A26_link_to_device": Case([dict(name="c", type="c", dev=(1, 5)), h("c2", "c"),
                                dict(name="p", type="p"), h("p2", "p")]),
    "A27_link_to_lower_layer": Case([f("d/x", "shared"), f("d/other", "o")],
                                    [h("y", "d/x"), h("d/z", "d/x")], [h("w", "y")]),
    "A27_link_then_lower_name_goes": Case([f("x", "shared")], [h("y", "x")], [wh("x")],
                                          has=["y"], lacks=["x"]),
    "A28_link_header_not_applied": Case([f("x", "1", mode=0o600, uid=1, gid=2, mtime=(5, 6),
                                           xattrs={"user.a": b"1"}),
                                         h("y", "x", mode=0o777, uid=9, gid=9, mtime=(7, 8),
                                           xattrs={"user.b": b"2"})]),
    "A29_link_to_whited_out": Case([f("x", "1")], [wh("x"), h("y", "x")], expect=INVALID),
    "A29_link_to_replaced": Case([f("x", "old")], [f("x", "new"), h("y", "x")]),
    "A30_link_to_itself": Case([f("a", "1"), h("a", "./a")], expect=INVALID),
    "A30_link_replaces_its_target": Case([f("d/x", "1"), h("d", "d/x")], expect=INVALID),
    "A30_link_to_other_name": Case([f("a", "1"), h("b", "a"), h("a", "b")]),
}
