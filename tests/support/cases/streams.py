# SPDX-License-Identifier: Apache-2.0
"""A66 to A71 and A75: streams, gzip, empty layers, sizes and digests that are wrong."""
import gzip
import struct
import zlib

from cases import INVALID, TREE, VERIFICATION, Case, Codec, d, f, h
from ocilayout import gz
from tarmaker import archive, header, member, padded

TAR = archive([d("d"), f("d/x", "hello" * 1000), f("y", "1")])


def tar(mark):
    """A tar of its own: what must be refused must not be known from another image."""
    return archive([d("d"), f("d/x", mark * 900), f("y", "1")])


JUNK = bytes(range(1, 256)) * 9


def gz_parts(data, flags=0, extra=b"", crc=None, size=None):
    """One gzip member with chosen header flags and trailer."""
    body = zlib.compressobj(6, zlib.DEFLATED, -15)
    packed = body.compress(data) + body.flush()
    crc = zlib.crc32(data) if crc is None else crc
    size = len(data) if size is None else size
    return (b"\x1f\x8b\x08" + bytes([flags]) + b"\0" * 4 + b"\x00\xff" + extra + packed
            + struct.pack("<II", crc & 0xffffffff, size & 0xffffffff))


def with_header_crc(data):
    start = b"\x1f\x8b\x08\x02" + b"\0" * 4 + b"\x00\xff"
    return gz_parts(data, 2, struct.pack("<H", zlib.crc32(start) & 0xffff))


EXTRA = struct.pack("<H", 4) + b"abcd"
ALL_FIELDS = EXTRA + b"name.tar\0" + b"a comment\0"

CASES = {
    "A66_junk_after_end": Case(archive([f("a", "1")]) + JUNK, has=["a"]),
    "A66_junk_looks_like_entry": Case(archive([f("a", "1")]) + archive([f("b", "2")]), has=["a"],
                                      lacks=["b"]),
    "A66_lone_zero_block": Case(member(f("a", "1")) + bytes(512) + archive([f("b", "2")]),
                                expect=INVALID),
    "A67_no_end": Case(archive([f("a", "1"), f("b", "2")], end=0), has=["a", "b"]),
    "A67_one_zero_block": Case(archive([f("a", "1")], end=512), has=["a"]),
    "A67_short_last_block": Case(archive([f("a", "1"), f("b", "tail")], end=0)[:-500],
                                 has=["a", "b"]),
    "A67_blocking_factor": Case(archive([f("a", "1")], end=10240 - 1024), has=["a"]),
    "A67_cut_in_data": Case(archive([f("a", "x" * 3000)], end=0)[:2000], expect=INVALID),
    "A67_cut_in_header": Case(archive([f("a", "1")], end=0) + header(b"b", b"0")[:300],
                              expect=INVALID),
    "A68_members": Case(Codec(TAR, gz(TAR, members=7)), has=["d/x"]),
    "A68_member_for_each_byte_of_header": Case(Codec(TAR, gz(TAR, members=len(TAR) // 100))),
    "A68_empty_members": Case(Codec(TAR, gzip.compress(b"", mtime=0) * 3 + gz(TAR)
                                    + gzip.compress(b"", mtime=0) * 2)),
    "A68_header_fields": Case(Codec(TAR, gz_parts(TAR, 4 | 8 | 16, ALL_FIELDS))),
    "A68_header_crc": Case(Codec(TAR, with_header_crc(TAR))),
    "A68_zero_padding": Case(Codec(TAR, gz(TAR) + bytes(1000))),
    "A68_stored_blocks": Case(Codec(TAR, gz(TAR, level=0))),
    "A68_bad_crc": Case(Codec(tar("bad_crc"), gz_parts(tar("bad_crc"), crc=1)), expect=INVALID),
    "A68_bad_size": Case(Codec(tar("bad_size"), gz_parts(tar("bad_size"), size=1)), expect=INVALID),
    "A68_reserved_flags": Case(Codec(tar("reserved"), gz_parts(tar("reserved"), 0x20)), expect=INVALID),
    "A68_no_trailer": Case(Codec(tar("no_trail"), gz(tar("no_trail"))[:-8]), expect=INVALID),
    "A68_cut": Case(Codec(tar("cut"), gz(tar("cut"))[:-60]), expect=INVALID),
    "A68_garbage_after": Case(Codec(tar("garbage_"), gz(tar("garbage_")) + b"garbage"), expect=INVALID),
    "A68_gzip_in_gzip": Case(Codec(gz(tar("twice")), gz(gz(tar("twice")))), expect=INVALID),
    "A70_plain_called_gzip": Case(Codec(TAR, TAR), has=["d/x"]),
    "A71_nothing": Case([f("a", "1")], b"", [f("b", "2")], has=["a", "b"]),
    "A71_nothing_at_all": Case(b""),
    "A71_two_zero_blocks": Case([f("a", "1")], bytes(1024), has=["a"]),
    "A71_twenty_zero_blocks": Case(bytes(10240)),
    "A71_gzip_of_nothing": Case([f("a", "1")], Codec(b"", gzip.compress(b"", mtime=0)),
                                has=["a"]),
    "A71_same_layer_twice": Case([f("a", "1")], [f("b", "2")], [f("a", "1")], [f("b", "2")],
                                 has=["a", "b"]),
    "A75_many_links": Case([f("x", "1")] + [h(f"l/{i:05d}", "x") for i in range(3000)]),
    "A75_empty_file_with_xattrs": Case([f("x", "", xattrs={
        f"user.{i}": b"v" * 50 for i in range(20)})]),
    "A68_wrong_checksum_of_tar_after_gzip": Case(Codec(tar("wrong_ch"), gz(tar("wrong_ch")[:300] + b"X" + tar("wrong_ch")[301:])),
                                                 expect=(INVALID, VERIFICATION)),
    "A66_diff_id_of_other_padding": Case(Codec(archive([f("a", "66")], end=1024), gz(archive(
        [f("a", "66")], end=2048))), expect=VERIFICATION),
    "A67_padding_not_zero": Case(header(b"x", b"0", 3) + b"abc" + b"\xff" * 509 + archive(
        [f("y", "1")]), has=["x", "y"]),
    "A75_many_folders": Case([f(f"p{i // 50}/q{i}/r/leaf", str(i)) for i in range(600)],
                             expect=TREE, has=["p11/q599/r/leaf"]),
    "A67_last_entry_without_data": Case(member(d("d")) + member(f("a", "")), has=["a"]),
    "A66_zeros_then_junk_in_padding": Case(member(f("a", "1")) + bytes(1024) + padded(JUNK)),
}
