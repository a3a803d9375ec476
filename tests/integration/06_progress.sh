#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Progress of pulls: what stands on terminals of several sizes while layers come slowly, plain lines
# where it is none, events as JSON with the keys that cmd/README.md names.
# weight: 45
. "$(dirname "$0")/../support/lib.sh"

python3 "$SUPPORT/progress_layout.py" "$WORK/layout"
start_bad_registry "$WORK/layout"
registry=$bad

say 'on terminals'
program=$PROGRAM
[ -z "${THINPULL_AGAIN:-}" ] || program=$ASAN_PROGRAM
python3 "$SUPPORT/check_progress.py" "$program" "$WORK" "$registry"

say 'plain lines'
expect 0 tp pull "$registry/slow:five"
! grep -q $'\e' "$WORK/err" || fail 'escape sequences in a file'
[ "$(head -n 1 "$WORK/err")" = "$registry/slow:five: 5 layers" ] || fail 'the first line'
[ "$(grep -cE '^layer [1-5]/5 sha256:[0-9a-f]{12}: fetching [0-9.]+ KiB$' "$WORK/err")" -eq 5 ] ||
    { cat "$WORK/err"; fail 'not five that are fetched'; }
[ "$(grep -cE '^layer [1-5]/5 sha256:[0-9a-f]{12}: done$' "$WORK/err")" -eq 5 ] ||
    fail 'not five that are done'
expect 0 tp pull "$registry/slow:five"
[ "$(grep -c ': here already$' "$WORK/err")" -eq 5 ] || fail 'not five that are here'

say 'events'
rm -rf "$ROOT"
events() { # filter
    jq -cs "$1" "$WORK/err"
}
check_events() {
    jq -e . "$WORK/err" >/dev/null || fail 'not all lines are JSON'
    # Which keys each event has: all events, each with exactly these.
    jq -c --argjson keys '{
        "resolve": ["event", "layers", "ref"],
        "present": ["digest", "event", "layer", "layers", "ref"],
        "wait": ["digest", "event", "layer", "layers", "ref", "total_bytes"],
        "fetch": ["bytes", "digest", "event", "layer", "layers", "ref", "total_bytes"],
        "apply": ["digest", "event", "layer", "layers", "ref"],
        "commit": ["content_bytes", "digest", "event", "layer", "layers", "ref"],
        "done": ["event", "layers", "ref"]}' 'select(keys != $keys[.event])' "$WORK/err" |
        { ! grep .; } || fail 'keys that are not written down'
    [ "$(events 'map(.ref) | unique')" = "[\"$1\"]" ] || fail 'the reference'
    [ "$(events 'map(.layers) | unique')" = "[$2]" ] || fail 'the number of layers'
    [ "$(events '[first.event, last.event]')" = '["resolve","done"]' ] || fail 'first and last'
}
expect 0 tp --progress json pull "$registry/slow:five"
check_events "$registry/slow:five" 5
for event in wait apply commit; do
    [ "$(events "map(select(.event == \"$event\").layer)")" = '[1,2,3,4,5]' ] ||
        fail "the layers of $event"
done
[ "$(events 'map(select(.event == "fetch" and .bytes == .total_bytes).layer) | sort')" = '[1,2,3,4,5]' ] ||
    fail 'not each layer is fetched to its end'
[ "$(events 'map(select(.event == "fetch")) | length')" -gt 15 ] || fail 'fetched in silence'
[ "$(events 'map(select(.event == "fetch")) | group_by(.layer) |
    map(map(.bytes) | . == sort) | all')" = true ] || fail 'bytes go backwards'
[ "$(events 'map(select(.event == "commit").content_bytes) | unique')" = '[60000]' ] ||
    fail 'the bytes of the files'
expect 0 tp --progress json pull "$registry/slow:ten"
check_events "$registry/slow:ten" 10
[ "$(events 'map(select(.event == "present").layer)')" = '[1,2,3,4,5]' ] || fail 'what is here'
[ "$(events 'map(select(.event == "wait").layer)')" = '[6,7,8,9,10]' ] || fail 'what is not'
expect 0 tp --progress json pull "oci:$WORK/layout:forty"
check_events "oci:$WORK/layout:forty" 40
expect 2 tp --progress json pull "$registry/gone:warned"
grep -v '^thinpull: ' "$WORK/err" >"$WORK/events"
mv "$WORK/events" "$WORK/err"
[ "$(events 'last.event')" != '"done"' ] || fail 'done, though it failed'

say 'nothing'
for option in -q '--progress none'; do
    rm -rf "$ROOT"
    # shellcheck disable=SC2086
    expect 0 tp $option pull "$registry/good:five"
    [ ! -s "$WORK/err" ] || fail "$option is not silent"
done
expect 3 tp --progress often pull "$registry/good:five"
finish
