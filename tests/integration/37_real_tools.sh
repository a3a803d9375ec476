#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Archives that podman, buildah, docker and ctr write themselves, through pipes and from files; what
# is exported is loaded by each of them; all of it with the layers of the image itself.
# needs: root
# weight: 20
. "$(dirname "$0")/../support/lib.sh"
cd "$WORK"
name=example.org/team/x:a

python3 "$SUPPORT/tiny_layout.py" layout a 3 >/dev/null
skopeo copy -q oci:layout:a "docker-archive:a.tar:$name"
skopeo copy -q oci:layout:a "oci-archive:a.oci.tar:$name"
expect 0 tp -q pull "oci:$WORK/layout:a"
expect 0 tp -q export --format tar -o want.tree "oci:$WORK/layout:a"
devices=$(json pool status | jq .thin_count)
layers=$(skopeo inspect --config oci:layout:a | jq -c .rootfs.diff_ids)

# Sockets and podman's runroot must have short names, which $TMPDIR may not allow.
run=$(mktemp -d /tmp/thinpull-run.XXXXXX)
end_servers() {
    local status=$? pid
    set +e
    for pid in $server_pid; do kill "$pid"; wait "$pid"; done 2>/dev/null
    server_pid=
    let_go "$run"
    rm -rf --one-file-system "$run"
    return $status
}
trap 'end_servers; clean_up' EXIT

# is_it WHAT REF: an image here has the tree, and the very layers, of the first.
is_it() {
    expect 0 tp -q export --format tar -o got.tree "$2"
    cmp want.tree got.tree || fail "$1: another tree"
    [ "$(json pool status | jq .thin_count)" = "$devices" ] || fail "$1: layers of its own"
    expect 0 tp rmi "$2"
}
# comes_in WHAT: what stands at standard input, under the name that it brings.
comes_in() {
    tp -q import - >out || fail "$1: import fails"
    [ "$(cut -d@ -f1 out)" = "$name" ] || fail "$1: import printed $(cat out)"
    is_it "$1" "$name"
}
wait_for_socket() {
    timeout 20 bash -c "until [ -S '$1' ]; do sleep 0.1; done" || fail "no $1: $(cat "${1%/*}.log")"
}
comes_from() { # WHAT FILE
    expect 0 tp -q import "$2"
    [ "$(cut -d@ -f1 out)" = "$name" ] || fail "$1: import printed $(cat out)"
    is_it "$1" "$name"
}

say 'podman'
containers=(--root "$WORK/store" --runroot "$run/podman" --storage-driver vfs)
podman=(podman "${containers[@]}" --events-backend none --cgroup-manager cgroupfs)
"${podman[@]}" load -q -i a.tar >/dev/null
for form in docker-archive oci-archive; do
    "${podman[@]}" save -q --format $form "$name" | comes_in "podman save --format $form"
    "${podman[@]}" save -q --format $form -o "podman.$form" "$name"
    comes_from "podman save --format $form -o" "podman.$form"
    gzip "podman.$form"
    comes_from "podman save --format $form, gzip" "podman.$form.gz"
done
"${podman[@]}" save -q --format oci-dir -o podman.dir "$name"
comes_from 'podman save --format oci-dir' podman.dir
"${podman[@]}" tag "$name" example.org/y:b
"${podman[@]}" save -q -m -o both.tar "$name" example.org/y:b
expect 0 tp -q import --all both.tar
[ "$(cut -d@ -f1 out | sort | xargs)" = "$name example.org/y:b" ] ||
    fail "podman save -m: import --all printed $(cat out)"
is_it 'podman save -m' "$name"
is_it 'podman save -m' example.org/y:b

say 'buildah'
buildah=(buildah "${containers[@]}")
for place in oci-archive docker-archive; do
    "${buildah[@]}" push -q "$name" "$place:buildah.$place:$name" 2>/dev/null
    comes_from "buildah push $place:" "buildah.$place"
done
# A folder has a tag only: the name is ours to give.
"${buildah[@]}" push -q "$name" "oci:$WORK/buildah.dir:a" 2>/dev/null
expect 0 tp -q import --tag "$name" buildah.dir
is_it 'buildah push oci:' "$name"
"${buildah[@]}" from --pull-never --name box "$name" >/dev/null
"${buildah[@]}" config --env WHO=buildah box
"${buildah[@]}" commit -q box "oci-archive:committed.tar:example.org/z:c" >/dev/null 2>&1
expect 0 tp -q import committed.tar
expect 0 tp -q export --format tar -o got.tree example.org/z:c
cmp want.tree got.tree || fail 'buildah commit: another tree'
[ "$(json image inspect example.org/z:c | jq -r '.config.Env[-1]')" = WHO=buildah ] ||
    fail 'buildah commit: another config'
expect 0 tp rmi example.org/z:c

say 'containerd'
mkdir "$run/containerd" "$run/docker"
cat >containerd.toml <<END
version = 2
root = "$run/containerd/root"
state = "$run/containerd/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "$run/containerd/sock"
[ttrpc]
  address = "$run/containerd/ttrpc"
END
containerd -c containerd.toml >"$run/containerd.log" 2>&1 &
server_pid+=" $!"
wait_for_socket "$run/containerd/sock"
ctr() { command ctr -a "$run/containerd/sock" "$@"; }
for file in a.tar a.oci.tar; do
    ctr images import --no-unpack --base-name "${name%:*}" $file >/dev/null
    ctr images export - "$name" | comes_in "ctr images export, from $file"
    ctr images rm "$name" >/dev/null
done

say 'docker'
dockerd --data-root "$run/docker/root" --exec-root "$run/docker/exec" \
    --host "unix://$run/docker/sock" --pidfile "$run/docker/pid" --storage-driver vfs \
    --containerd "$run/containerd/sock" --bridge none --iptables=false --ip6tables=false \
    >"$run/docker.log" 2>&1 &
server_pid="$! $server_pid"
wait_for_socket "$run/docker/sock"
docker() { command docker -H "unix://$run/docker/sock" "$@"; }
for _ in {1..100}; do ! docker version >/dev/null 2>&1 || break; sleep 0.1; done
docker version >/dev/null || fail "dockerd: $(tail -5 "$run/docker.log")"
docker load -q -i a.tar >/dev/null
docker save "$name" | comes_in 'docker save'
docker save -o docker.tar "$name"
comes_from 'docker save -o' docker.tar
docker tag "$name" example.org/y:b
docker save "$name" example.org/y:b | tp -q import --all - >out
[ "$(cut -d@ -f1 out | sort | xargs)" = "$name example.org/y:b" ] ||
    fail "docker save of two: import --all printed $(cat out)"
is_it 'docker save of two' "$name"
is_it 'docker save of two' example.org/y:b
# A container's file system as one layer. What docker mounts over is there, empty.
docker export "$(docker create "$name" /bin/true)" | tp -q import --tag plain:1 - >out
expect 0 tp -q export --format tar -o got.tree plain:1
bsdtar -tf want.tree | grep -v '/$' | sort >want.names
bsdtar -tf got.tree | sort >got.names
[ -z "$(comm -23 want.names got.names)" ] || fail "docker export lacks $(comm -23 want.names got.names)"
expect 0 tp rmi plain:1
docker image rm -f "$name" example.org/y:b >/dev/null

say 'what is exported is loaded by all'
python3 "$SUPPORT/registry_store.py" "$WORK/registry" "$WORK/layout:a"
start_registry
pulled=$REGISTRY/layout:a
expect 0 tp -q pull --keep-blobs "$pulled"
expect 0 tp -q export --format oci-archive -o ours.tar "$pulled"
"${podman[@]}" rmi -f -a >/dev/null 2>&1
"${podman[@]}" load -q -i ours.tar >/dev/null
[ "$("${podman[@]}" image inspect "$pulled" | jq -c '.[0].RootFS.Layers')" = "$layers" ] ||
    fail 'podman load: other layers'
docker load -q -i ours.tar >/dev/null
[ "$(docker image inspect "$pulled" | jq -c '.[0].RootFS.Layers')" = "$layers" ] ||
    fail 'docker load: other layers'
ctr images import ours.tar --snapshotter native >/dev/null
ctr images export ctr.tar "$pulled"
expect 0 tp -q import --tag "$name" ctr.tar
is_it 'ctr images import, export' "$name"
skopeo copy -q oci-archive:ours.tar oci:skopeo:a
[ "$(skopeo inspect --config oci:skopeo:a | jq -c .rootfs.diff_ids)" = "$layers" ] ||
    fail 'skopeo: other layers'
check_pool
finish
