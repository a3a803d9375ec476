#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A thin pool that LVM had before us: adopted when nobody has anything in it, refused otherwise; used,
# over boots and other names; activated by LVM again with our transaction id in it; and given back, so
# that LVM makes its own volumes in it.
# weight: 20
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lvm.sh"

image=oci:$WORK/layout:v1
pool=tank/images
disk=$(disk 400M)
python3 tests/support/tiny_layout.py "$WORK/layout" v1 2 >/dev/null
lvm vgcreate -q tank "$disk" >/dev/null 2>&1
lvm lvcreate -q -T -L 200M -c 64k $pool >/dev/null 2>&1

columns=lv_when_full,zero,transaction_id,thin_count

message() { # of the pool's device, whatever it is called just now
    dmsetup message "$(dmsetup ls --target thin-pool | cut -f1)" 0 "$*"
}

say 'refused: what is none, and what somebody uses'
lvm lvcreate -q -L 8M -n plain tank >/dev/null
refused 2 'LVM has no volume tank/nothing' pool adopt tank/nothing
refused 10 'it is no thin pool' pool adopt tank/plain
refused 3 '' pool adopt tank
refused 3 '' pool adopt tank/a/b
message create_thin 7
refused 7 'it has 1 thin devices' pool adopt $pool
message delete 7
message set_transaction_id 0 5
refused 7 'its transaction id is 5' pool adopt $pool
message set_transaction_id 5 0
lvm lvcreate -q -V 32M -T $pool -n theirs >/dev/null 2>&1
refused 7 'LVM has 1 thin volumes in it' pool adopt $pool
lvm lvremove -q -y tank/theirs >/dev/null
refused 7 'its transaction id is' pool adopt $pool
lvm lvremove -q -y $pool >/dev/null
lvm lvcreate -q -T -L 200M -c 64k $pool >/dev/null 2>&1
[ "$(lv $pool "$columns")" = 'queue zero 0 0' ] || fail "$(lv $pool "$columns")"

say 'adopted: set as we want it, and LVM activates it with our transaction id in it'
tp pool adopt $pool --base-size 64M >/dev/null
[ "$(lv $pool "$columns")" = 'error zero 0 0' ] || fail "$(lv $pool "$columns")"
[ "$(tp --json pool status | jq .transaction_id)" -gt 0 ] || fail 'no transaction id'
tp -q pull "$image" >/dev/null
tp create "$image" box >/dev/null
tp -q export --format tar -o "$WORK/one.tar" box >/dev/null

say 'it was active: that is how it stays, when we let go of it'
tp pool deactivate >/dev/null
[ "$(lv $pool lv_active)" = active ] || fail 'LVM has it no more'
lvm lvchange -q -an $pool >/dev/null

say 'under other names, and activated by us: then we deactivate it, too'
lvm lvrename -q $pool tank/layers >/dev/null 2>&1
lvm vgrename -q tank lake >/dev/null 2>&1
pool=lake/layers
tp pool activate >/dev/null
tp -q export --format tar -o "$WORK/two.tar" box >/dev/null
cmp "$WORK/one.tar" "$WORK/two.tar"
tp pool deactivate >/dev/null
[ -z "$(lv $pool lv_active)" ] || fail 'LVM has it still'

say 'given back: empty, as it was, and LVM can use it'
lvm lvchange -q -ay $pool >/dev/null
refused 7 'it has containers: box' pool destroy
tp pool destroy --force >/dev/null
[ "$(lv $pool "$columns")" = 'queue zero 0 0' ] || fail "$(lv $pool "$columns")"
dmsetup status --target thin-pool | grep -q ': 0 .* thin-pool 0 [0-9/]* 0/' || fail "$(dmsetup status --target thin-pool)"
lvm lvcreate -q -V 32M -T $pool -n theirs >/dev/null 2>&1 || fail 'LVM cannot use it'
mkfs.ext4 -q /dev/lake/theirs
[ ! -e "$ROOT/pools/default" ] || fail 'the pool is still there'
