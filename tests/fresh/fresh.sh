#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The README on a stranger's machine: a minimal Debian, made anew by mmdebstrap from this machine's
# own apt sources, a clone of this repository in it, and then what the README says, nothing else.
# Needs root (asks sudo): the new system is entered by namespaces of its own and pivot_root, since
# runc and user namespaces refuse a plain chroot. Everything is gone at the end.
#
# usage: fresh.sh [TARGET...]     make targets (default: demo test)
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH=$PATH:/usr/sbin:/sbin
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo 'fresh: needs root' >&2; exit 1; }
    exec sudo env CI="${CI:-}" TMPDIR="${TMPDIR:-/tmp}" bash tests/fresh/fresh.sh "$@"
fi
[ $# -gt 0 ] || set -- demo test
root=$(mktemp -d "${TMPDIR:-/tmp}/thinpull-fresh.XXXXXX")
trap 'rm -rf --one-file-system "$root"' EXIT
trap 'exit 130' INT TERM HUP
chmod 755 "$root"

# How this machine reaches its packages: proxies, and whether dates are looked at.
apt_settings() {
    apt-config dump --format '%f "%v";%n' Acquire |
        grep -E '^Acquire::(http|https|ftp|Check-|Retries|ForceIPv)' || true
}

make_system() {
    python3 tests/support/apt_sources.py >"$root/sources.list"
    apt_settings >"$root/apt.conf"
    mmdebstrap --quiet --variant=minbase --aptopt="$root/apt.conf" "" "$root/system" "$root/sources.list"
    cp "$root/apt.conf" "$root/system/etc/apt/apt.conf.d/90machine"
    cp -L /etc/resolv.conf /etc/hosts "$root/system/etc/"
    rm -rf "$root/system/var/cache/apt/archives"/*.deb
}

clone_repository() {
    git -c safe.directory='*' clone -q --no-hardlinks . "$root/system/root/thinpull"
    if [ -n "$(git -c safe.directory='*' status --porcelain --untracked-files=no)" ]; then
        echo 'fresh: not committed changes are not in it' >&2
    fi
}

say() {
    printf '\n##### %s\n' "$*"
}

say "a minimal Debian in $root"
make_system
clone_repository
echo "packages: $(find "$root/system/var/lib/dpkg/info" -name '*.list' | wc -l)"

# shellcheck disable=SC2016 # the inner shell expands
unshare --mount --pid --fork --kill-child --propagation private bash -euc '
    system=$1
    shift
    mount --bind "$system" "$system"
    cd "$system"
    mount --rbind /dev dev
    mount --rbind /sys sys
    mount -t proc proc proc
    mount -t tmpfs -o mode=755 tmpfs run
    mkdir -p run/lock
    mkdir -p .old
    pivot_root . .old
    cd /
    umount -l /.old
    rmdir /.old
    exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
        CI="$CI" LANG=C.UTF-8 TERM=dumb bash -euc '\''
        cd /root/thinpull
        say() { printf "\n##### %s\n" "$*"; }
        say "apt-get install -y git make"
        apt-get -q update >/dev/null
        DEBIAN_FRONTEND=noninteractive apt-get -q install -y git make >/dev/null
        for target; do
            say "make $target"
            started=$(date +%s)
            make "$target"
            say "make $target: ok, $(($(date +%s) - started)) s"
        done
    '\'' sh "$@"
' sh "$root/system" "$@"
echo "fresh: ok ($*)"
