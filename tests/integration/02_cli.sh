#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The command line as others script against it: exit statuses, what goes to which stream, JSON that
# parses, settings and their order. Needs no image.
# weight: 3
set -u
THINPULL=${THINPULL:-build/thinpull}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
failures=0
unset THINPULL_ROOT THINPULL_POOL THINPULL_ENGINE

fail() {
    echo "FAILED: $*"
    sed 's/^/    out: /' "$work/out"
    sed 's/^/    err: /' "$work/err"
    failures=$((failures + 1))
}

# run ARGS...: status in $status, output in $work/out and $work/err
run() {
    "$THINPULL" "$@" >"$work/out" 2>"$work/err" </dev/null
    status=$?
}

# expect STATUS WHAT ARGS...
expect() {
    local want=$1 what=$2
    shift 2
    run "$@"
    [ "$status" = "$want" ] || { fail "$what: exit status $status, not $want ($*)"; return 1; }
    if [ "$want" != 0 ]; then
        [ "$(grep -c '^thinpull: ' "$work/err")" = 1 ] || { fail "$what: not one error line"; return 1; }
    fi
    echo "ok: $what"
}

says() { # says STREAM TEXT
    grep -qF -- "$2" "$work/$1" || fail "std$1 does not say: $2"
}

empty() { # empty STREAM
    [ ! -s "$work/$1" ] || fail "std$1 is not empty"
}

json() { # json STREAM PYTHON-EXPRESSION over j; the last line for err, all for out
    if [ "$1" = err ]; then tail -n 1 "$work/err" >"$work/json"; else cp "$work/out" "$work/json"; fi
    python3 - "$work/json" "$2" <<'PY' || fail "JSON: $2"
import json, sys
def once(pairs):
    keys = [k for k, _ in pairs]
    assert len(keys) == len(set(keys)), keys
    return dict(pairs)
j = json.load(open(sys.argv[1]), object_pairs_hook=once)
assert eval(sys.argv[2]), j
PY
}

# --- usage ---------------------------------------------------------------------------------------
expect 3 "no words at all"; empty out
expect 3 "an unknown option" images --frobnicate; says err "--frobnicate"
expect 3 "an unknown short option" images -z
expect 3 "an option of another verb" images --platform linux/amd64
expect 3 "a misspelt option is told" images --jsn; says err "did you mean --json?"
expect 3 "a missing value" images --root
expect 3 "a value too many" images --json=yes
expect 3 "a missing operand" create
expect 3 "an operand too many" images alpine
expect 3 "a group without its second word" pool
expect 3 "a misspelt second word is told" pool creat; says err "pool create"
expect 3 "help on what is no verb" help frobnicate
expect 3 "a reference that starts with a dash" pull -- -alpine
expect 3 "a reference with a space" "al pine"
expect 3 "a reference with a control character" pull "$(printf 'al\tpine')"
expect 3 "a bad container name" create alpine ../escape
expect 3 "a bad pool name" --pool ../escape images
expect 3 "a bad engine" --engine fast images
expect 3 "a bad platform" pull --platform a/b/c/d/e alpine
expect 3 "a bad label" create alpine --label novalue
expect 3 "a bad name of a container to run" run --name ../x alpine
expect 3 "a bad variable of the environment" run --env NAME alpine
expect 3 "a bad network" run --network bridge alpine
expect 3 "a terminal where there is none" run -t alpine
expect 3 "a bad policy" run --pull sometimes alpine
expect 3 "run without an image" run --rm
expect 3 "a bad size" pool create --size 10Q
expect 3 "a size of nothing" pool create --size 0
expect 3 "a negative size" pool create --size -1
expect 3 "growing by nothing" pool extend
expect 3 "growing by no size" pool extend --size +
expect 3 "growing by less than nothing" pool extend --size +-1G
expect 3 "a bad format" export x -o y --format qcow2
expect 3 "export to nowhere" export x
[ ! -e "$root" ] || fail "a usage error made the root folder"

# --- not there yet -------------------------------------------------------------------------------
# What the tables say is not there is refused as such, and neither taken for an image nor a mistake.
"$THINPULL" --json help >"$work/help"
python3 - "$work/help" >"$work/later" <<'PY'
import json, sys
for verb in json.load(open(sys.argv[1])):
    if not verb["available"]:
        print(verb["verb"], "x")
    for option in verb["options"]:
        if verb["available"] and not option["available"]:
            print(verb["verb"], "--" + option["name"], "1G" if option["value"] else "", "alpine")
PY
[ -s "$work/later" ] || fail "all is there: take this test away"
echo "commit c d --json" >>"$work/later"
while read -r words; do
    # shellcheck disable=SC2086
    expect 10 "not there yet: $words" --root "$root" $words && says err "not there yet"
done <"$work/later"

# --- help and version ----------------------------------------------------------------------------
expect 0 "help" help; says out "pool create"; empty err
expect 0 "help with a broken configuration" --config /nonexistent help
expect 0 "--help" --help
expect 0 "help on a verb" help export; says out "--output"
expect 0 "--help on a verb" export --help; says out "--output"
expect 0 "-h before the verb" -h pool create; says out "--base-size"
expect 0 "help on a verb of the future" mount --help
expect 0 "help on a group" help pool; says out "pool status"
expect 0 "help as JSON" help --json; json out "any(v['verb'] == 'pull' and v['available'] for v in j)"
expect 0 "help on a verb as JSON" help pull --json; json out "j['verb'] == 'pull'"
expect 0 "version" version; says out "thinpull "
expect 0 "--version" --version
expect 0 "version as JSON" version --json; json out "j['name'] == 'thinpull' and j['version']"

# --- errors as JSON ------------------------------------------------------------------------------
expect 3 "a usage error as JSON" images --json --nope
json err "j['error']['code'] == 3 and j['error']['kind'] == 'usage' and j['error']['message']"
expect 3 "also when --json comes later" images --nope --json; json err "j['error']['hint']"
expect 2 "a missing pool as JSON" --json --root "$root" pool status; empty out
json err "j['error']['code'] == 2 and j['error']['kind'] == 'not_found'"

# --- an empty root -------------------------------------------------------------------------------
expect 0 "images of an empty root" --root "$root" images; says out REF; empty err
expect 0 "the same as JSON" --root "$root" images --json; json out "j == []"
expect 0 "options after the verb" images --json --root="$root"; json out "j == []"
expect 0 "info of an empty root" --root "$root" info; says out "not made yet"
expect 0 "the same as JSON" --root "$root" info --json
json out "j['engine'] == 'file' and j['engine_reason'] and j['pool'] is None and j['images'] == 0"
json out "j['root'] == '$root'"
expect 0 "quiet images print nothing" --root "$root" images -q; empty out
expect 2 "a missing image" --root "$root" create alpine:3; says err "thinpull images"
expect 2 "a missing image by digest" --root "$root" create 0123456789ab
expect 2 "removing a missing image" --root "$root" rmi alpine
expect 2 "exporting what is not there" --root "$root" export nothing -o "$work/none"
[ ! -e "$work/none" ] || fail "a failed export left its file"
expect 2 "checking a missing pool" --root "$root" pool check
expect 2 "a layout that is not there" --root "$root" "oci:$work/nowhere:tag"
expect 2 "an archive that is not there" --root "$root" "oci-archive:x.tar"

# --- a pool --------------------------------------------------------------------------------------
expect 0 "pool create" --root "$root" pool create --size 1G --base-size 64M; empty err
says out default
expect 7 "a second pool of the name" --root "$root" pool create
expect 0 "another pool" --root "$root" pool create --pool second --size 1GiB --block-size 128k --base-size 64M --json
json out "j['name'] == 'second' and j['block_bytes'] == 131072 and j['data']['total_bytes'] == 1 << 30"
expect 0 "pool status" --root "$root" pool status; says out "64 KiB"
expect 0 "pool status as JSON" --root "$root" pool status --json
json out "set('name engine mode block_bytes data metadata transaction_id thin_count needs_check low_water_bytes'.split()) <= set(j)"
json out "j['engine'] == 'file' and j['mode'] == 'rw' and j['needs_check'] is False"
json out "0 < j['data']['used_bytes'] < j['data']['total_bytes'] == 1 << 30"
expect 0 "pool check" --root "$root" pool check; says out clean
expect 0 "pool check as JSON" --root "$root" pool check --json; json out "j['clean'] and j['findings'] == []"
expect 0 "ls without containers" --root "$root" ls; says out NAME
expect 0 "ls as JSON" --root "$root" ls --json; json out "j == []"
expect 2 "removing a missing container" --root "$root" rm nobody
expect 0 "rm -f of a missing container" --root "$root" rm -f nobody; empty out
expect 3 "rm of what is no name" --root "$root" rm ../x
expect 0 "info with a pool as JSON" --root "$root" info --json
json out "j['pool']['name'] == 'default' and j['base_bytes'] == 64 << 20"

# --- settings ------------------------------------------------------------------------------------
cfg=$work/config.json
where() { run "$@" info --json; python3 -c "import json,sys;print(json.load(open(sys.argv[1]))['root'])" "$work/out" 2>/dev/null; }
echo "{\"root\": \"$work/file\", \"min_free_space\": \"5%\", \"lock_timeout\": 3}" >"$cfg"
[ "$(where --config "$cfg")" = "$work/file" ] || fail "the configuration file is not used"
[ "$(THINPULL_ROOT=$work/env where --config "$cfg")" = "$work/env" ] || fail "the environment does not win"
[ "$(THINPULL_ROOT=$work/env where --config "$cfg" --root "$work/flag")" = "$work/flag" ] || fail "the flag does not win"
[ "$(cd "$work" && where --root rel)" = "$work/rel" ] || [ "${THINPULL#/}" = "$THINPULL" ] || fail "a relative root"
expect 0 "percentages of the file" --config "$cfg" info --json; json out "j['min_free_space_percent'] == 5"
bad_config() { echo "$2" >"$cfg"; expect 3 "$1" --config "$cfg" images; }
bad_config "an unknown key" '{"rot": "/x"}' && says err "did you mean 'root'?"
bad_config "a key twice" '{"root": "/x", "root": "/y"}'
bad_config "no object" '[]'
bad_config "no JSON" '{root: 1}'
bad_config "a wrong type" '{"root": [1]}'
bad_config "a bad percentage" '{"min_free_space": 101}'
expect 3 "a configuration that is not there" --config "$work/nope.json" images
THINPULL_ENGINE=warp expect 3 "a bad engine in the environment" images && says err THINPULL_ENGINE
if [ "$(id -u)" != 0 ]; then
    [ "$(XDG_DATA_HOME=$work/xdg where)" = "$work/xdg/thinpull" ] || fail "the root of an ordinary user"
    [ "$(env -u XDG_DATA_HOME HOME="$work/home" "$THINPULL" info --json | python3 -c "import json,sys;print(json.load(sys.stdin)['root'])")" \
        = "$work/home/.local/share/thinpull" ] || fail "the root below HOME"
fi

# --- streams -------------------------------------------------------------------------------------
"$THINPULL" --root "$root" images >/dev/full 2>"$work/err"; status=$?
[ "$status" = 6 ] && grep -q "standard output" "$work/err" || fail "a full standard output: exit status $status"
"$THINPULL" --root "$root" images >&- 2>"$work/err"; status=$?
[ "$status" = 1 ] || fail "a closed standard output: exit status $status"
"$THINPULL" --root "$root" pool status <&- >&- 2>&-; status=$?
[ "$status" = 1 ] || fail "all streams closed: exit status $status"
expect 0 "the pool is unhurt by that" --root "$root" pool check

[ "$failures" = 0 ] || { echo "$failures failed"; exit 1; }
echo "all ok"
