# SPDX-License-Identifier: Apache-2.0
"""One small image for each rule of applying layers.

Each module has CASES: name -> Case. A layer is a list of members (see tarmaker.py), a tar as
bytes, or a Codec.
"""

WHEN = 1234567890
TREE = "tree"
INVALID, VERIFICATION, NO_SPACE, UNSUPPORTED = 11, 5, 6, 10


class Case:
    """expect: TREE, or the exit code. has, lacks: paths that must be there or not, by hand."""

    def __init__(self, *layers, expect=TREE, has=(), lacks=(), note=""):
        self.layers, self.expect, self.has, self.lacks = layers, expect, has, lacks
        self.note = note


class Codec:
    """A layer stored as given bytes, and of that type; tar is what they unpack to."""

    def __init__(self, tar, stored, kind="application/vnd.oci.image.layer.v1.tar+gzip"):
        self.tar, self.stored, self.kind = tar, stored, kind


def f(name, data="", **more):
    return dict(name=name, type="f", data=data, mtime=more.pop("mtime", WHEN), **more)


def d(name, **more):
    return dict(name=name, type="d", mtime=more.pop("mtime", WHEN), **more)


def l(name, target, **more):
    return dict(name=name, type="l", target=target, mode=0o777, mtime=more.pop("mtime", WHEN),
                **more)


def h(name, target, **more):
    return dict(name=name, type="h", target=target, mtime=more.pop("mtime", WHEN), **more)


def wh(name):
    """The marker that removes a path."""
    folder, _, last = name.rpartition("/")
    return f((folder + "/" if folder else "") + ".wh." + last)


def opaque(folder):
    return f((folder + "/" if folder else "") + ".wh..wh..opq")
