# SPDX-License-Identifier: Apache-2.0
"""A1 to A14: names and paths, long names, PAX records."""
from cases import INVALID, Case, d, f, h, l
from tarmaker import gnu_long, header, member, padded, pax_header, pax_record

LONG = "/".join(["a-folder-with-a-name-of-some-length-%02d" % i for i in range(8)])
PART = "p" * 255


def raw(*parts):
    return dict(raw=b"".join(parts))


def pax_body(body):
    """An extended header with a body that need not be right, and its entry."""
    return raw(header(b"PaxHeaders/x", b"x", len(body)) + padded(body),
               header(b"victim", b"0", 0))


CASES = {
    "A1_forms_of_one_path": Case([d("./a"), d("/b/"), d("c//d///"), f("./a/./x", "1"),
                                  f("//b//y", "2"), f("c/d/../z", "3")],
                                 has=["a/x", "b/y", "c/z", "c/d"]),
    "A1_same_path_twice": Case([d("a/", mode=0o700), d("./a", mode=0o711), d("/a/", mode=0o750)]),
    "A2_inner_dots": Case([f("etc/one", "1"), f("etc/two", "2")],
                          [f("dne/../.wh.etc"), f("x/../y", "y")], has=["y"], lacks=["etc", "x"]),
    "A3_name_leaves_root": Case([f("../x")], expect=INVALID),
    "A3_name_leaves_root_late": Case([f("a/../../x")], expect=INVALID),
    "A3_absolute_name_leaves_root": Case([f("/../x")], expect=INVALID),
    "A4_root_entry": Case([d("./", mode=0o555, uid=5, gid=6, xattrs={"user.root": b"1"}),
                           f("a", "1")]),
    "A4_root_entry_replaced": Case([d(".", mode=0o555, xattrs={"user.root": b"1"})],
                                   [d("/", mode=0o711, mtime=(77, 5))]),
    "A4_no_root_entry": Case([f("a", "1")]),
    "A5_root_as_file": Case([f(".")], expect=INVALID),
    "A5_root_as_symlink": Case([l("./", "etc")], expect=INVALID),
    "A5_root_as_link": Case([f("a"), h("/", "a")], expect=INVALID),
    "A5_root_as_device": Case([dict(name=".", type="c", dev=(1, 3))], expect=INVALID),
    "A6_empty_name_folder": Case([d("", mode=0o700), f("a")]),
    "A6_empty_name_file": Case([f("", "x")], expect=INVALID),
    "A7_strange_bytes": Case([f(n, str(i)) for i, n in enumerate([
        "new\nline", "tab\tbed", "bell\x07", "back\\slash", "C:", b"\xff\xfe\xfd", "\u00e9",
        "e\u0301", "A", "a", "-dash", "space ", "dot.", " lead", "%41", "'quote\"", "...", "*",
        b"\xe2\x82", "\u65e5\u672c"])]),
    "A8_part_of_255": Case([f(PART, "x"), d("d/" + PART), f("d/" + PART + "/" + PART, "y")]),
    "A8_part_of_256": Case([f("d/" + "q" * 256)], expect=INVALID),
    "A8_deep_path": Case([f("/".join(["deep"] * 900) + "/leaf", "end")]),
    "A8_deep_path_of_long_parts": Case([f("/".join([PART] * 20) + "/leaf", "end"),
                                        l("/".join([PART] * 20) + "/link", PART),
                                        h("top", "/".join([PART] * 20) + "/leaf")]),
    "A9_ustar_prefix": Case([f(LONG[:200] + "/file", "u", format="ustar")]),
    "A9_gnu_long_names": Case([f(LONG + "/file", "g", format="gnu"),
                               l("link", LONG + "/file", format="gnu"),
                               h("hard", LONG + "/file", format="gnu")]),
    "A9_pax_long_names": Case([f(LONG + "/file", "p"), l("link", LONG + "/file"),
                               h("hard", LONG + "/file")]),
    "A9_last_long_name_wins": Case([raw(gnu_long(b"L", b"first"), gnu_long(b"L", b"second"),
                                        header(b"x", b"0", 0))], has=["second"], lacks=["first"]),
    "A9_last_pax_record_wins": Case([f("x", pax=[("path", "one"), ("path", "two")])], has=["two"],
                                    lacks=["one", "x"]),
    "A9_last_pax_header_wins": Case([raw(
        pax_header([("path", "one"), ("mtime", "5")]), pax_header([("uid", "7")]),
        header(b"plain", b"0", 0))], has=["plain"], lacks=["one"]),
    "A9_long_name_cut_at_nul": Case([raw(gnu_long(b"L", b"cut\0here"), header(b"x", b"0", 0))],
                                    has=["cut"]),
    "A10_two_long_names": Case([raw(pax_header([("path", "p")]), gnu_long(b"L", b"g"),
                                    header(b"x", b"0", 0))], expect=INVALID),
    "A10_two_long_links": Case([raw(pax_header([("linkpath", "p")]), gnu_long(b"K", b"g"),
                                    header(b"x", b"2", 0, target=b"t"))], expect=INVALID),
    "A11_pax_size_wins": Case([raw(pax_header([("size", "5")]),
                                   header(b"five", b"0", 0), padded(b"12345")), f("after", "x")],
                              has=["five", "after"]),
    "A11_pax_size_not_for_long_name": Case([raw(
        pax_header([("size", "1")]), gnu_long(b"K", b"ab"), header(b"real", b"0", 700),
        padded(b"z")), f("after")], has=["real", "after"]),
    "A12_length_too_large": Case([pax_body(b"99 path=x\n")], expect=INVALID),
    "A12_length_no_number": Case([pax_body(b"xx path=x\n")], expect=INVALID),
    "A12_no_newline": Case([pax_body(b"10 path=xy")], expect=INVALID),
    "A12_no_equals": Case([pax_body(b"9 pathxx\n")], expect=INVALID),
    "A12_nul_in_path": Case([pax_body(pax_record("path", b"a\0b"))], expect=INVALID),
    "A12_nul_in_linkpath": Case([pax_body(pax_record("linkpath", b"a\0b"))], expect=INVALID),
    "A12_size_no_number": Case([pax_body(pax_record("size", b"0x10"))], expect=INVALID),
    "A12_uid_no_number": Case([pax_body(pax_record("uid", b"1e3"))], expect=INVALID),
    "A12_size_negative": Case([pax_body(pax_record("size", b"-1"))], expect=INVALID),
    "A12_empty_path": Case([f("x", pax=[("path", "")])], expect=INVALID),
    "A12_empty_size": Case([f("x", pax=[("size", "")])], expect=INVALID),
    "A12_empty_owner_names": Case([f("x", "1", pax=[("uname", ""), ("gname", "")])], has=["x"]),
    "A13_global_header": Case([raw(pax_header([("path", "evil"), ("size", "9"), ("uid", "9"),
                                               ("linkpath", "evil"), ("comment", "git")], b"g")),
                               f("a", "1"), l("b", "a")], has=["a", "b"], lacks=["evil"]),
    "A14_pax_header_at_end": Case([f("a"), raw(pax_header([("path", "b")]))], expect=INVALID),
    "A14_long_name_at_end": Case([f("a"), raw(gnu_long(b"L", b"b"))], expect=INVALID),
    "A14_pax_header_at_end_of_stream": Case(
        member(f("a")) + pax_header([("path", "b")]), expect=INVALID),
}
