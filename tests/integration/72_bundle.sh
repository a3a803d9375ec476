#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# bundle: config.json is valid, the same each time, and differs from runc's and umoci's documents
# only as is known; a real Debian runs in it under runc and crun, as root and as an ordinary user;
# what goes wrong leaves no trace, and a kill nothing that the next command does not clear.
# weight: 40
. "$(dirname "$0")/../support/lib.sh"

layout=$WORK/layout
debian=oci:$IMAGES/debian:debian
export THINPULL_RUN_DIR=$WORK/run
root=
if [ "$(id -u)" -eq 0 ]; then root=1; fi
umask 022

check() { # what arguments...
    python3 "$SUPPORT/check_bundle.py" "$@" >"$WORK/checked" 2>&1 ||
        { cat "$WORK/checked"; fail "check_bundle.py $1"; }
}

# A container named box of an image of the layout, fresh, and its bundle in $WORK/b.
bundle_of() { # tag [bundle arguments...]
    local tag=$1
    shift
    drop
    expect 0 tp create "oci:$layout:$tag" box
    expect 0 tp bundle "$@" box "$WORK/b"
    [ "$(cat "$WORK/out")" = "$WORK/b" ] || fail "printed is $(cat "$WORK/out")"
}

# Where / is a private mount, namespaces that others made meanwhile keep a copy of ours.
unmount() {
    local i
    for i in $(seq 60); do
        if tp umount box >"$WORK/out" 2>"$WORK/err"; then return; fi
        grep -q 'is in use' "$WORK/err" || break
        sleep 0.5
    done
    cat "$WORK/err"
    fail 'umount'
}

drop() {
    if tp -q ls 2>/dev/null | grep -qx box; then
        if [ -n "$root" ]; then unmount; fi
        expect 0 tp rm box
    fi
    chmod -R u+rwX "$WORK/b" 2>/dev/null || true
    rm -rf "$WORK/b"
}

field() { # filter
    jq -cS "$1" "$WORK/b/config.json"
}

is() { # filter wanted
    local got
    got=$(field "$1")
    [ "$got" = "$2" ] || fail "config.json: $1 is $got, not $2"
}

# --- images of all kinds ----------------------------------------------------------------------

mkdir -p "$WORK/tree/etc" "$WORK/tree/data" "$WORK/tree/srv"
cat >"$WORK/tree/etc/passwd" <<'PASSWD'
root:x:0:0:root:/root:/bin/sh
app:x:1000:100::/home/app:/bin/sh
PASSWD
printf 'root:x:0:\nusers:x:100:\nadm:x:4:app\nwheel:x:10:app\n' >"$WORK/tree/etc/group"
tar --sort=name --owner=0 --group=0 --mtime=@0 -C "$WORK/tree" -cf "$WORK/tree.tar" .
python3 "$SUPPORT/ocilayout.py" make "$layout" empty "$WORK/tree.tar" >/dev/null

variant() { # tag umoci-options...
    local tag=$1
    shift
    umoci config --image "$layout:empty" --tag "$tag" --created 2024-01-02T03:04:05Z "$@"
    expect 0 tp -q pull "oci:$layout:$tag"
}

expect 0 tp pool create --base-size 2G
variant plain --config.cmd sh
variant name --config.cmd sh --config.user app
variant id --config.cmd sh --config.user 1000
variant group --config.cmd sh --config.user app:wheel
variant ids --config.cmd sh --config.user 5:6
variant unknown --config.cmd sh --config.user 77
variant nobody --config.cmd sh --config.user nobody
variant full --config.entrypoint /bin/env --config.entrypoint -i --config.cmd A=1 \
    --config.cmd 'two words' --config.env PATH=/bin --config.env 'X=a=b' --config.env HOME=/own \
    --config.user app --config.workingdir /srv --config.stopsignal SIGRTMIN+3 \
    --config.exposedports 80/tcp --config.exposedports 53/udp --config.volume /data \
    --config.volume /srv/more --config.label z=1 --config.label a= --author 'A <a@b>'

pairs=()
for tag in plain name id group ids unknown full; do
    bundle_of "$tag" --volumes
    mkdir -p "$WORK/json"
    cp "$WORK/b/config.json" "$WORK/json/$tag.json"
    if [ -n "$root" ]; then
        umoci raw runtime-config --image "$layout:$tag" --rootfs "$WORK/b/rootfs" \
            "$WORK/json/$tag.umoci"
        pairs+=("$WORK/json/$tag.json" "$WORK/json/$tag.umoci")
    fi
done
check schema "$WORK"/json/*.json
check sorted "$WORK"/json/*.json
if [ -n "$root" ]; then check umoci "${pairs[@]}"; fi
say 'documents: valid, sorted, like those of umoci'

# As an ordinary user runc writes the document of one.
mkdir "$WORK/spec"
if [ -n "$root" ]; then runc spec -b "$WORK/spec"; else runc spec --rootless -b "$WORK/spec"; fi
check runc "$WORK/json/plain.json" "$WORK/spec/config.json"

bundle_of full --volumes
cmp "$WORK/b/config.json" "$WORK/json/full.json" || fail 'two runs, two documents'

is .process.args '["/bin/env","-i","A=1","two words"]'
is .process.cwd '"/srv"'
is .process.env '["PATH=/bin","X=a=b","HOME=/own"]'
is '.annotations["org.opencontainers.image.exposedPorts"]' '"53/udp,80/tcp"'
is '[.mounts[] | select(.type == "tmpfs") | .destination]' \
    '["/dev","/dev/shm","/data","/srv/more"]'
is .root.readonly false
if [ -n "$root" ]; then
    is .process.user '{"additionalGids":[4,10],"gid":100,"uid":1000}'
else
    is .process.user '{"gid":0,"uid":0}'
    is .linux.uidMappings "[{\"containerID\":0,\"hostID\":$(id -u),\"size\":1}]"
    grep -q 'warning: user 1000:100 of the image is not mapped' "$WORK/err" ||
        fail 'no warning about the user'
fi

# --- options ----------------------------------------------------------------------------------

bundle_of full -e X=2 --env NEW=3 -u 7:8 -w /data --entrypoint /e --network host --read-only -t
is .process.args '["/e"]'
is .process.env '["TERM=xterm","PATH=/bin","X=2","HOME=/own","NEW=3"]'
is .process.cwd '"/data"'
is .process.terminal true
is .root.readonly true
is '[.linux.namespaces[].type] | index("network")' null
is '[.mounts[] | select(.destination == "/data")]' '[]'

drop
expect 0 tp create --read-only "oci:$layout:plain" box
expect 0 tp --json bundle box "$WORK/b" -- ls -l --json
expect_json .bundle "$WORK/b" <"$WORK/out"
expect_json .rootfs "$WORK/b/rootfs" <"$WORK/out"
expect_json .name box <"$WORK/out"
expect_json .extracted "$([ -n "$root" ] && echo false || echo true)" <"$WORK/out"
is .process.args '["ls","-l","--json"]'
is .root.readonly true
is .hostname '"box"'
[ "$(stat -c %a "$WORK/b")" = 700 ] || fail 'others may enter the bundle'
say 'options'

# --- what goes wrong --------------------------------------------------------------------------

no_trace() {
    [ ! -e "$WORK/b" ] || fail "left behind: $(find "$WORK/b")"
    check_nothing_stray "$ROOT"
    [ -z "$(find "$ROOT/containers" -name '*.bundle')" ] || fail 'left behind: an intent'
}

drop
expect 3 tp bundle box
expect 2 tp bundle box "$WORK/b"
expect_error box 'thinpull ls'
expect 0 tp create "oci:$layout:nobody" box
expect 3 tp bundle box ''
expect 3 tp bundle -e NOTHING box "$WORK/b"
expect_error "'NOTHING' is not NAME=VALUE"
expect 3 tp bundle --network bridge box "$WORK/b"
expect_error "'bridge' is none of none, host"
expect 11 tp bundle box "$WORK/b"
expect_error "user 'nobody'" 'not in the image'
expect 11 tp bundle -u 4294967296 box "$WORK/b"
expect_error 'id 4294967296'
expect 11 tp bundle -u 0 -w /proc/self/fd/7 box "$WORK/b"
expect_error 'is in /proc'
expect 11 tp bundle -u 0 --entrypoint '' box "$WORK/b"
expect_error 'nothing to run'
expect 1 tp bundle -u 0 box "$WORK/no/b"
expect_error 'No such file'
no_trace
mkdir "$WORK/b" "$WORK/b/rootfs"
expect 7 tp bundle -u 0 box "$WORK/b"
expect_error 'rootfs is there already'
rmdir "$WORK/b/rootfs"
echo mine >"$WORK/b/config.json"
expect 7 tp bundle -u 0 box "$WORK/b"
expect_error 'config.json is there already'
[ "$(cat "$WORK/b/config.json")" = mine ] || fail 'config.json was changed'
rm -r "$WORK/b"
expect 0 tp bundle -u 0 box "$WORK/b"
if [ -n "$root" ]; then # an ordinary user gets one more copy
    expect 7 tp bundle -u 0 box "$WORK/b2"
    expect_error "is mounted on $WORK/b/rootfs"
    [ ! -e "$WORK/b2" ] || fail 'a second bundle left something'
    [ -e "$WORK/b/rootfs/etc/passwd" ] || fail 'a second bundle removed the first'
fi
say 'errors leave no trace'

# --- killed -----------------------------------------------------------------------------------

FAULT_SO=$TOP/build/release/tests/tools/fault.so
fault_at() { # kind n command...
    local kind=$1 n=$2
    shift 2
    LD_PRELOAD=$FAULT_SO FAULT=$kind FAULT_AT=$n "$@"
}

drop
expect 0 tp create "oci:$layout:full" box
LD_PRELOAD=$FAULT_SO FAULT_COUNT=$WORK/count "$PROGRAM" --root "$ROOT" bundle box "$WORK/b" \
    >/dev/null 2>&1
total=$(cat "$WORK/count")
drop
[ "$total" -gt 10 ] || fail 'the calls are not seen'
for n in $(points "$total" 40); do
    drop
    expect 0 tp create "oci:$layout:full" box
    expect 137 fault_at kill "$n" "$PROGRAM" --root "$ROOT" bundle box "$WORK/b"
    expect 0 tp ls
    [ ! -L "$WORK/b/.thinpull-bundle" ] || fail "killed at call $n: the mark stays"
    if [ -e "$WORK/b" ]; then # then all of it is there
        [ -e "$WORK/b/rootfs/etc/passwd" ] || fail "killed at call $n: $(find "$WORK/b")"
        field .process >/dev/null
        mv "$WORK/b" "$WORK/complete"
    fi
    no_trace
    if [ -e "$WORK/complete" ]; then mv "$WORK/complete" "$WORK/b"; fi
done
say "killed at up to 40 of $total calls"

# Told to end, or failing, it takes back what it made, unless it was done by then.
for kind in term eio; do
    for n in $(points "$total" 10); do
        drop
        expect 0 tp create "oci:$layout:full" box
        expect 0,1,7,143 fault_at $kind "$n" "$PROGRAM" --root "$ROOT" bundle box "$WORK/b"
        if [ "$(cat "$WORK/out")" = "$WORK/b" ]; then
            [ -e "$WORK/b/rootfs/etc/passwd" ] || fail "$kind at call $n: no tree"
        else
            no_trace
        fi
    done
done
say 'told to end, or failing, at up to 10 of them'

# --- a real image -----------------------------------------------------------------------------

drop
expect 0 tp -q pull "$debian"
mkdir -m 700 "$WORK/state"
run() { # runtime...
    "$@" --root "$WORK/state" run -b "$WORK/b" "thinpull-test-$$" >"$WORK/out" 2>"$WORK/err" </dev/null
}

# crun refuses hosts with both versions of cgroups: it runs where only the old ones are seen.
crun_here() {
    if mountpoint -q /sys/fs/cgroup/unified; then
        unshare -m sh -c 'umount /sys/fs/cgroup/unified && exec "$@"' - crun "$@"
    else
        crun "$@"
    fi
}

real() { # runtime
    drop
    expect 0 tp create "$debian" box
    expect 0 tp bundle -e GREETING='hello there' box "$WORK/b" -- /bin/sh -c \
        'id -u; hostname 2>/dev/null || cat /proc/sys/kernel/hostname; echo "$GREETING $HOME $PWD"
         grep -c . /etc/passwd; echo written >/etc/written; test -w /dev/null; exit 7'
    local status=0
    run "$@" || status=$?
    [ "$status" -eq 7 ] || { cat "$WORK/out" "$WORK/err"; fail "$1: exit $status, not 7"; }
    printf '0\nbox\nhello there /root /\n%s\n' "$(grep -c . "$WORK/b/rootfs/etc/passwd")" |
        diff - "$WORK/out" || fail "$1: it printed something else"
    [ "$(cat "$WORK/b/rootfs/etc/written")" = written ] || fail "$1: what it wrote is not there"
}

real runc
if [ -n "$root" ]; then
    real crun_here
    unmount
    raw box "$WORK/raw.ext4"
    "$LIST" "$WORK/raw.ext4" | grep '"etc/written"' >/dev/null || fail 'the container lost a file'
fi
say "Debian under runc${root:+ and crun}"

# After a crash the journal of the file has to be replayed before it can be read.
if [ -n "$root" ]; then
    drop
    expect 0 tp create "oci:$layout:plain" box
    expect 0 tp mount box "$WORK/mnt"
    file=$(echo "$ROOT"/containers/default/*.ext4)
    echo 'late:x:5000:5001::/late:' >>"$WORK/mnt/etc/passwd"
    sync -f "$WORK/mnt"
    cp --sparse=always "$file" "$WORK/crashed"
    unmount
    cp --sparse=always "$WORK/crashed" "$file"
    expect 0 tp bundle -u late box "$WORK/b"
    is .process.user '{"gid":5001,"uid":5000}'
    say 'after a crash'
    drop
    python3 "$SUPPORT/check_bundle.py" trees --program "$PROGRAM" --list "$LIST" \
        --work "$WORK/trees" "$IMAGES/tools" "$IMAGES/debian" || fail 'trees'
fi
drop
check_pool
finish
