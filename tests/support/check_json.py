#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds results as JSON against the schemas of testdata/schemas.

  check_json.py SCHEMAS RESULTS HELP [VERB...]

RESULTS has files VERB.N ("image_inspect.1"), HELP is what `thinpull --json help` said. Each verb that
is there must have a schema and a result, but for the VERBs, whose results are not JSON or cannot be had
here; no schema is left over. A schema allows no more and no less than the keys it names, and a result with a key less,
a key more, or a value of another type is refused: else the schema says nothing.
"""
import copy
import json
import os
import sys
import warnings

warnings.simplefilter("ignore", DeprecationWarning)  # RefResolver: the only way in Debian 12
import jsonschema  # noqa: E402

SHARED = {"common", "error"}


def load(path):
    def once(pairs):
        keys = [k for k, _ in pairs]
        if len(keys) != len(set(keys)):
            sys.exit(f"{path}: a key twice: {sorted(keys)}")
        return dict(pairs)
    with open(path, encoding="utf-8") as f:
        return json.load(f, object_pairs_hook=once)


class Schemas:
    def __init__(self, folder):
        self.all = {name[:-5]: load(f"{folder}/{name}") for name in sorted(os.listdir(folder))
                    if name.endswith(".json")}
        self.base = f"file://{os.path.abspath(folder)}/"
        for name, schema in self.all.items():
            jsonschema.Draft202012Validator.check_schema(schema)
            self.check_closed(name, schema)

    def check_closed(self, where, schema):
        """All keys are required and no others allowed; null stands for what is not known."""
        if isinstance(schema, list):
            for part in schema:
                self.check_closed(where, part)
        if not isinstance(schema, dict):
            return
        if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
            if schema.get("additionalProperties") is not False:
                sys.exit(f"{where}: an object that takes any key")
            if set(schema["required"]) != set(schema["properties"]):
                sys.exit(f"{where}: required are {schema['required']}")
        for part in schema.values():
            self.check_closed(where, part)

    def errors(self, name, value):
        schema = self.all[name]
        resolver = jsonschema.RefResolver(self.base + name + ".json", schema)
        return [e for e in jsonschema.Draft202012Validator(schema, resolver=resolver)
                .iter_errors(value)]


def objects(value, path=()):
    """All objects with fixed keys below a value, as (path, object)."""
    if isinstance(value, dict):
        yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) \
        if isinstance(value, list) else []
    for key, item in items:
        if key not in ("labels", "config", "libraries"):
            yield from objects(item, path + (key,))


def at(value, path):
    for key in path:
        value = value[key]
    return value


def spoilt(value):
    """Copies with one thing wrong in each, and what that is."""
    for path, found in objects(value):
        for key in list(found) + [None]:
            other = copy.deepcopy(value)
            place = at(other, path)
            if key is None:
                place["surplus"] = 1
            else:
                del place[key]
            yield other, f"{path}: {key or 'a surplus key'}"
        for key, item in found.items():
            if isinstance(item, (int, str)):
                other = copy.deepcopy(value)
                at(other, path)[key] = [item]
                yield other, f"{path}: {key} as a list"


def check_result(schemas, name, path):
    value = load(path)
    for error in schemas.errors(name, value):
        sys.exit(f"{path}: {list(error.absolute_path)}: {error.message[:300]}")
    for other, what in spoilt(value):
        if not schemas.errors(name, other):
            sys.exit(f"{name}.json takes what is wrong: {what}")


def main():
    schemas, results, without = Schemas(sys.argv[1]), sys.argv[2], set(sys.argv[4:])
    verbs = {v["verb"].replace(" ", "_") for v in load(sys.argv[3]) if v["available"]}
    found = {}
    for file in sorted(os.listdir(results)):
        found.setdefault(file.rsplit(".", 1)[0], []).append(f"{results}/{file}")
    for what, names in (("no schema", verbs - without - schemas.all.keys()),
                        ("no result in the test", verbs - without - found.keys()),
                        ("a schema of no verb", schemas.all.keys() - verbs - SHARED),
                        ("no such verb", (found.keys() | without) - verbs - SHARED)):
        if names:
            sys.exit(f"{what}: {', '.join(sorted(names))}")
    for name, paths in found.items():
        for path in paths:
            check_result(schemas, name, path)
    print(f"{sum(map(len, found.values()))} results of {len(found)} kinds")


main()
