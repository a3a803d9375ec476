#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The whole way once: a real image, a real registry, a pull, a container that runs. Everything it
# starts and mounts is gone at the end; its state stays in a folder that it names.
#
#   THINPULL_DEMO_DIR   where the state goes (default build/demo); made anew
set -euo pipefail
cd "$(dirname "$0")/../.."
top=$PWD
state=${THINPULL_DEMO_DIR:-$top/build/demo}
thinpull=$top/build/thinpull
case ":$PATH:" in *:/usr/sbin:*) ;; *) PATH=$PATH:/usr/sbin:/sbin ;; esac
sudo=
[ "$(id -u)" -eq 0 ] || sudo=sudo
registry_pid=
mounted=

step() {
    printf '\n=== %s\n' "$*"
}

# Show a command and run it.
run() {
    printf '$ %s\n' "$*" | sed "s|$thinpull|thinpull|g"
    "$@"
}

clean_up() {
    local status=$?
    set +e
    if [ -n "$mounted" ]; then $sudo umount "$state/bundle/rootfs"; fi
    if [ -n "$registry_pid" ]; then
        kill "$registry_pid" && wait "$registry_pid"
    fi 2>/dev/null
    [ $status -eq 0 ] || echo "demo: failed, see $state" >&2
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

# A registry of Debian's package on a port of loopback that the kernel picks.
start_registry() {
    mkdir -p "$state/registry"
    cat >"$state/registry.yml" <<YML
version: 0.1
log: {level: info}
storage: {filesystem: {rootdirectory: $state/registry}}
http: {addr: "127.0.0.1:0"}
YML
    : >"$state/registry.log"
    docker-registry serve "$state/registry.yml" >>"$state/registry.log" 2>&1 &
    registry_pid=$!
    local port='' i
    for i in $(seq 100); do
        port=$(sed -n 's/.*listening on 127\.0\.0\.1:\([0-9]*\).*/\1/p' "$state/registry.log")
        [ -z "$port" ] || break
        kill -0 "$registry_pid" 2>/dev/null || break
        sleep 0.1
    done
    [ -n "$port" ] || { cat "$state/registry.log"; echo 'demo: the registry did not start'; exit 1; }
    image=localhost:$port/demo/debian:12
}

# Layer requests that the registry has answered.
fetched() {
    grep -cE '"GET /v2/[^ ]*/blobs/' "$state/registry.log" || true
}

# An OCI bundle around the container's file system: no terminal, one command.
write_bundle() {
    (cd "$state/bundle" && rm -f config.json && runc spec)
    jq '.process.terminal = false
        | .process.args = ["cat", "/etc/os-release"]
        | .process.user = {uid: 0, gid: 0}
        | .root = {path: "rootfs", readonly: false}
        | .hostname = "thinpull-demo"' "$state/bundle/config.json" >"$state/bundle/config.new"
    mv "$state/bundle/config.new" "$state/bundle/config.json"
}

step 'a real Debian image of several layers, in an OCI layout'
tests/support/images.sh debian
layout=$top/build/images/debian
run umoci stat --image "$layout:debian"

step 'a real registry, and the image in it'
if [ -d "$state" ]; then rm -rf "$state"; fi
mkdir -p "$state/bundle/rootfs"
start_registry
run skopeo --insecure-policy copy -q --dest-tls-verify=false "oci:$layout:debian" "docker://$image"

step 'pull it: every layer becomes a thin snapshot with an ext4 file system'
export THINPULL_ROOT=$state/root
run "$thinpull" "$image"
run "$thinpull" images
run "$thinpull" info

step 'a container: a writable snapshot of the top layer'
if [ -z "$("$thinpull" -q images)" ]; then
    echo 'demo: nothing was pulled'
    exit 1
fi
run "$thinpull" create "$image" box
run "$thinpull" ls
run "$thinpull" export --format raw -o "$state/box.ext4" box
run e2fsck -fn "$state/box.ext4"

step "run it with runc, on a loop mount${sudo:+ (this one step through sudo)}"
write_bundle
run $sudo mount -o loop "$state/box.ext4" "$state/bundle/rootfs"
mounted=yes
run $sudo runc --root "$state/runc" run --bundle "$state/bundle" "thinpull-demo-$$" </dev/null |
    tee "$state/os-release"
run $sudo umount "$state/bundle/rootfs"
mounted=
$sudo rm -rf "$state/runc"
grep -q '^ID=debian' "$state/os-release"
run "$thinpull" rm box

step 'pull it again: nothing is fetched twice'
before=$(fetched)
run "$thinpull" pull "$image"
after=$(fetched)
echo "blobs fetched: $before by the first pull, $((after - before)) by the second"
[ "$before" -gt 0 ] && [ "$after" -eq "$before" ]
run "$thinpull" pool check

echo
echo "The state is in $state: THINPULL_ROOT=$state/root $thinpull images"
echo 'demo: ok'
