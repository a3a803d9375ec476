#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# References through the program (rule C1): each way to write one has one normal form, under which
# the image is found again; what is none is a usage error that says why, and asks nobody.
# weight: 4
. "$(dirname "$0")/../support/lib.sh"

# Docker's names for its hub are in 23_docker_hub.sh.
start_bad_registry "$IMAGES/tools"
port=${bad#*:}
hex=$(printf 'ab%.0s' $(seq 32))
digest=$(jq -r '.manifests[] | select(.annotations |
    .["org.opencontainers.image.ref.name"] == "umoci").digest' "$IMAGES/tools/index.json")

# normal REFERENCE FORM: pulled, it is recorded so, and found so and as it was written.
normal() {
    say "$1 is $2"
    expect 0 tp -q pull "$1"
    [ "$(cat "$WORK/out")" = "$2@$digest" ] || [ "$(cat "$WORK/out")" = "$2" ] ||
        fail "pull printed $(cat "$WORK/out")"
    json images | expect_json 'map(.ref) | join(" ")' "$2"
    expect 0 tp create "$1" box
    expect 0 tp rm box
    expect 0 tp rmi "$2"
}
normal "localhost:$port/good:umoci" "localhost:$port/good:umoci"
normal "docker://localhost:$port/good:umoci" "localhost:$port/good:umoci"
normal "127.0.0.1:$port/good:umoci" "127.0.0.1:$port/good:umoci"
normal "localhost:$port/good@$digest" "localhost:$port/good@$digest"
normal "localhost:$port/good:other@$digest" "localhost:$port/good:other@$digest"
stop_registry
rm "$WORK/port"
if python3 -c 'import socket; socket.create_server(("::1", 0), family=socket.AF_INET6)' \
    2>"$WORK/no-ipv6"; then
    python3 "$SUPPORT/bad_registry.py" "$IMAGES/tools" "$WORK/port" "$WORK/bad.log" '[::1]:0' &
    registry_pid=$!
    wait_for "$WORK/port"
    normal "[::1]:$(cat "$WORK/port")/good:umoci" "[::1]:$(cat "$WORK/port")/good:umoci"
    stop_registry
fi

# By docker's rules, but not to be had here: the name that is asked for is in the error.
say 'where a name leads'
leads() { # reference URL
    expect 9 tp -q pull "$1"
    expect_error "pull $1: " "$2"
}
leads localhost:1/x https://localhost:1/v2/x/manifests/latest
leads "localhost:1/a/b/c@sha256:$hex" "https://localhost:1/v2/a/b/c/manifests/sha256:$hex"
leads 127.0.0.1:1/x:Tag_1.2-3 https://127.0.0.1:1/v2/x/manifests/Tag_1.2-3

say 'what is none'
none() { # reference text...
    local reference=$1
    shift
    expect 3 tp -q pull -- "$reference"
    expect_error "pull $reference: " "$@" "(see 'thinpull help pull')"
    [ "$(grep -oF "$reference: " "$WORK/err" | wc -l)" -eq 1 ] || fail 'it is said twice'
    echo "$(cat "$WORK/error")"
}
none Alpine "'Alpine': the name of an image must be in lower case: 'alpine'"
none docker.io/Library/alpine "must be in lower case: 'library/alpine'"
none localhost:5000/UPPER "must be in lower case: 'upper'"
none "$hex" '64 hex digits are no image name' 'NAME@sha256:'
none "$hex:latest" '64 hex digits are no image name'
none https://quay.io/a/b "is a URL, the reference is 'quay.io/a/b'"
none ftp://quay.io/a 'is a URL' 'docker://'
none alpine: 'not a valid tag: letters, digits'
none alpine:-x "'-x' is not a valid tag"
none alpine:1:2 "'1:2' is not a valid tag"
none alpine@sha256:12 'is not a digest: sha256 needs 64'
none "alpine@md5:$hex" "digest algorithm 'md5' is not known"
none a//b "'a//b' is not a valid image name: a to z and digits"
none alpine/ "'alpine/' is not a valid image name"
none x_-y "'x_-y' is not a valid image name"
none '[::1]:5000' 'a registry without the name of an image'
none '[fe80::1%eth0]:5000/x' 'is not a registry host'
none host_name.test/x "'host_name.test' is not a registry host"
none host.test:99999/x "'host.test:99999' has no valid port"
none "$(printf 'x%.0s' $(seq 260))" 'more than 255 characters'
expect 3 tp -q pull 'a b'
expect_error 'spaces or control characters'
check_pool
finish
