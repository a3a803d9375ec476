#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Proxies of the environment (rule C20): a real one that connects, with a password; which names go
# through it, which do not, and what it gets to see.
# weight: 12
. "$(dirname "$0")/../support/lib.sh"

in_own_network '127.0.0.2 registry.test' '127.0.0.3 proxy.test'

export HOME=$WORK BAD_PASSWORD=SECRET-of-the-member PROXY_USER='me:SECRET/of the proxy'
unset DOCKER_CONFIG XDG_CONFIG_HOME XDG_RUNTIME_DIR REGISTRY_AUTH_FILE DOCKER_AUTH_CONFIG
unset HTTP_PROXY NO_PROXY no_proxy
python3 "$SUPPORT/certificates.py" "$WORK/known" registry.test
export SSL_CERT_FILE=$WORK/known/ca.pem
python3 "$SUPPORT/tiny_layout.py" "$WORK/tiny" tiny 2 >/dev/null
python3 "$SUPPORT/bad_registry.py" "$WORK/tiny" "$WORK/registry.port" "$WORK/registry.log" \
    "127.0.0.2:443:$WORK/known:registry.test" &
server_pid=$!
wait_for "$WORK/registry.port"
python3 "$SUPPORT/connect_proxy.py" 127.0.0.3:3128 "$WORK/proxy.port" "$WORK/proxy.log" &
server_pid+=" $!"
wait_for "$WORK/proxy.port"
start_registry
push "$WORK/tiny:tiny" test/tiny:1
image=registry.test/basic-good:tiny
proxy=http://me:SECRET%2Fof%20the%20proxy@proxy.test:3128

# pull CODE THROUGH SETTINGS...: the image; as many connections as THROUGH says go through the proxy,
# "some" for any number of them.
pull() {
    local want=$1 through=$2 got how=-q
    shift 2
    [ "$want" -ne 0 ] || how=--debug
    rm -rf "$ROOT" "$WORK/proxy.log"
    touch "$WORK/proxy.log"
    expect "$want" env "$@" "$PROGRAM" --root "$ROOT" $how pull --creds "member:$BAD_PASSWORD" \
        "$image"
    ! grep -v '^CONNECT registry.test:443 ' "$WORK/proxy.log" || fail 'another request'
    got=$(wc -l <"$WORK/proxy.log")
    case $through in
    some) [ "$got" -ge 1 ] || fail "nothing went through the proxy: $*" ;;
    *) [ "$got" -eq "$through" ] || { cat "$WORK/proxy.log"; fail "$got went through the proxy: $*"; } ;;
    esac
    ! grep -q SECRET "$WORK/out" "$WORK/err" || fail 'a secret is shown'
    [ "$want" -ne 0 ] || check_pool
}

say 'https goes by HTTPS_PROXY, else by ALL_PROXY, in either case'
for variable in HTTPS_PROXY https_proxy ALL_PROXY all_proxy; do
    pull 0 some "$variable=$proxy"
done
pull 0 some "HTTPS_PROXY=$proxy" ALL_PROXY=http://nowhere.test:1
pull 0 0 "http_proxy=$proxy" "HTTP_PROXY=$proxy"

say 'NO_PROXY: names, domains, all'
for names in registry.test .test x.test,registry.test '*' 127.0.0.9,test; do
    pull 0 0 "HTTPS_PROXY=$proxy" "NO_PROXY=$names"
    pull 0 0 "ALL_PROXY=$proxy" "no_proxy=$names"
done
for names in istry.test other.test registry.test.x ''; do
    pull 0 some "HTTPS_PROXY=$proxy" "NO_PROXY=$names"
done

say 'never to this machine'
rm -rf "$ROOT" "$WORK/proxy.log"
for variable in http_proxy HTTPS_PROXY ALL_PROXY; do
    expect 0 env "$variable=$proxy" "$PROGRAM" --root "$ROOT" -q pull "$REGISTRY/test/tiny:1"
done
[ ! -e "$WORK/proxy.log" ] || fail 'the proxy was asked for this machine'

say 'a password that is wrong, or none: it is told, and not shown'
pull 4 1 HTTPS_PROXY=http://me:SECRET-wrong@proxy.test:3128
expect_error registry.test 'the proxy does not connect: 407'
pull 4 1 HTTPS_PROXY=http://proxy.test:3128
expect_error 'the proxy does not connect: 407, it wants to know who asks'

say 'a proxy that is dead, nowhere, or cannot connect'
pull 9 0 HTTPS_PROXY=http://me:SECRET@proxy.test:1
expect_error registry.test connecting
pull 9 0 HTTPS_PROXY=http://me:SECRET@nowhere.test:1
expect_error registry.test 'resolving the host'
for nonsense in ftp://me:SECRET@proxy.test http://me:SECRET@proxy.test:99999 'http://me:SECRET@[::1'; do
    pull 3 0 "HTTPS_PROXY=$nonsense"
    expect_error registry.test 'HTTPS_PROXY, http_proxy, ALL_PROXY or hosts.toml is no URL'
done
image=registry.test:444/basic-good:tiny
rm -f "$WORK/proxy.log"
expect 9 env "HTTPS_PROXY=$proxy" "$PROGRAM" --root "$ROOT" -q pull "$image"
expect_error 'registry.test:444' 'the proxy does not connect: 502'
grep -q '^CONNECT registry.test:444 502$' "$WORK/proxy.log" || fail 'it was not asked'

say 'it sees its own password, and nothing of what is for the registry'
grep -q '^Proxy-Authorization: Basic ' "$WORK/proxy.log.heads" || fail 'no password'
! grep -qi '^Authorization:' "$WORK/proxy.log.heads" || fail 'it saw the password of the registry'
grep -q '^/v2/basic-good/.* Basic ' "$WORK/registry.log.auth" || fail 'the registry got none'
! grep -qi 'proxy-auth' "$WORK/registry.log.auth" || fail 'the registry saw the password of the proxy'
finish
