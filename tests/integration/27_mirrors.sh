#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Mirrors as containerd and podman configure them (rules C16 to C20): a real registry behind nginx,
# by names of their own, TLS of a private authority and client certificates, HTTP/2; the first
# mirror is dead. What a mirror has not got comes from the next place, what it gives is checked as
# ever, and what is meant for one host does not get to another.
# weight: 30
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/nginx.sh
. "$SUPPORT/nginx.sh"

in_own_network '127.0.0.2 registry.test' '127.0.0.3 mirror.test' '127.0.0.4 dead.test' \
    '127.0.0.5 liar.test' '127.0.0.6 plain.test' '127.0.0.7 other.test'
unset SSL_CERT_FILE

export XDG_CONFIG_HOME=$WORK/config HOME=$WORK
certs=$WORK/certs
python3 "$SUPPORT/certificates.py" "$certs" registry.test mirror.test liar.test me
python3 "$SUPPORT/certificates.py" "$WORK/others" other.test
start_registry
push "$IMAGES/debian:debian" test/debian:12
push "$IMAGES/tools:umoci" test/small:1
push "$IMAGES/tools:umoci" deep/in/small:1
behind="proxy_pass http://127.0.0.1:${REGISTRY#*:};"

# A blob that liar.test gives in the place of another: as long, and wrong.
manifest=$(curl -s -H 'Accept: application/vnd.oci.image.manifest.v1+json' \
    "http://$REGISTRY/v2/test/small/manifests/1")
layer=$(jq -r '.layers[0].digest' <<<"$manifest")
mkdir -p "$WORK/lies"
head -c "$(jq -r '.layers[0].size' <<<"$manifest")" /dev/urandom >"$WORK/lies/same"
echo short >"$WORK/lies/short"

printf 'me:%s\n' "$(openssl passwd -apr1 password-of-mine)" >"$WORK/members"

server() { # name address more
    echo "server { server_name $1; listen $2:443 ssl http2;
        ssl_certificate $certs/$1.pem; ssl_certificate_key $certs/$1.key; $3 }"
}
{
    server registry.test 127.0.0.2 "location / { $behind }"
    server mirror.test 127.0.0.3 "ssl_client_certificate $certs/ca.pem; ssl_verify_client on;
        location / { $behind }
        location /prefix/ { rewrite ^/prefix/(.*) /\$1 break; $behind }
        location /bare/ { rewrite ^/bare/(.*) /v2/\$1 break; $behind }
        location ~ ^/empty/ { return 404; }
        location ~ ^/full/.*/blobs/ { return 404; }
        location /full/ { rewrite ^/full/(.*) /\$1 break; $behind }
        location /busy/ { return 503; }
        location /members/ { auth_basic members; auth_basic_user_file $WORK/members;
            rewrite ^/members/(.*) /\$1 break; $behind }"
    server liar.test 127.0.0.5 "location / { $behind }
        location ~ ^/same/.*/$layer\$ { root $WORK/lies; rewrite ^ /same break; }
        location ~ ^/short/.*/$layer\$ { root $WORK/lies; rewrite ^ /short break; }
        location ~ ^/tag/.*/manifests/ { root $WORK/lies; rewrite ^ /short break; }
        location ~ ^/(same|short|tag)/(.*) { rewrite ^/[a-z]+/(.*) /\$1 break; $behind }"
    echo "server { server_name plain.test; listen 127.0.0.6:5000; location / { $behind } }"
    echo "server { server_name other.test; listen 127.0.0.7:443 ssl;
        ssl_certificate $WORK/others/other.test.pem; ssl_certificate_key $WORK/others/other.test.key;
        location / { $behind } }"
} >"$WORK/servers"
start_nginx <"$WORK/servers"

# hosts HOST: its hosts.toml is what comes on stdin.
hosts() {
    mkdir -p "$XDG_CONFIG_HOME/containerd/certs.d/$1"
    cat >"$XDG_CONFIG_HOME/containerd/certs.d/$1/hosts.toml"
}

mirror() { # path capabilities
    cat <<TOML
[host."https://mirror.test$1"]
  capabilities = [${2:-"'pull', 'resolve'"}]
  ca = "$certs/ca.pem"
  client = [["$certs/me.pem", "$certs/me.key"]]
  [host."https://mirror.test$1".header]
    x-mine = "secret-of-the-mirror"
TOML
}

server_too="server = \"https://registry.test\"
ca = \"$certs/ca.pem\""

fresh() {
    rm -rf "$ROOT"
    forget_requests
}

count() { # pattern want
    local got
    got=$(asked_of_nginx "$1")
    [ "$got" -eq "$2" ] || { cat "$WORK/nginx.log"; fail "$got requests of '$1', expected $2"; }
}

warned() { # times
    local got
    got=$(grep -c '^thinpull: warning: .*another place is asked instead$' "$WORK/err" || true)
    [ "$got" -eq "$1" ] || { cat "$WORK/err"; fail "$got warnings, expected $1"; }
}

say 'without a word of configuration nobody vouches for the registry'
expect 5 tp -q pull registry.test/test/small:1
expect_error registry.test 'TLS certificate' certs.d

say 'the dead mirror is passed over, told once; all comes from the next, which knows us'
{
    echo "$server_too"
    printf '[host."https://dead.test"]\n'
    mirror ''
} | hosts registry.test
fresh
expect 0 tp -q pull registry.test/test/debian:12
grep -qE '^registry\.test/test/debian:12@sha256:[0-9a-f]{64}$' "$WORK/out" || fail 'another name'
warned 1
grep -q 'warning: manifest from dead.test: .*connecting: ' "$WORK/err" || { cat "$WORK/err"; fail 'told'; }
count '^registry.test ' 0
count '^mirror.test HTTP/2.0 20[06] GET /v2/test/debian/[^ ]*\?ns=registry\.test secret-of-the-mirror - CN=' \
    "$(wc -l <"$WORK/nginx.log")"
[ "$(wc -l <"$WORK/nginx.log")" -gt "$(cat "$IMAGES/debian.layers")" ] || fail 'too few requests'
check_pool
raw registry.test/test/debian:12 "$WORK/mirror.ext4"

say 'the same bytes as from a layout folder'
"$PROGRAM" --root "$WORK/other" -q pull "oci:$IMAGES/debian:debian" >/dev/null
"$PROGRAM" --root "$WORK/other" export --format raw -o "$WORK/layout.ext4" \
    "oci:$IMAGES/debian:debian" >/dev/null
[ "$(content "$WORK/mirror.ext4")" = "$(content "$WORK/layout.ext4")" ] || fail 'other bytes'
rm -rf "$WORK/other" "$WORK"/*.ext4

say 'a mirror that is not trusted with tags gives only what has a digest'
{
    echo "$server_too"
    mirror '' '"pull"'
} | hosts registry.test
fresh
expect 0 tp -q pull registry.test/test/small:1
warned 0
count '^registry.test HTTP/2.0 200 GET /v2/test/small/manifests/1 ' 1
count '^registry.test ' 1
[ "$(asked_of_nginx '^mirror.test HTTP/2.0 200 GET /v2/test/small/blobs/')" -ge 2 ] ||
    { cat "$WORK/nginx.log"; fail 'nothing from the mirror'; }

say 'what it has not got, or cannot give now, comes from the registry: no word of it'
for path in /empty /full /busy; do
    {
        echo "$server_too"
        mirror $path
    } | hosts registry.test
    fresh
    expect 0 tp -q pull registry.test/test/small:1
    warned 0
    [ "$(asked_of_nginx '^registry.test ')" -ge 2 ] || { cat "$WORK/nginx.log"; fail $path; }
    [ "$(asked_of_nginx "^mirror.test .* GET $path/v2/")" -ge 2 ] || { cat "$WORK/nginx.log"; fail $path; }
    count '^registry.test .*(secret-of-the-mirror|CN=)' 0
    check_pool
done
count '^mirror.test [^ ]* 503 ' "$(asked_of_nginx '^mirror.test ')"

say 'paths of mirrors, with /v2 and without'
{
    echo "$server_too"
    mirror /prefix
} | hosts registry.test
fresh
expect 0 tp -q pull registry.test/test/small:1
count '^mirror.test HTTP/2.0 200 GET /prefix/v2/test/small/manifests/1\?ns=registry\.test ' 1
count '^registry.test ' 0
{
    echo "$server_too"
    mirror /bare | sed 's/^  ca =/  override_path = true\n  ca =/'
} | hosts registry.test
fresh
expect 0 tp -q pull registry.test/test/small:1
count '^mirror.test HTTP/2.0 200 GET /bare/test/small/manifests/1\?ns=registry\.test ' 1
count '^registry.test ' 0

say 'who has no certificate is not let in, which is told; the registry serves'
{
    echo "$server_too"
    mirror '' | grep -v 'client ='
} | hosts registry.test
fresh
expect 0 tp -q pull registry.test/test/small:1
warned 1
grep -q 'mirror.test.*400 unexpected answer' "$WORK/err" || { cat "$WORK/err"; fail 'not told'; }

say 'credentials are for the host they are of'
{
    echo "$server_too"
    mirror /members
} | hosts registry.test
fresh
expect 0 tp -q pull --creds me:password-of-mine registry.test/test/small:1
warned 1
grep -q 'mirror.test.*401' "$WORK/err" || { cat "$WORK/err"; fail 'not told'; }
count ' me ' 0
mkdir -p "$XDG_CONFIG_HOME/containers"
echo "{\"auths\": {\"mirror.test\": {\"auth\": \"$(printf me:password-of-mine | base64)\"}}}" \
    >"$XDG_CONFIG_HOME/containers/auth.json"
fresh
expect 0 tp -q pull registry.test/test/small:1
warned 0
count '^registry.test ' 0
count '^mirror.test [^ ]* 200 GET /members/[^ ]* secret-of-the-mirror me CN=' \
    "$(asked_of_nginx '^mirror.test [^ ]* 200 ')"
# What it has not got is asked for elsewhere, without them.
expect 2 tp -q pull registry.test/test/small:nope
[ "$(asked_of_nginx '^registry.test ')" -ge 1 ] || fail 'the registry was not asked'
count '^registry.test .*(secret-of-the-mirror| me |CN=)' 0
rm "$XDG_CONFIG_HOME/containers/auth.json"

say 'a key that does not fit, a file that is missing'
{
    echo "$server_too"
    mirror '' | sed 's/me\.key/ca.key/'
} | hosts registry.test
fresh
expect 0 tp -q pull registry.test/test/small:1
warned 1
grep -q 'TLS client certificate: ' "$WORK/err" || { cat "$WORK/err"; fail 'not told'; }
{
    echo "$server_too"
    mirror '' | sed 's/ca\.pem/none.pem/'
} | hosts registry.test
fresh
expect 0 tp -q pull registry.test/test/small:1
warned 1
grep -q "there is no file $certs/none.pem" "$WORK/err" || { cat "$WORK/err"; fail 'not told'; }

liar() { # path
    printf '%s\n[host."https://liar.test/%s"]\nca = "%s"\n' "$server_too" "$1" "$certs/ca.pem" |
        hosts registry.test
}

say 'a mirror that lies of a tag, or of a size, is not believed, and told'
for how in tag short; do
    liar $how
    fresh
    expect 0 tp -q pull registry.test/test/small:1
    warned 1
    check_pool
done

say 'a mirror that gives other bytes: they are what they are, nothing is kept'
liar same
fresh
expect 5 tp -q pull registry.test/test/small:1
expect_error 'pull registry.test/test/small:1' "$layer"
expect 2 tp create registry.test/test/small:1 box
check_pool

say 'mirrors of everything: one folder for all registries'
rm -rf "$XDG_CONFIG_HOME/containerd"
mirror '' | hosts _default
fresh
expect 0 tp -q pull registry.test/test/small:1
expect 0 tp -q pull nowhere.test:5000/test/small:1
count '^mirror.test .*\?ns=nowhere\.test%3[aA]5000 ' \
    "$(asked_of_nginx '^mirror.test .*\?ns=nowhere')"
[ "$(asked_of_nginx 'ns=nowhere')" -ge 1 ] || fail 'the mirror was not asked'
rm -rf "$XDG_CONFIG_HOME/containerd"

say "docker's and podman's folders of certificates"
for tool in docker containers; do
    mkdir -p "$XDG_CONFIG_HOME/$tool/certs.d/mirror.test" "$XDG_CONFIG_HOME/$tool/certs.d/registry.test"
    cp "$certs/ca.pem" "$XDG_CONFIG_HOME/$tool/certs.d/mirror.test/private.crt"
    cp "$certs/ca.pem" "$XDG_CONFIG_HOME/$tool/certs.d/registry.test/private.crt"
    cp "$certs/me.pem" "$XDG_CONFIG_HOME/$tool/certs.d/mirror.test/client.cert"
    cp "$certs/me.key" "$XDG_CONFIG_HOME/$tool/certs.d/mirror.test/client.key"
    fresh
    expect 0 tp -q pull mirror.test/test/small:1
    expect 0 tp -q pull registry.test/test/small:1
    count '^mirror.test HTTP/2.0 200 GET /v2/test/small/manifests/1 - - CN=' 1
    rm "$XDG_CONFIG_HOME/$tool/certs.d/mirror.test/client.key"
    expect 11 tp -q pull mirror.test/test/small:1
    expect_error "$tool/certs.d/mirror.test: client certificate client.cert has no client.key"
    rm -rf "${XDG_CONFIG_HOME:?}/$tool"
done

say 'an authority of the system stays one beside that of a folder'
mkdir -p "$WORK/system" "$XDG_CONFIG_HOME/docker/certs.d/registry.test"
cp "$certs/ca.pem" "$WORK/system/"
openssl rehash "$WORK/system"
cp "$certs/ca.pem" "$WORK/system/ca-certificates.crt"
mount --bind "$WORK/system" /etc/ssl/certs
cp "$WORK/others/ca.pem" "$XDG_CONFIG_HOME/docker/certs.d/registry.test/others.crt"
fresh
expect 0 tp -q pull registry.test/test/small:1
expect 5 tp -q pull other.test/test/small:1
umount /etc/ssl/certs
expect 5 tp -q pull registry.test/test/small:1
rm -rf "${XDG_CONFIG_HOME:?}/docker"

# conf: registries.conf is what comes on stdin.
conf() {
    mkdir -p "$XDG_CONFIG_HOME/containers"
    cat >"$XDG_CONFIG_HOME/containers/registries.conf"
}

say 'registries.conf: rewritten, mirrored, insecure, blocked, short'
mkdir -p "$XDG_CONFIG_HOME/docker/certs.d/registry.test"
cp "$certs/ca.pem" "$XDG_CONFIG_HOME/docker/certs.d/registry.test/private.crt"
conf <<TOML
[[registry]]
prefix = "quay.test/team"
location = "registry.test/deep/in"
[[registry.mirror]]
location = "dead.test/x"
[[registry.mirror]]
location = "plain.test:5000/deep/in"
insecure = true
[[registry]]
location = "other.test"
insecure = true
[[registry]]
location = "bad.test"
blocked = true
[aliases]
tiny = "quay.test/team/small"
TOML
fresh
expect 0 tp -q pull quay.test/team/small:1
warned 1
grep -qE '^quay\.test/team/small:1@sha256:' "$WORK/out" || fail 'another name'
[ "$(asked_of_nginx '^plain.test HTTP/1.1 200 GET /v2/deep/in/small/')" -ge 3 ] || fail 'not from there'
count '^registry.test ' 0
expect 0 tp create tiny:1 box
expect 0 tp rm box
expect 0 tp -q pull tiny:1
grep -qE '^quay\.test/team/small:1@sha256:' "$WORK/out" || fail 'another name'
expect 2 tp create docker://tiny:1 box
fresh
expect 0 tp -q pull other.test/test/small:1
expect 4 tp -q pull bad.test/x:1
expect_error "'bad.test' is blocked by registries.conf"
conf <<TOML
[[registry]]
prefix = "quay.test/team"
location = "registry.test/deep/in"
[[registry.mirror]]
location = "plain.test:5000/deep/in"
insecure = true
pull-from-mirror = "digest-only"
TOML
fresh
expect 0 tp -q pull quay.test/team/small:1
count '^plain.test ' 0
digest=$(sed 's/.*@//' "$WORK/out")
fresh
expect 0 tp -q pull "quay.test/team/small@$digest"
count '^registry.test ' 0

say 'files with errors are named with their line'
conf <<<'[[registry]'
expect 11 tp -q pull registry.test/test/small:1
expect_error "$XDG_CONFIG_HOME/containers/registries.conf: line 1: "
conf </dev/null
printf 'server = "https://registry.test"\n\nserver = 1\n' | hosts registry.test
expect 11 tp -q pull registry.test/test/small:1
expect_error "registry.test/hosts.toml: line 3: 'server' is there already"
rm -rf "$XDG_CONFIG_HOME/containerd"

say 'no secrets in what is written'
printf '%s\nproxy = "http://me:password-of-the-proxy@127.0.0.1:1"\n' "$server_too" |
    hosts registry.test
expect 9 tp --debug pull registry.test/test/small:1
! grep -qE 'password-of-(the-proxy|mine)|secret-of-the-mirror' "$WORK/out" "$WORK/err" || fail 'a secret is shown'
stop_registry
finish
