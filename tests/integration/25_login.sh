#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Real registries that want to know who asks, by htpasswd and by tokens: logins of ours, of skopeo
# and of a helper are each other's; what is wrong is said, and nothing of it kept.
# weight: 25
. "$(dirname "$0")/../support/lib.sh"

password='p:ä ss+/=w"rd'
export HOME=$WORK/home XDG_RUNTIME_DIR=$WORK/runtime FAKE_STORE=$WORK/store
mkdir -p "$HOME" "$XDG_RUNTIME_DIR" "$FAKE_STORE" "$WORK/bin"
unset DOCKER_CONFIG XDG_CONFIG_HOME REGISTRY_AUTH_FILE DOCKER_AUTH_CONFIG
ln -s "$SUPPORT/docker-credential-fake.sh" "$WORK/bin/docker-credential-good"
ln -s "$SUPPORT/docker-credential-fake.sh" "$WORK/bin/docker-credential-fails"
PATH=$WORK/bin:$PATH
docker=$HOME/.docker/config.json

# log_in CODE PASSWORD ARGS...: by standard input.
log_in() {
    local want=$1
    printf '%s\n' "$2" >"$WORK/password"
    shift 2
    # shellcheck disable=SC2016
    expect "$want" bash -c '"${@:2}" <"$1"' - "$WORK/password" "$PROGRAM" --root "$ROOT" login \
        -u member --password-stdin "$@"
}

# Nothing is here that a pull could find.
fresh() {
    rm -rf "$ROOT"
}

say 'a registry with a password file, filled by who has the password'
python3 -W ignore -c 'import crypt, sys
print("member:" + crypt.crypt(sys.argv[1], crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))' \
    "$password" >"$WORK/htpasswd"
export REGISTRY_AUTH=htpasswd REGISTRY_AUTH_HTPASSWD_REALM='members only' \
    REGISTRY_AUTH_HTPASSWD_PATH=$WORK/htpasswd
start_registry
push "$IMAGES/tools:umoci" test/small:1 --dest-creds "member:$password"
image=$REGISTRY/test/small:1

say 'nobody is let in who does not say who it is'
expect 4 tp -q pull "$image"
expect_error '401 authentication required (Basic)' "thinpull login REGISTRY"

say 'a login is proven before it is kept'
log_in 4 wrong "$REGISTRY"
expect_error "login $REGISTRY: " 'with the credentials of this login' '401'
[ ! -e "$HOME/.docker" ] || fail 'a login that failed is kept'
log_in 0 "$password" "$REGISTRY"
[ "$(cat "$WORK/out")" = "$REGISTRY" ] || fail "login printed $(cat "$WORK/out")"
grep -q "kept in $docker" "$WORK/err" || fail 'it does not say where'
[ "$(stat -c %a "$docker") $(stat -c %a "$HOME/.docker")" = '600 700' ] || fail 'open to others'
expect 0 tp -q pull "$image"
skopeo inspect --tls-verify=false "docker://$image" >/dev/null || fail 'skopeo does not know it'
expect 0 tp create "$image" box
expect 0 tp rm box

say 'a password that is no longer good'
fresh
sed -i 's/"auth": "[^"]*"/"auth": "bWVtYmVyOndyb25n"/' "$docker"
expect 4 tp -q pull "$image"
expect_error "with the credentials of $docker: 401" 'whether these credentials are for them'

say 'at a terminal'
expect 0 tp logout "$REGISTRY"
python3 "$SUPPORT/check_login.py" member "$password" "$PROGRAM" --root "$ROOT" login "$REGISTRY" ||
    fail 'typing it does not do'
expect 0 tp -q pull "$image"

say 'logout'
expect 0 tp logout "https://$REGISTRY/"
[ "$(cat "$WORK/out")" = "$REGISTRY" ] || fail "logout printed $(cat "$WORK/out")"
grep -q "gone from $docker" "$WORK/err" || fail 'it does not say from where'
fresh
expect 4 tp -q pull "$image"
expect 0 tp logout "$REGISTRY"
grep -q 'there were no credentials' "$WORK/err" || fail 'a second logout finds something'

say 'a login of skopeo is ours, and ours is its'
printf '%s' "$password" | skopeo login --tls-verify=false -u member --password-stdin "$REGISTRY" \
    >/dev/null
fresh
expect 0 tp -q pull "$image"
log_in 0 "$password" "$REGISTRY"
grep -q "kept in $XDG_RUNTIME_DIR/containers/auth.json" "$WORK/err" || fail 'kept elsewhere'
skopeo logout "$REGISTRY" >/dev/null
fresh
expect 4 tp -q pull "$image"

say 'for once'
expect 0 tp -q pull --creds "member:$password" "$image"
fresh
expect 4 tp -q pull --creds member:wrong "$image"
expect_error 'with the credentials of --creds: 401'
expect 3 tp -q pull --creds member "$image"
expect_error 'option --creds: no colon'
expect 3 tp -q pull --creds a:b "$image" quay.io/x/y
expect_error "--creds is for one registry, not for $REGISTRY and quay.io"
expect 0 tp -q create --pull always --creds "member:$password" "$image" box
fresh
log_in 0 "$password" "$REGISTRY" --authfile "$WORK/elsewhere/auth.json"
expect 4 tp -q pull "$image"
expect 0 tp -q pull --authfile "$WORK/elsewhere/auth.json" "$image"
fresh
REGISTRY_AUTH_FILE=$WORK/elsewhere/auth.json expect 0 tp -q pull "$image"
fresh
DOCKER_AUTH_CONFIG=$(cat "$WORK/elsewhere/auth.json") expect 0 tp -q pull "$image"
fresh
expect 3 tp -q pull --authfile "$WORK/missing.json" "$image"
expect_error "$WORK/missing.json"
echo '{"auths": ' >"$WORK/broken.json"
expect 11 tp -q pull --authfile "$WORK/broken.json" "$image"
expect_error "$WORK/broken.json: config: line 2" '(mend that, or name another file'

say 'a helper keeps it, and the file does not'
rm -rf "$XDG_RUNTIME_DIR/containers"
printf '{"credsStore": "good", "other": [1]}' >"$docker"
log_in 0 "$password" "$REGISTRY"
grep -q 'kept in docker-credential-good' "$WORK/err" || fail 'not in the helper'
! grep -q '"auth":' "$docker" || fail 'the file has it, too'
jq -e '.other == [1]' "$docker" >/dev/null || fail 'other settings are gone'
expect 0 tp -q pull "$image"
fresh
expect 0 tp logout "$REGISTRY"
grep -q 'gone from docker-credential-good' "$WORK/err" || fail 'not gone from the helper'
expect 4 tp -q pull "$image"
printf '{"credsStore": "fails"}' >"$docker"
expect 1 tp -q pull "$image"
expect_error "$docker: docker-credential-fails get: failed with status 1: the keychain is locked"
printf '{"credsStore": "nowhere"}' >"$docker"
expect 3 tp -q pull "$image"
expect_error 'docker-credential-nowhere' '(mend that, or name another file'
log_in 3 "$password" "$REGISTRY"
expect_error 'docker-credential-nowhere' '(mend that, or name another file'
rm "$docker"

say 'names that are none'
for name in nowhere '' -x "$REGISTRY/x" 'a b' ftp://x.io; do
    log_in 3 x -- "$name"
done
expect 3 tp login "$REGISTRY"
expect_error 'option --username is missing, and standard input is no terminal'
log_in 3 '' "$REGISTRY"
expect_error 'the password on standard input is empty'
log_in 9 x localhost:1
stop_registry

say 'a registry that wants tokens, of members too'
export TOKEN_PASSWORD=$password TOKEN_IDENTITY='identity/+ &='
python3 "$SUPPORT/token_server.py" "$WORK" 2>"$WORK/token.err" &
server_pid=$!
wait_for "$WORK/token.port"
unset REGISTRY_AUTH_HTPASSWD_REALM REGISTRY_AUTH_HTPASSWD_PATH
export REGISTRY_AUTH=token REGISTRY_AUTH_TOKEN_SERVICE='a registry & more' \
    REGISTRY_AUTH_TOKEN_ISSUER=tests REGISTRY_AUTH_TOKEN_ROOTCERTBUNDLE="$WORK/token.crt" \
    REGISTRY_AUTH_TOKEN_REALM="http://127.0.0.1:$(cat "$WORK/token.port")/token"
mkdir -p "$WORK/registry/docker/registry/v2/repositories/test"
cp -r "$WORK/registry/docker/registry/v2/repositories/test/small" \
    "$WORK/registry/docker/registry/v2/repositories/test/members"
start_registry "${REGISTRY#*:}"
code=$(curl -s -o /dev/null -w '%{http_code}' --retry 50 --retry-delay 1 --retry-connrefused \
    "http://$REGISTRY/v2/")
[ "$code" = 401 ] || fail "the registry is open: $code"
image=$REGISTRY/test/members:1
expect 4 tp -q pull "$image"
expect_error 'with an anonymous token: asking for a token' '401'
log_in 4 wrong "$REGISTRY"
expect_error 'with the credentials of this login: asking for a token' '401'
log_in 0 "$password" "$REGISTRY"
expect 0 tp -q pull "$image"
fresh
printf '{"auths": {"%s": {"auth": "bWVtYmVyOg==", "identitytoken": "%s"}}}' "$REGISTRY" \
    "$TOKEN_IDENTITY" >"$docker"
: >"$WORK/token.log"
expect 0 tp -q pull "$image"
[ "$(cat "$WORK/token.log")" = 'POST /token -' ] || { cat "$WORK/token.log"; fail 'no one POST'; }
check_pool
stop_registry
finish
