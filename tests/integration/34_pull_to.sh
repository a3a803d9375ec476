#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# pull --to oci:DIR: the folder has what the registry has, byte by byte, as skopeo, umoci and this
# program itself find; whole indexes with attestations, artifacts, folders that others made. Killed
# anywhere, it lists what it did before, and the next try fetches what is missing. No pool is made.
# weight: 15
. "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

layout=$WORK/layout
python3 "$SUPPORT/index_layout.py" "$layout" >"$WORK/made"
made() { jq -r "$1" "$WORK/made"; }
# shellcheck disable=SC2046
python3 "$SUPPORT/registry_store.py" "$WORK/registry" $(made '.names[]' | sed "s|^|$layout:|") \
    "$IMAGES/debian:debian"
start_registry
ref=$REGISTRY/layout
same_blob() { cmp "$layout/blobs/${1/://}" "$2/blobs/${1/://}" || fail "$1 is another"; }
entry() { jq -r --arg n "$2" '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $n)' "$1/index.json"; }
# Every blob is what its name says, and nothing else is there.
check_layout() {
    local file
    while read -r file; do
        [ "$(sha256sum <"$file" | cut -d' ' -f1)" = "$(basename "$file")" ] ||
            fail "$file is not what its name says"
    done < <(find "$1/blobs" -type f ! -path '*/.spool/*')
    [ "$(find "$1" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | xargs)" = \
        'blobs index.json oci-layout' ] || fail "more in $1"
}

say 'one platform'
out=$WORK/out.layout
expect 0 tp pull --platform linux/amd64 "$ref:multi" --to "oci:$out:one"
[ "$(cat "$WORK/out")" = "oci:$out:one@$(made .amd64)" ] || fail "printed $(cat "$WORK/out")"
[ ! -e "$ROOT" ] || fail 'there is a root folder'
check_layout "$out"
[ "$(find "$out/blobs" -type f | wc -l)" -eq 4 ] || fail 'not a manifest, a config and two layers'
same_blob "$(made .amd64)" "$out"
[ "$(entry "$out" one | jq -r '.digest + .mediaType')" = \
    "$(made .amd64)application/vnd.oci.image.manifest.v1+json" ] || fail 'the entry is wrong'
before=$(blobs_fetched)
expect 0 tp --json pull --platform linux/arm64 "$ref:multi" --to "oci:$out:two"
expect_json '.[0] | [.blobs, .blobs_fetched, .ref, .source] | join(" ")' \
    "3 2 oci:$out:two $ref:multi" <"$WORK/out" # they share a layer
[ $(($(blobs_fetched) - before)) -eq 2 ] || fail 'not two blobs were fetched'
[ "$(jq '.manifests | length' "$out/index.json")" -eq 2 ] || fail 'not two images'

say 'the whole index, and under its own name'
expect 0 tp --json pull --all-platforms "$ref:multi" "$ref:nested" "$ref:artifact" --to "oci:$out"
expect_json '[.[].digest] | tostring' \
    "$(for t in multi nested artifact; do entry "$layout" $t; done | jq -sc 'map(.digest)')" \
    <"$WORK/out"
for digest in $(made '.multi, .amd64, .arm64, .proofs[]'); do same_blob "$digest" "$out"; done
check_layout "$out"
[ "$(entry "$out" "$ref:multi" | jq -r .digest)" = "$(made .multi)" ] || fail 'no such name'
expect 0 tp pull --all-platforms "$ref:multi" --to "oci:$out" # again: nothing is missing
before=$(blobs_fetched)
expect 0 tp --json pull --all-platforms "$ref:multi" --to "oci:$out"
expect_json '.[0].blobs_fetched' 0 <"$WORK/out"
[ "$(blobs_fetched)" -eq "$before" ] || fail 'something was fetched again'
[ "$(jq '.manifests | length' "$out/index.json")" -eq 5 ] || fail 'not five names'
expect 0 tp pull --platform linux/arm64 "$ref:multi" --to "oci:$out:one" # the name moves
[ "$(entry "$out" one | jq -r .digest)" = "$(made .arm64)" ] || fail 'the name did not move'
[ "$(jq '.manifests | length' "$out/index.json")" -eq 5 ] || fail 'the name is there twice'

say 'what others read of it'
skopeo inspect --raw "oci:$out:$ref:multi" 2>/dev/null >"$WORK/raw" ||
    skopeo inspect --raw "oci:$out:two" >"$WORK/raw"
expect 0 skopeo --insecure-policy copy -q "oci:$out:two" "oci:$WORK/skopeo:two"
[ "$(entry "$WORK/skopeo" two | jq -r .digest)" = "$(made .arm64)" ] || fail 'skopeo has another'
expect 0 umoci list --layout "$out"
expect 0 tp -q pull --platform linux/amd64 "oci:$out:$ref:multi"
expect_json .manifest "$(made .amd64)" \
    < <(json image inspect "oci:$out:$ref:multi")
# What is printed, others take.
expect 0 tp pull --platform linux/amd64 "$ref:signed" --to "oci:$out"
expect 0 tp -q pull "$(cat "$WORK/out")"
check_pool

say 'a folder that others made, with members of theirs'
expect 0 skopeo --insecure-policy copy -q "oci:$layout:signed" "oci:$WORK/others:theirs"
jq '.annotations = {"a": "b"} | .manifests[0].platform = {"os": "linux", "architecture": "x"}' \
    "$WORK/others/index.json" >"$WORK/index" && cp "$WORK/index" "$WORK/others/index.json"
expect 0 tp pull --platform linux/amd64 "$ref:multi" --to "oci:$WORK/others:ours"
[ "$(jq -cS '[.annotations, .manifests[0]]' "$WORK/others/index.json")" = \
    "$(jq -cS '[.annotations, .manifests[0]]' "$WORK/index")" ] || fail 'what was there is lost'
check_layout "$WORK/others"

say 'from a folder, and by an empty name'
expect 3 tp pull "oci:$out:two" --to "oci:$WORK/copy"
expect_error 'what is it to be called'
expect 0 tp pull "oci:$out:two" --to "oci:$WORK/copy:x" --platform linux/arm64
same_blob "$(made .arm64)" "$WORK/copy"
mkdir "$WORK/not"
touch "$WORK/not/empty"
expect 3 tp pull "$ref:signed" --to "oci:$WORK/not:x"
expect_error 'no image layout'
expect 3 tp pull "$ref:signed" --to "oci:$WORK/not:"
expect 3 tp pull "$ref:signed" --to "$WORK/copy"
expect 3 tp pull "$ref:signed" "$ref:multi" --to "oci:$WORK/copy:x"
expect 3 tp pull "$ref:signed" --to "oci:$WORK/copy" --dry-run
expect 3 tp pull "$ref:signed" --all-platforms
mkdir "$WORK/newer"
echo '{"imageLayoutVersion": "2.0.0"}' >"$WORK/newer/oci-layout"
expect 11 tp pull "$ref:signed" --to "oci:$WORK/newer:x"
expect 2 tp pull --platform linux/s390x "$ref:multi" --to "oci:$WORK/copy:y"
expect_error s390x linux/arm64
expect 2 tp pull "$ref:none" --to "oci:$WORK/copy:y"
[ "$(jq '.manifests | length' "$WORK/copy/index.json")" -eq 1 ] || fail 'a failure has a name'

say 'damage there is made good, damage on the way is not taken'
layer=$(jq -r '.layers[0].digest' "$out/blobs/$(made .arm64 | tr : /)")
printf x | dd of="$out/blobs/${layer/://}" bs=1 seek=9 conv=notrunc status=none
expect 0 tp --json pull --platform linux/arm64 "$ref:multi" --to "oci:$out:two"
expect_json '.[0].blobs_fetched' 1 <"$WORK/out"
same_blob "$layer" "$out"
stop_registry
start_bad_registry "$IMAGES/debian"
for how in cut wrong long short gone; do
    expect 2,5,9 tp -q pull "$bad/$how:debian" --to "oci:$WORK/bad:$how"
    expect_error "pull $bad/$how:debian: blob " sha256:
    check_layout "$WORK/bad"
    [ "$(jq '.manifests | length' "$WORK/bad/index.json")" -eq 0 ] || fail 'it has a name'
done
expect 0 tp -q pull "$bad/once:debian" --to "oci:$WORK/bad:once"
check_layout "$WORK/bad"
[ ! -e "$WORK/bad/blobs/.spool" ] || fail 'something waits for another try'
stop_registry

say 'killed at random times'
rm "$WORK/registry.log"
start_registry
ref=$REGISTRY/debian:debian
tp -q pull "$ref" --to "oci:$WORK/whole:x" >/dev/null
for ms in $(points 300 12); do
    (timeout -s KILL "0.$(printf %03d "$ms")" "$PROGRAM" -q pull "$ref" --to "oci:$WORK/killed:x") \
        >/dev/null 2>&1 || true
    if [ -e "$WORK/killed/index.json" ]; then
        [ "$(jq '.manifests | length' "$WORK/killed/index.json")" -le 1 ] || fail 'two names'
    fi
    [ -e "$WORK/killed/blobs" ] || continue
    find "$WORK/killed/blobs" -type f ! -name '.*' ! -path '*/.spool/*' | while read -r file; do
        [ "$(sha256sum <"$file" | cut -d' ' -f1)" = "$(basename "$file")" ] || fail "$file is cut"
    done
done
say 'and by several at once'
pids=
for _ in 1 2 3; do tp -q pull "$ref" --to "oci:$WORK/killed:x" >/dev/null & pids+=" $!"; done
for pid in $pids; do wait "$pid" || fail 'one of three'; done
check_layout "$WORK/killed"
diff -r "$WORK/whole" "$WORK/killed" || fail 'not the same folder'
: >"$WORK/registry.log"
rm "$WORK/killed/blobs/${layer/://}" 2>/dev/null || true
one=$(jq -r '.layers[1].digest' "$WORK/whole/blobs/$(jq -r '.manifests[0].digest' "$WORK/whole/index.json" | tr : /)")
rm "$WORK/killed/blobs/${one/://}"
expect 0 tp --json pull "$ref" --to "oci:$WORK/killed:x"
expect_json '.[0].blobs_fetched' 1 <"$WORK/out"
[ "$(blobs_fetched)" -eq 1 ] || fail 'more was fetched than was missing'
diff -r "$WORK/whole" "$WORK/killed" || fail 'not the same folder'
finish
