#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A pool that LVM runs, made by `pool create --lvm`: from a disk to containers and back, over what a boot
# does, extended by hand, by LVM's policy and by dmeventd; killed in between; refused where it must be.
# weight: 25
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lvm.sh"

image=oci:$WORK/layout:v1
vg=thinpull-default
disk=$(disk 600M)
python3 tests/support/tiny_layout.py "$WORK/layout" v1 2 >/dev/null

columns=segtype,chunk_size,lv_when_full,zero,seg_monitor,lv_profile,transaction_id,thin_count
set_up=(--base-size 1G --size 160M)

data_bytes() { tp --json pool status | jq .data.total_bytes; }

say 'what holds something, or a name that is taken, is refused'
mkfs.ext4 -q "$disk"
refused 7 ext4 pool create --lvm "$disk"
wipefs -qa "$disk"
other=$(disk 32M)
lvm vgcreate -q "$vg" "$other" >/dev/null 2>&1
refused 7 "$vg already" pool create --lvm "$disk"
lvm vgremove -q "$vg" >/dev/null
lvm pvremove -q "$other" >/dev/null
refused 6 'MiB' pool create --lvm "$other" --size 1G
lvm_is_clean

say 'killed while it is made: the next command takes back what there is'
for delay in 0.4 0.9 1.6; do
    "$PROGRAM" --root "$ROOT" pool create --lvm "$disk" "${set_up[@]}" >/dev/null 2>&1 &
    sleep "$delay"
    kill -KILL $! 2>/dev/null || true
    wait $! 2>/dev/null || true
    tp pool status >/dev/null 2>&1 && { tp pool destroy >/dev/null; continue; }
    refused 2 '' rm nobody
    lvm_is_clean
done

say 'made: data, metadata, spare, policy'
mkfs.ext4 -q "$disk"
tp pool create --lvm "$disk" --force "${set_up[@]}" >/dev/null
[ "$(lv $vg/pool "$columns")" = 'thin-pool 524288 error zero monitored thinpull 0 0' ] ||
    fail "$(lv $vg/pool "$columns")"
[ "$(tp --json pool status | jq -c '[.engine, .mode, .block_bytes]')" = '["kernel","rw",524288]' ] ||
    fail "$(tp --json pool status)"
before=$(data_bytes)
free=$(lvm vgs --noheadings --units b --nosuffix -o vg_free $vg)
[ "$free" -ge $((before / 5)) ] || fail "$free bytes free, the pool has $before"

say 'an image, a container, and both after what a boot does'
tp -q pull "$image" >/dev/null
tp create "$image" box >/dev/null
tp -q export --format tar -o "$WORK/one.tar" box >/dev/null
tp pool deactivate >/dev/null
[ "$(dmsetup ls)" = 'No devices found' ] || fail "still there: $(dmsetup ls)"
refused 2 'pool activate' ls
tp pool activate >/dev/null
tp pool deactivate >/dev/null
lvm vgchange -qay $vg >/dev/null
[ "$(tp --json ls | jq -r '.[].name')" = box ] || fail 'no box'
tp -q export --format tar -o "$WORK/two.tar" box >/dev/null
cmp "$WORK/one.tar" "$WORK/two.tar"

say 'LVM makes no volumes of its own in it'
lvm lvcreate -q -V 16M -T $vg/pool -n foreign >/dev/null 2>&1 && fail 'it did'

say 'larger by hand'
tp pool extend --size +1M --metadata-size +1M >/dev/null
[ "$(data_bytes)" -eq $((before + (4 << 20))) ] || fail "$(data_bytes), was $before"
refused 6 "volume group $vg has" pool extend --size +1G
refused 3 'never shrinks' pool extend --size 100M

say 'larger by itself: dmeventd does what the policy says'
[ "$(tp --json info | jq -c .pool.autoextend)" = \
    '{"by":"dmeventd","threshold_percent":80,"percent":20}' ] || fail "$(tp --json info)"
before=$(data_bytes)
dd if=/dev/zero of="$(tp path box)" bs=1M count=$((before * 83 / 100 >> 20)) oflag=direct status=none
for _ in $(seq 60); do
    [ "$(data_bytes)" = "$before" ] || break
    sleep 0.5
done
now=$(data_bytes)
[ "$now" -ge $((before * 119 / 100)) ] || fail "$now bytes, it had $before"

say 'destroyed: nothing is left, not on the disk either'
tp pool destroy --force >/dev/null
lvm_is_clean
[ -z "$(blkid -p "$disk")" ] || fail "left on the disk: $(blkid -p "$disk")"
[ ! -e "$LVM_SYSTEM_DIR/profile/thinpull.profile" ] || fail 'the profile is still there'
