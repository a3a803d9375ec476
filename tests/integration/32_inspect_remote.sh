#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Images that are looked at and not pulled: image inspect of a registry and of a folder, --raw,
# --config, --platform; pull --dry-run, which says what the pull then does; --pull. What stands
# beside images in an index or a repository is never in the way (rules B2, B13, B17, B18, B20).
# weight: 5
. "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

layout=$WORK/layout
python3 "$SUPPORT/index_layout.py" "$layout" >"$WORK/made"
made() { jq -r "$1" "$WORK/made"; }
# shellcheck disable=SC2046
python3 "$SUPPORT/registry_store.py" "$WORK/registry" $(made '.names[]' | sed "s|^|$layout:|")
start_registry
ref=$REGISTRY/layout
blob() { cat "$layout/blobs/${1/://}"; }
config_of() { blob "$(blob "$1" | jq -r .config.digest)"; }
same() { cmp "$2" "$3" || fail "$1"; }

say '--raw: byte by byte'
for tag in multi nested artifact referrers signed; do
    digest=$(jq -r --arg tag $tag '.manifests[] | select(.annotations |
        .["org.opencontainers.image.ref.name"] == $tag).digest' "$layout/index.json")
    blob "$digest" >"$WORK/want"
    expect 0 tp image inspect --raw "docker://$ref:$tag"
    same "$tag of a registry" "$WORK/want" "$WORK/out"
    expect 0 tp image inspect --raw "docker://$ref@$digest"
    same "$tag by its digest" "$WORK/want" "$WORK/out"
    expect 0 tp image inspect --raw "oci:$layout:$tag"
    same "$tag of a folder" "$WORK/want" "$WORK/out"
done
tar -cf "$WORK/layout.tar" -C "$layout" .
for from in "docker://$ref" "oci:$layout" "oci-archive:$WORK/layout.tar"; do
    for tag in multi nested; do
        for platform in amd64 arm64; do
            expect 0 tp image inspect --raw --platform linux/$platform "$from:$tag"
            blob "$(made .$platform)" >"$WORK/want"
            same "$platform of $from:$tag" "$WORK/want" "$WORK/out"
            expect 0 tp image inspect --config --platform linux/$platform "$from:$tag"
            config_of "$(made .$platform)" >"$WORK/want"
            same "config of $platform of $from:$tag" "$WORK/want" "$WORK/out"
        done
    done
    expect 2 tp image inspect --raw --platform linux/s390x "$from:multi"
    expect_error s390x linux/amd64 linux/arm64 '(--platform takes one of these)'
    ! grep -q unknown "$WORK/err" || fail 'an attestation is offered as a platform'
    expect 2 tp image inspect --raw "$from:none"
done
expect 3 tp image inspect --raw --config "docker://$ref:multi"
expect 3 tp image inspect --platform what/ever/is/this "docker://$ref:multi"
expect 10 tp image inspect --config "docker://$ref:artifact"
expect_error 'not a runnable image' application/vnd.example.sbom
[ ! -e "$ROOT/pools/default" ] || fail 'looking made a pool'

say 'all about it'
expect 0 tp --json image inspect --platform linux/arm64 "docker://$ref:multi"
cp "$WORK/out" "$WORK/remote"
expect_json '[.ref, .digest, .manifest, .platform, .pool, .created, .size_bytes, .config.Cmd[0]]
    | join(" ")' "$ref:multi $(made .multi) $(made .arm64) linux/arm64    /bin/arm64" <"$WORK/out"
expect_json '[.layers[] | .thin_id, .size_bytes] | map(. == null) | all' true <"$WORK/out"
expect_json '.layers | map(.blob_bytes > 0) | all' true <"$WORK/out"
expect 0 tp image inspect --platform linux/arm64 "docker://$ref:multi"
grep -q '^Platform: *linux/arm64' "$WORK/out" || fail 'no platform on the page'
expect 0 tp image inspect "docker://$ref:signed" # a subject is no obstacle
expect 2 tp image inspect "docker://$ref:referrers"
expect_error 'no image in the index'
expect 2 tp image inspect "$ref:signed" # a plain name is an image that is here
expect_error 'no such image' 'docker://REF asks the registry'

say '--dry-run, and what the pull then does'
pull=(pull --platform linux/amd64)
expect 0 tp --json "${pull[@]}" --dry-run "$ref:multi" "docker://$ref:signed"
cp "$WORK/out" "$WORK/plan"
[ ! -e "$ROOT/pools/default" ] || fail 'a dry run made a pool'
[ "$(json images)" = '[]' ] || fail 'a dry run recorded an image'
expect_json '[.[] | .dry_run, .layers, .layers_fetched] | tostring' '[true,2,2,true,1,1]' \
    <"$WORK/plan"
expect 0 tp --json "${pull[@]}" "$ref:multi"
for key in ref digest manifest layers layers_fetched fetched_bytes; do
    expect_json ".[0].$key" "$(jq -r ".[0].$key" "$WORK/plan")" <"$WORK/out"
done
expect_json '.manifest' "$(made .amd64)" < <(json image inspect "$ref:multi")
before=$(blobs_fetched)
expect 0 tp --json pull --dry-run --platform linux/arm64 "$ref:multi"
expect_json '[.[0].plan[].present] | tostring' '[true,false]' <"$WORK/out"
expect_json '.[0].fetched_bytes == .[0].plan[1].blob_bytes' true <"$WORK/out"
expect 0 tp pull --dry-run --platform linux/arm64 "$ref:multi"
grep -q '^Fetch: *1 of 2 layers' "$WORK/out" || { cat "$WORK/out"; fail 'the page is wrong'; }
grep -q 'here already' "$WORK/out" || fail 'a layer that is here is not named so'
expect_json '[.layers[].thin_id != null] | tostring' '[true,false]' \
    < <(json image inspect --platform linux/arm64 "docker://$ref:multi")
[ "$(blobs_fetched)" -le $((before + 3)) ] || fail 'more than configs were fetched'
expect 10 tp pull --dry-run "$ref:artifact"
expect_error "pull $ref:artifact" 'not a runnable image'
expect 2 tp pull --dry-run "$ref:none"

say '--platform and --pull'
before=$(grep -c manifests "$WORK/registry.log")
asked() { [ "$(grep -c manifests "$WORK/registry.log")" -gt "$before" ]; }
expect 0 tp --json pull --pull missing "$ref:multi"
expect_json '[.[0].layers, .[0].layers_fetched, .[0].digest] | tostring' \
    "[2,0,\"$(made .multi)\"]" <"$WORK/out"
expect 0 tp pull --pull never --platform linux/amd64 "$ref:multi"
[ "$(cat "$WORK/out")" = "$ref:multi@$(made .multi)" ] || fail 'another name'
expect 0 tp --json pull --pull missing --dry-run "$ref:multi"
expect_json '.[0].layers_fetched' 0 <"$WORK/out"
expect 0 tp create --pull missing --platform linux/amd64 "$ref:multi" box
expect 2 tp pull --pull never --platform linux/arm64 "$ref:multi"
expect_error 'the image here is for linux/amd64'
expect 2 tp create --pull never --platform linux/arm64 "$ref:multi"
expect 2 tp image inspect --platform linux/arm64 "$ref:multi"
expect 2 tp pull --pull never "$ref:signed"
expect 3 tp pull --pull sometimes "$ref:multi"
! asked || fail 'the registry was asked'
expect 0 tp --json pull --pull missing --platform linux/arm64 "$ref:multi"
expect_json '[.[0].manifest, .[0].layers_fetched] | join(" ")' "$(made .arm64) 1" <"$WORK/out"
asked || fail 'the registry was not asked for another platform'
expect 0 tp rm box

say 'of an image here'
expect 0 tp image inspect --raw "$ref:multi"
blob "$(made .multi)" >"$WORK/want"
same 'its index' "$WORK/want" "$WORK/out"
expect 0 tp image inspect --raw --platform linux/arm64 "$ref:multi"
blob "$(made .arm64)" >"$WORK/want"
same 'its manifest' "$WORK/want" "$WORK/out"
expect 0 tp image inspect --config "$ref:multi"
config_of "$(made .arm64)" >"$WORK/want"
same 'its config' "$WORK/want" "$WORK/out"

say 'B18: with a tag and a digest the digest decides, and both are recorded'
expect 0 tp pull --platform linux/amd64 "$ref:signed@$(made .multi)"
[ "$(cat "$WORK/out")" = "$ref:signed@$(made .multi)" ] || fail "$(cat "$WORK/out")"
expect_json '.manifest' "$(made .amd64)" < <(json image inspect "$ref:signed@$(made .multi)")
expect 0 tp pull "$ref@$(made .arm64)"
expect 0 tp --json pull --dry-run --pull missing "$ref:multi@$(made .multi)"
expect_json '.[0].layers_fetched' 0 <"$WORK/out"
expect 2 tp pull "$ref@sha256:$(printf '0%.0s' $(seq 64))"
check_pool
finish
