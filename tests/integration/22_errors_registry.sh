#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Whatever goes wrong with a registry: one line that says which registry, which step and what to do,
# the exit code that others script against, the same as JSON, and no secrets in it. Prints each.
# weight: 20
. "$(dirname "$0")/../support/lib.sh"

in_own_network '127.0.0.2 registry.test' '127.0.0.2 wrong.test' '127.0.0.3 expired.test' \
    '127.0.0.4 plain.test' '127.0.0.5 silent.test' '127.0.0.6 unknown.test'

python3 "$SUPPORT/certificates.py" "$WORK/known" registry.test expired.test=expired
python3 "$SUPPORT/certificates.py" "$WORK/unknown" unknown.test
export SSL_CERT_FILE=$WORK/known/ca.pem
serve() { # name where
    python3 "$SUPPORT/bad_registry.py" "$IMAGES/debian" "$WORK/$1.port" "$WORK/bad.log" "$2" &
    server_pid+=" $!"
    wait_for "$WORK/$1.port"
}
serve registry "127.0.0.2:443:$WORK/known:registry.test"
serve expired "127.0.0.3:443:$WORK/known:expired.test"
serve plain 127.0.0.4:443
serve unknown "127.0.0.6:443:$WORK/unknown:unknown.test"

n=0
# Waiting between tries is most of what each takes, so all are tried at once: pull it, for later.
try() { # code kind reference hint text...
    n=$((n + 1))
    printf '%s\n' "$@" >"$WORK/want.$n"
    {
        local got=0
        "$PROGRAM" --root "$WORK/root.$n" --json --progress none pull "$3" >"$WORK/out.$n" \
            2>"$WORK/err.$n" </dev/null || got=$?
        echo "$got" >"$WORK/code.$n"
    } &
    tries+=" $!"
}
tries=

# The way there.
try 9 network nosuch.test/x:1 'check the name of the host' \
    'manifest from nosuch.test' 'resolving the host'
try 9 network silent.test/x:1 'check host and port' 'manifest from silent.test' connecting
try 9 network silent.test:5000/x:1 'check host and port' 'manifest from silent.test:5000' connecting
try 5 verification unknown.test/good:debian SSL_CERT_FILE 'TLS certificate' 'manifest from unknown.test'
try 5 verification wrong.test/good:debian 'use the name that the certificate is for' \
    'TLS certificate' "'wrong.test'"
try 5 verification expired.test/good:debian 'clock' 'TLS certificate' expired
try 9 network plain.test/good:debian 'plain http' 'TLS handshake' 'manifest from plain.test'
try 9 network registry.test/manifest-reset:1 'worth trying again' 'waiting for an answer'
# What it says of the manifest.
try 4 unauthorized registry.test/manifest-401:1 'check name and tag' 'authentication required (Basic'
try 4 unauthorized registry.test/manifest-403:1 'check name and tag' '403 access denied: DENIED'
try 2 not_found registry.test/manifest-404:1 'no such repository' '404 not found: NAME_UNKNOWN'
try 2 not_found registry.test/good:nope 'check name and tag' '404 not found: MANIFEST_UNKNOWN'
try 9 network registry.test/manifest-429:1 'wait, then try again' \
    '429 too many requests, it asks to wait for 3 s'
for status in 408 500 502 503 504; do
    try 9 network "registry.test/manifest-$status:1" 'worth trying again' "$status "
done
try 11 invalid registry.test/manifest-418:1 'not on this machine' '418 unexpected answer'
# The token server.
try 9 network registry.test/token-nohost:1 'check the name of the host' \
    'asking for a token: https://nowhere.test/token/token-nohost: ' 'resolving the host'
for status in 401 403 404; do
    try 4 unauthorized "registry.test/token-$status:1" 'check name and tag' \
        "asking for a token: https://registry.test/token/token-$status: $status "
done
try 4 unauthorized registry.test/token-useless:1 'check name and tag' 'with an anonymous token: 401'
try 9 network registry.test/token-429:1 'wait, then try again' 'asking for a token'
try 9 network registry.test/token-503:1 'worth trying again' 'asking for a token'
try 9 network registry.test/token-reset:1 'worth trying again' 'asking for a token'
try 11 invalid registry.test/token-html:1 'not on this machine' 'asking for a token' 'no JSON'
# The config, a layer.
try 4 unauthorized registry.test/config-403:debian 'check name and tag' 'config: sha256:' '403 '
try 2 not_found registry.test/config-404:debian 'pushed again' 'config: sha256:' '404 '
try 9 network registry.test/config-503:debian 'worth trying again' 'config: sha256:' '503 '
try 4 unauthorized registry.test/layer-401:debian 'check name and tag' 'layer 1/4 sha256:' '401 '
try 4 unauthorized registry.test/layer-403:debian 'check name and tag' 'layer 1/4 sha256:' '403 '
try 2 not_found registry.test/gone:debian 'pushed again' 'layer 1/4 sha256:' '404 '
try 9 network registry.test/layer-429:debian 'wait, then' 'layer 1/4 sha256:' '429 '
try 9 network registry.test/down:debian 'worth trying again' 'layer 1/4 sha256:' '503 '
try 9 network registry.test/cut:debian 'worth trying again' 'layer 1/4 sha256:' 'was cut after'
try 5 verification registry.test/wrong:debian 'not what its digest names' 'layer 1/4 sha256:'
try 4 unauthorized registry.test/signed:debian 'check name and tag' 'layer 1/4 sha256:' \
    'https://registry.test/signed/blob: 403 access denied'
# Where it sends us.
try 11 invalid registry.test/home:debian 'not on this machine' 'layer 1/4 sha256:' \
    'redirected to 127.0.0.1, an address of this machine, not followed'
try 11 invalid registry.test/metadata:debian 'not on this machine' 'layer 1/4 sha256:' \
    'redirected to 169.254.169.254, an address of this machine, not followed'
try 11 invalid registry.test/downgrade:debian 'not on this machine' 'layer 1/4 sha256:' \
    'redirected from https to plain http on registry.test, not followed'
try 11 invalid registry.test/loop:debian 'not on this machine' 'layer 1/4 sha256:' \
    'more than 10 redirects'

# shellcheck disable=SC2086
wait $tries

broken() {
    cat "$WORK/out.$i" "$WORK/err.$i"
    fail "$reference: $*"
}

# Holds the n-th against its line of the table.
check() {
    local i=$1 code kind reference hint text line
    {
        read -r code
        read -r kind
        read -r reference
        read -r hint
        mapfile -t texts
    } <"$WORK/want.$i"
    line=$(grep '^thinpull: ' "$WORK/err.$i" | grep -v '^thinpull: warning: ' || true)
    echo "$line"
    [ "$(cat "$WORK/code.$i")" -eq "$code" ] || broken "exit $(cat "$WORK/code.$i"), not $code"
    [ ! -s "$WORK/out.$i" ] || broken 'something on stdout'
    [ "$(grep -v '^{' "$WORK/err.$i" | grep -vcE '^thinpull: warning: .* asks for a rest of 3 s ')" \
        -eq 1 ] || broken 'more than one line'
    case $line in
    "thinpull: pull $reference: "*"https://"*\(*"$hint"*\)) ;;
    "thinpull: pull $reference: layer "*"blob is sha256:"*\(*"$hint"*\)) ;;
    *) broken "no reference, URL or hint '$hint'" ;;
    esac
    for text in "${texts[@]}"; do
        case $line in *"$text"*) ;; *) broken "does not say '$text'" ;; esac
    done
    case $line in *[?\&]* | *SECRET*) broken 'a query or a secret' ;; esac
    ! grep -q SECRET "$WORK/err.$i" || broken 'a secret'
    grep '^{' "$WORK/err.$i" | jq -e --arg code "$code" --arg kind "$kind" --arg line "$line" \
        '.error | (.code | tostring) == $code and .kind == $kind
            and $line == "thinpull: " + .message + " (" + .hint + ")"' >"$WORK/jq" ||
        broken 'another thing as JSON'
}

for i in $(seq "$n"); do
    check "$i"
done
# Five tries, four rests between them; layers that are asked for side by side rest together.
for i in $(seq "$n"); do
    rests=$(grep -c 'registry.test asks for a rest' "$WORK/err.$i" || true)
    case $(sed -n 3p "$WORK/want.$i") in
    registry.test/manifest-429:* | registry.test/token-429:*) [ "$rests" -eq 4 ] ;;
    registry.test/layer-429:*) [ "$rests" -ge 4 ] && [ "$rests" -le 8 ] ;;
    *) [ "$rests" -eq 0 ] ;;
    esac || fail "$(sed -n 3p "$WORK/want.$i"): $rests rests of three seconds are told"
done
say "$n errors"
finish
