#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A token server for a real registry: signs what anybody may pull, and what members may.

    token_server.py FOLDER [WHERE]

Listens on 127.0.0.1, or where listener.py says. Makes FOLDER/token.crt for the registry, writes its port to FOLDER/token.port when it is ready, and
a line for each request to FOLDER/token.log. The name of a repository decides:
  */private      a token that allows nothing
  */expired      a token that is over since two minutes
  */closed       no token: 403
  */other        only one for another repository
  */members      a token for who has the password of the environment, $TOKEN_PASSWORD, or by POST the
                 identity token $TOKEN_IDENTITY; 401 for all others
  else           a token to pull it
"""
import base64
import http.server
import json
import os
import subprocess
import sys
import time
import urllib.parse

import listener

FOLDER = sys.argv[1]
KEY, CERT = os.path.join(FOLDER, "token.key"), os.path.join(FOLDER, "token.crt")


def openssl(*args, data=None):
    return subprocess.run(["openssl", *args], input=data, check=True, capture_output=True).stdout


def encoded(data):
    if not isinstance(data, bytes):
        data = json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def make_token(service, access, expires):
    der = openssl("x509", "-in", CERT, "-outform", "DER")
    now = int(time.time())
    head = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
    claims = {"iss": "tests", "sub": "", "aud": service, "exp": now + expires, "nbf": now - 600,
              "iat": now - 600, "jti": str(time.monotonic_ns()), "access": access}
    text = encoded(head) + b"." + encoded(claims)
    return (text + b"." + encoded(openssl("dgst", "-sha256", "-sign", KEY, data=text))).decode()


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        with open(os.path.join(FOLDER, "token.log"), "a", encoding="utf-8") as log:
            log.write(f"{self.command} {self.path} {self.headers.get('Authorization', '-')}\n")

    def knows(self, form):
        """Whether who asks is a member; None: it is anybody."""
        if "grant_type" in form:
            return form["refresh_token"] == [os.environ.get("TOKEN_IDENTITY", "")]
        given = self.headers.get("Authorization")
        pair = base64.b64encode(f"member:{os.environ.get('TOKEN_PASSWORD', '')}".encode()).decode()
        return given == f"Basic {pair}" if given else None

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):  # pylint: disable=invalid-name
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.give(urllib.parse.parse_qs(body))

    def do_GET(self):  # pylint: disable=invalid-name
        self.give(urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query))

    def give(self, query):
        access, expires = [], 300
        member = self.knows(query)
        if member is False:
            self.answer(401, {"errors": [{"code": "UNAUTHORIZED", "message": "who are you"}]})
            return
        for scope in " ".join(query.get("scope", [])).split():
            kind, name, actions = scope.split(":")
            how = name.rsplit("/", 1)[-1]
            if how == "closed":
                self.answer(403, {"errors": [{"code": "DENIED", "message": "not for you"}]})
                return
            if how == "expired":
                expires = -120
            if how == "other":
                name = "test/good"
            if how == "members" and not member:
                self.answer(401, {"errors": [{"code": "UNAUTHORIZED", "message": "members only"}]})
                return
            if how != "private":
                access.append({"type": kind, "name": name,
                               "actions": [a for a in actions.split(",") if a == "pull"]})
        self.answer(200, {"token": make_token(query["service"][0], access, expires),
                          "expires_in": max(expires, 60)})


def main():
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", KEY, "-out", CERT,
            "-days", "2", "-subj", "/CN=tokens of a test")
    listener.serve(sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1:0", Handler,
                   os.path.join(FOLDER, "token.port"))


main()
