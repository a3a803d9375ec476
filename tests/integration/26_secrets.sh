#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Secrets stay where they belong: Authorization goes to the host it is for, and to no other that a
# redirect names; and nothing of a password or token is in what is said, written, or seen from
# outside, whatever goes wrong.
# weight: 20
. "$(dirname "$0")/../support/lib.sh"

password=hunter2-SECRET-word
identity=identity-SECRET-token
export HOME=$WORK/home FAKE_STORE=$WORK/store BAD_PASSWORD=$password
mkdir -p "$HOME/.docker" "$FAKE_STORE" "$WORK/bin" "$WORK/said"
unset DOCKER_CONFIG XDG_CONFIG_HOME XDG_RUNTIME_DIR REGISTRY_AUTH_FILE DOCKER_AUTH_CONFIG
for how in good leaks fails; do
    ln -s "$SUPPORT/docker-credential-fake.sh" "$WORK/bin/docker-credential-$how"
done
PATH=$WORK/bin:$PATH
docker=$HOME/.docker/config.json

# All that could give one away, as it is and as base64 at each of its three offsets.
patterns() {
    python3 -c '
import base64, sys
for text in sys.argv[1:]:
    for lead in range(3):
        whole = base64.b64encode(b"\0" * lead + text.encode()).decode().rstrip("=")
        print(whole[4 if lead else 0:-1])' "$password" "$identity"
}
patterns >"$WORK/patterns"
# And what servers give, or parts of others, which images may have words of their own for.
{ cat "$WORK/patterns"; printf '%s\n' SECRET eyJ; } >"$WORK/patterns.said"

# clean PATTERNS FILE...: none of them is in there. What images hold is their own.
clean() {
    local found
    found=$(grep -rlaF --exclude=data -f "$@" || true)
    [ -z "$found" ] || fail "a secret in $found"
}

n=0
# told CODE ARGS...: with --debug; what is said is looked at, then and in the end.
told() {
    local want=$1
    shift
    expect "$want" tp --debug "$@"
    n=$((n + 1))
    cat "$WORK/out" "$WORK/err" >"$WORK/said/$n"
    clean "$WORK/patterns.said" "$WORK/said/$n"
}

python3 "$SUPPORT/bad_registry.py" "$IMAGES/debian" "$WORK/other.port" "$WORK/other.log" &
server_pid=$!
wait_for "$WORK/other.port"
BAD_OTHER=$(cat "$WORK/other.port")
export BAD_OTHER
start_bad_registry "$IMAGES/debian"

say 'C8 F66: a redirect to another host gets the request, and no password'
told 0 pull --creds "member:$password" "$bad/basic-other:debian"
grep -q '^/v2/basic-other/blobs/.* Basic ' "$WORK/bad.log.auth" || fail 'nobody was asked'
grep -q '^GET /v2/good/blobs/' "$WORK/other.log" ||
    fail 'the other one was not asked'
[ ! -e "$WORK/other.log.auth" ] || { cat "$WORK/other.log.auth"; fail 'it went along'; }

say 'what is wrong is said without it'
told 4 pull --creds "member:x$password" "$bad/basic-good:debian"
told 4 pull --creds "$password:$password" "$bad/basic-good:debian"
told 3 pull --creds "$password" "$bad/basic-good:debian"
told 2 pull --creds "member:$password" "$bad/basic-good:none"
told 9 pull --creds "member:$password" "$bad/basic-manifest-503:debian"
told 4 pull --creds "member:$password" "$bad/token-useless:debian"
told 11 pull --creds "member:$password" "$bad/token-html:debian"
told 9 pull --creds "member:$password" "$bad/token-reset:debian"
expect 4 tp --json --debug pull --creds "member:x$password" "$bad/basic-good:debian"
cp "$WORK/err" "$WORK/said/json"

say 'files that are broken in every way'
put() {
    printf '%s' "$1" >"$docker"
    told "${2:-11}" pull "$bad/basic-good:debian"
}
put "{\"auths\": {\"$bad\": {\"auth\": \"$password\"}}}"
put "{\"auths\": {\"$bad\": {\"auth\": \"$(printf %s "$password" | base64)\"}}}"
put "{\"auths\": {\"$bad\": \"$password\"}}"
put "{\"auths\": {\"$bad\": {\"auth\": \"$password\", \"auth\": \"$password\"}}}"
put "{\"auths\": {\"$bad\": {\"password\": \"$password}}}"
put "{\"auths\": {\"$bad\": {\"password\": $password}}}"
put "{\"auths\": {\"$bad\": {\"username\": \"x:y\", \"password\": \"$password\"}}}"
put "{\"auths\": {\"$bad\": {\"registrytoken\": \"$password\\u000a\"}}}"
put '{"credsStore": "leaks"}' 1
rm "$docker"

say 'helpers: through the pipe, and nowhere else'
printf '{"credsStore": "good"}' >"$docker"
printf '%s' "$password" >"$WORK/password"
export DOCKER_AUTH_CONFIG="{\"auths\": {\"elsewhere.test\": {\"identitytoken\": \"$identity\"}}}"
# shellcheck disable=SC2016
expect 0 bash -c '"${@:2}" <"$1"' - "$WORK/password" "$PROGRAM" --root "$ROOT" --debug login \
    -u member --password-stdin "$bad"
cat "$WORK/out" "$WORK/err" >"$WORK/said/login"
told 0 pull "$bad/basic-good:debian"
told 0 logout "$bad"
grep -q '^store {"ServerURL":"'"$bad" "$FAKE_STORE/input" || fail 'the helper was not told'
grep -q 'docker-credential-good store' "$FAKE_STORE/log" || fail 'no log'
sed '/^BAD_PASSWORD=/d' "$FAKE_STORE/log" >"$WORK/said/helper" # which is the server's
printf '{"credsStore": "fails"}' >"$docker"
# shellcheck disable=SC2016
expect 1 bash -c '"${@:2}" <"$1"' - "$WORK/password" "$PROGRAM" --root "$ROOT" --debug login \
    -u member --password-stdin "$bad"
cat "$WORK/out" "$WORK/err" >"$WORK/said/login.fails"
unset DOCKER_AUTH_CONFIG
rm "$docker"

say 'seen from outside while it runs'
"$PROGRAM" --root "$WORK/second" pull --creds "member:$password" "$bad/basic-stall:debian" \
    >/dev/null 2>"$WORK/said/stall" &
pid=$!
for _ in $(seq 100); do
    grep -q 'basic-stall/blobs/' "$WORK/bad.log" && break
    sleep 0.1
done
tr '\0' ' ' <"/proc/$pid/cmdline" >"$WORK/said/cmdline"
grep -q -- --creds "$WORK/said/cmdline" || fail 'that is not its command line'
grep -q '^Max core file size  *0 ' "/proc/$pid/limits" || fail 'it may dump core'
[ "$(stat -c %u "/proc/$pid/environ")" = 0 ] || fail 'its owner may look into it'
kill -INT "$pid"
wait "$pid" 2>/dev/null || true

say 'nothing of it is written'
clean "$WORK/patterns.said" "$ROOT" "$WORK/second" "$WORK/said"
clean "$WORK/patterns" "$WORK/bad.log" "$WORK/other.log" # of URLs, with what servers gave
check_pool
finish
