#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The place where a registry sends its clients for blobs: blob_site.py FOLDER WHERE PORT_FILE LOG

Serves the files below FOLDER; each one above 1 KiB is cut in the middle the first time. A line in
LOG for each request: PATH STATUS AUTHORIZATION, the last "-" if there is none. WHERE: listener.py.
"""
import http.server
import os
import sys
import threading

import listener

FOLDER, WHERE, PORT_FILE, LOG = sys.argv[1:]
SMALL = 1024
seen, lock = set(), threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass

    def do_GET(self):  # pylint: disable=invalid-name
        path = self.path.partition("?")[0]
        file, body, status = os.path.normpath(f"{FOLDER}/{path}"), b"", 404
        if file.startswith(FOLDER + "/") and os.path.isfile(file):
            with open(file, "rb") as f:
                body, status = f.read(), 200
        with lock:
            cut = len(body) > SMALL and path not in seen
            seen.add(path)
            with open(LOG, "a", encoding="utf-8") as log:
                log.write(f"{path} {status} {self.headers.get('Authorization', '-')}\n")
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:len(body) // 2] if cut else body)
        self.close_connection = cut


listener.serve(WHERE, Handler, PORT_FILE)
