#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Foreign layers (rules B19, F59): what the registry has not got is asked for where the image says,
# by --allow-foreign alone, over TLS, by nobody in particular; what comes is verified as all else.
# weight: 4
. "$(dirname "$0")/../support/lib.sh"

in_own_network '127.0.0.2 layers.test'
export BAD_PASSWORD=SECRET-of-the-member
layout=$WORK/odd site=$WORK/site
start_bad_registry "$layout"
python3 "$SUPPORT/odd_images.py" "$layout" https://layers.test/ >"$WORK/tags"
python3 "$SUPPORT/certificates.py" "$WORK/certificates" layers.test
mkdir "$site"
python3 "$SUPPORT/blob_site.py" "$site" "127.0.0.2:443:$WORK/certificates:layers.test" \
    "$WORK/site.port" "$WORK/site.log" &
server_pid=$!
wait_for "$WORK/site.port"
touch "$WORK/site.log"
layer_of() {
    local manifest
    manifest=$(jq -r --arg tag "$1" '.manifests[] | select(.annotations |
        .["org.opencontainers.image.ref.name"] == $tag).digest' "$layout/index.json")
    jq -r '.layers[0].digest' "$layout/blobs/${manifest/://}"
}
creds=(--creds "member:$BAD_PASSWORD")

for tag in foreign nondistributable; do
    digest=$(layer_of $tag)
    cp "$layout/blobs/${digest/://}" "$site/$tag"
    say "$tag: nobody asks for it by itself"
    expect 2 tp -q pull "${creds[@]}" "$bad/basic-gone:$tag"
    expect_error 'layer 1/1' 'a foreign layer, whose urls are not followed' --allow-foreign
    expect 2 tp -q create --pull always "${creds[@]}" "$bad/basic-gone:$tag"
    expect_error --allow-foreign
    [ ! -s "$WORK/site.log" ] || fail 'a url was asked'
    say "$tag: by an authority that nobody knows"
    expect 5 tp -q pull --allow-foreign "${creds[@]}" "$bad/basic-gone:$tag"
    expect_error "a foreign layer, from https://layers.test/$tag" 'TLS certificate'
    [ ! -s "$WORK/site.log" ] || fail 'something was asked without a certificate'
    say "$tag: with --allow-foreign, though the first body is cut"
    export SSL_CERT_FILE=$WORK/certificates/ca.pem
    expect 0 tp -q pull --allow-foreign "${creds[@]}" "$bad/basic-gone:$tag"
    [ "$(grep -cxF "/$tag 200 -" "$WORK/site.log")" -eq 2 ] ||
        { cat "$WORK/site.log"; fail 'not two requests as nobody'; }
    expect 0 tp export --format tar -o "$WORK/$tag.tar" "$bad/basic-gone:$tag"
    tar -xOf "$WORK/$tag.tar" "./$tag" >"$WORK/content" || fail 'other content'
    [ -s "$WORK/content" ] || fail 'an empty file'
    expect 0 tp -q rmi "$bad/basic-gone:$tag"
    say "$tag: from the registry, when it has it"
    : >"$WORK/site.log"
    expect 0 tp -q pull --allow-foreign "${creds[@]}" "$bad/basic-good:$tag"
    [ ! -s "$WORK/site.log" ] || fail 'a url was asked'
    expect 0 tp -q rmi "$bad/basic-good:$tag"
    say "$tag: of a folder that lacks it"
    mv "$layout/blobs/${digest/://}" "$WORK/away"
    expect 2 tp -q pull "oci:$layout:$tag"
    expect_error 'a foreign layer, whose urls are not followed' --allow-foreign
    expect 0 tp -q pull --allow-foreign "oci:$layout:$tag"
    expect 0 tp -q rmi "oci:$layout:$tag"
    say "$tag: other bytes of the same size"
    tr 'a-f' 'b-g' <"$WORK/away" >"$site/$tag"
    expect 5 tp -q pull --allow-foreign "oci:$layout:$tag"
    expect_error 'layer 1/1' 'sha256:'
    printf more >>"$site/$tag"
    expect 5 tp -q pull --allow-foreign "oci:$layout:$tag"
    expect_error 'the descriptor says'
    rm "$site/$tag"
    expect 2 tp -q pull --allow-foreign "oci:$layout:$tag"
    expect_error "from https://layers.test/$tag" 404
    mv "$WORK/away" "$layout/blobs/${digest/://}"
    : >"$WORK/site.log"
    unset SSL_CERT_FILE
done
[ "$(json images)" = '[]' ] || fail 'an image was recorded'
check_pool
finish
