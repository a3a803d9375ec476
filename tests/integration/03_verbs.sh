#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the verbs print and take, on a tiny image in a layout folder: pull, images, create, ls,
# export, rm, rmi. What one prints, the others take.
# weight: 4
set -u
THINPULL=$(readlink -f "${THINPULL:-build/thinpull}")
support=$(readlink -f "$(dirname "$0")/../support")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset THINPULL_ROOT THINPULL_POOL THINPULL_ENGINE
export THINPULL_ROOT=$work/root
failures=0
cd "$work" || exit 1

fail() {
    echo "FAILED: $*"
    tail -n 5 "$work/out" | cut -c 1-300 | sed 's/^/    out: /'
    tail -n 5 "$work/err" | sed 's/^/    err: /'
    failures=$((failures + 1))
}

# expect STATUS WHAT ARGS...
expect() {
    local want=$1 what=$2
    shift 2
    "$THINPULL" "$@" >"$work/out" 2>"$work/err" </dev/null
    status=$?
    [ "$status" = "$want" ] || { fail "$what: exit status $status, not $want ($*)"; return 1; }
    echo "ok: $what"
}

same() { # same WHAT WANTED GOT
    [ "$2" = "$3" ] || fail "$1: '$3', not '$2'"
}

json() { # json PYTHON-EXPRESSION over j
    python3 -c 'import json,sys; j = json.load(open(sys.argv[1])); assert eval(sys.argv[2]), j' "$work/out" "$1" \
        2>"$work/err" || fail "JSON: $1"
}

digest=$(python3 "$support/tiny_layout.py" "$work/layout" v1 2)
digest3=$(python3 "$support/tiny_layout.py" "$work/layout" v3 3)
ref=oci:$work/layout:v1
"$THINPULL" pool create --size 2G --base-size 256M >/dev/null || exit 1

# --- pull ----------------------------------------------------------------------------------------
expect 0 "a bare reference, relative" oci:layout:v1
same "pull prints REF@DIGEST" "$ref@$digest" "$(cat out)"
grep -q "layer 1/2" err || fail "no progress on standard error"
expect 0 "pull again" pull -q "$ref@$digest"
same "a digest is named once" "$ref@$digest" "$(cat out)"
[ ! -s err ] || fail "quiet is not quiet"
expect 0 "that was another name for the image" images -q; same "both names" "$ref $ref@$digest" "$(sort out | tr '\n' ' ' | sed 's/ $//')"
expect 0 "which can go" rmi "$ref@$digest"; same "rmi prints the reference" "$ref@$digest" "$(cat out)"
expect 0 "several at once" pull --progress none "$ref" oci:layout:v3
same "a line for each" "$ref@$digest oci:$work/layout:v3@$digest3" "$(tr '\n' ' ' <out | sed 's/ $//')"
expect 0 "pull as JSON" pull --json "$ref"
json "j[0]['ref'] == '$ref' and j[0]['digest'] == '$digest' and j[0]['layers_fetched'] == 0"
expect 0 "progress as JSON" pull --progress json "$ref"
python3 -c 'import json,sys; e = [json.loads(l)["event"] for l in open("err")]; assert e[0] == "resolve" and e[-1] == "done", e' ||
    fail "progress events"
expect 2 "an unknown tag" pull oci:layout:v9
[ ! -s out ] || fail "a failed pull prints"
expect 2 "the first that fails ends it" pull "$ref" oci:layout:v9 oci:layout:v3
same "what came before it is printed" "$ref@$digest" "$(cat out)"
expect 2 "the same as JSON" pull --json "$ref" oci:layout:v9; json "len(j) == 1"

# --- images --------------------------------------------------------------------------------------
expect 0 "images" images
grep -q "^$ref  *sha256:${digest:7:12}  *linux/[^ ]*  *2 " out || fail "the table of images"
expect 0 "images, whole digests" images --no-trunc; grep -q "$digest" out || fail "no whole digest"
expect 0 "images as JSON" images --json
json "all(set('ref digest platform size_bytes layers created'.split()) <= set(i) for i in j)"
json "[i['layers'] for i in j if i['ref'] == '$ref'] == [2]"
json "all(i['size_bytes'] > 400000 for i in j)"
expect 0 "quiet images are references" images -q; grep -qx "$ref" out || fail "no plain reference"

# --- create and ls -------------------------------------------------------------------------------
expect 0 "create without a name" create "$ref"; made=$(cat out)
printf '%s\n' "$made" | grep -qxE '[a-zA-Z0-9][a-zA-Z0-9_.-]*' || fail "the made-up name '$made'"
expect 0 "create by relative reference" create oci:layout:v1 web --label a=b --label a=c --label d=
same "create prints the name" web "$(cat out)"
expect 0 "create by what pull printed" create "$ref@$digest" two --read-only
expect 0 "create by the digest in the table" create "sha256:${digest:7:12}" three --json
json "j['name'] == 'three' and j['image'] == '$ref' and j['read_only'] is False and j['labels'] == {}"
json "set('name image thin_id size_bytes read_only state device mount_point labels mapped_bytes exclusive_bytes'.split()) <= set(j)"
json "j['size_bytes'] == 256 << 20 and j['mapped_bytes'] > 0 and j['state'] == 'ready'"
expect 2 "create of what is not here" create oci:layout:v9
expect 0 "create that pulls" create --pull always -q oci:layout:v3 four
expect 7 "a name that is taken" create "$ref" web
expect 0 "ls" ls; grep -q "^web  *$ref " out || fail "the table of containers"
expect 0 "quiet ls is names" ls -q; same "names" "$(printf '%s\n' "$made" web two three four | sort)" "$(sort out)"
expect 0 "ls as JSON" ls --json
json "[c['labels'] for c in j if c['name'] == 'web'] == [{'a': 'c', 'd': ''}]"
json "[c['read_only'] for c in j if c['name'] == 'two'] == [True]"
expect 0 "info counts" info --json; json "(j['images'], j['layers'], j['containers']) == (2, 3, 5)"

# --- export --------------------------------------------------------------------------------------
expect 0 "export of a container" export web -o web.img
same "its apparent size" $((256 << 20)) "$(stat -c %s web.img)"
[ "$(stat -c %b web.img)" -lt 40960 ] || fail "the export is not sparse: $(stat -c %b web.img) sectors"
same "its mode" 600 "$(stat -c %a web.img)"
fsck() { PATH=$PATH:/usr/sbin:/sbin e2fsck -fn "$1" >"$work/out" 2>&1 || fail "e2fsck $1"; }
fsck web.img
cat_file() { PATH=$PATH:/usr/sbin:/sbin debugfs -R "cat $2" "$1" 2>/dev/null; }
same "a file in it" LAYER=2 "$(cat_file web.img /etc/os-release | tail -n 1)"
same "a file of the lower layer" "$(head -c 200000 /dev/zero | tr '\0' '\1' | md5sum)" "$(cat_file web.img /etc/file-1 | md5sum)"
expect 0 "export of an image, as JSON" export "$ref" --output=image.img --json
json "j['file'] == 'image.img' and j['size_bytes'] == 256 << 20 and 0 < j['written_bytes'] < 20 << 20"
fsck image.img
"$THINPULL" export "$ref" -o - >stdout.img 2>err || fail "export to a file on standard output"
cmp image.img stdout.img || fail "standard output differs"
[ "$(stat -c %b stdout.img)" -lt 40960 ] || fail "standard output is not sparse"
"$THINPULL" export "$ref" -o - 2>err | cmp - image.img || fail "a pipe differs"
{ echo head; "$THINPULL" export "$ref" -o - && echo tail; } >mixed.img 2>err
{ echo head; cat image.img; echo tail; } | cmp - mixed.img || fail "content around an export"
rm -f appended.img; echo head >appended.img; "$THINPULL" export "$ref" -o - >>appended.img 2>err
{ echo head; cat image.img; } | cmp - appended.img || fail "an appended export"
ln -s image.img link.img
expect 0 "export through a link, over a file" export web -o link.img
[ -L link.img ] && cmp link.img web.img || fail "the link was replaced"
expect 3 "export to a folder" export web -o "$work"
expect 1 "export to a folder that is not there" export web -o nowhere/x
if command -v script >/dev/null; then
    script -qec "'$THINPULL' export web -o -" /dev/null >out 2>err </dev/null; same "a terminal is refused" 3 $?
fi
expect 0 "a device takes it" export web -o /dev/null
mkfifo stuck
exec 9<>stuck
"$THINPULL" export web -o stuck >out 2>err & pid=$!
for _ in $(seq 100); do grep -q pipe_write "/proc/$pid/wchan" 2>/dev/null && break; sleep 0.02; done
kill -TERM $pid; wait $pid; same "a signal ends an export into a full pipe" 143 $?
exec 9<&-
cp web.img before.img
(ulimit -f 1024; trap '' XFSZ; "$THINPULL" export web -o web.img >out 2>err); same "a limit reached" 6 $?
cmp web.img before.img || fail "a failed export hurt the old file"
ls -a | grep -q '^\.thinpull-' && fail "a failed export left a file"

# --- writers wait ---
python3 -c 'import fcntl,sys,time; f = open(sys.argv[1], "r+"); fcntl.flock(f, fcntl.LOCK_EX); print("held", flush=True); time.sleep(60)' \
    "$THINPULL_ROOT/pools/default/meta" >held & holder=$!
while [ ! -s held ]; do sleep 0.02; done
expect 7 "the pool is in use" --lock-timeout 0 create "$ref" late
expect 0 "readers do not wait" ls
"$THINPULL" create "$ref" late >out 2>err & pid=$!
sleep 0.3
kill -TERM $pid; wait $pid; same "a signal ends waiting" 143 $?
kill $holder; wait $holder 2>/dev/null

# --- rm and rmi ----------------------------------------------------------------------------------
expect 7 "an image in use stays" rmi "$ref"
expect 0 "rm" rm "$made" web; same "rm prints the names" "$made web" "$(tr '\n' ' ' <out | sed 's/ $//')"
expect 2 "rm again" rm web
expect 0 "rm -f of one that is gone" rm -f web two --json; json "j == {'removed': ['two']}"
expect 0 "rm of the others" rm three four
rm -rf layout
expect 0 "rmi when the layout is gone, relative" rmi oci:layout:v1; same "rmi prints the reference" "$ref" "$(cat out)"
expect 2 "rmi again" rmi "$ref"
expect 0 "rmi by digest" rmi "$digest3"
expect 0 "nothing is left" info --json; json "(j['images'], j['layers'], j['containers']) == (0, 0, 0)"
expect 0 "pool check" pool check --json; json "j['clean']"

[ "$failures" = 0 ] || { echo "$failures failed"; exit 1; }
echo "all ok"
