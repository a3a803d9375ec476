# SPDX-License-Identifier: Apache-2.0
"""A69 and A70: zstd in all its forms, types that say something else, what no layer may be."""
import bz2
import lzma

import zstd_frames as zf
from cases import INVALID, UNSUPPORTED, VERIFICATION, Case, Codec, d, f
from ocilayout import gz
from tarmaker import archive

OCI = "application/vnd.oci.image.layer.v1.tar"
KEEP = "application/vnd.oci.image.layer.nondistributable.v1.tar"
DOCKER = "application/vnd.docker.image.rootfs."


def tar(mark):
    """A tar of its own: what must be refused must not be known from another image."""
    return archive([d("d"), f("d/x", mark * 900), f("y", "1")])


TAR = tar("codecs")


def zstd(stored, data=TAR):
    return Case(Codec(data, stored, OCI + "+zstd"), has=["d/x"])


def refused(mark, make, expect=INVALID, kind=OCI + "+zstd"):
    data = tar(mark)
    return Case(Codec(data, make(data), kind), expect=expect)


def typed(kind, stored):
    return Case(Codec(TAR, stored, kind), has=["d/x"])


def checksum_off(packed):
    return packed[:-1] + bytes([packed[-1] ^ 1])


BODIES = {"plain": lambda data: data, "gzip": gz, "zstd": zf.zstd}
TYPES = {"plain": OCI, "gzip": OCI + "+gzip", "zstd": OCI + "+zstd"}
LZ4 = b"\x04\x22\x4d\x18\x60\x40\x82"

CASES = {
    "A69_zstd": zstd(zf.zstd(TAR)),
    "A69_fast": zstd(zf.zstd(TAR, "--fast=5")),
    "A69_ultra": zstd(zf.zstd(TAR, "--ultra", "-22")),
    "A69_window_of_128_mib": zstd(zf.zstd(TAR, "--long=27")),
    "A69_no_checksum": zstd(zf.zstd(TAR, "--no-check")),
    "A69_content_size": zstd(zf.zstd(TAR, f"--stream-size={len(TAR)}")),
    "A69_frames": zstd(zf.frames(TAR, 7)),
    "A69_frame_for_each_byte_of_header": zstd(b"".join(
        zf.raw_frame(TAR[i:i + 1]) for i in range(512)) + zf.zstd(TAR[512:])),
    "A69_empty_frames": zstd(zf.zstd(b"") * 3 + zf.zstd(TAR) + zf.raw_frame(b"") * 2),
    "A69_skippable_first": zstd(zf.skippable(b"first") + zf.zstd(TAR)),
    "A69_skippable_last": zstd(zf.zstd(TAR) + zf.skippable(b"last", 15)),
    "A69_skippable_between": zstd(zf.zstd(TAR[:700]) + b"".join(
        zf.skippable(b"x" * n, n) for n in range(16)) + zf.zstd(TAR[700:])),
    "A69_skippable_large": zstd(zf.skippable(bytes(3 << 20), 5) + zf.zstd(TAR)),
    "A69_zstd_chunked": zstd(zf.chunked(TAR, 3)),
    "A69_pzstd": zstd(zf.zstd(TAR, "-p", "2", program="pzstd")),
    "A69_raw_blocks": zstd(zf.raw_frame(TAR)),
    "A69_dictionary": refused("dictionary", lambda t: zf.raw_frame(t, 1, b"\x38\x07")),
    "A69_window_of_2_gib": refused("window", lambda t: zf.zstd(t, "--long=31", "--ultra")),
    "A69_bad_checksum": refused("checksum", lambda t: checksum_off(zf.zstd(t))),
    "A69_cut": refused("cut", lambda t: zf.zstd(t)[:-30]),
    "A69_cut_in_checksum": refused("cut_checksum", lambda t: zf.zstd(t)[:-1]),
    "A69_cut_in_skippable": refused("cut_skip", lambda t: zf.zstd(t) + zf.skippable(b"abc")[:-1]),
    "A69_garbage_after": refused("garbage", lambda t: zf.zstd(t) + b"garbage"),
    "A69_zeros_after": refused("zeros", lambda t: zf.zstd(t) + bytes(512)),
    # The zstd program takes gzip as well, so to it these are other contents.
    "A69_gzip_after": refused("gzip after", lambda t: zf.zstd(t) + gz(t),
                              (INVALID, VERIFICATION)),
    "A69_reserved_bit": refused("reserved", lambda t: zf.raw_frame(t, 8)),
    "A71_zstd_of_nothing": Case([f("a", "1")], Codec(b"", zf.zstd(b""), OCI + "+zstd"),
                                has=["a"]),
    "A71_skippable_and_nothing": Case([f("a", "1")], Codec(b"", zf.skippable(b"x"), OCI + "+zstd"),
                                      has=["a"]),
    "B3_docker_zstd": typed(DOCKER + "diff.tar.zstd", zf.zstd(TAR)),
    "B3_docker_hides_gzip": typed(DOCKER + "diff.tar", gz(TAR)),
    "B3_docker_hides_zstd": typed(DOCKER + "diff.tar", zf.zstd(TAR)),
    "B3_docker_plain": typed(DOCKER + "diff.tar", TAR),
    "B3_docker_gzip": typed(DOCKER + "diff.tar.gzip", gz(TAR)),
    "B3_docker_foreign": typed(DOCKER + "foreign.diff.tar", TAR),
    "B3_docker_foreign_gzip": typed(DOCKER + "foreign.diff.tar.gzip", gz(TAR)),
    "B3_nondistributable": typed(KEEP, TAR),
    "B3_nondistributable_gzip": typed(KEEP + "+gzip", gz(TAR)),
    "B3_nondistributable_zstd": typed(KEEP + "+zstd", zf.zstd(TAR)),
    "F42_skippable_frames_only": Case([f("a", "1")], Codec(b"", zf.skippable() * 500000,
                                                           OCI + "+zstd"), has=["a"]),
    "F42_empty_members_only": Case([f("a", "1")], Codec(b"", gz(b"") * 200000), has=["a"]),
    "F43_gzip_in_zstd": Case(Codec(gz(tar("gz in zst")), zf.zstd(gz(tar("gz in zst"))),
                                   OCI + "+zstd"), expect=INVALID),
    "F43_zstd_in_gzip": Case(Codec(zf.zstd(tar("zst in gz")), gz(zf.zstd(tar("zst in gz"))),
                                   OCI + "+gzip"), expect=INVALID),
    "F43_zstd_in_zstd": Case(Codec(zf.zstd(tar("twice zst")), zf.zstd(zf.zstd(tar("twice zst"))),
                                   OCI + "+zstd"), expect=INVALID),
    "F46_bzip2": refused("bzip2", bz2.compress, UNSUPPORTED),
    "F46_bzip2_of_nothing": refused("bzip2 0", lambda t: bz2.compress(b""), UNSUPPORTED),
    "F46_xz": refused("xz", lzma.compress, UNSUPPORTED),
    "F46_lzma": refused("lzma", lambda t: lzma.compress(t, lzma.FORMAT_ALONE), UNSUPPORTED),
    "F46_lz4": refused("lz4", lambda t: LZ4 + t + bytes(4), UNSUPPORTED, kind=OCI),
}
CASES.update({f"A70_{body}_called_{said}": typed(TYPES[said], make(TAR))
              for body, make in BODIES.items() for said in TYPES if said != body
              and (body, said) != ("plain", "gzip")})  # that one is in streams.py
