#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Docker Hub as it is, on loopback: a real registry by TLS under docker's name, a token server and a
# place for blobs under names of their own, certificates of an authority. By short names, anonymous,
# over connections that break; the token stays with the registry.
# weight: 15
. "$(dirname "$0")/../support/lib.sh"

in_own_network '127.0.0.2 registry-1.docker.io' '127.0.0.3 auth.docker.io' \
    '127.0.0.4 production.cloudflare.docker.com' '127.0.0.2 other.test'

say 'filled while it is open'
start_registry
push "$IMAGES/debian:debian" library/debian:12
push "$IMAGES/tools:umoci" library/small:latest
push "$IMAGES/tools:umoci" someone/private:1
stop_registry

say 'then as the Hub'
hub=registry-1.docker.io auth=auth.docker.io cdn=production.cloudflare.docker.com
certificates=$WORK/certificates
python3 "$SUPPORT/certificates.py" "$certificates" $hub $auth $cdn
python3 "$SUPPORT/token_server.py" "$WORK" "127.0.0.3:443:$certificates:$auth" &
server_pid=$!
python3 "$SUPPORT/blob_site.py" "$WORK/registry" "127.0.0.4:443:$certificates:$cdn" \
    "$WORK/cdn.port" "$WORK/cdn.log" &
server_pid+=" $!"
wait_for "$WORK/token.port"
wait_for "$WORK/cdn.port"
cat >"$WORK/hub.yml" <<YML
version: 0.1
log: {level: info, accesslog: {disabled: false}}
storage: {filesystem: {rootdirectory: $WORK/registry}}
middleware: {storage: [{name: redirect, options: {baseurl: "https://$cdn/"}}]}
http: {addr: "127.0.0.2:443", tls: {certificate: $certificates/$hub.pem, key: $certificates/$hub.key}}
auth: {token: {realm: "https://$auth/token", service: registry.docker.io, issuer: tests,
  rootcertbundle: $WORK/token.crt}}
YML
docker-registry serve "$WORK/hub.yml" >>"$WORK/registry.log" 2>&1 &
registry_pid=$!
code=$(curl -s -o /dev/null -w '%{http_code}' --retry 50 --retry-delay 1 --retry-connrefused \
    --cacert "$certificates/ca.pem" "https://$hub/v2/library/small/manifests/latest")
[ "$code" = 401 ] || { cat "$WORK/registry.log"; fail "the registry answers $code"; }

say 'nobody has signed that, as far as this machine knows'
expect 5 tp -q pull small
expect_error 'pull small: manifest from registry-1.docker.io: https://registry-1.docker.io/v2/' \
    'TLS certificate: ' 'SSL_CERT_FILE' 'update-ca-certificates'
[ ! -s "$WORK/token.log" ] || fail 'a token was asked for'
export SSL_CERT_FILE=$certificates/ca.pem

say 'a short name is enough'
expect 0 tp -q pull small
grep -qE '^docker\.io/library/small:latest@sha256:[0-9a-f]{64}$' "$WORK/out" || fail 'another name'
digest=$(sed 's/.*@//' "$WORK/out")
check_pool
[ "$(wc -l <"$WORK/token.log")" -eq 1 ] || { cat "$WORK/token.log"; fail 'not one token'; }
grep -qixF 'GET /token?service=registry.docker.io&scope=repository%3Alibrary%2Fsmall%3Apull -' \
    "$WORK/token.log" || { cat "$WORK/token.log"; fail 'another request for a token'; }

say 'blobs came from elsewhere, and the token stayed at home'
[ "$(grep -cE '"GET /v2/library/small/blobs/[^"]*" 307 ' "$WORK/registry.log")" -ge 6 ] ||
    { cat "$WORK/registry.log"; fail 'no redirects'; }
! grep -qv ' 200 -$' "$WORK/cdn.log" || { cat "$WORK/cdn.log"; fail 'more was sent than wanted'; }
# What was fetched is what is in a layout folder.
raw small "$WORK/hub.ext4"
"$PROGRAM" --root "$WORK/other" -q pull "oci:$IMAGES/tools:umoci" >/dev/null
"$PROGRAM" --root "$WORK/other" export --format raw -o "$WORK/layout.ext4" \
    "oci:$IMAGES/tools:umoci" >/dev/null
[ "$(content "$WORK/hub.ext4")" = "$(content "$WORK/layout.ext4")" ] || fail 'other bytes'
rm -rf "$WORK/other" "$WORK"/*.ext4

say 'C1: all its names are one'
for name in docker.io/small library/small docker.io/library/small index.docker.io/small:latest \
    docker://small docker.io/library/small:latest; do
    expect 0 tp -q pull "$name"
    [ "$(cat "$WORK/out")" = "docker.io/library/small:latest@$digest" ] ||
        fail "$name is $(cat "$WORK/out")"
done
for name in "small@$digest" "index.docker.io/library/small@$digest"; do
    expect 0 tp -q pull "$name"
    [ "$(cat "$WORK/out")" = "docker.io/library/small@$digest" ] || fail "$name: $(cat "$WORK/out")"
done
expect 0 tp create small box
expect 0 tp rm box

say 'a larger one, over connections that break'
expect 0 tp -q pull debian:12
[ "$(sort "$WORK/cdn.log" | uniq -d | wc -l)" -ge 1 ] || { cat "$WORK/cdn.log"; fail 'nothing cut'; }
! grep -qv ' 200 -$' "$WORK/cdn.log" || { cat "$WORK/cdn.log"; fail 'more was sent than wanted'; }
check_pool

say 'what is not for anybody, or not there'
expect 4 tp -q pull someone/private:1
expect_error 'manifest from registry-1.docker.io' 'with an anonymous token: 401' 'check name and tag'
grep -q "'thinpull login REGISTRY' stores who you are" "$WORK/err" || fail 'no hint'
expect 2 tp -q pull small:nope
expect_error 'manifest from registry-1.docker.io' /v2/library/small/manifests/nope \
    '404 not found: MANIFEST_UNKNOWN' 'check name and tag'

say 'the registry by a name that its certificate does not have'
expect 5 tp -q pull other.test/library/small
expect_error 'manifest from other.test' 'TLS certificate: ' "target host name 'other.test'" \
    'use the name that the certificate is for'

say 'no tokens in what is written'
expect 0 tp --debug pull debian:12
! grep -qE 'eyJ|Bearer ' "$WORK/out" "$WORK/err" || fail 'a token is shown'
check_pool
finish
