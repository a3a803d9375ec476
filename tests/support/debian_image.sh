#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes a real Debian root file system image of four layers, tag "debian", in a new OCI layout:
#   1 a minimal system, from this machine's own apt sources, by mmdebstrap
#   2 packages installed in it by dpkg, packed by umoci
#   3 files and folders removed, replaced, changed in type, packed by umoci (whiteouts)
#   4 what umoci never writes: opaque folders, links to lower layers, capabilities, devices
# Works as root, and as an ordinary user with a range of sub-ids (adduser gives one).
#
# usage: debian_image.sh LAYOUT WORKDIR
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
here=$(cd "$(dirname "$0")" && pwd)
layout=$1
work=$2
packages="hostname less netbase iproute2"
export SOURCE_DATE_EPOCH=1700000000

fetch_base() {
    python3 "$here/apt_sources.py" >"$work/sources.list"
    mkdir -p "$work/debs"
    # shellcheck disable=SC2016
    mmdebstrap --quiet --variant=minbase \
        --aptopt='APT::Install-Recommends "false"' \
        --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --customize-hook='mkdir -p "$1/debs/partial"' \
        --customize-hook='APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get -q -y --download-only -o Dir::Cache::archives="$1/debs" install '"$packages"' >&2' \
        --customize-hook="copy-out /debs $work" \
        --customize-hook='rm -rf "$1/debs"' \
        "" - "$work/sources.list" >"$work/base.tar"
}

# Run a step as root, or as root of a user namespace of our own, with private mounts.
as_root() {
    if [ "$(id -u)" -ne 0 ]; then
        unshare --user --map-auto --map-root-user --mount "$@"
    elif unshare --mount --propagation private true 2>/dev/null; then
        unshare --mount --propagation private "$@"
    else # in a chroot, whose root is no mount point
        unshare --mount --propagation unchanged "$@"
    fi
}

install_packages() { # bundle
    as_root bash -euc '
        cp "$2"/debs/*.deb "$1/rootfs/var/cache/apt/archives/"
        mount --rbind /dev "$1/rootfs/dev"
        chroot "$1/rootfs" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \
            DEBIAN_FRONTEND=noninteractive DPKG_MAINTSCRIPT_DEBUG= \
            sh -c "dpkg --force-unsafe-io -i /var/cache/apt/archives/*.deb" </dev/null >"$2/dpkg.log" 2>&1 ||
            { cat "$2/dpkg.log" >&2; exit 1; }
        rm -f "$1"/rootfs/var/cache/apt/archives/*.deb "$1"/rootfs/var/log/dpkg.log
    ' sh "$1" "$work"
}

edit_tree() { # bundle
    as_root bash -euc '
        cd "$1/rootfs"
        rm -rf usr/share/perl5/Debian usr/share/pam          # folders go
        rm -f etc/issue.net usr/bin/pager-that-never-was usr/bin/shasum
        rm -rf usr/share/debianutils                         # folder -> file
        echo "a file where a folder was" >usr/share/debianutils
        rm -f etc/issue                                      # file -> folder
        mkdir -m 2750 etc/issue && echo inside >etc/issue/text
        rm -f bin/../etc/mtab                                # link -> folder
        mkdir etc/mtab && touch etc/mtab/.hidden
        rm -rf usr/share/misc                                # folder -> link
        ln -s ../lib usr/share/misc
        echo "thinpull test image" >etc/motd
        chmod 1777 srv && chown 7:9 srv
        mkdir -p opt/app/data opt/app/cache opt/empty
        for i in $(seq 300); do echo "entry $i" >opt/app/data/a-rather-long-file-name-$i; done
        for i in $(seq 20); do echo "stale $i" >opt/app/cache/$i; done
        ln opt/app/data/a-rather-long-file-name-1 opt/app/twin
        ln -s /opt/app/data opt/link
        truncate -s 3M opt/app/sparse && echo end >>opt/app/sparse
        mkfifo -m 600 opt/app/fifo
        setfattr -n user.comment -v "kept by thinpull" opt/app/twin
        printf "name with a newline" >"opt/app/new
line"
        find opt srv etc/motd etc/issue etc/mtab -exec touch -h -d @1700000123.123456789 {} +
    ' sh "$1"
}

mkdir -p "$work"
fetch_base
umoci init --layout "$layout"
umoci new --image "$layout:debian"
umoci raw add-layer --image "$layout:debian" --history.created_by "base" "$work/base.tar"
rm -f "$work/base.tar"

bundle=$work/bundle
as_root umoci unpack --image "$layout:debian" "$bundle"
install_packages "$bundle"
as_root umoci repack --refresh-bundle --image "$layout:debian" "$bundle"
edit_tree "$bundle"
as_root umoci repack --image "$layout:debian" "$bundle"
as_root rm -rf "$bundle"

python3 "$here/debian_top.py" >"$work/top.tar"
umoci raw add-layer --image "$layout:debian" --history.created_by "by hand" "$work/top.tar"
umoci config --image "$layout:debian" --config.cmd /bin/sh \
    --config.env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umoci gc --layout "$layout"
python3 "$here/ocilayout.py" prefixes "$layout" debian >"$layout.layers"
rm -rf "$work"
