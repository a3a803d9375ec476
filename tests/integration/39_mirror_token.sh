#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Real registries over TLS of a private authority: one with a password file, and, behind nginx as the
# mirror of another, one that wants tokens (rules C5, C13, C18). Who is a member of the mirror is
# nobody at the registry.
# weight: 8
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/nginx.sh
. "$SUPPORT/nginx.sh"

in_own_network '127.0.0.2 registry.test' '127.0.0.3 mirror.test' '127.0.0.4 auth.test' \
    '127.0.0.5 closed.test'

export HOME=$WORK XDG_CONFIG_HOME=$WORK/config TOKEN_PASSWORD=SECRET-of-the-mirror
unset DOCKER_CONFIG XDG_RUNTIME_DIR REGISTRY_AUTH_FILE DOCKER_AUTH_CONFIG
certs=$WORK/certs
python3 "$SUPPORT/certificates.py" "$certs" registry.test mirror.test auth.test closed.test
export SSL_CERT_FILE=$certs/ca.pem
start_registry
push "$IMAGES/tools:umoci" test/members:1
push "$IMAGES/tools:umoci" test/good:1
stop_registry

answers() { # URL: the status that it has in the end
    curl -s -o /dev/null -w '%{http_code}' --cacert "$certs/ca.pem" --retry 50 --retry-delay 1 \
        --retry-connrefused "$1"
}

say 'a registry with a password file and its own TLS'
password=SECRET-of-closed
python3 -W ignore -c 'import crypt, sys
print("member:" + crypt.crypt(sys.argv[1], crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))' \
    "$password" >"$WORK/htpasswd"
cat >"$WORK/closed.yml" <<YML
version: 0.1
log: {level: info, accesslog: {disabled: false}}
storage: {filesystem: {rootdirectory: $WORK/registry}}
http: {addr: "127.0.0.5:443", tls: {certificate: $certs/closed.test.pem, key: $certs/closed.test.key}}
auth: {htpasswd: {realm: members, path: $WORK/htpasswd}}
YML
docker-registry serve "$WORK/closed.yml" >"$WORK/closed.log" 2>&1 &
registry_pid=$!
[ "$(answers https://closed.test/v2/)" = 401 ] || { cat "$WORK/closed.log"; fail 'it is open'; }
expect 4 tp -q pull closed.test/test/good:1
expect_error '401 authentication required (Basic)'
printf '%s' "$password" >"$WORK/password"
# shellcheck disable=SC2016
expect 0 bash -c '"${@:2}" <"$1"' - "$WORK/password" "$PROGRAM" --root "$ROOT" login -u member \
    --password-stdin closed.test
expect 0 tp -q pull closed.test/test/good:1
check_pool
SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt expect 5 tp -q pull closed.test/test/good:1
expect_error closed.test 'TLS certificate'
stop_registry
rm -rf "$ROOT" "$WORK/.docker"

say 'a registry that wants tokens, behind nginx, as the mirror of one that is open'
python3 "$SUPPORT/token_server.py" "$WORK" "127.0.0.4:443:$certs:auth.test" 2>"$WORK/token.err" &
server_pid=$!
wait_for "$WORK/token.port"
rm "$WORK/registry.log" # of the first one, whose port would be found again
start_registry
behind=$REGISTRY
open_pid=$registry_pid
export REGISTRY_AUTH=token REGISTRY_AUTH_TOKEN_SERVICE=mirror REGISTRY_AUTH_TOKEN_ISSUER=tests \
    REGISTRY_AUTH_TOKEN_ROOTCERTBUNDLE="$WORK/token.crt" \
    REGISTRY_AUTH_TOKEN_REALM=https://auth.test/token
mv "$WORK/registry.log" "$WORK/open.log"
start_registry
registry_pid+=" $open_pid"
server() { # name address port
    echo "server { server_name $1; listen $2:443 ssl http2; ssl_certificate $certs/$1.pem;
        ssl_certificate_key $certs/$1.key; location / { proxy_pass http://127.0.0.1:$3; } }"
}
start_nginx < <(
    server registry.test 127.0.0.2 "${behind#*:}"
    server mirror.test 127.0.0.3 "${REGISTRY#*:}"
)
[ "$(answers https://mirror.test/v2/)" = 401 ] || fail 'the mirror is open'
code=$(answers https://registry.test/v2/)
[ "$code" = 200 ] || { cat "$WORK/nginx.log" "$WORK/nginx/error.log"; fail "the registry answers $code"; }
mkdir -p "$XDG_CONFIG_HOME/containerd/certs.d/registry.test" "$XDG_CONFIG_HOME/containers"
printf 'server = "https://registry.test"\n[host."https://mirror.test"]\n' \
    >"$XDG_CONFIG_HOME/containerd/certs.d/registry.test/hosts.toml"
forget_requests

say 'a token for anybody'
expect 0 tp -q pull registry.test/test/good:1
[ "$(asked_of_nginx '^registry.test ')" -eq 0 ] || fail 'the registry was asked'
[ "$(asked_of_nginx '^mirror.test HTTP/2.0 200 GET .*/blobs/')" -ge 3 ] || fail 'nothing came from there'
[ "$(wc -l <"$WORK/token.log")" -eq 1 ] || { cat "$WORK/token.log"; fail 'not one token'; }
check_pool

say 'what is not for anybody comes from the registry'
rm -rf "$ROOT"
expect 0 tp -q pull registry.test/test/members:1
grep -q 'warning: .*mirror.test.*401' "$WORK/err" || { cat "$WORK/err"; fail 'not told'; }
[ "$(asked_of_nginx '^mirror.test .* 200 GET /v2/test/members')" -eq 0 ] || fail 'it had let us in'

say 'a member of the mirror gets it there, and is nobody at the registry'
auth=$(printf 'member:%s' "$TOKEN_PASSWORD" | base64 -w0)
printf '{"auths": {"mirror.test": {"auth": "%s"}}}' "$auth" >"$XDG_CONFIG_HOME/containers/auth.json"
rm -rf "$ROOT"
forget_requests
: >"$WORK/token.log"
expect 0 tp --debug pull registry.test/test/members:1
[ "$(asked_of_nginx '^registry.test ')" -eq 0 ] || fail 'the registry was asked'
grep -qi "^GET /token?.*members%3Apull Basic $auth$" "$WORK/token.log" ||
    { cat "$WORK/token.log"; fail 'no token for a member'; }
! grep -qE 'SECRET|eyJ' "$WORK/out" "$WORK/err" || fail 'a secret is shown'
check_pool
finish
