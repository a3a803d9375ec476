# SPDX-License-Identifier: Apache-2.0
"""What the servers of the tests have in common: where they listen, and with which certificate.

WHERE is ADDRESS:PORT, an IPv6 address in brackets, port 0 for a free one, or ADDRESS:PORT:CERTIFICATES:NAME for TLS, with the
certificate of that name as certificates.py makes it.
"""
import http.server
import os
import re
import socket
import ssl


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    tls = None

    def __init__(self, where, handler):
        address, port, certificate = re.fullmatch(r"\[?(.*?)\]?:(\d+)((?::.*)?)", where).groups()
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        super().__init__((address, int(port)), handler)
        if certificate:
            folder, name = certificate[1:].split(":")
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(f"{folder}/{name}.pem", f"{folder}/{name}.key")

    def finish_request(self, request, client_address):
        """The handshake belongs to the thread of the connection."""
        if self.tls:
            request = self.tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        """A client that hangs up in the middle has every reason to."""


def serve(where, handler, port_file):
    """Write the port to a file when ready, and serve until killed."""
    server = Server(where, handler)
    with open(port_file + ".new", "w", encoding="ascii") as f:
        f.write(f"{server.server_address[1]}\n")
    os.rename(port_file + ".new", port_file)
    server.serve_forever()
