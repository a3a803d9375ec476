#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""TOML read by our reader and by Python's: the same values in the same order, or both refuse.

  toml_differential.py TOML_JSON [ROUNDS [SEED]]

Documents by hand for each part of the grammar, documents grown at random from it, and each of them
with bytes changed, dropped and doubled. What the two may differ in is written below.
"""
import datetime
import json
import math
import random
import subprocess
import sys
import tomllib

BY_HAND = r'''
a = 1
---
# a comment
"quoted key" = 'literal \n'
'k' = """two
lines \
   joined \
   once more""" # behind
bare-key_1.dotted . "with.dots" = true
---
a = """"quotes" at the "end"""""
b = \'\'\'\'x\'\'\'\'\'
---
a = [1, 2,
  3, # comment
]
b = [ ["x", 'y'], [1.5, -2e3], [], {} ]
---
a = { b = 1, c.d = [ { e = "f" } ], "g" = {} }
---
[a]
x = 1
[a.b]
[[c]]
n = 1
[c.d]
[[c]]
[[c.e]]
[[c.e]]
---
[x.y.z]
[x]
a.b = 1
[x.w]
---
i = [0, +0, -0, 99_000, 0xDEAD_beef, 0o755, 0b1010, -9223372036854775808, 9223372036854775807]
f = [1.0, -0.5e-3, 6.02E+23, inf, -inf, +inf, nan, 1_0.0_1]
t = [1979-05-27, 1979-05-27T07:32:00Z, 1979-05-27 07:32:00.5-07:00, 07:32:00, 2000-02-29t00:00:00]
---
s = "\b\t\n\f\r\"\\\u00e9\U0001F600"
---
[fruit]
apple.color = "red"
apple.taste.sweet = true
[fruit.apple.texture]
smooth = true
---
server = "https://registry-1.docker.io"
[host."https://mirror.example.com:5000/v2/x"]
  capabilities = ["pull", "resolve"]
  client = [["a.cert", "a.key"], ["b.pem", ""]]
  [host."https://mirror.example.com:5000/v2/x".header]
    x-custom = ["1", "2"]
---
a = 1
a = 2
---
[a]
[a]
---
[a]
b.c = 1
[a.b]
---
[a.b.c]
z = 9
[a]
b.c.t = 1
---
a = {b = 1}
[a.c]
---
a = [{b = 1}]
[[a]]
---
[[a]]
[a]
---
[a]
[[a]]
---
a = {b = 1,}
---
a = {
b = 1}
---
a = "x
y"
---
a = 01
---
a = 1__0
---
a = 2001-02-29
---
a = 1979-05-27T24:00:00
---
a = .5
---
a = 5.
---
a = 1 b = 2
---
= 1
---
a =
---
[a
---
[ a . b ]
c = 1
---
[[a] ]
---
a = "\x41"
---
a = "\ud800"
---
a = tru
'''.replace("\\'", "'")


def theirs(data):
    try:
        return normal(tomllib.loads(data.decode().removeprefix("\ufeff")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError):
        return None


def normal(value):
    """As our reader writes it; floats and times by value, since ours keep their text."""
    if isinstance(value, dict):
        return {"table": [[k, normal(v)] for k, v in value.items()]}
    if isinstance(value, list):
        return [normal(v) for v in value]
    if isinstance(value, float):
        return {"float": "nan" if math.isnan(value) else repr(value)}
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return {"time": value.isoformat()}
    return value


def pairs(items):
    found = dict(items)
    if list(found) == ["float"] and isinstance(found["float"], str):
        return normal(float(found["float"].replace("_", "")))
    if list(found) == ["time"] and isinstance(found["time"], str):
        return normal(tomllib.loads("x = " + found["time"])["x"])
    return {"table": [[k, v] for k, v in items]}


def has(value, wanted):
    """Whether some value of a document is of the kind that `wanted` tells."""
    if isinstance(value, dict):
        return any(wanted(k, v) or has(v, wanted) for k, v in value.get("table", []))
    if isinstance(value, list):
        return any(wanted("", v) or has(v, wanted) for v in value)
    return False


def may_differ(data, their, our):
    """NULs, integers of more than 64 bits, tables {float = ".."} that look like ours, and years
    before 1, which Python has not."""
    if our is None:
        return has(their, lambda k, v: "\0" in k or (isinstance(v, str) and "\0" in v)
                   or (type(v) is int and not -2**63 <= v < 2**63))
    return b"0000-" in data or has(their, lambda k, v: k in ("float", "time"))


def run_ours(program, documents):
    stdin = b"".join(b"%d\n%s" % (len(d), d) for d in documents)
    done = subprocess.run([program], input=stdin, capture_output=True, check=True)
    lines = done.stdout.decode().split("\n")[:-1]
    assert len(lines) == len(documents), (len(lines), len(documents))
    for line in lines:
        if line.startswith("error: "):
            assert line.startswith("error: line "), line
            yield None
        else:
            yield json.loads(line, object_pairs_hook=pairs)


# --- documents at random ---

def word():
    return random.choice(["a", "b", "c", "a-b", "1", '"x y"', "'z'", '""', '"\\u00e9"', '"a"'])


def path():
    return random.choice([".", " . ", "."]).join(word() for _ in range(random.choice([1, 1, 2, 3])))


def value(depth=0):
    kinds = ["1", "-17", "0x1F", "1.5", "1e3", "inf", "true", "false", '"s"', "'l'", '"\\n\\t"',
             '"""m\nl"""', "'''m\n'l'''", "1979-05-27", "07:32:00", "1979-05-27T07:32:00Z",
             "1979-05-27 07:32:00.25+01:00", '"caf\u00e9"', '"""a\\\n   b"""']
    choice = random.random()
    if depth < 3 and choice < 0.15:
        gap = random.choice(["", " ", "\n", " # c\n"])
        return "[" + gap + ("," + gap).join(value(depth + 1) for _ in range(random.randrange(4))) \
            + random.choice(["", gap]) + "]"
    if depth < 3 and choice < 0.3:
        return "{" + ", ".join(f"{path()} = {value(depth + 1)}"
                               for _ in range(random.randrange(4))) + "}"
    return random.choice(kinds)


def document():
    lines = []
    for _ in range(random.randrange(1, 9)):
        choice = random.random()
        if choice < 0.2:
            lines.append(f"[{path()}]")
        elif choice < 0.35:
            lines.append(f"[[{path()}]]")
        elif choice < 0.4:
            lines.append("# comment")
        else:
            lines.append(f"{path()} = {value()}")
    return random.choice(["\n", "\n", "\r\n"]).join(lines).encode()


def damaged(data):
    data = bytearray(data)
    for _ in range(random.choice([1, 1, 2])):
        i = random.randrange(len(data))
        how = random.randrange(4)
        if how == 0:
            data[i] = random.choice(b"\"'[]{}=.,#\\\n\r\t _-+:01eExTZ\x00\x7f\xff\xc3")
        elif how == 1:
            del data[i]
        elif how == 2:
            data[i:i] = data[i:i + random.randrange(1, 6)]
        else:
            data[i:i] = bytes([random.choice(b"\"'[]{}=.,#\\\n\r _-+:019eETZ")])
        if not data:
            break
    return bytes(data)


def main():
    program = sys.argv[1]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3000
    random.seed(int(sys.argv[3]) if len(sys.argv) > 3 else 16)
    documents = [d.strip("\n").encode() + b"\n" for d in BY_HAND.split("---\n")]
    documents += [d.replace(b"\n", b"\r\n") for d in documents] + [b"", b"\xef\xbb\xbfa = 1"]
    base = documents + [document() for _ in range(rounds)]
    documents = base + [damaged(d) for d in base for _ in range(3) if d]
    bad = good = 0
    for data, our in zip(documents, run_ours(program, documents)):
        their = theirs(data)
        good += our is not None
        if our != their and not may_differ(data, their, our):
            bad += 1
            if bad <= 10:
                print(f"differ: {data!r}\n  ours   {our}\n  theirs {their}")
    print(f"toml: {len(documents)} documents, {good} read, {bad} differ")
    return bad != 0


sys.exit(main())
