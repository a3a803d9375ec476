#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The whole way once: a real image, a real registry, a pull, containers that run. Everything it
# starts and mounts is gone at the end; its state stays in a folder that it names.
#
#   THINPULL_DEMO_DIR   where the state goes (default build/demo); made anew
set -euo pipefail
cd "$(dirname "$0")/../.."
top=$PWD
state=${THINPULL_DEMO_DIR:-$top/build/demo}
thinpull=$top/build/thinpull
case ":$PATH:" in *:/usr/sbin:*) ;; *) PATH=$PATH:/usr/sbin:/sbin ;; esac
registry_pid=

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
    if mountpoint -q "$state/bundle/rootfs"; then "$thinpull" umount box; fi
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

step 'a real Debian image of several layers, in an OCI layout'
tests/support/images.sh debian
layout=$top/build/images/debian
run umoci stat --image "$layout:debian"

step 'a real registry, and the image in it'
if [ -d "$state" ]; then rm -rf "$state"; fi
mkdir -p "$state"
start_registry
run skopeo --insecure-policy copy -q --dest-tls-verify=false "oci:$layout:debian" "docker://$image"

step 'pull it: every layer becomes a thin snapshot with an ext4 file system'
export THINPULL_ROOT=$state/root
run "$thinpull" "$image"
run "$thinpull" images
run "$thinpull" info

if [ -z "$("$thinpull" -q images)" ]; then
    echo 'demo: nothing was pulled'
    exit 1
fi

step 'run a command in it'
run "$thinpull" run --rm "$image" cat /etc/os-release </dev/null | tee "$state/os-release"
grep -q '^ID=debian' "$state/os-release"

step 'a container: a writable snapshot, as a bundle for runc'
run "$thinpull" create "$image" box
run "$thinpull" bundle box "$state/bundle" -- sh -c 'echo "pid $$ on $(hostname)" | tee /root/was-here'
run runc --root "$state/runc" run --bundle "$state/bundle" "thinpull-demo-$$" </dev/null |
    tee "$state/said"
grep -q '^pid 1 on box' "$state/said"
run "$thinpull" ls
if [ "$(id -u)" -eq 0 ]; then run "$thinpull" umount box; fi

step 'the same as a file: ext4 for a virtual machine, or a tar'
run "$thinpull" export -o "$state/box.ext4" box
run e2fsck -fn "$state/box.ext4"
run "$thinpull" export --format tar -o "$state/box.tar" box
run du -h "$state/box.ext4" "$state/box.tar"
tar -tf "$state/box.tar" >"$state/names"
grep -qx './etc/os-release' "$state/names"
if [ "$(id -u)" -eq 0 ]; then grep -qx './root/was-here' "$state/names"; fi
run "$thinpull" rm box
run "$thinpull" df

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
