#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A proxy that connects (CONNECT) and forwards nothing else: connect_proxy.py ADDRESS:PORT PORT_FILE LOG

It wants the name and password of $PROXY_USER, "name:password", if there is any. Each request is a
line in LOG: METHOD TARGET STATUS, and all of its headers go to LOG.heads.
"""
import base64
import http.server
import os
import select
import socket
import sys

import listener


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    log = ""

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass

    def note(self, status):
        with open(self.log, "a", encoding="utf-8") as log:
            log.write(f"{self.command} {self.path} {status}\n")
        with open(self.log + ".heads", "a", encoding="utf-8") as log:
            log.write(f"{self.requestline}\n{self.headers}")

    def may(self):
        user = os.environ.get("PROXY_USER", "")
        want = "Basic " + base64.b64encode(user.encode()).decode()
        return not user or self.headers.get("Proxy-Authorization") == want

    def refuse(self, status, *headers):
        self.note(status)
        self.send_response(status)
        for key, value in headers:
            self.send_header(key, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_CONNECT(self):  # pylint: disable=invalid-name
        if not self.may():
            return self.refuse(407, ("Proxy-Authenticate", 'Basic realm="proxy"'))
        host, _, port = self.path.rpartition(":")
        try:
            there = socket.create_connection((host, int(port)))
        except OSError:
            return self.refuse(502)
        with there:
            self.note(200)
            self.wfile.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            self.pass_on(there)
        self.close_connection = True
        return None

    def pass_on(self, there):
        """To and fro, until one side has no more."""
        sides = {self.connection: there, there: self.connection}
        while True:
            for side in select.select(list(sides), [], [])[0]:
                piece = side.recv(65536)
                if not piece:
                    return
                sides[side].sendall(piece)

    def do_GET(self):  # pylint: disable=invalid-name
        self.refuse(405)


def main():
    Handler.log = sys.argv[3]
    listener.serve(sys.argv[1], Handler, sys.argv[2])


main()
