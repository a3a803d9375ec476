#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A pool that the kernel runs is refused what it has no room for, before anything is fetched; driven full
# all the same, of data and of metadata, by a pull and by a mounted container, it says so with the way
# out, and works again after rm or extend. Nobody extends it by himself here.
# weight: 30
. "$(dirname "$0")/lib.sh"
export THINPULL_ENGINE=kernel
layout=$WORK/layout
tiny=oci:$layout:tiny
room() { python3 "$TOP/tests/support/room_layout.py" "$layout" "$@"; }

# The guard as it is by default, and none.
guard=$WORK/guard.json none=$WORK/none.json config=
echo '{"autoextend_threshold": "100%"}' >"$guard"
echo '{"autoextend_threshold": "100%", "min_free_space": "0%", "min_free_metadata": "0%"}' >"$none"
tp() {
    "$PROGRAM" --config "$config" --root "$ROOT" "$@"
}

# said TEXT...: all of it, by the last command that expect ran
said() {
    local text
    for text in "$@"; do
        grep -qF -- "$text" "$WORK/err" || { cat "$WORK/err"; fail "not said: $text"; }
    done
}

# in_mode MODE [HINT]: and that this leads out, in words and for programs
in_mode() {
    expect 0 tp pool status
    grep -qE "^Mode: +$1\$" "$WORK/out" || { cat "$WORK/out"; fail "not in mode $1"; }
    if [ $# = 1 ]; then
        ! grep -q '^What to do:' "$WORK/out" || fail "a hint in mode $1"
        return
    fi
    grep '^What to do:' "$WORK/out" | grep -qF -- "$2" || { cat "$WORK/out"; fail "no hint in mode $1"; }
    expect 0 tp --json pool status
    jq -e --arg mode "$1" --arg hint "$2" '.mode == $mode and (.hint | contains($hint))' "$WORK/out" \
        >/dev/null || { cat "$WORK/out"; fail "no hint in mode $1, as JSON"; }
}

# the pool's device, and numbers of the kernel's status: metadata, data in use
look() {
    local status
    pool=(/dev/mapper/thinpull-*-pool)
    status=$(dmsetup status "${pool[0]}")
    [[ $status =~ thin-pool\ [0-9]+\ ([0-9]+)/([0-9]+)\ ([0-9]+)/ ]] || fail "$status"
    metadata=${BASH_REMATCH[1]} metadata_total=${BASH_REMATCH[2]} data=${BASH_REMATCH[3]}
}

# All metadata but so many blocks, by thin devices that nobody knows of, about a block each; and back.
fill_metadata() { # so many
    python3 "$TOP/tests/support/dm_messages.py" "${pool[0]##*/}" 'create_thin %' $((10001 + made)) \
        $((10000 + made + $1)) >/dev/null || fail 'thin devices to fill it'
    made=$((made + $1))
    look
}
leave_metadata() {
    made=0
    look
    fill_metadata $(((metadata_total - metadata - $1) * 9 / 10))
    fill_metadata $((metadata_total - metadata - $1))
}
give_metadata() {
    python3 "$TOP/tests/support/dm_messages.py" "${pool[0]##*/}" 'delete %' 10001 $((10000 + made)) \
        >/dev/null || fail 'thin devices that filled it'
}

# Written by a container until that fails: what it could not write is lost, what was there is not.
write_until_full() { # COMMAND...
    ! "$@" >"$WORK/out" 2>&1 || fail "there was room: $*"
    grep -qE 'No space left|Input/output error' "$WORK/out" || { cat "$WORK/out"; fail 'another error'; }
    grep -q NAME=tiny "$WORK/own/etc/os-release" || fail 'what was there cannot be read'
}

python3 "$TOP/tests/support/tiny_layout.py" "$layout" tiny 1 >/dev/null
python3 "$TOP/tests/support/tiny_layout.py" "$layout" layers 12 >/dev/null
room fill large 30 1
room claim data $((28 << 20))
room claim metadata $((5 << 30))

say 'refused before the first blob is asked for: data'
config=$guard
expect 0 tp pool create --loop --size 32M --base-size 8G
expect 0 tp -q pull "$tiny"
table=$(dmsetup table /dev/mapper/thinpull-*-pool)
[[ $table == *' 1 error_if_no_space '* ]] || fail "by default: $table"
expect 6 tp pull "oci:$layout:data"
said '28 MiB of data are needed' '10 % must stay free (min_free_space)' 'pool extend --size +SIZE'
expect 0 tp pool extend --size +8M
expect 2 tp pull "oci:$layout:data" # now it is asked for, and is not there
expect 0 tp pool deactivate

say 'metadata, and the file system under loop files'
ROOT=$WORK/sparse
expect 0 tp pool create --loop --size 64G --metadata-size 4M --base-size 8G
expect 6 tp pull "oci:$layout:metadata"
said 'metadata blocks are needed' '(min_free_metadata)' 'pool extend --metadata-size +SIZE'
expect 0 tp pool extend --metadata-size 64M
expect 6 tp pull "oci:$layout:metadata"
said 'the file system of' '5120 MiB are needed' 'make room in that file system'
expect 0 tp pool deactivate

say 'data: a container writes until there is none'
config=$none
ROOT=$WORK/root
expect 0 tp pool activate
look
before=$data
expect 0 tp create "$tiny" box
expect 0 tp mount box "$WORK/own"
write_until_full dd if=/dev/zero of="$WORK/own/big" bs=1M count=50 conv=fsync
in_mode out_of_data_space 'pool extend --size +SIZE'
expect 6 tp create "$tiny" other
said 'pool extend --size +SIZE' 'removing images or containers'
say 'after rm'
expect 0 tp rm -f box
in_mode rw

say 'data: a pull fills it, beside a container'
expect 0 tp create "$tiny" box
expect 0 tp mount box "$WORK/own"
dd if=/dev/zero of="$WORK/own/big" bs=1M count=15 conv=fsync status=none
expect 6 tp pull "oci:$layout:large"
said 'layer 1/1 sha256:' 'mode out_of_data_space' 'pool extend --size +SIZE'
in_mode rw # what the pull had is free again
nothing_left 3
say 'after extend'
expect 0 tp pool extend --size +32M
expect 0 tp -q pull "oci:$layout:large"
dd if=/dev/zero of="$WORK/own/more" bs=1M count=5 conv=fsync status=none || fail 'the container is lost'
expect 0 tp rm -f box
expect 0 tp rmi "oci:$layout:large"
look
[ "$data" = "$before" ] || fail "$data blocks are used, not $before"
pool_clean

say 'queue: a container and a pull wait for an extend'
ROOT=$WORK/queue
expect 0 tp pool create --loop --size 16M --base-size 256M --when-full queue
table=$(dmsetup table /dev/mapper/thinpull-*-pool)
[[ $table != *error_if_no_space* ]] || fail "told to queue: $table"
expect 0 tp -q pull "$tiny"
expect 0 tp create "$tiny" box
expect 0 tp mount box "$WORK/own"
dd if=/dev/zero of="$WORK/own/big" bs=1M count=14 conv=fsync status=none &
writer=$!
tp -q pull "oci:$layout:large" >"$WORK/pulled" 2>&1 &
puller=$!
for _ in $(seq 100); do
    [[ $(dmsetup status /dev/mapper/thinpull-*-pool) != *out_of_data_space* ]] || break
    sleep 0.1
done
in_mode out_of_data_space 'pool extend --size +SIZE'
[ -d /proc/$writer ] || [ -d /proc/$puller ] || fail 'nobody waits'
expect 0 tp pool extend --size +48M
wait $writer || fail 'what waited for room was not written'
wait $puller || { cat "$WORK/pulled"; fail 'the pull that waited for room failed'; }
in_mode rw
expect 7 tp pool deactivate
said "is mounted on $WORK/own"
expect 0 tp rm -f box
expect 0 tp pool deactivate

say 'metadata: a container writes until there is none'
ROOT=$WORK/metadata
expect 0 tp pool create --loop --size 4G --metadata-size 2M --base-size 1G
expect 0 tp -q pull "$tiny"
expect 0 tp create "$tiny" box
expect 0 tp mount box "$WORK/own"
leave_metadata 8
write_until_full python3 "$TOP/tests/support/scatter.py" "$WORK/own/big" 3000
in_mode out_of_metadata_space 'pool extend --metadata-size +SIZE'
for words in "create $tiny other" 'rm -f box' "pull oci:$layout:layers"; do
    # shellcheck disable=SC2086
    expect 6 tp $words
    said 'pool extend --metadata-size +SIZE' 'nothing can be removed before'
done
say 'after extend'
expect 0 tp pool extend --metadata-size +512K
in_mode rw
expect 0 tp create "$tiny" other
expect 0 tp rm -f box other

say 'metadata: a pull fills it'
give_metadata
leave_metadata 5
expect 6 tp pull "oci:$layout:layers"
said 'layer' 'mode out_of_metadata_space' 'pool extend --metadata-size +SIZE'
say 'after extend, and a boot'
expect 0 tp pool deactivate
expect 0 tp pool extend --metadata-size +512K
expect 0 tp -q pull "oci:$layout:layers"
give_metadata
# Blocks that the kernel had handed out when it went over to read-only are nobody's.
expect 0,8 tp pool check
! grep -v '^clean$\|^data_refcount: .* 0 references' "$WORK/out" || fail 'damage'
expect 0 tp pool deactivate
expect 0 tp pool repair
pool_clean
