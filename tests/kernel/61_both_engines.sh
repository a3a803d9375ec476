#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One pool, now the file engine's, now the kernel's, three times over: each finds what the other one
# left, with the same ids, the same record and the same bytes, and goes on from there; both checks find
# nothing after any leg. The one that has it not is refused as long as the other one has it, and when
# both want it at once.
# weight: 30
. "$(dirname "$0")/lib.sh"

BASE=$((256 << 20))
images=oci:$TOP/build/images/debian
mkdir "$WORK/own"

engine() { # file|kernel
    export THINPULL_ENGINE=$1
    say "the $1 engine"
}

# What is recorded, but for what says which engine it is and what is in use.
record() {
    local ref
    tp --json images
    tp --json ls | jq 'map(del(.device, .mount_point, .exclusive_bytes))'
    for ref in $(tp -q images); do tp --json image inspect "$ref"; done
    tp --json pool status | jq '[.block_bytes, .data, .transaction_id, .thin_count]'
}

# Every file system by the name it has.
sums() {
    local name
    for name in $(tp -q images; tp -q ls); do
        tp -q export --format raw -o "$WORK/raw" "$name" >/dev/null
        echo "$name $(b2sum <"$WORK/raw")"
    done
    rm "$WORK/raw"
}

remember() {
    record >"$WORK/record"
    sums >"$WORK/sums"
}

compare() {
    record | diff "$WORK/record" - || fail 'another record'
    sums | diff "$WORK/sums" - || fail 'other bytes'
    echo "equal: $(wc -l <"$WORK/sums") file systems"
}

refused() { # engine words of the owner...
    local other=$1 text
    shift
    for words in images 'pull debian-1' 'create x' 'rm box' 'pool extend --size 3G'; do
        words=${words/debian-1/$images:debian-1}
        words=${words/create x/create $images:debian-1 x}
        # shellcheck disable=SC2086
        expect 7 tp --engine "$other" --lock-timeout 1 $words
        for text; do
            grep -q "^thinpull: .*$text" "$WORK/err" || { cat "$WORK/err"; fail "$words: '$text'"; }
        done
    done
}

engine file
tp pool create --size 2G --base-size $BASE >/dev/null
for tag in debian-1 debian-2; do expect 0 tp -q pull "$images:$tag"; done
expect 0 tp create "$images:debian-1" box
expect 0 tp create "$images:debian-2" spare
check_pool
remember

engine kernel
expect 0 tp pool activate
compare
refused file kernel
expect 0 tp -q pull "$images:debian"
expect 0 tp create "$images:debian" crate
expect 0 tp mount box "$WORK/own"
seq 200000 >"$WORK/own/numbers"
rm -r "$WORK/own/usr/share"
fstrim "$WORK/own"
expect 0 tp umount box
expect 0 tp rm spare
expect 0 tp rmi "$images:debian-2"
remember
pool_clean

engine file
compare
check_pool
tp -q export --format raw -o "$WORK/raw" box >/dev/null
e2fsck -fn "$WORK/raw" >"$WORK/e2fsck" 2>&1 || fail 'e2fsck of what the kernel wrote'
mount -o loop,ro "$WORK/raw" "$WORK/own"
seq 200000 | cmp - "$WORK/own/numbers"
[ -d "$WORK/own/usr/lib" ] && [ ! -e "$WORK/own/usr/share" ] || fail 'not what the kernel wrote'
umount "$WORK/own"
rm "$WORK/raw"
expect 0 tp rm crate
expect 0 tp rmi "$images:debian"
expect 0 tp -q pull "$images:debian-3"
expect 0 tp create "$images:debian-3" more
expect 0 tp pool extend --size 3G
check_pool
remember

say 'the kernel does not get it while the file engine has it'
export THINPULL_POOL=fresh # all layers are to be written
"$PROGRAM" --root "$ROOT" --progress none pull "$images:debian" >/dev/null 2>"$WORK/pull.err" &
pid=$!
# stopped where it has the pool: who has it has put down its name
until kill -STOP $pid && [ -s "$ROOT/pools/fresh/owner" ]; do
    readlink "/proc/$pid/exe" >/dev/null || { cat "$WORK/pull.err"; fail 'the pull was too fast'; }
    kill -CONT $pid
    sleep 0.01
done
for words in 'pool activate' 'pull debian-1' 'rm box'; do
    words=${words/debian-1/$images:debian-1}
    # shellcheck disable=SC2086
    expect 7 tp --engine kernel --lock-timeout 1 $words
    grep -q "^thinpull: .*$pid" "$WORK/err" || { cat "$WORK/err"; fail "$words: no owner"; }
done
kill -CONT $pid
wait $pid || { cat "$WORK/pull.err"; fail 'the pull that had the pool'; }
all_gone
unset THINPULL_POOL

engine kernel
compare
expect 0 tp create "$images:debian-3" last
remember
pool_clean

engine file
compare
check_pool

say 'both at once'
for i in 1 2 3 4 5 6; do
    for who in file kernel; do
        { code=0
        tp --engine $who --lock-timeout 20 create "$images:debian-3" "$who-$i" >/dev/null \
            2>"$WORK/err.$who" || code=$?
        echo $code >"$WORK/code.$who"; } &
    done
    wait
    read -r file <"$WORK/code.file"
    read -r kernel <"$WORK/code.kernel"
    case $file/$kernel in
    0/0 | 7/0 | 0/7) ;;
    *) cat "$WORK"/err.*; fail "exit $file and $kernel" ;;
    esac
    expect 0 tp --engine kernel pool deactivate
    for who in file kernel; do
        read -r code <"$WORK/code.$who"
        got=7
        ! tp -q ls | grep -qx "$who-$i" || got=0
        [ "$got" = "$code" ] || fail "$who: exit $code, but ls says something else"
    done
done
all_gone
check_pool
