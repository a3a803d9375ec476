#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The top layer of the Debian test image, on stdout: what umoci never writes."""
import struct
import sys

from tarmaker import archive

NET_RAW = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)  # a version 2 capability, effective
WHEN = (1700000456, 987654321)


def file(name, data, **more):
    return dict(name=name, data=data, mtime=WHEN, **more)


MEMBERS = [
    dict(name="opt/app/cache/.wh..wh..opq"),
    file("opt/app/cache/fresh", "after the opaque marker\n"),
    dict(name="opt/empty/deep/er/", type="d", mode=0o700, uid=1000, gid=1000, mtime=WHEN),
    dict(name="usr/bin/bash-again", type="h", target="usr/bin/bash"),
    dict(name="opt/app/twin-again", type="h", target="/opt/app/twin"),
    file("bin/through-a-link", "#!/bin/sh\necho through\n", mode=0o755),
    file("usr/bin/capable", "not really a program\n", mode=0o755,
         xattrs={"security.capability": NET_RAW, "user.empty": b"", "user.large": b"x" * 3000}),
    dict(name="dev/thin0", type="b", dev=(253, 7), mode=0o660, gid=6, mtime=WHEN),
    dict(name="dev/large", type="c", dev=(511, 1 << 19), mode=0o600, mtime=WHEN),
    dict(name="run/pipe", type="p", mode=0o622, mtime=WHEN),
    dict(name="etc/.wh.debian_version"),
    dict(name="usr/share/.wh.bash-completion"),
    file("var/log/\xe4\xf6\xfc".encode("latin-1"), b"a name that is no UTF-8\n"),
    file("/".join(["opt"] + ["deep-folder-name"] * 20 + ["leaf"]), "long path\n"),
    file("opt/setid", "", mode=0o6755, uid=3000000, gid=4200664),
    dict(name="opt/link", type="d", mode=0o711, mtime=WHEN),
    dict(name="tmp", type="l", target="var/tmp", mtime=WHEN),
    dict(name="./", type="d", mode=0o555, mtime=WHEN),
]

sys.stdout.buffer.write(archive(MEMBERS))
