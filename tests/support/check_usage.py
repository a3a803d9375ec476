#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds df and tree against the mappings of the pool, as thin_dump tells them, block by block.

  check_usage.py PROGRAM ROOT

A block belongs to everybody whose devices map it: the pool itself (the record and the base),
references to images by their layers, containers, and "unnamed" by layers of no image.
"""
import json
import subprocess
import sys
import xml.etree.ElementTree as xml


def run(*command):
    return subprocess.run(command, check=True, capture_output=True).stdout


class Pool:
    """Blocks by device, and owners by device, found without asking df."""

    def __init__(self, program, root):
        self.command = [program, "--root", root, "--json"]
        dump = xml.fromstring(run("thin_dump", f"{root}/pools/default/meta"))
        with open(f"{root}/pools/default/meta", "rb") as f:
            f.seek(56)  # held_root of the superblock
            self.held = f.read(8) != bytes(8)
        self.block_bytes = int(dump.get("data_block_size")) * 512
        self.blocks = {int(d.get("dev_id")): self.mapped(d) for d in dump.iter("device")}
        self.images = {i["ref"]: self.json("image", "inspect", i["ref"])
                       for i in self.json("images")}
        self.containers = {c["name"]: c for c in self.json("ls")}
        self.owners = self.find_owners()

    def json(self, *words):
        return json.loads(run(*self.command, *words))

    @staticmethod
    def mapped(device):
        found = set()
        for m in device:
            if m.tag == "single_mapping":
                found.add(int(m.get("data_block")))
            else:
                first = int(m.get("data_begin"))
                found.update(range(first, first + int(m.get("length"))))
        return found

    def find_owners(self):
        owners = {id: {"unnamed"} for id in self.blocks}
        owners[0] = {"system"}
        owners[self.json("tree")["thin_id"]] = {"system"}
        for ref, image in self.images.items():
            for layer in image["layers"]:
                owners[layer["thin_id"]] = owners[layer["thin_id"]] - {"unnamed"} | {ref}
        for name, container in self.containers.items():
            owners[container["thin_id"]] = {name}
        return owners

    def bytes(self, blocks):
        return len(blocks) * self.block_bytes

    def of(self, wanted):
        """All blocks of the devices whose owners the function takes."""
        return set().union(*(b for id, b in self.blocks.items() if wanted(self.owners[id])))

    def users(self):
        """Block -> everybody it belongs to."""
        found = {}
        for id, blocks in self.blocks.items():
            for block in blocks:
                found.setdefault(block, set()).update(self.owners[id])
        return found


def same(what, want, got):
    if want != got:
        sys.exit(f"{what}: {got}, expected {want}")


def check_item(pool, users, name, item):
    mine = pool.of(lambda owners: name in owners)
    alone = {b for b in mine if users[b] == {name}}
    same(f"{name}: mapped", pool.bytes(mine), item["mapped_bytes"])
    same(f"{name}: exclusive", pool.bytes(alone), item["exclusive_bytes"])
    same(f"{name}: shared", pool.bytes(mine - alone), item["shared_bytes"])
    return len(alone)


def check_layer(pool, layer):
    mine = pool.blocks[layer["thin_id"]]
    others = set().union(*(b for id, b in pool.blocks.items() if id != layer["thin_id"]))
    same(f"{layer['chain_id']}: mapped", pool.bytes(mine), layer["mapped_bytes"])
    same(f"{layer['chain_id']}: exclusive", pool.bytes(mine - others), layer["exclusive_bytes"])


def check_totals(pool, users, totals, held):
    """held: bytes that a metadata snapshot keeps from what is gone; they are the system's."""
    used = set(users)
    system = pool.of(lambda o: "system" in o)
    images = pool.of(lambda o: o & pool.images.keys())
    unnamed = pool.of(lambda o: "unnamed" in o)
    below = system | images | unnamed
    for what, blocks in (("system", system), ("images", images - system),
                         ("unnamed", unnamed - images - system), ("containers", used - below)):
        same(f"size of {what}", pool.bytes(blocks) + (held if what == "system" else 0),
             totals[what]["size_bytes"])
    for what, names in (("system", {"system"}), ("unnamed", {"unnamed"}),
                        ("images", pool.images.keys()), ("containers", pool.containers.keys())):
        alone = {b for b in used if len(users[b]) == 1 and users[b] <= set(names)}
        same(f"exclusive of {what}", pool.bytes(alone) + (held if what == "system" else 0),
             totals[what]["exclusive_bytes"])
    same("used", pool.bytes(used) + held, totals["used_bytes"])
    same("shared", pool.bytes({b for b in used if len(users[b]) > 1}), totals["shared_bytes"])
    same("sizes add up", totals["used_bytes"],
         sum(totals[k]["size_bytes"] for k in ("system", "images", "unnamed", "containers")))
    same("shares add up", totals["used_bytes"], totals["shared_bytes"] + sum(
        totals[k]["exclusive_bytes"] for k in ("system", "images", "unnamed", "containers")))


def check_df(pool):
    df = pool.json("df")
    users = pool.users()
    same("images", sorted(pool.images), [i["ref"] for i in df["images"]])
    same("containers", sorted(pool.containers), sorted(c["name"] for c in df["containers"]))
    for image in df["images"]:
        check_item(pool, users, image["ref"], image)
        same(image["ref"], len(pool.images[image["ref"]]["containers"]), image["containers"])
    for container in df["containers"]:
        check_item(pool, users, container["name"], container)
        same(f"inspect {container['name']}", container["exclusive_bytes"],
             pool.containers[container["name"]]["exclusive_bytes"])
    for layer in df["layers"]:
        check_layer(pool, layer)
    held = df["pool"]["data"]["used_bytes"] - pool.bytes(users)
    if held and not pool.held:
        sys.exit(f"data used: {held} bytes are of no device")
    check_totals(pool, users, df["totals"], held)
    return df


def walk(node, chain, found):
    for ref in node["images"]:
        found["images"][ref] = chain
    for container in node["containers"]:
        found["containers"][container["name"]] = chain
        found["bytes"][container["thin_id"]] = container
    for layer in node["layers"]:
        found["bytes"][layer["thin_id"]] = layer
        walk(layer, chain + [layer["chain_id"]], found)


def check_tree(pool, df):
    found = {"images": {}, "containers": {}, "bytes": {}}
    walk(pool.json("tree"), [], found)
    same("images in the tree",
         {ref: [layer["chain_id"] for layer in i["layers"]] for ref, i in pool.images.items()},
         found["images"])
    same("containers in the tree",
         {n: [layer["chain_id"] for layer in pool.images[c["image"]]["layers"]]
          for n, c in pool.containers.items()}, found["containers"])
    for item in df["layers"] + df["containers"]:
        for key in ("mapped_bytes", "exclusive_bytes"):
            same(f"thin {item['thin_id']}: {key}", item[key], found["bytes"][item["thin_id"]][key])


def main():
    pool = Pool(*sys.argv[1:])
    check_tree(pool, check_df(pool))


main()
