# SPDX-License-Identifier: Apache-2.0
"""F1 to F58: trees that lead tools astray, while they are unpacked and again when they are
extracted into a folder of the host. All of them are fine here: they stay below their root."""
from cases import Case, d, f, h, l

DEEP = "/".join(["d"] * 3000)
LONG = "/".join(["n" * 200 + "%03d" % i for i in range(60)])


def c(name, **more):
    return dict(name=name, type="c", dev=more.pop("dev", (1, 1)), **more)


def p(name, **more):
    return dict(name=name, type="p", **more)


CASES = {
    "F3_through_a_link_to_the_root": Case([l("d", "/"), f("d/x", "1")], has=["x"]),
    "F4_through_a_climbing_link": Case([l("d", "../../.."), f("d/x", "1"), d("e"),
                                        l("e/up", "../../../.."), f("e/up/y", "2")],
                                       has=["x", "y"]),
    "F8_link_to_a_link_out": Case([l("s", "/etc/shadow"), h("s2", "s", mode=0o777),
                                   l("t", "../../../../etc/passwd"), h("t2", "t")],
                                  [f("s3", "1"), h("s4", "s2")]),
    "F10_folder_becomes_a_link_out": Case([d("a"), f("a/x", "1"), l("a", "/etc"), d("etc"),
                                           f("a/x", "2")], has=["etc/x"]),
    "F15_device_becomes_a_file": Case([c("x", mode=0o666), f("x", "text")],
                                      [c("y"), f("z", "1")], [f("y", "text"), c("z")]),
    "F16_fifo_becomes_a_file": Case([p("x"), f("x", "text")], [p("y")], [f("y", "text"), p("x")]),
    "F30_deep_tree": Case([f(DEEP + "/leaf", "end"), h("first", DEEP + "/leaf"),
                           f("other", "top"), h(DEEP + "/link", "other"), h("zz", DEEP + "/leaf")]),
    "F30_long_path": Case([f(LONG + "/leaf", "end", mtime=(7, 7)), h("link", LONG + "/leaf"),
                           d(LONG, mode=0o500, mtime=(8, 8))]),
    "F35_lost_and_found": Case([d("lost+found", mode=0o700), f("lost+found/#12", "mine"),
                                d("a/lost+found/."), f("a/lost+found/x", "1")]),
    "F37_set_id_everywhere": Case([f("sh", "#!", mode=0o4755), f("grp", "#!", mode=0o2755),
                                   c("kmem", mode=0o6666), d("d", mode=0o6755, uid=7),
                                   d("d/t", mode=0o1777), f("d/t/x", "1", mode=0o7777),
                                   h("d/sh", "sh"), p("pipe", mode=0o4622)]),
    "F37_folders_that_are_shut": Case([
        d("a", mode=0), d("a/b", mode=0), f("a/b/x", "1"), h("a/y", "a/b/x"), h("z", "a/y"),
        d("w", mode=0o300), f("w/x", "2"), d("s", mode=0o100), h("s/x", "w/x"), d("r", mode=0o400),
        f("r/x", "3"), h("r2", "r/x"), d("e", mode=0), d("o", mode=0o070), h("o/x", "z")]),
    "F37_root_that_is_shut": Case([d("./", mode=0), d("a", mode=0), f("a/x", "1"), h("b", "a/x")]),
    "F39_a_link_then_through_it": Case([l("d", "/etc"), l("e", "../../tmp")],
                                       [f("d/x", "1"), f("e/y", "2")], has=["etc/x", "tmp/y"]),
    "F58_places_of_the_host_are_links": Case([
        l("dev", "/dev"), l("proc", "/proc"), l("sys", "../../../sys"), l("tmp", "/"),
        l("run", "dev/shm"), d("etc"), l("etc/passwd", "/etc/shadow"),
        l("etc/group", "../../../../../etc/gshadow"), p("etc/hostname"), c("etc/resolv.conf"),
        l("etc/hosts", "hosts"), l("etc/mtab", "/proc/self/fd/0")]),
}
