#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An authority and certificates of it: certificates.py FOLDER NAME[=expired]...

Makes FOLDER/ca.pem, and FOLDER/NAME.pem, FOLDER/NAME.key for each name or address.
"""
import ipaddress
import os
import subprocess
import sys

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True)


def is_address(name):
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return False


def main():
    os.makedirs(sys.argv[1], exist_ok=True)
    os.chdir(sys.argv[1])
    openssl("req", "-x509", *KEY, "-keyout", "ca.key", "-out", "ca.pem", "-days", "3",
            "-subj", "/CN=authority of " + os.path.basename(os.getcwd()))
    for text in sys.argv[2:]:
        name, _, how = text.partition("=")
        openssl("req", "-new", *KEY, "-keyout", f"{name}.key", "-out", "request",
                "-subj", "/CN=server of a test")
        with open("names", "w", encoding="ascii") as f:
            f.write(f"subjectAltName={'IP' if is_address(name) else 'DNS'}:{name}\n")
        openssl("x509", "-req", "-in", "request", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-extfile", "names", "-out", f"{name}.pem",
                "-days", "-1" if how == "expired" else "2")


main()
