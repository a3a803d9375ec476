# SPDX-License-Identifier: Apache-2.0
"""A57 to A65: modes, owners, times, xattrs."""
import base64
import struct

from cases import INVALID, NO_SPACE, Case, d, f, h, l
from tarmaker import header, octal, padded, seal

CAP = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)
CAP3 = struct.pack("<IIIIII", 0x03000001, 1 << 10, 0, 0, 0, 1000)


def acl(*entries):
    """The value of system.posix_acl_*: tag, permissions, id."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in entries)


NO_ID = 0xffffffff
OWNER, GROUP, OTHER = (1, 7, NO_ID), (4, 5, NO_ID), (0x20, 5, NO_ID)
MASK = (0x10, 7, NO_ID)
ACL = acl((1, 6, NO_ID), (2, 4, 1000), (4, 4, NO_ID), (0x10, 4, NO_ID), (0x20, 0, NO_ID))
ACL_DEFAULT = acl((1, 7, NO_ID), (2, 5, 1000), (4, 5, NO_ID), (0x10, 5, NO_ID), (0x20, 5, NO_ID))


ACL_LARGE = acl(OWNER, *[(2, i % 8, 1000 + i) for i in range(600)], GROUP,
                *[(8, i % 8, 70000 + i) for i in range(900)], MASK, OTHER)
BAD_ACLS = {
    "nothing": b"", "no_entry": acl(), "short": acl(OWNER, GROUP, OTHER)[:-1],
    "version": b"\1" + acl(OWNER, GROUP, OTHER)[1:], "no_owner": acl(GROUP, OTHER),
    "no_other": acl(OWNER, GROUP), "no_mask": acl(OWNER, (2, 7, 5), GROUP, OTHER),
    "order": acl(OWNER, OTHER, GROUP), "twice": acl(OWNER, OWNER, GROUP, OTHER),
    "bits": acl(OWNER, (4, 8, NO_ID), OTHER), "tag": acl(OWNER, (3, 7, 5), GROUP, MASK, OTHER),
    "no_id": acl(OWNER, (2, 7, NO_ID), GROUP, MASK, OTHER),
}


def raw(*parts):
    return dict(raw=b"".join(parts))


def patched(start, field, typeflag=b"0", name=b"x"):
    """A header with one field replaced."""
    block = header(name, typeflag)
    return raw(seal(block[:start] + field + block[start + len(field):]))


def signed_checksum(name):
    block = header(name, b"0")
    total = sum(b - 256 if b > 127 else b for b in block[:148] + block[156:]) + 8 * 32
    return raw(block[:148] + b"%06o\0 " % total + block[156:])


def libarchive(name, value):
    return ("LIBARCHIVE.xattr." + name, base64.b64encode(value).rstrip(b"="))


CASES = {
    "A57_all_at_once": Case([f("x", "data", mode=0o6755, uid=100, gid=200, mtime=(7, 8),
                               xattrs={"security.capability": CAP, "user.a": b"1"})]),
    "A57_capability_version_3": Case([f("x", "1", mode=0o755,
                                        xattrs={"security.capability": CAP3})]),
    "A58_all_modes": Case([f(f"m{m:04o}", "x", mode=m) for m in (
        0, 1, 0o111, 0o400, 0o777, 0o1644, 0o2755, 0o4755, 0o7777)]),
    "A58_type_bits_in_mode": Case([raw(seal(header(b"d", b"5")[:100] + octal(0o40755, 8)
                                            + header(b"d", b"5")[108:])),
                                   raw(seal(header(b"f", b"0")[:100] + octal(0o100644, 8)
                                            + header(b"f", b"0")[108:]))]),
    "A58_folder_mode_0": Case([d("d", mode=0), f("d/x", "x")], [f("d/y", "y")], has=["d/y"]),
    "A59_large_ids_base256": Case([f("x", "1", uid=2097152, gid=4200664),
                                   f("y", "1", uid=4294967294, gid=65536)]),
    "A59_large_ids_pax": Case([f("x", "1", pax=[("uid", "2097152"), ("gid", "4294967294")])]),
    "A59_names_ignored": Case([f("x", "1", uid=5, pax=[("uname", "root"), ("gname", "daemon")])]),
    "A59_uid_minus_1": Case([f("x", pax=[("uid", "-1")])], expect=INVALID),
    "A59_uid_all_ones": Case([f("x", uid=4294967295)], expect=INVALID),
    "A59_gid_all_ones_pax": Case([f("x", pax=[("gid", "4294967295")])], expect=INVALID),
    "A59_uid_above_32_bits": Case([f("x", pax=[("uid", "4294967296")])], expect=INVALID),
    "A59_uid_negative_base256": Case([patched(108, b"\xff" * 8)], expect=INVALID),
    "A60_times": Case([f(f"t{i}", "x", mtime=t) for i, t in enumerate([
        (0, 0), (1, 1), (1600000000, 999999999), (-2, 500000000), (-1, 250000000), (-100, 0),
        (2**31, 0), (2**33, 5), (15032385535, 0), (-2**31, 0), (2**32 - 1, 1), (2**32, 1),
        (10737418239, 999999999), (12884901888, 0), (15032385535, 999999999),
        (-2**31, 999999999)])]),
    # as the kernel writes and reads them; e2fsck asks whether they are meant to be before 1970
    "A60_times_2310_to_2378": Case([f(f"t{i}", "x", mtime=t) for i, t in enumerate([
        (10737418240, 1), (11000000000, 0), (12884901887, 999999999)])]),
    "A60_times_clamped": Case([f("low", "x", mtime=(-2**31 - 5, 7)), f("high", "x",
                                                                       mtime=(2**40, 9)),
                                f("just_low", "x", mtime=(-2**31 - 1, 500000000)),
                                f("just_high", "x", mtime=(15032385536, 0)),
                                d("d", mtime=(2**35, 1)), l("l", "x", mtime=(-2**34, 1)),
                                dict(name="c", type="c", dev=(1, 3), mtime=(2**36, 1))]),
    "A60_digits_are_cut": Case([f("x", "1", pax=[("mtime", "5.1234567899999")]),
                                f("y", "1", pax=[("mtime", "-5.1234567899999")]),
                                f("z", "1", pax=[("mtime", "7.")]),
                                f("w", "1", pax=[("mtime", "8.5")])]),
    "A60_base256_mtime": Case([patched(136, octal(-5, 12)), patched(136, octal(2**34 - 1, 12),
                                                                    name=b"y")]),
    "A60_exponent": Case([f("x", pax=[("mtime", "1e5")])], expect=INVALID),
    "A60_other_times_ignored": Case([f("x", "1", pax=[("atime", "55.5"), ("ctime", "66.6")])]),
    "A60_times_of_everything": Case([d("d", mtime=(1, 2)), l("l", "d", mtime=(3, 4)),
                                     dict(name="p", type="p", mtime=(5, 6)),
                                     dict(name="c", type="c", dev=(1, 1), mtime=(7, 8))]),
    "A61_leading_spaces": Case([patched(100, b"   644 \0")]),
    "A61_unterminated": Case([patched(136, b"012345670123")]),
    "A61_all_nul": Case([patched(100, b"\0" * 8)]),
    "A61_junk_mode": Case([patched(100, b"0000zz4\0")], expect=INVALID),
    "A61_junk_size": Case([patched(124, b"0000000000x\0")], expect=INVALID),
    "A61_signed_checksum": Case([signed_checksum(b"n\xe4me")]),
    "A61_bad_checksum": Case([raw(header(b"x", b"0")[:148] + b"000001\0 "
                                  + header(b"x", b"0")[156:])], expect=INVALID),
    "A62_schily": Case([f("x", "1", xattrs={"user.nul": b"a\0b", "user.empty": b"",
                                            "user.bin": bytes(range(256)),
                                            "user.new": b"line\nline\n"}),
                        d("d", xattrs={"user.d": b"1"})]),
    "A62_libarchive": Case([f("x", "1", pax=[libarchive("user.a%3Db", b"v\0")]),
                            f("y", "1", pax=[libarchive("user.a", b"lose"),
                                             ("SCHILY.xattr.user.a", b"win")]),
                            f("z", "1", pax=[("SCHILY.xattr.user.a", b"win"),
                                             libarchive("user.a", b"lose")])]),
    "A62_rht_ignored": Case([f("x", "1", pax=[("RHT.security.selinux", "u:r:t:s0")])]),
    "A62_equals_in_value": Case([f("x", "1", xattrs={"user.k": b"a=b=c"})]),
    "A62_many": Case([f("x", "1", xattrs={f"user.attribute-{i:02d}": b"v" * i * 7
                                          for i in range(30)})]),
    "A62_in_inode_then_block": Case([f(f"x{n}", "1", xattrs={"user.v": b"v" * n})
                                     for n in (1, 40, 60, 80, 100, 200, 1000, 3000, 4000)]),
    # 88 bytes for entries and values in an inode, 4060 in a block; an entry like these takes 20
    "A62_exactly_full": Case([f(f"inode{n}", "1", xattrs={"user.v": b"i" * n}) for n in (68, 69)]
                             + [f(f"block{n}", "1", xattrs={"user.v": b"b" * n})
                                for n in (4040, 4041)]
                             + [f(f"both{n}", "1", xattrs={"user.a": b"i" * 68,
                                                           "user.b": b"b" * n})
                                for n in (4040, 4041)]
                             + [d("folder", xattrs={"user.a": b"i" * 68, "user.b": b"b" * 4041})]),
    "A62_hundreds": Case([f("x", "1", xattrs={f"user.{i:03d}": b"" for i in range(205)}),
                          f("y", "1", xattrs={f"user.number-{i:03d}": b"v" * i
                                              for i in range(140)})]),
    "A62_too_many": Case([f("x", xattrs={f"user.{i:03d}": b"" for i in range(210)})],
                         expect=NO_SPACE),
    "A62_long_names": Case([f("x", "1", xattrs={"user." + "n" * 250: b"longest",
                                                "user." + "m" * 249: b""})]),
    "A62_name_too_long": Case([f("x", "1", xattrs={"user." + "n" * 251: b"1"})],
                              expect=INVALID),
    "A62_same_value": Case([f(f"x{i}", "1", xattrs={"user.same": b"S" * 30000})
                            for i in range(4)],
                           [f(".wh.x1"), f("x5", "1", xattrs={"user.same": b"S" * 30000})]),
    "A62_replaced": Case([f("x", "1", xattrs={"user.a": b"A" * 30000, "user.b": b"B" * 3000}),
                          h("y", "x"), d("d", xattrs={"user.d": b"D" * 65536})],
                         [f("x", "2", xattrs={"user.b": b"b" * 5000}),
                          d("d", xattrs={"user.d": b"d", "user.e": b"E" * 4041})],
                         [d("d"), f("x", "3", xattrs={"user.c": b"C" * 60000})]),
    "A62_large": Case([f("x", "1", xattrs={"user.large": b"L" * 5000, "user.small": b"s"}),
                       f("y", "1", xattrs={"user.max": bytes(i % 251 for i in range(65536))})],
                      [f("z", "1", xattrs={"user.other": b"M" * 20000})]),
    "A62_too_large": Case([f("x", xattrs={"user.huge": b"H" * 65537})], expect=(INVALID, NO_SPACE)),
    "A62_link_gives_none": Case([f("x", "1", xattrs={"user.a": b"1"}),
                                 h("y", "x", xattrs={"user.a": b"2"})]),
    "A63_dropped": Case([f("x", "1", xattrs={"security.selinux": b"u:r:t:s0\0",
                                             "trusted.foo": b"1", "system.nfs4_acl": b"x",
                                             "user.kept": b"1"}),
                         l("l", "x", xattrs={"user.on.link": b"1"}),
                         dict(name="p", type="p", xattrs={"user.on.pipe": b"1"}),
                         dict(name="c", type="c", dev=(1, 3), xattrs={"user.on.dev": b"1"})]),
    "A63_posix_acl": Case([f("x", "1", mode=0o640, xattrs={"system.posix_acl_access": ACL}),
                           d("d", mode=0o755, xattrs={"system.posix_acl_default": ACL_DEFAULT})]),
    "A63_posix_acl_large": Case([f("x", "1", mode=0o775,
                                   xattrs={"system.posix_acl_access": ACL_LARGE}),
                                 d("d", mode=0o775,
                                   xattrs={"system.posix_acl_access": ACL_LARGE,
                                           "system.posix_acl_default": ACL_LARGE,
                                           "user.more": b"m" * 5000})]),
    "A63_posix_acl_bad": Case([f("f_" + n, "1", xattrs={"system.posix_acl_access": v,
                                                        "user.kept": b"1"})
                               for n, v in BAD_ACLS.items()]
                              + [d("d_" + n, xattrs={"system.posix_acl_default": v})
                                 for n, v in BAD_ACLS.items()]),
    "A63_posix_acl_elsewhere": Case([
        f("x", "1", mode=0o640, xattrs={"system.posix_acl_default": ACL}),
        l("l", "x", xattrs={"system.posix_acl_access": ACL}),
        dict(name="c", type="c", dev=(1, 3), mode=0o640, xattrs={"system.posix_acl_access": ACL}),
        dict(name="p", type="p", mode=0o640, xattrs={"system.posix_acl_access": ACL,
                                                     "system.posix_acl_default": ACL})]),
    **{f"A63_capability_{n}": Case([f("x", xattrs={"security.capability": v})], expect=INVALID)
       for n, v in (("short", CAP[:-1]), ("revision_1", b"\1\0\0\1" + bytes(8)),
                    ("revision_4", b"\0\0\0\4" + bytes(20)), ("empty", b""))},
    "A63_capability_elsewhere": Case([
        d("d", xattrs={"security.capability": CAP}), l("l", "d", xattrs={
            "security.capability": CAP}), dict(name="c", type="c", dev=(1, 3),
                                               xattrs={"security.capability": CAP3}),
        dict(name="p", type="p", xattrs={"security.capability": CAP})]),
    "A64_acl_text_ignored": Case([f("x", "1", mode=0o644, pax=[
        ("SCHILY.acl.access", "user::rw-,user:1000:r--,group::r--,mask::r--,other::---")])]),
    "A65_plain_files": Case([f("._x", "mac"), f("x", "1", pax=[
        ("SCHILY.fflags", "nodump"), ("comment", "nothing")])]),
    "A61_prefix_of_gnu_ignored": Case([raw(seal(header(b"g", b"0", magic=b"ustar  \0")[:345]
                                                + b"00000000017\0" + bytes(155)))], has=["g"]),
    "A58_data_kept_whole": Case([f(f"s{n}", bytes(i % 253 for i in range(n))) for n in (
        1, 511, 512, 513, 4095, 4096, 4097, 65535, 65536, 65537, 200000)]),
    "A61_pax_and_padding": Case([raw(header(b"x", b"0", 3), padded(b"abc")), f("y", "1")]),
}
