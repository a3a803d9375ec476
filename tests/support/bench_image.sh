#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes the image of the benchmark, tag "bench", in a new OCI layout: about 50,000 files and 600 MB
# in seven gzip layers, all from Debian packages of this machine's own apt sources: a minimal
# system, then the files of groups of packages. They are not configured, so no root is needed.
#
# usage: bench_image.sh LAYOUT WORKDIR
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
here=$(cd "$(dirname "$0")" && pwd)
layout=$1
work=$2
export SOURCE_DATE_EPOCH=1700000000

# One group of packages for each layer above the base. HEADERS is the kernel's, by today's version.
groups=(
    "libboost1.74-dev"
    "golang-1.19-src"
    "HEADERS"
    "gcc-12 cpp-12"
    "vim-runtime python3-sympy"
    "python3-django perl-modules-5.36"
)

# Runs in the new system's apt, outside of it; $1 is its root.
# shellcheck disable=SC2016
fetch_packages='
set -eu
export APT_CONFIG=$MMDEBSTRAP_APT_CONFIG
depends() { apt-cache depends "$1" | sed -n "s/^ *Depends: //p"; }
arch=$(depends linux-headers-amd64 | grep -m1 linux-headers)
headers="$arch $(depends "$arch" | grep -m1 common)"
mkdir -p "$1/debs"
cd "$1/debs"
i=1
for group in $GROUPS_OF_PACKAGES; do
    mkdir $i && cd $i
    packages=$(echo "$group" | tr , " ")
    [ "$packages" != HEADERS ] || packages=$headers
    apt-get -q download $packages >&2
    cd .. && i=$((i + 1))
done
'

mkdir -p "$work"
python3 "$here/apt_sources.py" >"$work/sources.list"
GROUPS_OF_PACKAGES=$(printf '%s\n' "${groups[@]}" | tr ' ' ,)
export GROUPS_OF_PACKAGES
mmdebstrap --quiet --variant=minbase --aptopt='APT::Sandbox::User "root"' \
    --customize-hook="$fetch_packages" \
    --customize-hook="copy-out /debs $work" \
    --customize-hook='rm -rf "$1/debs"' \
    "" - "$work/sources.list" >"$work/base.tar"

umoci init --layout "$layout"
umoci new --image "$layout:bench"
umoci raw add-layer --image "$layout:bench" "$work/base.tar"
rm "$work/base.tar"
for i in $(seq ${#groups[@]}); do
    python3 "$here/merge_debs.py" "$work"/debs/"$i"/*.deb >"$work/layer.tar"
    umoci raw add-layer --image "$layout:bench" "$work/layer.tar"
done
umoci gc --layout "$layout"
rm -rf "$work"
