#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds config.json of bundles against the schema, `runc spec`, and what umoci writes.

  check_bundle.py schema FILE...          against the JSON schema of runtime-spec
  check_bundle.py sorted FILE...          members are in the order of their names
  check_bundle.py runc OURS THEIRS        differences from runc's document are the known ones
  check_bundle.py umoci OURS THEIRS ...   the same for umoci, of any number of pairs
  check_bundle.py trees --program P --list EXT4_LIST --work DIR LAYOUT...
                                          as root: rootfs of a bundle against the raw export

A known difference that is not seen any more is a failure, too.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import time

import jsonschema

from tree import differences, list_folder

SCHEMA = "/usr/share/gocode/src/github.com/opencontainers/runtime-spec/schema/config-schema.json"

# Path of the member, pattern of our value, of theirs ("-" for none), reason.
RUNC = (
    (r"ociVersion", r'"1\.0\.2"', r'"1\.0\.2-dev"', "the version that was released"),
    (r"hostname", r".*", r'"runc"', "the name of the container"),
    (r"process\.terminal", "false", "true", "only when asked for"),
    (r"process\.env", r'\["PATH=[^"]*"(, "HOME=/root")?\]', r'\["PATH=[^"]*", "TERM=xterm"\]',
     "TERM comes with a terminal, HOME from passwd"),
    (r"root\.readonly", "false", "true", "only for a container that is"),
    (r"annotations\..*", ".*", "-", "runc knows no image"),
)
UMOCI = (
    (r"ociVersion", r'"1\.0\.2"', r'"1\.0\.0"', "of the age of umoci"),
    (r"hostname", r".*", r'"umoci-default"', "the name of the container"),
    (r"process\.terminal", "false", "true", "only when asked for"),
    (r"process\.capabilities\.inheritable", "-", ".*", "runc has left them out since CVE-2022-29162"),
    (r"root\.readonly", "false", "-", "the same"),
    (r"linux\.maskedPaths", ".*", ".*", "runc has added /proc/acpi, keys and asound"),
    (r"linux\.readonlyPaths", ".*", ".*", "runc masks /proc/asound"),
    (r"annotations\..*\.(author|stopSignal|exposedPorts)", "-", '""', "left out when empty"),
    (r"process\.env", r'\[("PATH=[^"]*")?.*\]', r'\["PATH=[^"]*", "TERM=xterm".*\]',
     "TERM comes with a terminal; PATH where the image has it; HOME of the image wins"),
)


def load(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def check_schema(paths):
    schema = load(SCHEMA)
    resolver = jsonschema.RefResolver("file://" + SCHEMA, schema)
    validator = jsonschema.validators.validator_for(schema)(schema, resolver=resolver)
    problems = []
    for path in paths:
        for e in validator.iter_errors(load(path)):
            problems.append(f"{path}: {'/'.join(map(str, e.absolute_path))}: {e.message}")
    return problems


def in_order(pairs):
    names = [name for name, _ in pairs]
    if names != sorted(set(names)):
        raise ValueError(f"not in order: {names}")
    return dict(pairs)


def check_sorted(paths):
    problems = []
    for path in paths:
        with open(path, encoding="utf-8") as f:
            try:
                json.load(f, object_pairs_hook=in_order)
            except ValueError as e:
                problems.append(f"{path}: {e}")
    return problems


def flatten(value, path=""):
    """Members by path; lists are values, but for that of mounts, which go by destination: umoci
    has volumes in any order."""
    if isinstance(value, dict):
        members = {}
        for name, inner in value.items():
            members.update(flatten(inner, f"{path}.{name}" if path else name))
        return members
    if path == "mounts":
        members = {"mounts": json.dumps(sorted(m["destination"] for m in value))}
        for mount in value:
            members.update(flatten(mount, f"mounts.{mount['destination']}"))
        return members
    return {path: json.dumps(value, sort_keys=True)}


def compare(pairs, known):
    problems, used = [], set()
    for ours_path, theirs_path in pairs:
        ours, theirs = flatten(load(ours_path)), flatten(load(theirs_path))
        for path in sorted(set(ours) | set(theirs)):
            a, b = ours.get(path, "-"), theirs.get(path, "-")
            if a == b:
                continue
            why = [k for k in known if re.fullmatch(k[0], path) and re.fullmatch(k[1], a)
                   and re.fullmatch(k[2], b)]
            used.update(why)
            if not why:
                problems.append(f"{ours_path}: {path}: {a}, {theirs_path} has {b}")
    return problems, used


def unused(known, used):
    return [f"the known difference at {k[0]} is not there: {k[3]}" for k in known if k not in used]


# --- trees -----------------------------------------------------------------------------------------

def run(*command):
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False,
                          stdin=subprocess.DEVNULL)


class Trees:
    def __init__(self, args):
        self.args, self.problems, self.count = args, [], 0
        self.raw, self.bundle = f"{args.work}/raw.ext4", f"{args.work}/bundle"

    def program(self, *more):
        done = run(self.args.program, "--root", f"{self.args.work}/root", "--run-dir",
                   f"{self.args.work}/run", *more)
        if done.returncode:
            raise SystemExit(f"{' '.join(more)}: {done.stderr}")

    def unmount(self):
        """Where / is a private mount, namespaces that others made meanwhile keep a copy of ours."""
        for _ in range(60):
            try:
                return self.program("umount", "box")
            except SystemExit as e:
                if "is in use" not in str(e):
                    raise
            time.sleep(0.5)
        raise SystemExit("umount: it stays in use")

    def exported(self, name):
        if os.path.exists(self.raw):
            os.unlink(self.raw)
        self.program("export", "--format", "raw", "-o", self.raw, name)
        listed = run(self.args.list, self.raw)
        if listed.returncode:
            raise SystemExit(f"{name}: {listed.stderr}")
        return {f["path"]: f for f in map(json.loads, listed.stdout.splitlines())}

    def image(self, ref):
        self.program("-q", "pull", ref)
        self.program("create", ref, "box")
        want = self.exported("box")
        self.program("bundle", "box", self.bundle, "--", "true")
        try:
            got = {f["path"]: f for f in list_folder(os.fsencode(f"{self.bundle}/rootfs"))}
        finally:
            self.unmount()
        self.program("rm", "box")
        run("rm", "-rf", self.bundle)
        for line in differences(want, got, ("export", "bundle"))[:12]:
            self.problems.append(f"{ref}: {line}")
        self.count += 1

    def layout(self, folder):
        refusals = {}
        if os.path.exists(f"{folder}/cases.json"):
            refusals = {c["tag"] for c in load(f"{folder}/cases.json") if c["refused"]}
        for entry in load(f"{folder}/index.json")["manifests"]:
            tag = entry["annotations"]["org.opencontainers.image.ref.name"]
            if tag not in refusals:
                self.image(f"oci:{folder}:{tag}")


def check_trees(words):
    parser = argparse.ArgumentParser()
    for name in ("program", "list", "work"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("layouts", nargs="+")
    args = parser.parse_args(words)
    trees = Trees(args)
    trees.program("pool", "create", "--base-size", "2G")
    for folder in args.layouts:
        trees.layout(folder)
    print(f"trees: {trees.count} bundles, {len(trees.problems)} problems")
    return trees.problems or ([] if trees.count else ["no bundle was looked at"])


def main():
    verb, words = sys.argv[1], sys.argv[2:]
    if verb == "schema":
        problems = check_schema(words)
    elif verb == "sorted":
        problems = check_sorted(words)
    elif verb == "trees":
        problems = check_trees(words)
    else:
        known = {"runc": RUNC, "umoci": UMOCI}[verb]
        problems, used = compare(list(zip(words[::2], words[1::2])), known)
        problems += unused(known, used) if verb == "umoci" else []
    for line in problems:
        print(line)
    return 1 if problems else 0


sys.exit(main())
