#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What info and pool status tell of a pool that the kernel runs: every field that docker's info had for
# devicemapper, and ours; and every mode that it can be in, provoked, with the command that leads out,
# which does. What zeroing is.
# weight: 25
. "$(dirname "$0")/lib.sh"
export THINPULL_ENGINE=kernel
layout=$WORK/layout
tiny=oci:$layout:tiny
python3 "$TOP/tests/support/tiny_layout.py" "$layout" tiny 1 >/dev/null

# Programs are dear here, so what follows starts few.

# fact NAME PATTERN: of the text that was printed last
fact() {
    local text line=$'\n'"$1: +$2"$'\n'
    text=$'\n'$(<"$WORK/out")$'\n'
    [[ $text =~ $line ]] || { echo "$text"; fail "no \"$1: $2\""; }
}

# in_mode MODE [HINT]: told by both verbs, to people and to programs
in_mode() {
    local text
    expect 0 tp info
    fact Mode "$1"
    text=$(<"$WORK/out")
    if [ $# = 1 ]; then
        [[ $text != *'What to do:'* ]] || fail "a hint in mode $1"
    else
        [[ $text == *$'\nWhat to do:'*"$2"* ]] || { echo "$text"; fail "no hint in mode $1"; }
    fi
    expect 0 tp --json pool status
    text=$(<"$WORK/out")
    [[ $text == *'"mode": "'"$1"'",'*'"hint": '*"${2:-null}"* ]] || { echo "$text"; fail "mode $1 as JSON"; }
}

table_of() { # PART: of the table of the pool, or of what it stands on
    local devices=(/dev/mapper/thinpull-*-"$1")
    device=${devices[0]##*/}
    table=$(dmsetup table "$device")
}

reload() { # DEVICE TABLE
    dmsetup reload "$1" --table "$2"
    dmsetup suspend "$1"
    dmsetup resume "$1"
}

say 'what docker told of a pool on loop devices'
expect 0 tp pool create --loop --size 64M --base-size 96M
expect 0 tp -q pull "$tiny"
expect 0 tp create "$tiny" box
table_of pool
dmsetup message "$device" 0 reserve_metadata_snap
expect 0 tp info
fact 'Pool Name' "$device"
fact 'Pool Blocksize' '64 KiB'
fact 'Base Device Size' '96 MiB'
fact 'Backing Filesystem' ext4
fact 'Udev Sync Supported' false # nobody listens here
fact 'Data file' '/dev/loop[0-9]+'
fact 'Metadata file' '/dev/loop[0-9]+'
fact 'Data loop file' "$ROOT/pools/default/data"
fact 'Metadata loop file' "$ROOT/pools/default/meta"
for what in Data Metadata; do
    for kind in Used Total Available; do fact "$what Space $kind" '[0-9.]+ [KM]iB'; done
done
fact 'Thin Pool Minimum Free Space' '6\.[0-9]+ MiB'
fact 'Deferred Removal Enabled' true
fact 'Deferred Deletion Enabled' false
fact 'Deferred Deleted Device Count' 0
fact 'Library Version' '1\.02\.[0-9]+ .*driver [0-9.]+\)'
say 'and what we tell'
fact 'Engine choice' 'kernel: asked for'
fact Engine kernel
fact Kind files
fact Transaction '[1-9][0-9]*'
fact 'Held root' '[1-9][0-9]*'
fact 'Thin devices' 4
fact 'When full' error
fact Zeroing yes
fact Extended 'at 80 % in use, by 20 %, by thinpull'
fact Containers 1
dmsetup status "$device" >"$WORK/status"
read -r _ _ _ transaction metadata data held _ <"$WORK/status"
expect 0 tp --json info
jq -e --arg pool "/dev/mapper/$device" --arg dir "$ROOT/pools/default" --argjson transaction "$transaction" \
    --argjson held "$held" --argjson data "${data%/*}" --argjson metadata "${metadata%/*}" '
    .engine == "kernel" and .engine_reason == "asked for" and .base_bytes == 100663296
    and (.pool | .devices.pool == $pool and .block_bytes == 65536 and .mode == "rw"
        and (.devices.data | test("^/dev/loop")) and (.devices.metadata | test("^/dev/loop"))
        and .data.used_bytes == $data * 65536 and .data.total_bytes == 67108864
        and .data.available_bytes == 67108864 - $data * 65536
        and .metadata.used_bytes == $metadata * 4096 and .metadata.available_bytes > 0
        and .transaction_id == $transaction and .held_root == $held and .thin_count == 4
        and .needs_check == false and .low_water_bytes == 6684672 and .when_full == "error" and .zeroing
        and .autoextend == {by: "thinpull", threshold_percent: 80, percent: 20})
    and (.driver | .backing_filesystem == "ext4" and .udev_sync_supported == false
        and .deferred_removal_enabled and .deferred_deletion_enabled == false
        and .deferred_deleted_devices == 0 and .data_loop_file == $dir + "/data"
        and .metadata_loop_file == $dir + "/meta" and (.library_version | test("^1.02"))
        and (.driver_version | test("^4\\.")))' "$WORK/out" >/dev/null || { cat "$WORK/out"; fail 'JSON'; }
dmsetup message "$device" 0 release_metadata_snap
expect 0 tp --autoextend-threshold 100 --engine auto info
fact 'Engine choice' 'kernel: .*'
fact Extended 'never by itself'
! grep -q '^Held root' "$WORK/out" || fail 'a root is held'
say 'a device that goes with its last user; nothing is activated to look'
exec 8<"$(tp path box)"
dmsetup remove --deferred "${device%pool}3"
expect 0 tp pool status
fact Going '1 thin devices, with their last user'
exec 8<&-
expect 0 tp pool deactivate
expect 0 tp info
fact Active no
fact Mode rw # a pool in files is read all the same
all_gone

say 'blocks are zeroed unless they are written as a whole, or nobody wants that'
mkdir -p "$WORK/disks"
head -c 64M < <(yes leaked) >"$WORK/disks/data"
data=$(losetup -f --show "$WORK/disks/data")
for zeroing in no yes; do
    ROOT=$WORK/zeroing-$zeroing
    option=--no-zero
    [ $zeroing = no ] || option=
    # shellcheck disable=SC2086
    expect 0 tp pool create --device "$data" --force --base-size 64M $option
    expect 0 tp pool status
    fact Zeroing $zeroing
    table_of pool
    [[ $zeroing$table =~ ^(no.*skip_block_zeroing|yes.*1\ error_if_no_space) ]] || fail "zeroing $zeroing: $table"
    dmsetup message "$device" 0 create_thin 100
    dmsetup create lent --table "0 128 thin /dev/mapper/$device 100"
    dd if=/dev/zero of=/dev/mapper/lent bs=4k count=1 oflag=direct status=none
    found=$(dd if=/dev/mapper/lent bs=60k count=1 skip=4k iflag=direct,skip_bytes status=none | tr -d '\0' |
        tr '\n' ' ')
    case $zeroing$found in
    yes | no*' leaked leaked '*) ;;
    *) fail "zeroing $zeroing: \"${found:0:100}\"" ;;
    esac
    dmsetup remove lent
    expect 0 tp pool deactivate
done

say 'rw and out_of_data_space'
# metadata on a disk that fails when it is told to
truncate -s 4M "$WORK/disks/meta"
meta=$(losetup -f --show "$WORK/disks/meta")
dmsetup create bad --table "0 8192 linear $meta 0"
ROOT=$WORK/modes
expect 0 tp pool create --device "$data" --metadata-device /dev/mapper/bad --force --base-size 1G
expect 0 tp -q pull "$tiny"
in_mode rw
expect 0 tp create "$tiny" box
path=$(tp path box)
! dd if=/dev/zero of="$path" bs=64k seek=1024 oflag=direct status=none 2>"$WORK/err" || fail 'not full'
in_mode out_of_data_space 'pool extend --size +SIZE'
truncate -s 1G "$WORK/disks/data"
losetup -c "$data"
expect 0 tp pool extend
in_mode rw

say 'out_of_metadata_space'
table_of pool
blocks() { # of metadata: in use, and in all
    read -r _ _ _ _ metadata _ <<<"$(dmsetup status "$device")"
    used=${metadata%/*} total=${metadata#*/}
}
made=0
for leave in 60 2; do # a message is about a block; the writes below do the rest
    blocks
    more=$((total - used - leave))
    python3 "$TOP/tests/support/dm_messages.py" "$device" 'create_thin %' $((10001 + made)) \
        $((10000 + made + more)) >"$WORK/out" || fail "messages: $(cat "$WORK/out") of $more"
    made=$((made + more))
done
! python3 "$TOP/tests/support/scatter.py" "$path" 15000 2>"$WORK/err" || fail 'there was metadata'
in_mode out_of_metadata_space 'pool extend --metadata-size +SIZE'
truncate -s 8M "$WORK/disks/meta"
losetup -c "$meta"
reload bad "0 16384 linear $meta 0"
expect 0 tp pool extend
in_mode rw
python3 "$TOP/tests/support/dm_messages.py" "$device" 'delete %' 10001 $((10000 + made)) >"$WORK/out"

blkdiscard "$path" # how much of the data it had before there was no metadata is not always the same

# leads_out: what is said of ro, needs_check and fail, and it works
leads_out() {
    expect 8 tp create "$tiny" other
    grep -qF "$1" "$WORK/err" || { cat "$WORK/err"; fail 'no hint'; }
    [ ! -b "$path" ] || expect 7 tp pool repair
    expect 0 tp pool deactivate
    expect 0 tp pool repair
    expect 0 tp create "$tiny" other
    in_mode rw
    expect 0 tp rm other
}

say ro
table_of pool
reload "$device" "${table/1 error_if_no_space/2 error_if_no_space read_only}"
in_mode ro 'pool deactivate'
expect 0 tp ls
leads_out 'pool repair'

say needs_check
table_of meta
start=$((${table##* } + 8)) # behind the superblock; writes fail there, always
reload bad "0 $start linear $meta 0
$start $((16384 - start)) flakey $meta $start 0 1 1 error_writes"
expect 8 tp create "$tiny" other
grep -qF 'pool repair' "$WORK/err" || { cat "$WORK/err"; fail 'no hint'; }
in_mode needs_check 'pool repair'
[[ $(<"$WORK/out") =~ \"needs_check\":\ true ]] || fail 'the mark is not told'
reload bad "0 16384 linear $meta 0"
leads_out 'pool repair'

say fail
expect 0 tp create "$tiny" mounted
expect 0 tp mount mounted "$WORK/own"
reload bad '0 16384 error'
expect 8 tp create "$tiny" other
in_mode fail 'umount what is mounted of it'
expect 7 tp pool deactivate
grep -qF "is mounted on $WORK/own" "$WORK/err" || { cat "$WORK/err"; fail 'not said where'; }
umount "$WORK/own"
reload bad "0 16384 linear $meta 0"
leads_out "'thinpull pool deactivate', and 'thinpull pool repair'"
expect 0 tp rm box mounted
pool_clean
