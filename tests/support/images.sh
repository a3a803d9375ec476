#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes the test images that are missing or whose makers changed, under build/images:
#   debian  a real Debian root file system of four layers      (debian_image.sh, 40 s)
#   cases   one small image for each rule of layers            (case_images.py)
#   tools   images by umoci, buildah, GNU tar                  (tool_images.sh)
#   busybox a small system to run, in several configurations   (busybox_image.sh)
#   bench   50,000 files, 600 MB, 7 layers; only when asked    (bench_image.sh)
# Prints where they are. usage: images.sh [NAME...]
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
cd "$(dirname "$0")/../.."
images=$PWD/build/images
support=tests/support
mkdir -p "$images"
exec 9>"$images/.lock"
flock 9

# What an image depends on, as one word.
key() {
    cat "$@" | sha256sum | cut -c1-32
}

# image NAME MAKER FILES...: run MAKER LAYOUT WORKDIR unless the key of FILES is there.
image() {
    local name=$1 maker=$2 want
    shift 2
    want=$(key "$@")
    if [ "$(cat "$images/$name.key" 2>/dev/null)" != "$want" ]; then
        rm -rf "$images/$name.key" "$images/$name" "$images/$name.work"
        mkdir -p "$images/$name.work"
        if ! "$maker" "$images/$name" "$images/$name.work" >"$images/$name.log" 2>&1; then
            tail -n 30 "$images/$name.log" >&2
            echo "images: $name failed, see $images/$name.log" >&2
            exit 1
        fi
        rm -rf "$images/$name.work"
        echo "$want" >"$images/$name.key"
    fi
    echo "$images/$name"
}

shared="$support/ocilayout.py $support/tarmaker.py"
for name in ${*:-debian cases tools busybox}; do
    # shellcheck disable=SC2086
    case $name in
    debian) image debian "$support/debian_image.sh" $support/debian_image.sh \
        $support/debian_top.py $support/apt_sources.py $shared ;;
    cases) image cases "$support/case_images.py" $support/case_images.py $support/cases/*.py \
        $support/zstd_frames.py $shared ;;
    tools) image tools "$support/tool_images.sh" $support/tool_images.sh $shared ;;
    busybox) image busybox "$support/busybox_image.sh" $support/busybox_image.sh $shared ;;
    bench) image bench "$support/bench_image.sh" $support/bench_image.sh $support/merge_debs.py $support/apt_sources.py \
        $shared ;;
    *) echo "images: no such image: $name" >&2; exit 3 ;;
    esac
done
