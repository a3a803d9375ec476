#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A registry that does its worst (rules C3 to C12, F48, F64 to F72): every attack ends with the exit
# code and the one line that it must, or does no harm; nothing is left half-made, and no secret is
# shown. Where an interrupted transfer goes on, what comes is what was meant.
# weight: 30
. "$(dirname "$0")/../support/lib.sh"

export HOME=$WORK
unset DOCKER_CONFIG XDG_CONFIG_HOME XDG_RUNTIME_DIR REGISTRY_AUTH_FILE DOCKER_AUTH_CONFIG
python3 "$SUPPORT/hostile_registry.py" "$WORK/port" "$WORK/bad.log" &
server_pid=$!
wait_for "$WORK/port"
bad=localhost:$(cat "$WORK/port")
AT_ONCE=24

n=0
running=0
# try CODE HOW [TEXT]: pull it, judge later; all at once, as most of it is waiting.
try() {
    n=$((n + 1))
    printf '%s\n' "$1" "$2" "${3:-}" >"$WORK/want.$n"
    {
        local got=0
        timeout 100 "$PROGRAM" --root "$WORK/root.$n" --progress none pull "$bad/$2:1" \
            >"$WORK/out.$n" 2>"$WORK/err.$n" </dev/null || got=$?
        echo "$got" >"$WORK/code.$n"
    } &
    tries[n]=$!
    running=$((running + 1))
    [ "$running" -lt "$AT_ONCE" ] || join
}

join() {
    wait "${tries[@]}"
    tries=()
    running=0
}
tries=()

# Holds the I-th against what was expected of it.
check() { # I
    local expected how text code lines
    {
        read -r expected
        read -r how
        read -r text
    } <"$WORK/want.$1"
    code=$(cat "$WORK/code.$1")
    [ "$code" -eq "$expected" ] || {
        cat "$WORK/err.$1"
        fail "$how: exit $code, expected $expected"
    }
    lines=$(grep -v '^thinpull: warning: ' "$WORK/err.$1" | grep -c . || true)
    if [ "$code" -eq 0 ]; then
        [ "$lines" -eq 0 ] || { cat "$WORK/err.$1"; fail "$how: it worked, and complains"; }
        [ -z "$sum" ] || [ "$(sed 's/.*@//' "$WORK/out.$1")" = "$sum" ] || fail "$how: another image"
    else
        [ "$lines" -eq 1 ] || { cat "$WORK/err.$1"; fail "$how: $lines lines of error"; }
        grep -qF -- "$text" "$WORK/err.$1" || { cat "$WORK/err.$1"; fail "$how: does not say '$text'"; }
        [ ! -s "$WORK/out.$1" ] || fail "$how: failed, with a result"
        [ "$("$PROGRAM" --root "$WORK/root.$1" --json images)" = '[]' ] || fail "$how: an image is kept"
    fi
    ! LC_ALL=C grep -q '[[:cntrl:]]' "$WORK/err.$1" || fail "$how: control characters"
    ! grep -q SECRET "$WORK/out.$1" "$WORK/err.$1" || fail "$how: a secret is shown"
    check_nothing_stray "$WORK/root.$1"
    # Of those that all end alike some are enough.
    case $how in
    cut-*[!7]) ;;
    *) [ ! -e "$WORK/root.$1/pools/default/meta" ] || check_pool "$WORK/root.$1" ;;
    esac
    rm -rf "${WORK:?}/root.$1"
}

sum=
say 'without a fault'
try 0 good
join
check 1
sum=$(sed 's/.*@//' "$WORK/out.1")

say 'C4 F67 F68: 401 in all forms'
for how in none empty basic negotiate; do try 4 401-$how '401 authentication required'; done
for how in bare norealm; do try 11 401-$how 'names no token server'; done
for how in relative user far linklocal private file long escape; do try 11 401-$how; done
for how in quote junk; do try 4 401-$how '(a malformed challenge)'; done
try 4 401-always 'with an anonymous token: 401'
for how in newline number nothing huge endless moved; do try 11 401-$how 'asking for a token'; done

say 'C3: tokens that expire in the middle of a pull'
try 0 expires

say 'F66: redirects'
for how in file ftp user control junk https; do try 11 to-$how; done
try 11 to-self 'more than 10 redirects'
try 11 to-nothing '307 unexpected answer'
try 11 to-scheme '169.254.169.254, an address of this machine, not followed'

say 'C11: 429 and 503 with Retry-After'
for how in 429-1 503-1 429-0 429-past 503-never 408-0 500-0 502-0 504-0; do try 0 busy-$how; done

say 'F65: lies'
try 5 lies-layer 'layer 1/1'
try 5 lies-config 'config'
try 5 lies-header 'Docker-Content-Digest says'
for how in index tar digest; do try 11 lies-$how; done
try 0 lies-html

say 'F48 F64 F71: endless bodies and headers'
for how in endless gigabyte; do
    try 11 $how-manifest
    try 5 $how-config
    try 5 $how-layer 'layer 1/1'
done
for step in manifest config layer; do try 11 flood-$step 'bytes of headers'; done

say 'F71: terminal escapes in answers'
try 11 status-400 '400 '
try 4 status-403 '403 '
try 2 status-404 '404 '
try 11 status-418 '418 '

say 'C10 F69: what is asked for by a Range, answered in all wrong ways'
for how in good ignored refused other total changed nonsense missing; do try 0 range-$how; done

say 'F72: a connection that ends before each byte of a layer'
read -r size layer < <(python3 "$SUPPORT/hostile_registry.py" --size)
for offset in $(points "$((size - 1))" 400); do try 0 "cut-$offset"; done
join

for i in $(seq 2 "$n"); do
    check "$i"
done
# What was asked for after the cut, and what was made of the answer: only a range that fits is taken.
rest="206 bytes=$((size / 2))-"
asked() { # how want
    local got
    got=$(grep "/range-$1/blobs/$layer " "$WORK/bad.log" | cut -d' ' -f3,4 | tr '\n' ' ')
    [ "$got" = "200 - $2 " ] || fail "range-$1: asked for $got"
}
asked good "$rest"
asked ignored "${rest/206/200}"
asked refused "${rest/206/416} 200 -"
for how in other total changed nonsense missing; do asked $how "$rest 200 -"; done
! grep -v ' -$' "$WORK/bad.log" | grep -v '^GET /v2/\(expires\|401-always\)/' ||
    fail 'somebody was shown something'
say "$n pulls"
finish
