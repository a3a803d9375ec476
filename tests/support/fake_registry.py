#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A registry that misbehaves on demand: the repository's name says how.

    fake_registry.py FOLDER    prints "PORT OTHER TLS MUTE AUTH CLIENT", then serves until killed

PORT and OTHER are two plain-http origins, TLS one with the certificate FOLDER/cert.pem, which is
for "localhost" and "layers.test" only, AUTH one with a certificate of the authority FOLDER/ca.pem, which is for the
address 127.0.0.1 only (ca.pem holds both), MUTE accepts connections and never says anything. CLIENT
is as TLS, but talks only to who has a certificate of the authority, as FOLDER/client.pem with
client.key is. Each connection serves one request and is closed. PORT is a proxy as well, for which
all names in .test are this machine; it asks for a password when it is to connect to port 407.
"""
import base64
import hashlib
import json
import os
import select
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import urllib.parse

TYPE = "application/vnd.oci.image.manifest.v1+json"
MANIFEST = (b'{"schemaVersion":2,"mediaType":"' + TYPE.encode() +
            b'","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:'
            + b"0" * 64 + b'","size":2},"layers":[]}')
BLOB = bytes(i * i % 251 for i in range(100_000))
BIG_BYTES = 48 << 20

ports = {}
counts = {}
counts_lock = threading.Lock()
tokens = {}  # text: the scopes, how many requests it is good for
proxy_log = []  # heads of all connections through the proxy
token_log = []  # all requests for tokens
door = ["open"]  # how /v2/ itself answers, see do_door()
# Who may enter: user name, password and identity token.
USER, PASSWORD, IDENTITY = "some body", "SECRET:p+/=\u00e4", "SECRET&i=\u00e4 +"


def digest(data, algorithm="sha256"):
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def count(path):
    """How often the path was asked for before."""
    with counts_lock:
        counts[path] = counts.get(path, 0) + 1
        return counts[path] - 1


class Request:
    def __init__(self, sock, tls):
        self.sock, self.tls = sock, tls
        head = b""
        while b"\r\n\r\n" not in head:
            piece = sock.recv(65536)
            if not piece:
                raise ConnectionError
            head += piece
            if head[0] == 0x16:  # a TLS handshake: answered as plain servers do
                sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                raise ConnectionError
        head, _, body = head.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.path, _ = lines[0].split(" ", 2)
        self.headers = {k.lower(): v.strip() for k, _, v in (x.partition(":") for x in lines[1:])}
        while len(body) < int(self.headers.get("content-length", 0)):
            body += sock.recv(65536)
        self.head, self.body = "\n".join(lines), body.decode("latin-1")

    def send(self, status, headers, body=b"", length=None):
        head = [f"HTTP/1.1 {status} Some Reason", "Connection: close"]
        head += [f"{k}: {v}" for k, v in headers]
        if length != "none":
            head.append(f"Content-Length: {len(body) if length is None else length}")
        self.sock.sendall("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body)

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    # --- good answers ---

    def document(self, kind=TYPE, said=None):
        headers = [("Content-Type", kind)] if kind else []
        said = digest(MANIFEST) if said is None else said
        if said:
            headers.append(("Docker-Content-Digest", said))
        self.send(200, headers, MANIFEST)

    def ok(self):
        if "/blobs/" in self.path:
            self.send(200, [("Content-Type", "application/octet-stream")], BLOB)
        else:
            self.document()

    def refuse(self, status, message="refused\n  for the \x1b[31mtest"):
        code = {401: "UNAUTHORIZED", 403: "DENIED", 404: "MANIFEST_UNKNOWN",
                429: "TOOMANYREQUESTS"}.get(status, "UNKNOWN")
        body = json.dumps({"errors": [{"code": code, "message": message, "detail": None}]})
        headers = [("Content-Type", "application/json")]
        if status == 401:
            headers += [("WWW-Authenticate", 'Basic realm="simple"'),
                        ("WWW-Authenticate", 'Bearer realm="https://auth.test/token",service="x"')]
        self.send(status, headers, body.encode())

    def redirect(self, location, status=307):
        self.send(status, [("Location", location)], b"moved")

    def origin(self, name, scheme="http", host="127.0.0.1"):
        return f"{scheme}://{host}:{ports[name]}"

    # --- by name of the repository ---

    def connect(self):
        """As a proxy: hand bytes to and fro until one side has no more."""
        host, _, port = self.path.rpartition(":")
        if port == "407":
            self.send(407, [("Proxy-Authenticate", 'Basic realm="proxy"')])
            return
        if host.endswith(".test"):  # a name elsewhere that leads here
            host = "127.0.0.1"
        with socket.create_connection((host, int(port))) as there:
            self.sock.sendall(b"HTTP/1.1 200 Connected\r\nX-Through: proxy\r\n\r\n")
            sides = {self.sock: there, there: self.sock}
            while True:
                for side in select.select(list(sides), [], [])[0]:
                    piece = side.recv(65536)
                    if not piece:
                        return
                    sides[side].sendall(piece)

    def serve(self):
        if self.method == "CONNECT":
            proxy_log.append(self.head)
            self.connect()
            return
        if self.path.startswith("http://"):  # as a proxy
            self.path = "/" + self.path.split("/", 3)[3]
        parts = self.path.split("?")[0].split("/")  # "", "v2", NAME, ...
        if parts[1] == "token":
            token_log.append(self.head + ("\n\n" + self.body if self.body else ""))
            getattr(self, "token_" + parts[2], self.token_good)()
            return
        if self.path == "/v2/":
            self.at_door()
            return
        name, _, rest = parts[2].partition("-") if len(parts) > 2 else ("", "", "")
        getattr(self, "do_" + name, self.do_ok)(rest, "/".join(parts[3:]))

    def do_ok(self, rest, tail):
        self.ok()

    def do_echo(self, rest, tail):
        self.send(200, [("Content-Type", "text/plain")], self.head.encode("latin-1"))

    def do_bare(self, rest, tail):
        """As echo, without saying how long that is."""
        self.send(200, [], self.head.encode("latin-1"), length="none")

    def do_said(self, rest, tail):
        """Docker-Content-Digest: none, wrong, malformed, of an unknown algorithm, sha512."""
        self.document(said={"none": "", "wrong": digest(b"other"), "malformed": "sha256:xyz",
                            "unknown": "blake3:" + "0" * 64,
                            "sha512": digest(MANIFEST, "sha512")}[rest])

    def do_type(self, rest, tail):
        self.document(kind={"none": "", "plain": "application/json",
                            "params": TYPE + "; charset=utf-8",
                            "index": "application/vnd.oci.image.index.v1+json",
                            "docker": "application/vnd.docker.distribution.manifest.v2+json",
                            "schema1": "application/vnd.docker.distribution.manifest.v1+prettyjws",
                            }[rest])

    def do_status(self, rest, tail):
        self.refuse(int(rest))

    def do_html(self, rest, tail):
        self.send(int(rest), [("Content-Type", "text/html")], b"<html>SECRET</html>" * 100)

    def do_errors(self, rest, tail):
        """A body of errors too large to be read."""
        self.send(404, [("Content-Type", "application/json")], b'{"errors":[' + b" " * (2 << 20))

    def do_fails(self, rest, tail):
        """fails-503-2: twice 503, then ok."""
        status, times = rest.split("-")
        if count(self.path) < int(times):
            self.refuse(int(status))
        else:
            self.ok()

    def do_later(self, rest, tail):
        """429 and Retry-After: 1, once."""
        if count(self.path) == 0:
            self.send(429, [("Retry-After", "1")], b"{}")
        else:
            self.ok()

    def do_resets(self, rest, tail):
        """resets-2: the connection is reset twice, then ok."""
        if count(self.path) < int(rest):
            self.reset()
        else:
            self.ok()

    def do_cut(self, rest, tail):
        """cut-2: twice only half of the body comes, then all of it."""
        data = BLOB if "/blobs/" in self.path else MANIFEST
        if count(self.path) < int(rest):
            self.send(200, [("Content-Type", TYPE)], data[:len(data) // 2], length=len(data))
        else:
            self.ok()

    def do_range(self, rest, tail):
        """range-HOW: half of a blob is cut, unless what is missing is asked for: that is answered so
        in the first place. Then, or to whoever asks for all of it once more, the blob comes."""
        asked, half = self.headers.get("range"), len(BLOB) // 2
        if not asked:
            whole = rest != "good" and count(self.path)
            self.send(200, [], BLOB if whole else BLOB[:half], length=len(BLOB))
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        size, body = len(BLOB), BLOB[start:]
        said = f"bytes {start}-{size - 1}/{size}"
        answers = {
            "good": (206, said, body), "any": (206, f"bytes {start}-{size - 1}/*", body),
            "ignored": (200, None, BLOB), "200": (200, said, BLOB),
            "416": (416, f"bytes */{size}", b""), "none": (206, None, body),
            "start": (206, f"bytes {start - 1}-{size - 1}/{size}", body),
            "first": (206, f"bytes 0-{size - 1}/{size}", BLOB),
            "end": (206, f"bytes {start}-{size - 2}/{size}", body[:-1]),
            "total": (206, f"bytes {start}-{size - 1}/{size + 1}", body),
            "more": (206, said, body + b"x"), "less": (206, said, body[:-1]),
            "words": (206, "bytes all", body), "unit": (206, said.replace("bytes", "lines"), body),
            "wrong": (206, said, bytes(len(body))),
        }
        status, range_said, body = answers[rest]
        self.send(status, [("Content-Range", range_said)] if range_said else [], body)

    def do_rangecut(self, rest, tail):
        """rangecut-N: each answer is N bytes of what was asked for, and then cut."""
        asked = self.headers.get("range")
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        said = [("Content-Range", f"bytes {start}-{len(BLOB) - 1}/{len(BLOB)}")] if asked else []
        self.send(206 if asked else 200, said, BLOB[start:start + int(rest)],
                  length=len(BLOB) - start)

    def do_chunkcut(self, rest, tail):
        self.send(200, [("Transfer-Encoding", "chunked")],
                  b"%x\r\n" % len(BLOB) + BLOB[:1000], length="none")

    def do_chunked(self, rest, tail):
        body = b"".join(b"%x\r\n%s\r\n" % (len(BLOB[i:i + 777]), BLOB[i:i + 777])
                        for i in range(0, len(BLOB), 777))
        self.send(200, [("Transfer-Encoding", "chunked")],
                  body + b"0\r\nTrailer: x\r\n\r\n", length="none")

    def do_close(self, rest, tail):
        """The end of the connection is the end of the body."""
        self.send(200, [], BLOB, length="none")

    def do_size(self, rest, tail):
        """size-N: that many bytes, announced."""
        self.send(200, [], (BLOB + bytes(int(rest)))[:int(rest)])

    def do_big(self, rest, tail):
        self.send(200, [], length=BIG_BYTES)
        piece = BLOB[:1 << 16]
        left = BIG_BYTES
        while left:
            self.sock.sendall(piece[:left])
            left -= len(piece[:left])

    def do_endless(self, rest, tail):
        self.send(200, [("Content-Type", TYPE), ("Transfer-Encoding", "chunked")], length="none")
        while True:
            self.sock.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")

    def do_long(self, rest, tail):
        self.send(200, [("Content-Type", TYPE)], length=(4 << 20) + 1)

    def do_slow(self, rest, tail):
        self.send(200, [("Content-Type", TYPE)], length=1000)
        for _ in range(1000):
            self.sock.sendall(b" ")
            time.sleep(0.2)

    def do_silent(self, rest, tail):
        time.sleep(60)

    def do_flood(self, rest, tail):
        self.sock.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            self.sock.sendall(b"Warning: 299 - x\r\n" * 1000)

    def do_warns(self, rest, tail):
        """Thousands of warnings; the second is for people, and so are those after it."""
        self.send(200, [("Warning", '110 - "stale"')] +
                  [("Warning", f'299 - "old \x1b[31mname {i}" "Sat, 25 Aug 2012"')
                   for i in range(4000)], BLOB)

    def do_interim(self, rest, tail):
        self.sock.sendall(b"HTTP/1.1 103 Early Hints\r\nContent-Type: text/html\r\n\r\n")
        self.ok()

    # --- for who has a password ---

    def is_member(self, password=PASSWORD):
        given = base64.b64encode(f"{USER}:{password}".encode()).decode()
        return self.headers.get("authorization", "") == "Basic " + given

    def want_password(self):
        self.send(401, [("WWW-Authenticate", 'Basic realm="members"')])

    def do_door(self, rest, tail):
        """door-HOW: from now on /v2/ lets anybody in (open), wants Basic (basic) or a token of the
        server HOW of other (HOW), or answers with a status (404)."""
        door[0] = rest
        self.ok()

    def at_door(self):
        how = door[0]
        if how == "open" or (how == "basic" and self.is_member()):
            self.send(200, [], b"{}")
        elif how == "basic":
            self.want_password()
        elif how.isdigit():
            self.refuse(int(how))
        else:
            self.do_auth("other-" + how, "")

    def do_members(self, rest, tail):
        """members-HOW: wants Basic; then ok, or what HOW says: echo, away, back, asks (elsewhere,
        as here). hidden: 404 for everybody else."""
        if not self.is_member():
            self.refuse(404) if rest == "hidden" else self.want_password()
        elif rest == "away":
            self.redirect(self.origin("other") + "/v2/echo/x")
        elif rest == "back":
            self.redirect(self.origin("other") + "/v2/back/x")
        elif rest == "asks":
            self.redirect(self.origin("other") + "/v2/members-echo/x")
        elif rest == "echo":
            self.do_echo(rest, tail)
        else:
            self.ok()

    def do_given(self, rest, tail):
        """Takes one registry token only."""
        if self.headers.get("authorization") == "Bearer SECRET-registry":
            self.do_echo(rest, tail)
        else:
            self.send(401, [("WWW-Authenticate", f'Bearer realm="{self.origin("other")}/token/none"')])

    # --- redirects ---

    def do_hop(self, rest, tail):
        """hop-3: three redirects, then ok."""
        left = int(rest)
        status = (301, 302, 303, 307, 308)[left % 5]
        self.redirect(f"/v2/hop-{left - 1}/{tail}" if left else "", status) if left else self.ok()

    def do_loop(self, rest, tail):
        self.redirect(self.path)

    def do_relative(self, rest, tail):
        self.redirect("../echo/x?signature=secret")

    def do_away(self, rest, tail):
        self.redirect(self.origin("other") + "/v2/echo/x")

    def do_there(self, rest, tail):
        """To the other origin and back again."""
        self.redirect(self.origin("other") + "/v2/back/x")

    def do_back(self, rest, tail):
        self.redirect(self.origin("plain") + "/v2/echo/x")

    def do_asks(self, rest, tail):
        self.redirect(self.origin("other") + "/v2/status-401/x")

    def do_plain(self, rest, tail):
        self.redirect(self.origin("plain") + "/v2/ok/" + tail)

    def do_to(self, rest, tail):
        self.redirect({"file": "file:///etc/passwd", "ftp": "ftp://127.0.0.1/x",
                       "control": "http://127.0.0.1/\x01x", "none": "",
                       "metadata": "http://169.254.169.254/x",
                       "user": f"http://me:secret@127.0.0.1:{ports['other']}/v2/echo/x",
                       }[rest])

    def do_nowhere(self, rest, tail):
        self.send(307, [], b"no location")

    # --- tokens ---

    def do_auth(self, rest, tail):
        """auth-WHERE-HOW: wants a token of the token server HOW, which is at WHERE."""
        where, _, how = rest.partition("-")
        name = self.path[len("/v2/"):].rpartition("/")[0].rpartition("/")[0]
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        with counts_lock:
            scopes, left = tokens.get(token, ((), 0))
            good = scheme == "Bearer" and left > 0 and (
                not name or f"repository:{name}:pull" in scopes)
            if good:
                tokens[token] = scopes, left - 1
        if not good or how == "never":
            realm = {"plain": self.origin("plain"), "other": self.origin("other"),
                     "name": self.origin("other", host="localhost"),
                     "tls": self.origin("tls", "https", "localhost"),
                     "auth": self.origin("auth", "https"),
                     "wrong": self.origin("auth", "https", "localhost"),
                     "far": "http://auth.example.com", "near": "https://169.254.169.254",
                     }[where] + f"/token/{how}?own=a%20b&n={name}"
            self.send(401, [("WWW-Authenticate", 'Basic realm="x"'),
                            ("WWW-Authenticate", f'Bearer realm="{realm}",service="a fake&one",'
                             + (f'scope="repository:{name}:pull also:this:one"' if name else
                                'x="y"'))],
                      json.dumps({"errors": [{"code": "UNAUTHORIZED",
                                              "message": "authentication required"}]}).encode())
        elif how == "away":
            self.redirect(self.origin("other") + "/v2/echo/x")
        elif how == "back":
            self.redirect(self.origin("other") + "/v2/back/x")
        elif how == "asks":
            self.redirect(self.origin("other") + f"/v2/auth-plain-good/{tail}")
        elif how == "echo":
            self.do_echo(rest, tail)
        else:
            self.ok()

    def do_basic(self, rest, tail):
        self.send(401, [("WWW-Authenticate", 'Basic realm="x"')])

    def do_realm(self, rest, tail):
        """A challenge without a realm, or with a relative one."""
        self.send(401, [("WWW-Authenticate", {"none": 'Bearer service="x"',
                                              "relative": 'Bearer realm="/token/good"'}[rest])])

    def do_log(self, rest, tail):
        """Of requests for tokens, or of the proxy."""
        self.send(200, [], "\n".join(proxy_log if rest == "proxy" else token_log).encode())

    def token(self, uses=1 << 30, **more):
        """A new token for what is asked; like real ones it holds characters of base64."""
        query = urllib.parse.parse_qs(self.body or self.path.partition("?")[2])
        scopes = [scope for given in query.get("scope", []) for scope in given.split(" ")]
        with counts_lock:
            text = f"SECRET/{len(tokens)}+x=="
            tokens[text] = scopes, uses
        return dict({"token": text, "issued_at": "2024-01-01T00:00:00Z", "expires_in": 300},
                    **more)

    def give(self, answer, headers=()):
        self.send(200, [("Content-Type", "application/json"), *headers],
                  json.dumps(answer).encode())

    def token_good(self):
        self.give(self.token())

    def token_member(self):
        """For who has the password."""
        self.give(self.token()) if self.is_member() else self.refuse(401, "who are you")

    def token_oauth(self):
        """For who has the identity token, by POST and nothing else."""
        form = urllib.parse.parse_qs(self.body)
        if self.method != "POST":
            self.refuse(405)
        elif form.get("refresh_token") == [IDENTITY] and form["grant_type"] == ["refresh_token"]:
            self.give({"access_token": self.token()["token"], "refresh_token": "SECRET-other"})
        else:
            self.refuse(401, "who are you")

    def token_get400(self):
        self.token_get(400)

    def token_get401(self):
        self.token_get(401)

    def token_get404(self):
        self.token_get(404)

    def token_get405(self):
        self.token_get(405)

    def token_get(self, status):
        """Knows no POST, and takes the identity token for a password."""
        if self.method == "POST":
            self.refuse(status)
        elif self.is_member(IDENTITY):
            self.give(self.token())
        else:
            self.refuse(401, "who are you")

    def token_busypost(self):
        """503 to a POST, twice."""
        if count(self.path) < 2:
            self.refuse(503)
        else:
            self.token_oauth()

    def token_access(self):
        answer = self.token()
        self.give({"access_token": answer["token"], "token": ""})

    def token_three(self):
        """Good for three requests only."""
        self.give(self.token(3))

    def token_most(self):
        """The first one is good for 51 requests: one more than five threads with ten each need."""
        self.give(self.token(1 << 30 if count(self.path) else 51))

    def token_narrow(self):
        """Not for what was asked."""
        self.give(self.token(0))

    def token_same(self):
        """The same token again, though its time is over."""
        with counts_lock:
            if "SECRET-same" not in tokens:
                tokens["SECRET-same"] = [urllib.parse.parse_qs(self.path)["scope"][0]], 1
        self.give({"token": "SECRET-same"})

    def token_s401(self):
        self.refuse(401, "who are you")

    def token_s403(self):
        self.refuse(403, "requested access to the resource is denied")

    def token_s404(self):
        self.refuse(404, "no such thing")

    def token_busy(self):
        """429 twice, then ok."""
        if count(self.path) < 2:
            self.refuse(429)
        else:
            self.token_good()

    def token_down(self):
        self.refuse(503)

    def token_resets(self):
        if count(self.path) < 2:
            self.reset()
        else:
            self.token_good()

    def token_cut(self):
        """Half an answer, then a whole one."""
        body = json.dumps(self.token()).encode()
        if count(self.path) == 0:
            self.send(200, [], body[:len(body) // 2], length=len(body))
        else:
            self.send(200, [], body)

    def token_moved(self):
        self.redirect(self.origin("other") + "/token/good?" + self.path.partition("?")[2])

    def token_huge(self):
        self.send(200, [("Transfer-Encoding", "chunked")], length="none")
        while True:
            self.sock.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")

    def token_newline(self):
        self.give({"token": "SECRET\r\nX-Injected: yes"})

    def token_html(self):
        self.send(200, [("Content-Type", "text/html")], b"<html>SECRET</html>")

    def token_empty(self):
        self.send(200, [])

    def token_none(self):
        self.give({"tokens": "SECRET"})


def handle(sock, tls):
    with sock:
        try:
            Request(sock, tls).serve()
            sock.shutdown(socket.SHUT_WR)
        except (OSError, ValueError):
            pass


def tls_handle(sock, context):
    sock = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
    try:
        sock.do_handshake()
        handle(sock, True)
    except OSError:
        time.sleep(0.5)  # else a reset would overtake the reason
        sock.close()


def listen(name, target, *args):
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    ports[name] = listener.getsockname()[1]

    def accept():
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=target, args=(sock, *args), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True)


def context_of(cert, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def make_certificate(folder):
    cert, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    openssl("req", "-x509", *KEY, "-keyout", key, "-out", cert, "-days", "2", "-subj",
            "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,DNS:layers.test")
    return context_of(cert, key)


def make_authority(folder):
    """An authority, and what it certifies; what is to be trusted is all in ca.pem."""
    cert, key, request, ca, ca_key, names = (
        os.path.join(folder, "auth-" + name)
        for name in ("cert.pem", "key.pem", "request.pem", "ca.pem", "ca-key.pem", "names"))
    openssl("req", "-x509", *KEY, "-keyout", ca_key, "-out", ca, "-days", "2", "-subj",
            "/CN=authority of a test")
    openssl("req", "-new", *KEY, "-keyout", key, "-out", request, "-subj", "/CN=tokens")
    with open(names, "w", encoding="ascii") as f:
        f.write("subjectAltName=IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial",
            "-out", cert, "-days", "2", "-extfile", names)
    openssl("req", "-new", *KEY, "-keyout", os.path.join(folder, "client.key"), "-out", request,
            "-subj", "/CN=client of a test")
    openssl("x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial",
            "-out", os.path.join(folder, "client.pem"), "-days", "2")
    with open(os.path.join(folder, "ca.pem"), "wb") as out:
        for path in (os.path.join(folder, "cert.pem"), ca):
            with open(path, "rb") as f:
                out.write(f.read())
    return context_of(cert, key)


def make_strict(folder):
    """The server of make_certificate(), for clients with a certificate of the authority."""
    context = context_of(os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem"))
    context.load_verify_locations(os.path.join(folder, "auth-ca.pem"))
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def main():
    listen("plain", handle, False)
    listen("other", handle, False)
    listen("tls", tls_handle, make_certificate(sys.argv[1]))
    listen("auth", tls_handle, make_authority(sys.argv[1]))
    listen("mute", lambda sock: time.sleep(60))
    listen("client", tls_handle, make_strict(sys.argv[1]))
    print(*(ports[name] for name in ("plain", "other", "tls", "mute", "auth", "client")),
          flush=True)
    threading.Event().wait()


main()
