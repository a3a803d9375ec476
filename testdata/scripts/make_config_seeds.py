#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of the fuzzers of configuration files of other tools: testdata/fuzz/KIND/NAME.

Run without arguments; the result is always the same.
"""
import os

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")

SEEDS = {
    "toml": {
        "hosts": 'server = "https://registry-1.docker.io"\n[host."https://m.test:5000"]\n'
                 '  capabilities = ["pull", "resolve"] # no push\n  ca = [\'a.crt\', "/b.crt"]\n'
                 '  client = [["c.cert", "c.key"],\n    ["d.pem", ""],]\n'
                 '  [host."https://m.test:5000".header]\n    x-custom = "1"\n',
        "registries": '[[registry]]\r\nprefix = "a.test/b"\r\n[[registry.mirror]]\r\n'
                      'insecure = true\r\n[[registry.mirror]]\r\n[aliases]\r\n"x" = "y.test/z"\r\n',
        "values": 'i = [0, -1_000, 0xDEAD_beef, 0o755, 0b10]\nf = [1.0, -0.5e-3, inf, nan]\n'
                  "t = [1979-05-27, 07:32:00.5, 1979-05-27 07:32:00-07:00]\nb = true\n"
                  's = ["\\b\\u00e9\\U0001F600", \'\'\'\nx\'\'\'\'\', """\\\n  y"""]\n'
                  "o = { a.b = {}, 'c d' = [ { } ] }\n",
        "tables": "[a.b.c]\nx = 1\n[a]\ny.z = 2\n[[d]]\n[d.e]\n[[d.f]]\n[[d]]\n",
    },
    "hosts_toml": {
        "mirrors": 'server = "https://registry-1.docker.io"\n[host."https://m.test"]\n'
                   'capabilities = ["pull"]\nca = ["a.crt", "/b.crt"]\nskip_verify = true\n'
                   'client = [["c.cert", "c.key"]]\ndial_timeout = "1m0.5s"\n'
                   '[host."https://m.test".header]\nx-a = ["1", "2"]\n',
        "plain": "[host.'http://[::1]:5000/x/v2/']\nclient = 'c.pem'\noverride_path = true\n"
                 "proxy = 'socks5://p:1080'\n",
        "slashes": 'server = "https:/a.test/b/and/more://"\n',
        "only": "ca = 'x'\nclient = ['c.pem']\n[header]\nx = 'y'\n",
    },
    "registries_conf": {
        "mirrors": "[[registry]]\nprefix = 'a.test/b'\nlocation = 'in.test/x'\n"
                   "[[registry.mirror]]\nlocation = 'm.test:5000'\ninsecure = true\n"
                   "pull-from-mirror = 'tag-only'\nnamespace-proxy = 'a.test'\n"
                   "[[registry]]\nprefix = '*.example.com'\n[[registry]]\n"
                   "location = 'localhost'\nblocked = true\n",
        "names": "unqualified-search-registries = ['docker.io']\nshort-name-mode = 'disabled'\n"
                 "[aliases]\nb = 'a.test/b'\nc = ''\n",
        "old": "[registries.search]\nregistries = ['a.test']\n[registries.insecure]\n"
               "registries = ['a.test']\n[registries.block]\nregistries = ['b.test/']\n",
        "digest": "[[registry]]\nlocation = 'docker.io/library'\nmirror-by-digest-only = true\n"
                  "[[registry.mirror]]\nlocation = 'm.test/x'\n",
    },
}

for kind, seeds in SEEDS.items():
    folder = os.path.join(TOP, "testdata/fuzz", kind)
    os.makedirs(folder, exist_ok=True)
    for name, text in seeds.items():
        with open(os.path.join(folder, name), "wb") as f:
            f.write(text.encode("utf-8"))
