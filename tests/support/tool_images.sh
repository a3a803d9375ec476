#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Small images as the tools of the world make them, in one OCI layout. Tags:
#   umoci           insert, opaque insert, whiteout, repack
#   buildah         from scratch, copied and changed, committed
#   gnutar-FORMAT   one layer each by GNU tar in each of its formats, with long names, sparse files
#   python          three layers by Python's tarfile, one in each format
#   plain           two layers, not compressed
#   skopeo          the same through docker's own manifest and back, compressed by skopeo
# usage: tool_images.sh LAYOUT WORKDIR
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
here=$(cd "$(dirname "$0")" && pwd)
layout=$1
work=$2
mkdir -p "$work"
umask 022

# A tree with what archives disagree about. As root also owners and devices.
make_tree() { # folder
    mkdir -p "$1"
    cd "$1"
    local long=a-folder-with-a-long-name
    mkdir -p "$long/$long/$long/$long/$long/$long" empty deep/er
    echo short >"$long/$long/$long/$long/$long/$long/a-file-with-quite-a-long-name-so-that-ustar-gives-up-on-it"
    printf 'no newline' >plain
    : >nothing
    ln plain deep/hard
    ln -s ../plain deep/er/soft
    ln -s "$(printf 'x%.0s' $(seq 180))" deep/long-link
    printf 'start' >sparse
    truncate -s 5M sparse
    printf 'end' >>sparse
    truncate -s 2M all-hole
    head -c 300000 /dev/urandom >random
    chmod 4755 plain
    chmod 1777 empty
    chmod 400 nothing
    mkfifo -m 644 fifo
    setfattr -n user.mime -v text/plain plain 2>/dev/null || true
    echo 8bit >"$(printf 'caf\xc3\xa9')"
    if [ "$(id -u)" -eq 0 ]; then
        chown 1000:2000 deep/er
        chown -h 12:34 deep/er/soft
        mknod -m 600 device c 10 200 2>/dev/null || true
    fi
    find . -exec touch -h -d @1600000000.123456789 {} +
    cd - >/dev/null
}

gnu_tars() {
    local format options
    for format in gnu oldgnu ustar posix; do
        options=--sparse
        if [ $format = posix ]; then options="--sparse --xattrs --xattrs-include=user.*"; fi
        if [ $format = ustar ]; then options="--exclude=long-link"; fi # ustar has no room for it
        # shellcheck disable=SC2086
        tar --format=$format $options --sort=name -C "$work/tree" -cf "$work/$format.tar" .
        python3 "$here/ocilayout.py" make "$layout" gnutar-$format "$work/$format.tar"
    done
    for format in 0.0 0.1 1.0; do
        tar --format=posix --sparse --sparse-version=$format --sort=name -C "$work/tree" \
            -cf "$work/sparse-$format.tar" .
        python3 "$here/ocilayout.py" make "$layout" gnutar-sparse-$format \
            "$work/sparse-$format.tar"
    done
    tar --format=posix -C "$work/tree" -cf "$work/second.tar" deep plain
    python3 "$here/ocilayout.py" plain "$layout" plain "$work/gnu.tar" "$work/second.tar"
}

skopeo_image() {
    skopeo --insecure-policy copy -q --format v2s2 "oci:$layout:plain" "dir:$work/docker"
    skopeo --insecure-policy copy -q "dir:$work/docker" "oci:$layout:skopeo"
}

python_tars() {
    python3 - "$work" <<'PY'
import sys
import tarfile
for name, form in (("ustar", tarfile.USTAR_FORMAT), ("gnu", tarfile.GNU_FORMAT),
                   ("pax", tarfile.PAX_FORMAT)):
    with tarfile.open(f"{sys.argv[1]}/python-{name}.tar", "w", format=form) as t:
        keep = lambda m: None if name == "ustar" and "long-link" in m.name else m
        t.add(f"{sys.argv[1]}/tree", "./", filter=keep)
PY
    python3 "$here/ocilayout.py" make "$layout" python "$work/python-ustar.tar" \
        "$work/python-gnu.tar" "$work/python-pax.tar"
}

umoci_image() {
    umoci new --image "$layout:umoci"
    mkdir -p "$work/a/sub" "$work/b"
    echo one >"$work/a/one"
    echo two >"$work/a/sub/two"
    echo three >"$work/b/three"
    umoci insert --rootless --image "$layout:umoci" "$work/a" /data
    umoci insert --rootless --image "$layout:umoci" "$work/b" /data/more
    umoci insert --rootless --image "$layout:umoci" --whiteout /data/one
    umoci insert --rootless --image "$layout:umoci" --opaque "$work/b" /data/sub
    umoci unpack --rootless --image "$layout:umoci" "$work/bundle"
    echo changed >"$work/bundle/rootfs/data/more/three"
    ln "$work/bundle/rootfs/data/more/three" "$work/bundle/rootfs/data/linked"
    rm -r "$work/bundle/rootfs/data/sub"
    ln -s more "$work/bundle/rootfs/data/sub"
    umoci repack --image "$layout:umoci" "$work/bundle"
}

# buildah works as root; as an ordinary user it makes its own user namespace.
buildah_image() {
    cat >"$work/buildah.sh" <<'SH'
set -eu
options="--root $2/storage --runroot $2/run --storage-driver vfs"
box=$(buildah $options from scratch)
buildah $options add -q "$box" "$2/a" /srv
buildah $options commit -q "$box" localhost/thinpull-base >/dev/null
buildah $options rm "$box" >/dev/null
box=$(buildah $options from --pull-never localhost/thinpull-base)
root=$(buildah $options mount "$box")
rm -r "$root/srv/sub"
echo replaced >"$root/srv/one"
mkdir -m 700 "$root/new"
echo x >"$root/new/x"
buildah $options config --cmd /bin/true "$box"
buildah $options commit -q --format oci "$box" "oci:$1:buildah" >/dev/null
rm -rf "$2/storage" "$2/run"
SH
    if [ "$(id -u)" -eq 0 ]; then
        bash "$work/buildah.sh" "$layout" "$work/buildah"
    else
        buildah unshare bash "$work/buildah.sh" "$layout" "$work/buildah"
    fi
}

make_tree "$work/tree"
umoci init --layout "$layout"
gnu_tars
skopeo_image
python_tars
umoci_image
cp -r "$work/a" "$work/buildah-a"
mkdir -p "$work/buildah" && cp -r "$work/a" "$work/buildah/a"
buildah_image
umoci gc --layout "$layout"
SH_TAGS=$(umoci ls --layout "$layout")
for tag in $SH_TAGS; do
    python3 "$here/ocilayout.py" prefixes "$layout" "$tag" >/dev/null
done
umoci ls --layout "$layout" | sort >"$layout/tags"
