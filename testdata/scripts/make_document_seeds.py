#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of the fuzzers of references, JSON, documents and mountinfo: testdata/fuzz/KIND/NAME.

Run without arguments; the result is always the same.
"""
import json
import os

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
OCI, DOCKER = "application/vnd.oci.image.", "application/vnd.docker."


def descriptor(kind, nr, **more):
    return {"mediaType": kind, "digest": f"sha256:{nr:064x}", "size": nr, **more}


def platform(text):
    os_, architecture, *variant = text.split("/")
    return {"os": os_, "architecture": architecture, **({"variant": variant[0]} if variant else {})}


def entry(nr, text):
    return descriptor(OCI + "manifest.v1+json", nr, platform=platform(text))


LAYERS = [descriptor(OCI + "layer.v1.tar+gzip", 1), descriptor(OCI + "layer.v1.tar+zstd", 2)]
ATTESTATION = descriptor(OCI + "manifest.v1+json", 9, platform=platform("unknown/unknown"),
                         annotations={"vnd.docker.reference.type": "attestation-manifest"})
LVM_GROUP = {"vg_name": "vg", "vg_size": "1069547520", "vg_free": "746586112",
             "vg_extent_size": "4194304", "lv_count": "1"}

SEEDS = {
    "manifest": {
        "oci": {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
                "config": descriptor(OCI + "config.v1+json", 7), "layers": LAYERS},
        "docker": {"schemaVersion": 2, "mediaType": DOCKER + "distribution.manifest.v2+json",
                   "config": descriptor(DOCKER + "container.image.v1+json", 7),
                   "layers": [descriptor(DOCKER + "image.rootfs.diff.tar.gzip", 1),
                              descriptor(DOCKER + "image.rootfs.foreign.diff.tar", 2,
                                         urls=["https://example.test/"])]},
        "data": {"schemaVersion": 2,
                 "config": {"mediaType": OCI + "config.v1+json", "size": 2, "data": "e30=",
                            "digest": "sha256:44136fa355b3678a1146ad16f7e8649e"
                                      "94fb4fc21fe77e8310c060f61caaff8a"}, "layers": []},
        "artifact": {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
                     "artifactType": "a/b", "config": descriptor(
                         "application/vnd.oci.empty.v1+json", 2, urls=["https://x/", "y"]),
                     "layers": [descriptor("text/plain", 1, urls=["z"])],
                     "subject": descriptor(OCI + "manifest.v1+json", 3)},
        "schema1": {"schemaVersion": 1, "fsLayers": []},
        "confused": {"schemaVersion": 2, "manifests": [], "layers": []},
    },
    "index": {
        "several": {"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": [
            entry(1, "linux/amd64"), entry(2, "linux/arm64/v8"), entry(3, "linux/arm/v6"),
            entry(4, "linux/386"), ATTESTATION]},
        "named": {"schemaVersion": 2, "manifests": [descriptor(
            OCI + "index.v1+json", 1,
            annotations={"org.opencontainers.image.ref.name": "1",
                         "io.containerd.image.name": "x.test/y:1"})]},
        "unknown": {"schemaVersion": 2, "manifests": [
            {"mediaType": OCI + "manifest.v1+json", "digest": "blake3:" + "0" * 64, "size": 0}]},
    },
    "config": {
        "usual": {"os": "linux", "architecture": "amd64", "variant": "v3",
                  "created": "2024-01-02T03:04:05Z", "config": {"Env": ["A=b"], "Cmd": None},
                  "rootfs": {"type": "layers", "diff_ids": [f"sha256:{i:064x}" for i in (1, 2)]}},
        "empty": {"rootfs": {"type": "layers"}},
        "history": {"rootfs": {"type": "layers", "diff_ids": [f"sha256:{1:064x}"]}, "x": 1.5,
                    "history": [{"created_by": "a", "empty_layer": True, "n": [-1, 1e300]}, 7],
                    "created": "2024-01-02T03:04:05Z"},
    },
    "layout_index": {
        "empty": {"schemaVersion": 2, "manifests": []},
        "others": {"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": [
            entry(1, "linux/amd64"), descriptor("x/y", 2, annotations={
                "org.opencontainers.image.ref.name": "a name"}), 7, {"annotations": []}],
                   "annotations": {"b": "", "a": "1"}, "x": [1.5, None]},
    },
    "runconfig": {
        "usual": {"os": "linux", "os.features": ["a"], "author": "x", "created": "2024-01-02",
                  "config": {"Env": ["A=b", "A=", "PATH=/x"], "Entrypoint": ["/e"], "Cmd": ["c"],
                             "WorkingDir": "../a/./b/", "User": "a", "StopSignal": "15",
                             "Volumes": {"/v": {}, "/l": {}}, "ExposedPorts": {"80/tcp": {}},
                             "Labels": {"k": "v", "org.opencontainers.image.os": ""}},
                  "history": [{"created": "x", "created_by": "y", "comment": "z",
                               "empty_layer": True}]},
        "small": {"config": {"Cmd": ["x"], "User": "5:g", "WorkingDir": "/proc/self"}},
    },
    "user": {
        "names": "a:g\udcfea:x:5:6:c:/a:/bin/sh\nb:x:1:1::/:\n\udcfeg:x:7:a,b\nh:x:8:a\n",
        "ids": "5\udcfe#\n+::::::\na:x:5:6::/a\r\n\udcfeg:x:4294967296:a\nh:x:9: a ,\n",
        "large": "4294967296:0\udcfe\udcfe",
    },
    "jdoc": {
        "values": {"a": [1, -1, 1.5, True, False, None, "\u00e9\u2028\U0001f600\"\\\b\f\n\r\t\u0001"],
                   "b": {"c": {}, "d": []}},
        "deep": json.loads("[" * 60 + "]" * 60),
    },
    "reference": {
        "short": "alpine", "long": "docker://[2001:db8::1]:5000/a-b/c__d/e.f:V_1.2-x@sha256:"
                                   + "0" * 64,
        "host": "localhost:5000/x", "hex": "0" * 64,
    },
    "challenge": {
        "bearer": 'Bearer realm="https://a.test/t?x=\\"1\\"",service=s,scope="a:b:pull"',
        "several": 'Negotiate YWJj==, Basic realm="x", Bearer realm="y",error=""',
    },
    "realm": {
        "hub": 'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",'
               'scope="repository:library/alpine:pull a:b:c"',
        "query": 'Bearer realm="https://a.test:8443/t?x=1&y=%20#z",service="a b&c"',
        "local": 'Bearer realm="https://0x7f.1/t"',
        "percent": 'Bearer realm="httPs:/l%Calhost.?="',
        "six": 'Bearer realm="https://[::ffff:10.0.0.1%25eth0]/"',
    },
    "token": {
        "hub": {"token": "eyJ.a-b_c.~+/==", "access_token": "x", "expires_in": 300,
                "issued_at": "2024-01-02T03:04:05Z"},
        "oauth": {"access_token": "x", "scope": "", "expires_in": -1},
        "header": {"token": "x\r\ny: z"},
    },
    "auth_file": {
        "docker": json.dumps({"auths": {
            "https://index.docker.io/v1/": {"auth": "dTpw", "email": "x"},
            "h.io": {"identitytoken": "t", "auth": "dTo="}}, "detachKeys": "ctrl-e", "n": 1.5}),
        "podman": json.dumps({"auths": {"h.io/team/a": {"auth": "dTpw\n"}, "h.io/team": {},
                                        "docker.io": {"username": "u", "password": "p"},
                                        "http://h.io/v2/": {"registrytoken": "t"}}}),
        "helpers": json.dumps({"auths": {"h.io": {}}, "credsStore": "secretservice",
                               "credHelpers": {"h.io": "pass", "docker.io": ""}}),
        "legacy": "L" + json.dumps({"https://index.docker.io/v1/": {"auth": "dTpwAA=="},
                                    "h.io/": {"auth": "Og=="}}),
        "twins": '{"Auths": {}, "auths": null}',
    },
    "mounts": {
        "usual": "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
                 "31 20 7:1 / /a\\040b\\134 rw,nodev shared:1 - ext4 /dev/loop1 rw\n",
        "cut": "31 20 7:1 / /a\\04",
    },
    "lvm_report": {
        "pool": json.dumps({"report": [{"lv": [dict(
            LVM_GROUP, lv_name="pool", vg_uuid="nB6KJg-x5Qm-Uydi-Sb02-zYuL-Nkfp-X5b9ll",
            lv_uuid="LWFPEf-Hl45-pX3D-h6Tt-AueT-Qg4o-wrvdGl", segtype="thin-pool",
            lv_active="active", lv_size="314572800", lv_metadata_size="4194304",
            chunk_size="524288", transaction_id="0", thin_count="0", zero="zero",
            lv_when_full="queue", seg_monitor="monitored", lv_profile="", vg_partial="")]}]}),
        "group": json.dumps({"report": [{"vg": [LVM_GROUP]}]}),
        "disk": json.dumps({"report": [{"pv": [dict(LVM_GROUP, pv_name="/dev/sdx")]}]}),
        "settings": 'monitoring=1\nprofile_dir="/etc/lvm/profile"\n',
    },
    "dm_text": {
        "pool": "7 18/2048 33/4096 - out_of_data_space no_discard_passdown error_if_no_space "
                "needs_check 1024",
        "old_pool": "18446744073709551615 18/2048 33/4096 12",
        "fail": "Fail",
        "thin": "131072 131071",
        "thin_empty": "0 -",
        "table": "254:0 254:1 128 6553 2 skip_block_zeroing error_if_no_space",
        "uuid": "THINPULL-0123456789abcdeffedcba9876543210-16777215",
    },
}

PLAIN = {"reference", "challenge", "realm", "mounts", "user", "lvm_report", "dm_text",
         "auth_file"}  # text as it is

for kind, seeds in SEEDS.items():
    folder = os.path.join(TOP, "testdata/fuzz", kind)
    os.makedirs(folder, exist_ok=True)
    for name, value in seeds.items():
        text = value if kind in PLAIN else json.dumps(value)
        if kind == "runconfig":  # in front of it is a byte of options
            text = chr(ord("@") + len(text) % 32) + text
        with open(os.path.join(folder, name), "wb") as f:
            f.write(text.encode("utf-8", "surrogateescape"))
