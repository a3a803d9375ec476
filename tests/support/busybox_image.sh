#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A small image to run things in, and the same file system with other configurations. Tags:
#   plain   busybox, users root and app (1000), Cmd sh, nothing else
#   server  Entrypoint and Cmd, Env, User app, WorkingDir, a volume
#   empty   neither Entrypoint nor Cmd
# usage: busybox_image.sh LAYOUT WORKDIR
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
here=$(cd "$(dirname "$0")" && pwd)
layout=$1
tree=$2/tree
umask 022
mkdir -p "$tree"/{bin,etc,home/app,proc,root,srv,sys,dev,tmp,work}
cp /bin/busybox "$tree/bin/busybox"
for name in $("$tree/bin/busybox" --list); do
    [ "$name" = busybox ] || ln -s busybox "$tree/bin/$name"
done
printf '%s\n' root:x:0:0::/root:/bin/sh app:x:1000:1000::/home/app:/bin/sh >"$tree/etc/passwd"
printf '%s\n' root:x:0: app:x:1000: more:x:2000:app >"$tree/etc/group"
echo one >"$tree/srv/one"
chmod 1777 "$tree/tmp"
# No program at all: a text that may be executed, and a script without its interpreter.
echo text >"$tree/srv/text"
printf '#!/nowhere\n' >"$tree/srv/script"
chmod 755 "$tree/srv/text" "$tree/srv/script"
find "$tree" -exec touch -h -d @1600000000 {} +
tar --format=posix --sort=name --owner=0 --group=0 --numeric-owner --exclude=home/app \
    -C "$tree" -cf "$2/tree.tar" .
tar --format=posix --owner=1000 --group=1000 --numeric-owner -C "$tree" -rf "$2/tree.tar" ./home/app
python3 "$here/ocilayout.py" make "$layout" base "$2/tree.tar"

config() { # TAG options
    local tag=$1
    shift
    umoci config --image "$layout:base" --tag "$tag" --no-history --clear=config.env \
        --clear=config.cmd --clear=config.entrypoint "$@"
}

config empty
config plain --config.cmd sh
config server --config.entrypoint echo --config.entrypoint started --config.cmd by \
    --config.cmd default --config.env NAME=of-image --config.env OTHER='two words' \
    --config.user app --config.workingdir /work --config.volume /srv/data
