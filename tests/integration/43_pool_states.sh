#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Pools that may not be written: marked by a kernel, with unknown features, on a file system or with
# rights for reading only, out of snapshots. What reads works; what writes fails in one line that says
# why, and changes nothing.
# weight: 8
. "$(dirname "$0")/../support/lib.sh"

layout=$WORK/layout
for n in 1 2; do python3 "$SUPPORT/tiny_layout.py" "$layout" "v$n" "$n" >/dev/null; done
v1=oci:$layout:v1
expect 0 tp pool create --size 1G --base-size 64M
expect 0 tp pull "$v1"
expect 0 tp create "$v1" box
meta=$ROOT/pools/default/meta
cp "$meta" "$WORK/meta"

state_of() {
    content "$ROOT/pools/default/meta"
    content "$ROOT/pools/default/data"
    ls "$ROOT/pools" "$ROOT/pools/default"
}

# reading: all of it works
reading() {
    expect 0 tp images
    expect 0 tp image inspect "$v1"
    expect 0 tp image history "$v1"
    expect 0 tp ls
    expect 0 tp inspect box
    expect 0 tp df
    expect 0 tp tree
    expect 0 tp info
    rm -f "$WORK/box.img" "$WORK/box.tar"
    expect 0 tp export box -o "$WORK/box.img"
    expect 0 tp export --format tar -o "$WORK/box.tar" "$v1"
    expect 0 tp pool status
}

# writing CODE TEXT...: none of it works, and each error says so
writing() {
    local code=$1
    shift
    while read -r words; do
        # shellcheck disable=SC2086
        expect "$code" tp $words
        expect_error "$@"
    done <<VERBS
pull oci:$layout:v2
create $v1 another
rm box
rename box other
rmi $v1
tag $v1 other:tag
path box
pool extend --size 2G
VERBS
    expect 125 tp run --rm "$v1" true
    expect_error "$@"
}

say 'a kernel met damage: needs_check'
python3 "$SUPPORT/superblock.py" "$meta" flags 1
before=$(state_of)
reading
json pool status | expect_json '[.mode, .needs_check] | tostring' '["needs_check",true]'
writing 8 'needs_check' "'thinpull pool repair'"
expect 8 tp pool check
grep -q needs_check "$WORK/out" || fail 'pool check does not tell of the mark'
[ "$(state_of)" = "$before" ] || fail 'a marked pool was changed'

say 'features that allow reading'
cp "$WORK/meta" "$meta"
python3 "$SUPPORT/superblock.py" "$meta" compat_ro 4
before=$(state_of)
reading
json pool status | expect_json .mode ro
writing 10 'feature flags 4' 'may be read but not written' 'a newer version'
[ "$(state_of)" = "$before" ] || fail 'a pool with features was changed'

say 'features that allow nothing'
cp "$WORK/meta" "$meta"
python3 "$SUPPORT/superblock.py" "$meta" incompat 8
before=$(state_of)
for verb in images ls df tree 'pool status' 'inspect box' "export box -o $WORK/no.img"; do
    # shellcheck disable=SC2086
    expect 10 tp $verb
    expect_error 'unknown feature flags 8' 'a newer version'
done
writing 10 'unknown feature flags 8'
[ "$(state_of)" = "$before" ] || fail 'a pool with features was changed'
[ ! -e "$WORK/no.img" ] || fail 'an export that failed left a file'

say 'features that allow everything'
cp "$WORK/meta" "$meta"
python3 "$SUPPORT/superblock.py" "$meta" compat 16
expect 0 tp create "$v1" another
expect 0 tp rm another
python3 "$SUPPORT/superblock.py" "$meta" compat 0
check_pool

say 'the last snapshot'
python3 "$SUPPORT/superblock.py" "$meta" time $(((1 << 24) - 2))
expect 0 tp create "$v1" last
expect 10 tp create "$v1" another
expect_error 'all the 16777215 snapshots' 'pool create'
expect 10 tp pull "oci:$layout:v2"
expect_error 'all the 16777215 snapshots' 'pool create'
json ls | expect_json 'map(.name) | sort | tostring' '["box","last"]'
expect 0 tp rm last
expect 0 tp rm box
expect 0 tp rmi "$v1"
check_pool

say 'no right to write'
rm -rf "$ROOT"
expect 0 tp pull "$v1"
expect 0 tp create "$v1" box
before=$(state_of)
if [ "$(id -u)" = 0 ]; then
    # In a mount namespace of its own, which ends with the script.
    unshare -m true 2>/dev/null || { say 'left out: no mount namespaces'; finish; }
    tp() {
        # shellcheck disable=SC2016
        unshare -m sh -c 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift &&
            exec "$@"' sh "$ROOT" "$PROGRAM" --root "$ROOT" "$@"
    }
    why='Read-only file system'
else
    chmod -R a-w "$ROOT"
    why='Permission denied'
fi
reading
expect 0 tp pool check
writing 1 "$why" '--root'
expect 1 tp --pool another pool create
expect_error "$why" '--root'
[ "$(state_of)" = "$before" ] || fail 'what may not be written was changed'
finish
