#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A real registry that wants tokens: what anybody may pull is pulled without a word of it, one token
# serves a whole pull, and what is not for anybody ends with a clear error.
# weight: 15
. "$(dirname "$0")/../support/lib.sh"

tokens_asked() {
    grep -c "$1" "$WORK/token.log" || true
}

say 'filled while it is open'
start_registry
push "$IMAGES/debian:debian" test/good:1
for how in private expired closed other; do push "$IMAGES/tools:umoci" "test/$how:1"; done
stop_registry

say 'then it wants tokens'
python3 "$SUPPORT/token_server.py" "$WORK" 2>"$WORK/token.err" &
server_pid=$!
wait_for "$WORK/token.port"
export REGISTRY_AUTH=token REGISTRY_AUTH_TOKEN_SERVICE='a registry & more' \
    REGISTRY_AUTH_TOKEN_ISSUER=tests REGISTRY_AUTH_TOKEN_ROOTCERTBUNDLE="$WORK/token.crt" \
    REGISTRY_AUTH_TOKEN_REALM="http://127.0.0.1:$(cat "$WORK/token.port")/token?own=query"
start_registry "${REGISTRY#*:}"
code=$(curl -s -o /dev/null -w '%{http_code}' --retry 50 --retry-delay 1 --retry-connrefused \
    "http://$REGISTRY/v2/test/good/manifests/1")
[ "$code" = 401 ] || fail "the registry is open: $code"

say 'a token is fetched, once'
expect 0 tp -q pull "$REGISTRY/test/good:1"
[ "$(tokens_asked test%2[Ff]good)" -eq 1 ] || { cat "$WORK/token.log"; fail 'not one token'; }
grep -qiE '^GET /token\?own=query&service=a\+registry\+%26\+more&scope=repository%3Atest%2Fgood%3Apull -$' \
    "$WORK/token.log" || { cat "$WORK/token.log"; fail 'another request'; }
check_pool

say 'what is not for anybody, or never good: no endless asking'
for how in private other expired; do
    expect 4 tp -q pull "$REGISTRY/test/$how:1"
    expect_error "$REGISTRY/test/$how:1" 'manifest from' 'with an anonymous token: 401'
    [ "$(tokens_asked "test%2[Ff]$how")" -eq 1 ] || fail 'not one token'
done
expect 4 tp -q pull "$REGISTRY/test/closed:1"
expect_error "$REGISTRY/test/closed:1" 'manifest from' 'token: http://127.0.0.1' \
    '403 access denied: DENIED: not for you'

say 'no tokens in what is written'
expect 0 tp --debug pull "$REGISTRY/test/good:1"
grep -q 'token from http' "$WORK/err" || fail 'nothing is said of tokens'
! grep -qE 'eyJ|Bearer ' "$WORK/out" "$WORK/err" || fail 'a token is shown'
! grep -rqE 'eyJ[A-Za-z0-9_-]{20}' "$ROOT" --include='*.json' --include='*.db*' ||
    fail 'a token is stored'
check_pool

say 'no token server'
kill "$server_pid"
wait "$server_pid" 2>/dev/null || true
server_pid=
expect 9 "$PROGRAM" --root "$WORK/second" -q pull "$REGISTRY/test/good:1"
expect_error 'token: http://127.0.0.1'
stop_registry
finish
