#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Pulls that are killed, alone and with others beside them: what has come is not fetched again, as
# counted by nginx in front of a real registry (rules C10, C21).
# weight: 40
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/nginx.sh
. "$SUPPORT/nginx.sh"

in_own_network
registry=localhost:5001
layout=$WORK/layout
python3 "$SUPPORT/big_layout.py" "$layout" big 1024
python3 "$SUPPORT/big_layout.py" "$layout" less 200
python3 "$SUPPORT/registry_store.py" "$WORK/registry" "$layout:big" "$layout:less"
start_registry

# The first bytes come at once, the others at a rate that leaves time to kill.
start_nginx <<CONF
    log_format counted '\$body_bytes_sent \$status \$http_range';
    server { listen 127.0.0.1:5001;
        location / { proxy_pass http://$REGISTRY; }
        location /v2/layout/blobs/ { proxy_pass http://$REGISTRY;
            access_log $WORK/counted.log counted; limit_rate_after 4m; limit_rate 100m; } }
CONF

# Of the image's layer: $part, $size. Only requests for more than a config are counted.
look_at() { # tag
    local manifest layer
    manifest=$(jq -r --arg tag "$1" '.manifests[] |
        select(.annotations["org.opencontainers.image.ref.name"] == $tag).digest' "$layout/index.json")
    layer=$(jq -r '.layers[0].digest' "$layout/blobs/${manifest/://}")
    size=$(stat -c %s "$layout/blobs/${layer/://}")
    part=$ROOT/spool/${layer/:/-}-$size.part
    : >"$WORK/counted.log"
}

# Bytes of the part that are there: it has holes.
here() {
    echo $(($(stat -c %b "$part" 2>/dev/null || echo 0) * 512))
}

# Once a hundred MiB are there.
kill_pull() { # pid
    local i
    for i in $(seq 500); do
        [ "$(here)" -lt $((100 << 20)) ] || break
        kill -0 "$1" 2>/dev/null || fail "the pull ended before it was killed: $(cat "$WORK"/err.*)"
        sleep 0.02
    done
    kill -9 "$1"
    wait "$1" 2>/dev/null || true
}

# Only requests for more than a config count; nginx writes a line when one has
# ended.
requests() {
    awk '$1 > 1000' "$WORK/counted.log"
}
quiet() { # until no more lines come
    local before=-1 now=0
    while [ "$now" -ne "$before" ]; do
        before=$now
        sleep 0.3
        now=$(wc -l <"$WORK/counted.log")
    done
}
served() {
    quiet
    requests | awk '{ sum += $1 } END { printf "%d\n", sum }'
}
# What a kill may cost besides: what each of three transfers had in hand.
slack=$((3 * ((256 << 10) + 4096)))

# After a kill, with $here bytes there: what comes is the rest of $size, and it is said.
fetches_the_rest() { # arguments of pull
    local rest fetched
    quiet
    : >"$WORK/counted.log"
    expect 0 json pull "$@"
    fetched=$(jq 'map(.fetched_bytes) | add' <"$WORK/out")
    rest=$(served)
    [ "$rest" -ge $((size - here)) ] && [ "$rest" -le $((size - here + slack)) ] ||
        { cat "$WORK/counted.log"; fail "$rest bytes came, $here of $size were there"; }
    [ $((fetched - rest)) -lt 1000 ] && [ "$fetched" -ge "$rest" ] || # a config may be in it
        fail "fetched_bytes is $fetched, $rest came"
    [ ! -e "$part" ] || fail 'the blob is kept after it is in'
    echo "   $here bytes were there, $rest were fetched"
}

say '1 GiB comes as ranges, several at once'
look_at big
expect 0 tp -q pull "$registry/layout:big"
[ "$(served)" -eq "$size" ] || { cat "$WORK/counted.log"; fail "not $size bytes were served"; }
[ "$(requests | grep -c ' 206 bytes=')" -eq $(((size - 1) / (16 << 20) + 1)) ] ||
    { cat "$WORK/counted.log"; fail 'not a range for every 16 MiB'; }
[ ! -e "$part" ] || fail 'the blob is kept after it is in'
expect 0 tp -q rmi "$registry/layout:big"

say 'killed, and again: only what is missing is fetched'
look_at big
"$PROGRAM" --root "$ROOT" -q pull "$registry/layout:big" >/dev/null 2>"$WORK/err.1" &
kill_pull $!
here=$(here)
[ "$here" -lt $((size - (100 << 20))) ] || fail "$here bytes of $size: killed too late"
fetches_the_rest "$registry/layout:big"
check_pool

say 'pull --to: likewise, in its folder'
look_at less
part=$WORK/to/blobs/.spool/${part##*/}
"$PROGRAM" -q pull "$registry/layout:less" --to "oci:$WORK/to:x" >/dev/null 2>"$WORK/err.1" &
kill_pull $!
here=$(here)
fetches_the_rest "$registry/layout:less" --to "oci:$WORK/to:x"
[ ! -e "$WORK/to/blobs/.spool" ] || fail 'more is in the folder than the image'
expect 0 skopeo --insecure-policy copy -q "oci:$WORK/to:x" "oci:$WORK/again:x"

say 'pull --keep-blobs: likewise'
look_at less
"$PROGRAM" --root "$ROOT" -q pull --keep-blobs "$registry/layout:less" >/dev/null 2>"$WORK/err.1" &
kill_pull $!
here=$(here)
fetches_the_rest --keep-blobs "$registry/layout:less"
expect 0 tp -q rmi "$registry/layout:less"
check_pool

say 'two at once: one fetches, both have it'
look_at less
expect 0 tp -q rmi "$registry/layout:big"
"$PROGRAM" --root "$ROOT" -q pull "$registry/layout:less" >"$WORK/out.1" 2>"$WORK/err.1" &
first=$!
expect 0 tp -q pull "$registry/layout:less"
wait "$first" || fail "$(cat "$WORK/err.1")"
cmp "$WORK/out" "$WORK/out.1"
[ "$(served)" -eq "$size" ] || { cat "$WORK/counted.log"; fail "more than its $size bytes came"; }
check_pool

say 'the one that fetches is killed: the other goes on from there'
expect 0 tp -q rmi "$registry/layout:less"
look_at less
"$PROGRAM" --root "$ROOT" -q pull "$registry/layout:less" >/dev/null 2>"$WORK/err.1" &
first=$!
until [ -s "$part" ]; do
    kill -0 "$first" || fail "$(cat "$WORK/err.1")"
    sleep 0.01
done
"$PROGRAM" --root "$ROOT" --json pull "$registry/layout:less" >"$WORK/out.2" 2>"$WORK/err.2" &
second=$!
kill_pull "$first"
wait "$second" || fail "$(cat "$WORK/err.2")"
rest=$(jq '.[0].fetched_bytes' <"$WORK/out.2")
[ "$rest" -gt 0 ] && [ "$rest" -le $((size - (100 << 20) + slack)) ] ||
    { cat "$WORK/counted.log"; fail "the second fetched $rest bytes of $size"; }
[ ! -e "$part" ] || fail 'the blob is kept after it is in'
check_pool

say 'what was begun goes with the pool'
expect 0 tp -q rmi "$registry/layout:less"
"$PROGRAM" --root "$ROOT" -q pull "$registry/layout:less" >/dev/null 2>"$WORK/err.1" &
kill_pull $!
[ -s "$part" ] || fail 'nothing is kept'
expect 0 tp pool destroy --force
[ ! -e "$part" ] || fail 'it is still there'

say '--max-concurrent-downloads'
for n in 0 33 x -1; do
    expect 3 tp pull "--max-concurrent-downloads=$n" "$registry/layout:less"
    expect_error max-concurrent-downloads
done
expect 0 tp -q pull --max-concurrent-downloads 1 "$REGISTRY/layout:less"

finish
