#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 at each step of pull, create, rm, rename, tag and rmi, at chosen calls and at random times:
# the next command mends what was half made, the pool is clean, and what was asked for then works.
# weight: 60
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/faults.sh"

image=oci:$IMAGES/tools:umoci

# The next command mends; which one it is must not matter.
mend() { # n
    case $(($1 % 5)) in
    0) expect 0 tp images ;;
    1) expect 0 tp pool status ;;
    2) expect 0 tp ls ;;
    3) expect 0 tp -q pull "$image" ;;
    4) ;; # pool check itself
    esac
    check_pool
}

first_pull "$image"
clean=$(json pool status | jq -c '[.thin_count, .data.used_bytes]')

for n in $(points "$total" 40); do
    fresh
    expect 137 fault kill "$n" "$PROGRAM" --root "$ROOT" -q pull "$image"
    mend "$n"
    expect 0 tp -q pull "$image"
    check_pool
    [ "$(json pool status | jq -c '[.thin_count, .data.used_bytes]')" = "$clean" ] ||
        fail "killed at call $n: the pool holds more than after a pull in one go"
    expect_bytes "$image" "killed at call $n"
done
say "pull: killed at up to 40 of $total calls"

at_start -q pull "$image"
fresh
total=$(calls "$PROGRAM" --root "$ROOT" create "$image" box)
for n in $(points "$total" 25); do
    fresh
    expect 137 fault kill "$n" "$PROGRAM" --root "$ROOT" create "$image" box
    mend "$n"
    if tp -q ls | grep -qx box; then expect 7 tp create "$image" box; else
        expect 0 tp create "$image" box
    fi
    raw box "$WORK/got.ext4"
    check_pool
done
say "create: killed at up to 25 of $total calls"

at_start create "$image" box
fresh
total=$(calls "$PROGRAM" --root "$ROOT" rm box)
for n in $(points "$total" 25); do
    fresh
    expect 137 fault kill "$n" "$PROGRAM" --root "$ROOT" rm box
    mend "$n"
    if tp -q ls | grep -qx box; then expect 0 tp rm box; else expect 2 tp rm box; fi
    check_pool
    [ "$(json ls | jq length)" -eq 0 ] || fail 'a container is left'
done
say "rm: killed at up to 25 of $total calls"

fresh
total=$(calls "$PROGRAM" --root "$ROOT" rename box crate)
for n in $(points "$total" 12); do
    fresh
    expect 137 fault kill "$n" "$PROGRAM" --root "$ROOT" rename box crate
    mend "$n"
    name=$(tp -q ls)
    case $name in box | crate) ;; *) fail "rename killed at call $n: '$name'" ;; esac
    [ "$name" = crate ] || expect 0 tp rename box crate
    check_pool
done
say "rename: killed at up to 12 of $total calls"

fresh
total=$(calls "$PROGRAM" --root "$ROOT" tag "$image" other)
for n in $(points "$total" 12); do
    fresh
    expect 137 fault kill "$n" "$PROGRAM" --root "$ROOT" tag "$image" other
    mend "$n"
    expect 0 tp tag "$image" other
    [ "$(json images | jq 'length == 2 and .[0].manifest == .[1].manifest')" = true ] ||
        fail "tag killed at call $n: $(json images)"
    expect 0 tp rmi "$image"
    expect 7 tp rmi other # the container's
    check_pool
done
say "tag: killed at up to 12 of $total calls"

at_start rm box
fresh
total=$(calls "$PROGRAM" --root "$ROOT" rmi "$image")
empty=$(json pool status | jq -c '.thin_count')
for n in $(points "$total" 25); do
    fresh
    expect 137 fault kill "$n" "$PROGRAM" --root "$ROOT" rmi "$image"
    # What is listed can be read, even if the next command only reads.
    if [ $((n % 2)) = 1 ] && [ "$(json images | jq length)" -gt 0 ]; then
        [ "$(json images | jq '.[0].layers')" -gt 0 ] || fail "killed at call $n: no layers"
        expect_bytes "$image" "killed at call $n"
    fi
    mend "$n"
    if [ "$(json images | jq length)" -gt 0 ]; then expect 0 tp rmi "$image"; fi
    check_pool
    [ "$(json pool status | jq -c '.thin_count')" = "$empty" ] ||
        fail "killed at call $n: layers are left"
done
say "rmi: killed at up to 25 of $total calls"

say 'a large pull, killed at random times'
image=oci:$IMAGES/debian:debian
ROOT=$WORK/large
started=$(date +%s%N)
expect 0 tp -q pull "$image"
took_ms=$((($(date +%s%N) - started) / 1000000))
raw "$image" "$WORK/want.ext4"
want=$(content "$WORK/want.ext4")
rounds=6
[ -z "${THINPULL_AGAIN:-}" ] || rounds=2
for i in $(seq $rounds); do
    rm -rf "$ROOT"
    for _ in 1 2 3; do
        tp -q pull "$image" >/dev/null 2>&1 &
        pid=$!
        sleep "$(printf '0.%03d' $((RANDOM * (took_ms < 900 ? took_ms : 900) / 32768)))"
        kill -9 $pid 2>/dev/null || true
        wait $pid 2>/dev/null || true
        if [ -d "$ROOT/pools/default" ] && [ $((RANDOM % 2)) = 0 ]; then expect 0 tp images; fi
    done
    expect 0 tp -q pull "$image"
    check_pool
    expect_bytes "$image" "round $i"
done
finish
