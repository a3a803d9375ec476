#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The program built with the thread sanitizer pulls from a real registry: layers fetched ahead while
# others are applied, several at once, a blob that fails, a signal. No race, and the same bytes.
# weight: 30
. "$(dirname "$0")/../support/lib.sh"

TSAN_PROGRAM=${THINPULL_TSAN:-$TOP/build/tsan/thinpull}
[ -x "$TSAN_PROGRAM" ] || skip 'no build/tsan/thinpull: make program FLAVOUR=tsan'
[ "$(nm "$TSAN_PROGRAM" | grep -c __tsan_func_entry)" -gt 0 ] || fail "$TSAN_PROGRAM is not instrumented"

# Reports go to files: what the program says on stderr stays what users see.
export TSAN_OPTIONS=log_path=$WORK/race
under_tsan=(sh "$SUPPORT/tsan.sh" "$TSAN_PROGRAM" --root "$ROOT")
no_race() {
    if compgen -G "$WORK/race.*" >/dev/null; then
        head -n 60 "$WORK"/race.*
        fail "$1: races"
    fi
}

start_registry
push "$IMAGES/debian:debian" test/debian:12
push "$IMAGES/tools:umoci" test/small:1
push "$IMAGES/tools:gnutar-posix" test/small:2
image=$REGISTRY/test/debian:12

say 'several images at once, with progress'
expect 0 "${under_tsan[@]}" --progress json pull "$REGISTRY/test/small:1" "$image" "$REGISTRY/test/small:2"
no_race pull
tp export --format raw -o "$WORK/got.ext4" "$image" >/dev/null
"$PROGRAM" --root "$WORK/plain" -q pull "$image" >/dev/null
"$PROGRAM" --root "$WORK/plain" export --format raw -o "$WORK/want.ext4" "$image" >/dev/null
[ "$(content "$WORK/got.ext4")" = "$(content "$WORK/want.ext4")" ] || fail 'other bytes'
check_pool
rm -rf "$WORK"/*.ext4 "$WORK/plain" "$ROOT"

say 'on a terminal, with notes between the lines'
on_terminal='import sys; from terminal import Run; sys.exit(Run(sys.argv[1:], 200, 20).finish())'
expect 0 env TERM=xterm PYTHONPATH="$SUPPORT" python3 -c "$on_terminal" /bin/sh \
    "${under_tsan[@]:1}" --debug pull "$REGISTRY/test/small:1" "$image"
no_race 'pull on a terminal'
rm -rf "$ROOT"

[ -z "${THINPULL_AGAIN:-}" ] || finish # the rest is the same for an ordinary user

say 'a signal while threads are at work'
before=$(blobs_fetched)
"${under_tsan[@]}" -q pull "$image" >"$WORK/out" 2>"$WORK/err" &
pid=$!
for _ in $(seq 200); do
    [ "$(blobs_fetched)" -lt $((before + 3)) ] || break
    sleep 0.02
done
kill -TERM "$pid"
got=0
wait "$pid" || got=$?
no_race signal
case $got in 0 | 143) ;; *) cat "$WORK/err"; fail "exit $got after SIGTERM" ;; esac
check_nothing_stray "$ROOT"

say 'a blob that is not what it should be'
digest=$(python3 - "$IMAGES/debian" <<'PY'
import json, sys
sys.path.insert(0, "tests/support")
from ocilayout import Layout
layout = Layout(sys.argv[1])
layers = json.loads(layout.read(layout.find("debian")))["layers"]
print(max(layers[1:], key=lambda l: l["size"])["digest"].split(":")[1])
PY
)
blob=$WORK/registry/docker/registry/v2/blobs/sha256/${digest:0:2}/$digest/data
printf 'X' | dd of="$blob" bs=1 seek=1000 conv=notrunc status=none
rm -rf "$ROOT"
expect 5 "${under_tsan[@]}" -q pull "$image"
expect_error "${digest:0:12}"
no_race 'bad blob'
check_pool
finish
