#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A registry with one small image of its own, that is hostile: the name of the repository says how.

    hostile_registry.py PORT_FILE LOG [WHERE]    plain http on loopback, or where listener.py says

HOW is the name of a table below or of a method, in both with what follows its first "-" as an
argument; good is without a fault. Each request is a line in LOG: METHOD PATH STATUS RANGE
AUTHORIZATION.
"""
import gzip
import hashlib
import http.server
import io
import json
import re
import sys
import tarfile
import threading
import time

import listener

TYPE = "application/vnd.oci.image."
REALM = "http://127.0.0.1:{port}/token/{how}"
# Answers 401 with these, always: nothing that they ask for may be done, or does any good.
CHALLENGES = {
    "none": [], "empty": [""], "basic": ['Basic realm="members"'],
    "negotiate": ["Negotiate", "NTLM", "Digest realm=x, nonce=y"],
    "bare": ["Bearer"], "norealm": ['Bearer service="x"'],
    "relative": ['Bearer realm="/token/good"'], "user": ['Bearer realm="http://me:pass@127.0.0.1/"'],
    "far": ['Bearer realm="http://auth.example.com/token"'],
    "linklocal": ['Bearer realm="https://169.254.169.254/token"'],
    "private": ['Bearer realm="https://10.0.0.1/token"'],
    "file": ['Bearer realm="file:///etc/passwd"'],
    "long": ['Bearer realm="https://a.test/' + "x" * 9000 + '"'],
    "quote": ['Bearer realm="http://a.test/token'], "junk": ["=,=;\x01"],
    "escape": ['Bearer realm="\x1b[31mhttp://a.test/"'],
    "always": [f'Bearer realm="{REALM}",service="x"'],
}
# What the token server says to those who come for one.
TOKENS = {
    "always": {"token": "SECRET-never-good"}, "newline": {"token": "SECRET\r\nX-Injected: 1"},
    "number": {"token": 7}, "nothing": {}, "huge": {"token": "x" * 70000},
}
# Where the layer is said to be.
PLACES = {
    "file": "file:///etc/passwd", "ftp": "ftp://127.0.0.1/x", "self": None,
    "user": "http://me:SECRET@127.0.0.1/x", "control": "http://127.0.0.1/\x01x",
    "junk": "http://[", "nothing": "", "scheme": "//169.254.169.254/x", "https": "https://",
}


def layer():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("file")
        info.size, info.mtime = 5, 1700000000
        tar.addfile(info, io.BytesIO(b"hello"))
    return out.getvalue()


def descriptor(kind, data):
    return {"mediaType": TYPE + kind, "size": len(data), "digest": name(data)}


def name(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


TAR = layer()
LAYER = gzip.compress(TAR, mtime=0)
CONFIG = json.dumps({"architecture": "amd64", "os": "linux",
                     "rootfs": {"type": "layers", "diff_ids": [name(TAR)]}}).encode()
MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": TYPE + "manifest.v1+json",
                       "config": descriptor("config.v1+json", CONFIG),
                       "layers": [descriptor("layer.v1.tar+gzip", LAYER)]}).encode()
OTHER = hashlib.sha512(LAYER).digest() * 64


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    log_file = None
    lock, seen, tokens = threading.Lock(), {}, {}

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass

    # --- what is sent ---

    def note(self, status):
        with self.lock:
            self.log_file.write(f"{self.command} {self.path} {status} "
                                f"{self.headers.get('Range', '-')} "
                                f"{self.headers.get('Authorization', '-')}\n")
            self.log_file.flush()

    def head(self, status, *headers, length=0):
        self.note(status)
        self.send_response(status)
        for key, value in headers:
            self.send_header(key, value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def send(self, status, body, *headers, length=None):
        self.head(status, *headers, length=len(body) if length is None else length)
        self.wfile.write(body)
        self.close_connection = length is not None

    def wants(self, data):
        """The part that a Range asks for: status, bytes, headers."""
        m = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not m:
            return 200, data, []
        start, end = int(m.group(1)), min(int(m.group(2) or len(data)), len(data) - 1)
        if start >= len(data):
            return 416, b"", [("Content-Range", f"bytes */{len(data)}")]
        return 206, data[start:end + 1], [("Content-Range", f"bytes {start}-{end}/{len(data)}")]

    def good(self, what=None):
        if what is None:
            what = self.what
        if what == "manifest":
            self.send(200, MANIFEST, ("Content-Type", TYPE + "manifest.v1+json"))
        else:
            status, body, headers = self.wants(LAYER if what == "layer" else CONFIG)
            self.send(status, body, *headers)

    def times(self):
        """How often this was asked for before."""
        with self.lock:
            self.seen[self.path] = self.seen.get(self.path, 0) + 1
            return self.seen[self.path] - 1

    def forever(self, piece):
        while True:
            self.wfile.write(piece)

    # --- by the name of the repository; of a step only: STEP-HOW ---

    def do_401(self, how):
        challenges = [("WWW-Authenticate", c.format(port=self.server.server_address[1], how=how))
                      for c in CHALLENGES.get(how, CHALLENGES["always"])]
        self.head(401, *challenges)

    def do_expires(self, how):
        """Each token is good for one request."""
        del how
        token = self.headers.get("Authorization", "")[len("Bearer "):]
        with self.lock:
            good = self.tokens.pop(token, False)
        self.good() if good else self.do_401("expires")

    def do_cut(self, offset):
        """cut-N: the layer ends before its N-th byte, at the first try."""
        if self.what != "layer" or self.times() > 0:
            self.good()
        else:
            self.send(200, LAYER[:int(offset)], length=len(LAYER))

    def do_range(self, how):
        """The first try of the layer is cut; then what is asked for by a Range is answered so."""
        size, rest = len(LAYER), self.headers.get("Range", "")
        if self.what != "layer":
            return self.good()
        if self.times() == 0:
            return self.send(200, LAYER[:size // 2], length=size)
        start = int((re.match(r"bytes=(\d+)-", rest) or [0, 0])[1])
        if not start or how == "ignored":
            return self.send(200, LAYER)
        said, status = f"bytes {start}-{size - 1}/{size}", 206
        body, headers = LAYER[start:], []
        if how == "other":
            said = f"bytes {start + 1}-{size - 1}/{size}"
        elif how == "total":
            said = f"bytes {start}-{size - 1}/{size + 7}"
        elif how == "changed":
            body = OTHER[:size - start]
        elif how == "refused":
            said, status, body = f"bytes */{size}", 416, b""
        elif how == "nonsense":
            said = "lines 1-2/3"
        if how != "missing":
            headers = [("Content-Range", said)]
        return self.send(status, body, *headers)

    def do_busy(self, how):
        """busy-STATUS-WAIT: once."""
        status, _, wait = how.partition("-")
        if self.times() > 0:
            return self.good()
        wait = "Wed, 21 Oct 2015 07:28:00 GMT" if wait == "past" else wait
        return self.head(int(status), ("Retry-After", wait))

    def do_lies(self, how):
        kinds = {"index": TYPE + "index.v1+json", "html": "text/html", "tar": TYPE + "layer.v1.tar"}
        if self.what == "layer" and how == "layer":
            return self.send(200, OTHER[:len(LAYER)])
        if self.what == "config" and how == "config":
            return self.send(200, OTHER[:len(CONFIG)])
        if self.what == "manifest" and how == "header":
            return self.send(200, MANIFEST, ("Docker-Content-Digest", name(OTHER)),
                             ("Content-Type", TYPE + "manifest.v1+json"))
        if self.what == "manifest" and how in kinds:
            return self.send(200, MANIFEST, ("Content-Type", kinds[how]))
        if self.what == "manifest" and how == "digest":
            return self.send(200, MANIFEST.replace(name(LAYER).encode(), b"sha256:../../etc/x"))
        return self.good()

    def do_endless(self, step):
        if self.what != step:
            return self.good()
        self.head(200, ("Transfer-Encoding", "chunked"), length=None)
        return self.forever(b"1000\r\n" + b" " * 4096 + b"\r\n")

    def do_gigabyte(self, step):
        if self.what != step:
            return self.good()
        self.head(200, length=1 << 30)
        return self.forever(b" " * 4096)

    def do_flood(self, step):
        if self.what != step:
            return self.good()
        self.note(200)
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        return self.forever(b"X-Flood: " + b"x" * 1000 + b"\r\n")

    def do_slow(self, step):
        """A byte a second of what is asked for; of the headers where STEP is that."""
        if step == "headers":
            self.note(200)
            return self.drip(b"HTTP/1.1 200 OK\r\n" + b"X-Slow: 1\r\n" * 999)
        if self.what != step:
            return self.good()
        data = {"manifest": MANIFEST, "layer": LAYER, "config": CONFIG}[step]
        self.head(200, length=len(data))
        return self.drip(data)

    def drip(self, data):
        for i in range(len(data)):
            self.wfile.write(data[i:i + 1])
            self.wfile.flush()
            time.sleep(1)

    def do_to(self, how):
        if self.what != "layer":
            return self.good()
        return self.head(307, ("Location", self.path if how == "self" else PLACES[how]))

    def do_status(self, status):
        body = {"errors": [{"code": "\x1b]0;x\x07", "message": "\x9b31m\r\nthinpull: fine\r"}]}
        self.send(int(status), json.dumps(body).encode())

    def token(self, how):
        if how == "expires":
            with self.lock:
                text = f"SECRET-{len(self.seen)}-{len(self.tokens)}-{id(self)}"
                self.tokens[text] = True
            return self.send(200, json.dumps({"token": text}).encode())
        if how == "endless":
            self.head(200, ("Transfer-Encoding", "chunked"), length=None)
            return self.forever(b"1000\r\n" + b" " * 4096 + b"\r\n")
        if how == "moved":
            return self.head(302, ("Location", "/token/always"))
        return self.send(200, json.dumps(TOKENS[how]).encode())

    def do_GET(self):  # pylint: disable=invalid-name
        parts = self.path.split("?")[0].split("/")
        if parts[1] == "token":
            return self.token(parts[2])
        if len(parts) < 5:
            return self.send(200, b"{}")
        kind, _, argument = parts[2].partition("-")
        self.what = "manifest" if parts[3] == "manifests" else \
            "layer" if parts[4] == name(LAYER) else "config"
        if kind == "good":
            return self.good()
        return getattr(self, "do_" + kind)(argument)


def main():
    if sys.argv[1:] == ["--size"]:
        print(len(LAYER), name(LAYER))
        return
    with open(sys.argv[2], "a", encoding="utf-8") as log:
        Handler.log_file = log
        listener.serve(sys.argv[3] if len(sys.argv) > 3 else "127.0.0.1:0", Handler, sys.argv[1])


main()
