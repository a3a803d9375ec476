#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# image inspect, image history, inspect, tag, rename: what they say is what the image and the pool
# say, and what they are told to do is what is found afterwards.
# weight: 3
. "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

layout=$WORK/layout
tp pool create --size 2G --base-size 256M >/dev/null
# Three layers; a config with all that there can be, in an order of its own, and a history in which
# two steps left nothing.
PYTHONPATH=$SUPPORT python3 - "$layout" >"$WORK/made" <<'PY'
import json
import sys
import ocilayout
from tarmaker import archive

layout = ocilayout.Layout(sys.argv[1])
stored = [layout.put_layer(archive([{"name": f"file-{n}", "data": bytes([65 + n]) * (n + 1) * 100000}]))
          for n in range(3)]
config = {
    "architecture": "amd64", "os": "linux", "created": "2024-05-06T07:08:09Z", "author": "me",
    "config": {"Labels": {"b": "2", "a": "é \"q\""}, "Env": ["PATH=/bin", "X=1 2"],
               "Entrypoint": ["/bin/sh", "-c"], "Cmd": ["echo 'hi there'"], "User": "1:2",
               "WorkingDir": "/w", "Volumes": {"/v": {}}, "ExposedPorts": {"80/tcp": {}},
               "StopSignal": "SIGINT", "Healthcheck": {"Interval": 30000000000, "Test": ["NONE"]},
               "OnBuild": None, "ArgsEscaped": True, "Odd": [1.5, -7, [], {}]},
    "history": [
        {"created": "2024-05-06T07:00:00Z", "created_by": "ADD base"},
        {"created_by": "ENV X=1", "empty_layer": True},
        {"created_by": "RUN " + "é" * 60, "comment": "buildkit"},
        {"created_by": "CMD x", "empty_layer": True},
        {"created_by": "COPY a b"}],
}
image = layout.put_image("full", [s[0] for s in stored], [s[1] for s in stored], config)
layout.put_image("bare", [stored[0][0]], [stored[0][1]],
                 {"architecture": "amd64", "os": "linux"})
layout.put_image("none", [], [], {"architecture": "amd64", "os": "linux"})
json.dump({"image": image, "config": config, "layers": [s[0] for s in stored],
           "diff_ids": [s[1] for s in stored]}, sys.stdout)
PY
for tag in full bare none; do tp -q pull "oci:$layout:$tag" >/dev/null; done
ref=oci:$layout:full
made() { jq -cS "$1" "$WORK/made"; }

# --- image inspect -------------------------------------------------------------------------------
say 'image inspect'
expect 0 tp --json image inspect "$ref"
cp "$WORK/out" "$WORK/inspect"
inspected() { jq -cS "$1" "$WORK/inspect"; }
same() { [ "$2" = "$3" ] || fail "$1: '$3', expected '$2'"; }
same 'the config, word by word' "$(made .config.config)" "$(inspected .config)"
same 'its members in order' "$(jq -c '.config.config | keys_unsorted' "$WORK/made")" \
    "$(jq -c '.config | keys_unsorted' "$WORK/inspect")"
same 'blobs' "$(made '[.layers[] | [.digest, .size, .mediaType]]')" \
    "$(inspected '[.layers[] | [.digest, .blob_bytes, .media_type]]')"
same 'DiffIDs' "$(made .diff_ids)" "$(inspected '[.layers[].diff_id]')"
python3 - "$WORK/made" "$WORK/inspect" <<'PY' || fail 'ChainIDs'
import hashlib, json, sys
made, got = (json.load(open(p, encoding="utf-8")) for p in sys.argv[1:])
chain = None
for layer, diff_id in zip(got["layers"], made["diff_ids"]):
    text = f"{chain} {diff_id}" if chain else None
    chain = "sha256:" + hashlib.sha256(text.encode()).hexdigest() if chain else diff_id
    assert layer["chain_id"] == chain, (layer, chain)
PY
same 'sizes of files' '[100000,200000,300000]' "$(inspected '[.layers[].size_bytes]')"
same 'their sum' 600000 "$(inspected .size_bytes)"
same 'the same as of images' 600000 \
    "$(json images | jq ".[] | select(.ref == \"$ref\") | .size_bytes")"
same 'the digest' "$(made .image.digest)" "$(inspected .digest)"
same 'other facts' '["2024-05-06T07:08:09Z","me","linux/amd64","default",5]' \
    "$(inspected '[.image_created, .author, .platform, .pool, .history_count]')"
thin_ids=$(thin_dump "$ROOT/pools/default/meta" | sed -n 's/.*<device dev_id="\([0-9]*\)".*/\1/p')
for id in $(jq '.layers[].thin_id' "$WORK/inspect"); do
    grep -qx "$id" <<<"$thin_ids" || fail "the pool has no thin $id"
done
expect 0 tp image inspect "$ref"
for text in "Env: *X=1 2" "Env: *PATH=/bin" "Entrypoint: *\[\"/bin/sh\",\"-c\"\]" \
    "Cmd: *\[\"echo 'hi there'\"\]" 'User: *1:2' 'Working dir: */w' 'Volume: */v' \
    'Exposed port: *80/tcp' 'Stop signal: *SIGINT' 'Label: *a=é "q"' 'Author: *me' \
    'Built: *2024-05-06T07:08:09Z'; do
    grep -q "^$text\$" "$WORK/out" || { cat "$WORK/out"; fail "the page does not say '$text'"; }
done
expect 0 tp image inspect --json "oci:$layout:bare"
expect_json .config null <"$WORK/out"
expect 0 tp image inspect --json "oci:$layout:none"
expect_json '[(.layers | length), .size_bytes, .mapped_bytes] | tostring' '[0,0,0]' <"$WORK/out"
expect 2 tp image inspect "oci:$layout:other"
expect_error "no image named 'other' in the layout"
expect 3 tp image inspect

# --- image history -------------------------------------------------------------------------------
say 'image history'
expect 0 tp --json image history "$ref"
same 'steps from the top' '["COPY a b","CMD x","RUN","ENV X=1","ADD base"]' \
    "$(jq -c '[.[].created_by | if startswith("RUN") then "RUN" else . end]' "$WORK/out")"
same 'what each added' '[300000,0,200000,0,100000]' "$(jq -c '[.[].size_bytes]' "$WORK/out")"
same 'which are empty' '[false,true,false,true,false]' "$(jq -c '[.[].empty_layer]' "$WORK/out")"
same 'their layers' "$(jq -c '[.layers[].chain_id] | reverse' "$WORK/inspect")" \
    "$(jq -c '[.[].chain_id | select(.)]' "$WORK/out")"
expect 0 tp image history "$ref"
same 'lines' 6 "$(wc -l <"$WORK/out")"
grep -q 'RUN é*\.\.\. ' "$WORK/out" || fail 'a long command is not cut'
iconv -f UTF-8 -t UTF-8 "$WORK/out" >/dev/null || fail 'cut inside a character'
expect 0 tp image history --no-trunc "$ref"
grep -q "RUN $(printf 'é%.0s' $(seq 60)) " "$WORK/out" || fail '--no-trunc cuts'
expect 0 tp -q image history "$ref"
same 'quiet: the layers' "$(jq -r '[.layers[].chain_id] | reverse[]' "$WORK/inspect")" \
    "$(cat "$WORK/out")"
expect 0 tp --json image history "oci:$layout:bare" # without a history
same 'a layer without a step' '[[null,100000]]' \
    "$(jq -c '[.[] | [.created_by, .size_bytes]]' "$WORK/out")"

# --- tag -----------------------------------------------------------------------------------------
say 'tag'
expect 0 tp tag "$ref" mine
same 'normalised' docker.io/library/mine:latest "$(cat "$WORK/out")"
expect 0 tp --json tag mine docker://quay.io/x/y:2
expect_json '[.ref, .digest, .size_bytes] | tostring' \
    "[\"quay.io/x/y:2\",$(made .image.digest),600000]" <"$WORK/out"
same 'all are listed' "$(printf '%s\n' "$ref" docker.io/library/mine:latest quay.io/x/y:2 | sort)" \
    "$(json image inspect mine | jq -r '.tags[]' | sort)"
expect 0 tp -q rmi "$ref"
expect 0 tp create mine box
expect 7 tp rmi --json mine quay.io/x/y:2 # the last one is in use
expect_json .removed[0] docker.io/library/mine:latest <"$WORK/out"
expect 0 tp tag "oci:$layout:bare" moved
expect 0 tp tag quay.io/x/y:2 moved:latest
expect_json .manifest "$(made .image.digest | tr -d '"')" < <(json image inspect moved)
expect 3 tp tag moved "x@sha256:$(printf '0%.0s' $(seq 64))"
expect_error digest
expect 3 tp tag moved "oci:$layout:new"
expect_error registry
expect 3 tp tag moved 'UPPER/CASE:x y'
expect 3 tp tag moved
expect 2 tp tag nothing x
expect_error 'no such image' 'thinpull images'
expect 2 tp image inspect x

# --- inspect and rename --------------------------------------------------------------------------
say 'inspect and rename'
expect 0 tp create "oci:$layout:bare" web --label k=v --read-only
expect 0 tp --json inspect web
same 'the same as ls says' "$(json ls | jq -cS '.[] | select(.name == "web")')" \
    "$(jq -cS . "$WORK/out")"
expect_json '[.name, .image, .read_only, .labels.k, .state] | tostring' \
    "[\"web\",\"oci:$layout:bare\",true,\"v\",\"ready\"]" <"$WORK/out"
expect_json '.exclusive_bytes > 0 and .exclusive_bytes < .mapped_bytes' true <"$WORK/out"
expect 0 tp inspect web
grep -q '^Label: *k=v$' "$WORK/out" || fail 'no label on the page'
expect 2 tp inspect nothing
expect 3 tp inspect "oci:$layout:bare"
before=$(json inspect web | jq -cS 'del(.name)')
expect 0 tp rename web front
same 'prints the name' front "$(cat "$WORK/out")"
same 'all else stays' "$before" "$(json inspect front | jq -cS 'del(.name)')"
expect 2 tp inspect web
expect 7 tp rename front box
expect_error 'box is there already'
expect 7 tp rename front front
expect 2 tp rename web other
expect 3 tp rename front ../up
expect 3 tp rename front
expect 0 tp --json rename front web
expect_json .name web <"$WORK/out"
if [ "$(id -u)" = 0 ] && [ -e /dev/loop-control ]; then
    mkdir "$WORK/mnt"
    expect 0,10 tp mount web "$WORK/mnt"
    if mountpoint -q "$WORK/mnt"; then
        expect 7 tp rename web front
        expect_error "mounted on $WORK/mnt"
        expect 0 tp umount web
    fi
fi
expect 0 tp path web
expect 0 tp rename web front
expect 0 tp umount front
expect_json .state checked_out < <(json inspect front)
expect 0 tp rm front box
check_pool
finish
