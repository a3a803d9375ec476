#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# df and tree: every number is counted again from the mappings that thin_dump tells, at each step
# of a pool's life, and what is promised to go free goes free.
# weight: 5
. "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

layout=$WORK/layout
check() { "$SUPPORT/check_usage.py" "$PROGRAM" "$ROOT" || fail "$1"; }
df() { json df | jq "$1"; }

expect 2 tp df
expect_error 'there is no pool' 'pool create'
expect 2 tp tree

say 'an empty pool'
tp pool create --size 2G --base-size 256M >/dev/null
check 'empty'
expect 0 tp df
expect 0 tp tree
[ "$(wc -l <"$WORK/out")" = 1 ] || fail 'the tree of an empty pool is one line'

say 'images that share layers'
for n in 1 2 3 4; do python3 "$SUPPORT/tiny_layout.py" "$layout" "v$n" "$n" >/dev/null; done
PYTHONPATH=$SUPPORT python3 - "$layout" <<'PY'
import json, sys
import ocilayout
layout = ocilayout.Layout(sys.argv[1])
base = json.loads(layout.read(layout.find("v2")))
config = json.loads(layout.read(base["config"]))
extra = layout.put_layer(b"\0" * 1024)
layout.put_image("side", base["layers"] + [extra[0]], config["rootfs"]["diff_ids"] + [extra[1]])
layout.put_image("empty", [], [])
PY
for tag in v2 side v4 empty; do
    tp -q pull "oci:$layout:$tag" >/dev/null
    check "after pull of $tag"
done
tp tag "oci:$layout:v4" four >/dev/null
check 'two references'
[ "$(df '[.images[] | select(.ref | test("v4|four")) | .exclusive_bytes] | add')" = 0 ] ||
    fail 'two references of one image have nothing exclusive'

say 'containers'
for n in 1 2 3; do tp create "oci:$layout:v2" "box$n" >/dev/null; done
tp create --read-only "oci:$layout:empty" scratch >/dev/null
tp create four deep >/dev/null
check 'containers'
[ "$(df '[.totals.images.active, .totals.images.count, .totals.containers.count] | tostring')" = \
    '"[4,5,5]"' ] || fail 'counts'

say 'a container outside the pool'
image=$(tp path box3) # a device, or a file for who has no devices
check 'checked out'
[ "$(df .totals.host_bytes)" = "$(df '.containers[] | select(.name == "box3") | .host_bytes')" ] ||
    fail 'host bytes'
[ "$(df .totals.host_bytes)" -gt 0 ] || fail 'it takes nothing outside'
case $image in
/dev/*) want=attached ;;
*) want=checked_out ;;
esac
[ "$(df '.containers[] | select(.name == "box3") | .state')" = "\"$want\"" ] || fail "not $want"
expect 0 tp df
grep -q 'in files of containers outside the pool$' "$WORK/out" || fail 'not said'
grep -q "^box3 .* $want " "$WORK/out" || fail 'not in the table'
tp umount box3 >/dev/null

say 'a metadata snapshot in the pool is nobody, and changes no number'
hold() { "$TOP/build/release/tests/tools/thin_churn" "$ROOT/pools/default" hold; }
tp --json df >"$WORK/before"
hold
tp --json df | jq 'del(.pool.metadata, .totals.metadata)' >"$WORK/held"
jq 'del(.pool.metadata, .totals.metadata)' "$WORK/before" | diff - "$WORK/held" || fail 'other numbers'
check 'held'
tp create "oci:$layout:v2" new >/dev/null
check 'held, and one container more'
tp rm box1 >/dev/null
check 'held, and one less'
[ "$(df '.pool.data.used_bytes == .totals.used_bytes')" = true ] || fail 'what is held is not counted'
tp tree >/dev/null
tp create "oci:$layout:v2" box1 >/dev/null
tp rm new >/dev/null
hold
check 'no more held'

say 'layers that lost their name'
tp rm deep >/dev/null
python3 - "$ROOT/content/index.json" <<'PY'
import json, sys
index = json.load(open(sys.argv[1]))
index["manifests"] = [m for m in index["manifests"] if not m["annotations"]
                      ["org.opencontainers.image.ref.name"].endswith((":v4", "four:latest"))]
json.dump(index, open(sys.argv[1], "w"))
PY
check 'unnamed layers'
[ "$(df .totals.unnamed.count)" = 2 ] || fail 'two layers are of no image'
expect 0 tp df
grep -q '^Unnamed layers  *2 ' "$WORK/out" || fail 'they are not in the table'

say 'the drawing'
expect 0 env LC_ALL=C.UTF-8 "$PROGRAM" --root "$ROOT" tree
cp "$WORK/out" "$WORK/tree"
grep -q '^├─ image oci:.*:empty$' "$WORK/tree" || fail 'an image on the base'
grep -q '^├─ container scratch: ' "$WORK/tree" || fail 'a container on the base'
grep -q '^└─ sha256:[0-9a-f]*: 195.3 KiB, .* mapped, .* its own$' "$WORK/tree" || fail 'a layer'
grep -q '^   └─ sha256:' "$WORK/tree" || fail 'a layer on it'
grep -q '^      ├─ container box1: ' "$WORK/tree" || fail 'a container on that'
expect 0 env LC_ALL=C "$PROGRAM" --root "$ROOT" tree
sed 's/├/|/; s/└/`/; s/─/-/; s/│/|/g' "$WORK/tree" | diff - "$WORK/out" || fail 'the same in ASCII'
LC_ALL=C grep -q '[^ -~]' "$WORK/out" && fail 'not ASCII'

say 'reclaimable'
before=$(df .totals.used_bytes)
promised=$(df .totals.containers.reclaimable_bytes)
tp rm box1 box2 box3 scratch >/dev/null
[ "$((before - $(df .totals.used_bytes)))" = "$promised" ] || fail 'containers gave back less or more'
check 'without containers'
before=$(df .totals.used_bytes)
promised=$(df .totals.images.reclaimable_bytes)
for tag in empty side v2; do tp rmi "oci:$layout:$tag" >/dev/null; done
[ "$((before - $(df .totals.used_bytes)))" = "$promised" ] || fail 'images gave back less or more'
check 'without images'

say 'another pool beside it'
tp --pool other pool create --size 1G --base-size 64M >/dev/null
tp --pool other -q pull "oci:$layout:v1" >/dev/null
[ "$(json --pool other df | jq '.images | length')" = 1 ] || fail 'the other pool has its image'
[ "$(df '.images | length')" = 0 ] || fail 'images of another pool'
check_pool
finish
