#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# pool repair and pool dump: damaged space maps are made anew with nothing lost, whatever call the
# repair is killed at; what cannot be repaired is refused with nothing changed. The dump is that of
# thin_dump, and makes the same pool again.
# weight: 12
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/faults.sh"

layout=$WORK/layout
for n in 1 2; do python3 "$SUPPORT/tiny_layout.py" "$layout" "v$n" "$((n + 2))" >/dev/null; done
v1=oci:$layout:v1
at_start pool create --size 1G --base-size 64M
at_start pull "$v1"
at_start create "$v1" box
fresh
raw "$v1" "$WORK/image"
raw box "$WORK/box"
want="$(content "$WORK/image") $(content "$WORK/box")"
meta=$ROOT/pools/default/meta

spoil() {
    python3 "$SUPPORT/spoil_pool.py" "$meta" "$1"
}

state_of() {
    content "$meta" "$ROOT/pools/default/data"
    ls -A "$ROOT/pools" "$ROOT/pools/default"
}

# What is there is what was there, and the pool is good for more.
expect_whole() {
    check_pool
    raw "$v1" "$WORK/image"
    raw box "$WORK/box"
    [ "$(content "$WORK/image") $(content "$WORK/box")" = "$want" ] || fail "$1: other bytes"
}

say 'a sound pool'
before=$(state_of)
expect 0 tp pool repair
[ "$(cat "$WORK/out")" = clean ] || fail 'a sound pool is not clean'
json pool repair --dry-run | expect_json .outcome clean
[ "$(state_of)" = "$before" ] || fail 'a sound pool was changed'

for how in counts maps; do
    say "damaged: $how"
    fresh
    spoil $how
    expect 8 tp pool check
    expect_error 'repair --dry-run'
    ! grep -q 'not repairable' "$WORK/out" || fail 'something is not repairable'
    before=$(state_of)
    expect 0 tp pool repair --dry-run
    grep -q '(can be repaired)$' "$WORK/out" || fail 'the dry run does not say so'
    [ "$(state_of)" = "$before" ] || fail 'the dry run changed something'
    json pool repair >"$WORK/json"
    expect_json '[.outcome, .unrepairable, (.findings | length > 0)] | tostring' \
        '["repaired",0,true]' <"$WORK/json"
    expect_whole "$how"
    expect 0 tp pull "oci:$layout:v2"
    expect 0 tp create "oci:$layout:v2"
    expect_whole "$how, and new layers in it"
done

say 'the mark of a kernel'
fresh
python3 "$SUPPORT/superblock.py" "$meta" flags 1
expect 8 tp pull "oci:$layout:v2"
expect 0 tp pool repair
expect_whole 'needs_check'
expect 0 tp pull "oci:$layout:v2"

say 'damaged: tree'
fresh
spoil counts
spoil tree
before=$(state_of)
expect 8 tp pool repair
expect_error 'cannot be repaired without loss' 'nothing was changed' 'thin_repair'
grep -q '(not repairable)$' "$WORK/out" || fail 'it does not say why'
expect 8 tp pool repair --dry-run
[ "$(state_of)" = "$before" ] || fail 'what was refused was changed'

say 'killed'
fresh
spoil counts
expect 8 tp pool check
cp "$WORK/out" "$WORK/findings"
total=$(calls "$PROGRAM" --root "$ROOT" pool repair)
[ "$total" -gt 5 ] || fail 'the calls are not seen'
for n in $(points "$total" 12); do
    fresh
    spoil counts
    expect 0,137 fault kill "$n" "$PROGRAM" --root "$ROOT" pool repair
    expect 0,8 tp pool check
    [ "$(cat "$WORK/out")" = clean ] || cmp "$WORK/out" "$WORK/findings" ||
        fail "killed at $n of $total: another pool"
    expect 0 tp pool repair
    expect_whole "killed at $n of $total"
done

# --- dump ----------------------------------------------------------------------------------------
say dump
fresh
expect 0 tp pool dump
cp "$WORK/out" "$WORK/xml"
case "$(thin_dump --version)" in
0.*)
    thin_dump "$meta" >"$WORK/theirs"
    cmp "$WORK/theirs" "$WORK/xml" || fail 'not what thin_dump prints' ;;
esac
expect 2 tp pool dump --metadata-snap
expect_error 'no metadata snapshot'
check_nothing_stray "$ROOT"
bytes=$(stat -c %s "$meta")
rm "$meta"
truncate -s "$bytes" "$meta"
thin_restore -q -i "$WORK/xml" -o "$meta" >/dev/null
expect 0 tp pool repair # the hints of thin_restore 0.9
expect_whole 'restored from the dump'
expect 0 tp pool dump
cmp "$WORK/out" "$WORK/xml" || fail 'the restored pool has another dump'

spoil tree
expect 8 tp pool dump
expect_error 'thin 0' 'metadata block'
grep -q '^<superblock' "$WORK/out" || fail 'no text before the damage'
! grep -q '^</superblock' "$WORK/out" || fail 'damaged, and whole all the same'

if [ "$(id -u)" = 0 ] && [ -e /dev/loop-control ]; then
    say 'a kernel has the pool'
    loop=$(losetup -f --show "$meta")
    expect 7 tp pool repair
    expect_error "$loop"
    losetup -d "$loop"
fi
finish
