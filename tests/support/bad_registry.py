#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A registry that serves an OCI layout and misbehaves on request: plain http on loopback, or where
listener.py says.

  bad_registry.py LAYOUT PORT_FILE LOG [WHERE]

The name of the repository says how, for blobs above 1 KiB: localhost:PORT/HOW:TAG
  good      no fault
  cut       the body ends in the middle of what Content-Length promised, always
  once      the same, but only at the first try of each blob
  wrong     one byte differs
  long      the body goes on after the blob, the length says so
  short     the body is shorter, the length says so
  gone      404 for blobs
  down      503 for blobs
  slow      the body comes in twelve pieces, 50 ms between them
  stall     nothing more comes after the first half, for a long time
  signed    the blob is elsewhere, by an address that is a secret, and forbidden there
  home, metadata, downgrade, loop   it is on this machine, in the cloud's own service, without TLS,
            or always elsewhere
  other     the blob is at localhost:$BAD_OTHER/good, another of these
With basic-HOW it wants the user name "member" and the password in $BAD_PASSWORD first, for all
requests, and then is as HOW.
STEP-STATUS answers with that status at one step, manifest, config, layer or token, 429 with
Retry-After; STEP-reset breaks the connection before any answer. With token-... the registry wants
tokens: token-nohost has its token server nowhere, token-html one that answers with a page, and
token-useless gives tokens that are not good for anything.
Each request is a line in LOG: METHOD PATH STATUS [Range]; one with an Authorization header is also
one in LOG.auth: PATH HEADER.
"""
import base64
import http.server
import json
import os
import re
import socket
import struct
import sys
import threading
import time

import listener

SMALL = 1024
PLACES = {"signed": "/signed/blob", "home": "https://127.0.0.1/blob",
          "metadata": "https://169.254.169.254/blob", "downgrade": "http://registry.test/blob",
          "loop": "/signed/loop"}
CODES = {401: "UNAUTHORIZED", 403: "DENIED", 404: "NAME_UNKNOWN", 429: "TOOMANYREQUESTS"}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    layout, log_file = "", None
    seen, lock = set(), threading.Lock()

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass

    def answer(self, status, body=b"", kind="application/json", length=None, extra=()):
        with self.lock:
            self.log_file.write(f"{self.command} {self.path} {status} "
                                f"{self.headers.get('Range', '')}\n")
            self.log_file.flush()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for key, value in extra:
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def note_authorization(self):
        given = self.headers.get("Authorization")
        if given:
            with self.lock, open(self.log_file.name + ".auth", "a", encoding="utf-8") as log:
                log.write(f"{self.path} {given}\n")
        return given

    def is_member(self):
        pair = "member:" + os.environ.get("BAD_PASSWORD", "")
        return self.headers.get("Authorization") == \
            "Basic " + base64.b64encode(pair.encode()).decode()

    def error(self, status, code, extra=()):
        self.answer(status, json.dumps({"errors": [{"code": code, "message": code.lower(),
                                                    "detail": None}]}).encode(), extra=extra)

    def fails_at(self, step, how):
        """Whether it does, and has."""
        name, _, what = how.partition("-")
        if name != step:
            return False
        if what == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        elif what.isdigit():
            extra = {"401": [("WWW-Authenticate", 'Basic realm="people"')],
                     "429": [("Retry-After", "3")]}.get(what, [])
            lost = what == "404" and step in ("config", "layer")
            self.error(int(what), "BLOB_UNKNOWN" if lost else CODES.get(int(what), "UNKNOWN"),
                       extra)
        return True

    def wants_token(self, how):
        scheme = "https" if self.server.tls else "http"
        host = "nowhere.test" if how == "token-nohost" else self.headers["Host"]
        realm = f"{scheme}://{host}/token/{how}?key=SECRET"
        self.error(401, "UNAUTHORIZED", [("WWW-Authenticate",
                                          f'Bearer realm="{realm}",service="SECRET"')])

    def token(self, how):
        if how == "token-html":
            return self.answer(200, b"<html>SECRET</html>", "text/html")
        if how == "token-useless":
            return self.answer(200, b'{"token": "SECRET"}')
        return self.fails_at("token", how)

    def blob(self, digest):
        path = f"{self.layout}/blobs/" + digest.replace(":", "/")
        if not os.path.isfile(path):
            return None
        with open(path, "rb") as f:
            return f.read()

    def manifest(self, ref):
        kind = "application/vnd.oci.image.manifest.v1+json"
        if not ref.startswith("sha256:"):
            with open(f"{self.layout}/index.json", encoding="utf-8") as f:
                found = [d for d in json.load(f)["manifests"] if d.get("annotations", {}).get(
                    "org.opencontainers.image.ref.name") == ref]
            if not found:
                return self.error(404, "MANIFEST_UNKNOWN")
            ref, kind = found[0]["digest"], found[0]["mediaType"]
        body = self.blob(ref)
        if body is None:
            return self.error(404, "MANIFEST_UNKNOWN")
        return self.answer(200, body, kind, extra=[("Docker-Content-Digest", ref)])

    def send_blob(self, how, digest):
        body, kind = self.blob(digest), "application/octet-stream"
        if body is None:
            return self.error(404, "BLOB_UNKNOWN")
        if self.fails_at("config" if body[:1] == b"{" else "layer", how):
            return None
        if how == "other" and len(body) > SMALL:
            where = f"http://localhost:{os.environ['BAD_OTHER']}/v2/good/blobs/{digest}"
            return self.answer(307, extra=[("Location", where)])
        if how in PLACES and len(body) > SMALL:
            return self.answer(307, extra=[("Location", PLACES[how] + "?signature=SECRET")])
        with self.lock:
            first = (how, digest) not in self.seen
            self.seen.add((how, digest))
        if len(body) <= SMALL or how == "good" or (how == "once" and not first):
            return self.ranged(body, kind)
        half = len(body) // 2
        if how in ("cut", "once"):
            self.answer(200, body[:half], kind, len(body))
            self.close_connection = True
        elif how == "slow":
            self.slowly(body, kind)
        elif how == "stall":
            self.answer(200, body[:half], kind, len(body))
            self.wfile.flush()
            time.sleep(600)
        elif how == "wrong":
            self.answer(200, body[:half] + bytes([body[half] ^ 1]) + body[half + 1:], kind)
        elif how == "long":
            self.answer(200, body + b"more than was promised", kind)
        elif how == "short":
            self.answer(200, body[:half], kind)
        elif how == "gone":
            self.error(404, "BLOB_UNKNOWN")
        elif how == "down":
            self.error(503, "UNAVAILABLE")
        return None

    def slowly(self, body, kind):
        step = -(-len(body) // 12)
        self.answer(200, body[:step], kind, len(body))
        for start in range(step, len(body), step):
            time.sleep(0.05)
            self.wfile.flush()
            self.wfile.write(body[start:start + step])

    def ranged(self, body, kind):
        m = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not m:
            return self.answer(200, body, kind)
        start, end = int(m.group(1)), int(m.group(2) or len(body) - 1)
        if start >= len(body):
            return self.answer(416, extra=[("Content-Range", f"bytes */{len(body)}")])
        return self.answer(206, body[start:end + 1], kind,
                           extra=[("Content-Range", f"bytes {start}-{end}/{len(body)}")])

    def do_GET(self):  # pylint: disable=invalid-name
        self.note_authorization()
        if self.path in ("/v2/", "/v2"):
            return self.answer(200, b"{}")
        if self.path.startswith("/token/"):
            return self.token(self.path[len("/token/"):].partition("?")[0])
        if self.path.startswith("/signed/loop"):
            return self.answer(302, extra=[("Location", self.path + "x")])
        if self.path.startswith("/signed/"):
            return self.error(403, "DENIED")
        m = re.fullmatch(r"/v2/([^/]+)/(manifests|blobs)/([^/?]+)(\?.*)?", self.path)
        if not m:
            return self.error(404, "NAME_UNKNOWN")
        how = m.group(1)
        if how.startswith("token-"):
            return self.wants_token(how)
        if how.startswith("basic-"):
            if not self.is_member():
                return self.error(401, "UNAUTHORIZED",
                                  [("WWW-Authenticate", 'Basic realm="members"')])
            how = how[len("basic-"):]
        if m.group(2) == "manifests":
            if self.fails_at("manifest", how):
                return None
            return self.manifest(m.group(3))
        return self.send_blob(how, m.group(3))

    do_HEAD = do_GET


def main():
    Handler.layout = sys.argv[1]
    with open(sys.argv[3], "a", encoding="utf-8") as log:
        Handler.log_file = log
        listener.serve(sys.argv[4] if len(sys.argv) > 4 else "127.0.0.1:0", Handler, sys.argv[2])


main()
