# SPDX-License-Identifier: Apache-2.0
# For the scripts of tests/integration, which source it first: the program under test, a place to
# work, a registry, and checks that say what was expected. The runner gives TMPDIR and the rest; by
# hand, `bash tests/integration/NN_name.sh` works too.
# shellcheck shell=bash
set -euo pipefail

TOP=${THINPULL_TOP:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
IMAGES=${THINPULL_IMAGES:-$TOP/build/images}
SUPPORT=$TOP/tests/support
PROGRAM=${THINPULL:-$TOP/build/thinpull}
ASAN_PROGRAM=${THINPULL_ASAN:-$TOP/build/asan/thinpull}
CLANG_PROGRAM=${THINPULL_CLANG:-$TOP/build/fuzz/thinpull}
LIST=$TOP/build/release/tests/tools/ext4_list
WORK=$(mktemp -d "${TMPDIR:-/tmp}/thinpull-it.XXXXXX")
ROOT=$WORK/root
export PYTHONDONTWRITEBYTECODE=1 LANG=C.UTF-8 TZ=UTC
export THINPULL_RUN_DIR=$WORK/run
unset THINPULL_ROOT THINPULL_POOL
# The kernel engine has its tests in tests/kernel.
export THINPULL_ENGINE=file
case ":$PATH:" in *:/usr/sbin:*) ;; *) PATH=$PATH:/usr/sbin:/sbin ;; esac
registry_pid=
server_pid= # of other servers that a script starts

# Mounts below a folder and loop devices on files in it go, whatever else went wrong; a device may
# stand on a file in a file system that is mounted from another one.
let_go() {
    local device path
    for _ in 1 2 3; do
        awk '{print $2}' /proc/self/mounts | grep "^$1/" | sort -r | while read -r path; do
            umount "$path" 2>/dev/null
        done
        for path in /sys/block/loop*/loop/backing_file; do
            device=${path#/sys/block/}
            case "$(cat "$path" 2>/dev/null)" in "$1"/*) losetup -d "/dev/${device%%/*}" ;; esac
        done
    done
}

clean_up() {
    local status=$? pid
    set +e
    for pid in $registry_pid $server_pid; do kill "$pid"; wait "$pid"; done 2>/dev/null
    let_go "$WORK"
    chmod -R u+rwX "$WORK" 2>/dev/null
    rm -rf --one-file-system "$WORK"
    exit $status
}
trap clean_up EXIT
trap 'exit 130' INT TERM

fail() {
    echo "FAIL: $*" >&2
    exit 1
}

skip() {
    echo "$*"
    exit 77
}

finish() {
    echo "$(basename "$0" .sh): ok"
    exit 0
}

say() {
    echo "-- $*"
}

# The program with the root of this test.
tp() {
    "$PROGRAM" --root "$ROOT" "$@"
}

# expect CODE COMMAND...: run it, its exit code must be CODE (or one of CODE,CODE). Its output is
# in $WORK/out and $WORK/err afterwards.
expect() {
    local want=$1 got=0
    shift
    "$@" >"$WORK/out" 2>"$WORK/err" </dev/null || got=$?
    case ",$want," in
    *",$got,"*) ;;
    *)
        echo "command: $*"
        sed 's/^/  stdout: /' "$WORK/out" | head -n 20
        sed 's/^/  stderr: /' "$WORK/err" | head -n 40
        fail "exit $got, expected $want" ;;
    esac
}

# The last command failed with one line of text that holds each of these.
expect_error() {
    local lines text
    grep '^thinpull: ' "$WORK/err" | grep -v '^thinpull: warning: ' >"$WORK/error" || true
    lines=$(wc -l <"$WORK/error")
    [ "$lines" -eq 1 ] || { cat "$WORK/err"; fail "$lines error lines, expected one"; }
    for text in "$@"; do
        grep -qiF -- "$text" "$WORK/error" ||
            { cat "$WORK/err"; fail "the error does not say '$text'"; }
    done
}

# jq on stdin; the result must be exactly this.
expect_json() { # filter want
    local got
    got=$(jq -r "$1")
    [ "$got" = "$2" ] || fail "jq $1: got '$got', expected '$2'"
}

# The pool is clean, by our checker and by thin_check, and nothing stray lies in the root.
check_pool() {
    local root=${1:-$ROOT} meta
    "$PROGRAM" --root "$root" --json pool check >"$WORK/check" 2>"$WORK/check.err" ||
        { cat "$WORK/check" "$WORK/check.err"; fail 'pool check'; }
    [ "$(jq -r .clean "$WORK/check")" = true ] || { cat "$WORK/check"; fail 'pool not clean'; }
    meta=$root/pools/default/meta
    thin_check -q "$meta" || { thin_check "$meta" || true; fail 'thin_check'; }
    check_nothing_stray "$root"
}

# After any command: no temporary file, no lock file with an owner. A partial blob for resume may
# be there.
check_nothing_stray() {
    local found
    found=$(find "$1" \( -name '*.tmp*' -o -name '*.new' -o -name '.new*' -o -path '*/spool/*' \) \
        ! -name '*.part')
    [ -z "$found" ] || fail "left behind: $found"
}

# Real files take what the pool says they take; all but names.
json() {
    "$PROGRAM" --root "$ROOT" --json "$@"
}

# raw REF|NAME FILE: its file system as a sparse file, which e2fsck finds clean.
raw() {
    rm -f "$2"
    tp -q export --format raw -o "$2" "$1" >/dev/null
    e2fsck -fn "$2" >"$WORK/e2fsck" 2>&1 || { cat "$WORK/e2fsck"; fail "e2fsck of $1"; }
}

# points TOTAL COUNT: at most that many numbers, spread over 1..TOTAL. In the second run, as an
# ordinary user, a third of them, others than in the first.
points() {
    local step=$((($1 + $2 - 1) / $2))
    if [ -n "${THINPULL_AGAIN:-}" ]; then seq 2 $((step * 3)) "$1"; else seq 1 $step "$1"; fi
}

# One word for the content of a sparse file, quickly.
content() {
    python3 "$SUPPORT/sparse_sum.py" "$@"
}

# start_registry: a real registry on a free loopback port, with its data in $WORK/registry.
# Sets REGISTRY=localhost:PORT; its log is $WORK/registry.log.
start_registry() {
    mkdir -p "$WORK/registry"
    cat >"$WORK/registry.yml" <<YML
version: 0.1
log: {level: info, accesslog: {disabled: false}}
storage: {filesystem: {rootdirectory: $WORK/registry}, delete: {enabled: true}}
http: {addr: "127.0.0.1:${1:-0}"}
YML
    touch "$WORK/registry.log"
    docker-registry serve "$WORK/registry.yml" >>"$WORK/registry.log" 2>&1 &
    registry_pid=$!
    local i port=
    for i in $(seq 100); do
        port=$(sed -n 's/.*listening on 127\.0\.0\.1:\([0-9]*\).*/\1/p' "$WORK/registry.log" |
            tail -n 1)
        [ -z "$port" ] || break
        kill -0 "$registry_pid" 2>/dev/null || break
        sleep 0.1
    done
    [ -n "$port" ] || { cat "$WORK/registry.log"; fail 'the registry does not start'; }
    REGISTRY=localhost:$port
}

stop_registry() {
    kill "$registry_pid"
    wait "$registry_pid" 2>/dev/null || true
    registry_pid=
}

# wait_for FILE: of a server that writes it when it is ready.
wait_for() {
    local i
    for i in $(seq 100); do
        [ ! -s "$1" ] || return 0
        sleep 0.1
    done
    fail "no $1 after ten seconds"
}

# start_bad_registry LAYOUT: one that misbehaves, see bad_registry.py; sets bad=localhost:PORT, its
# log is $WORK/bad.log.
start_bad_registry() {
    python3 "$SUPPORT/bad_registry.py" "$1" "$WORK/port" "$WORK/bad.log" &
    registry_pid=$!
    wait_for "$WORK/port"
    bad=localhost:$(cat "$WORK/port")
}

# in_own_network 'ADDRESS NAME'...: the rest of the script runs where these names are known, every
# port is free to be had, by anybody, and nothing leads out.
in_own_network() {
    local how=-nm
    [ -z "${THINPULL_OWN_NETWORK:-}" ] || return 0
    [ "$(id -u)" -eq 0 ] || how=-Urnm
    unshare $how true 2>/dev/null || skip 'no namespaces for a network of its own'
    printf '%s\n' '127.0.0.1 localhost' "$@" >"$WORK/hosts"
    # shellcheck disable=SC2016
    THINPULL_OWN_NETWORK=1 unshare $how bash -c '
        python3 -c "
import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack(\"16sh\", b\"lo\", 0x1 | 0x40))" # SIOCSIFFLAGS: up
        mount --bind "$1" /etc/hosts
        unset http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY
        bash "$2"' - "$WORK/hosts" "$0" || exit $?
    exit 0
}

# push LAYOUT:TAG NAME:TAG [skopeo options]
push() {
    local from=$1 to=$2
    shift 2
    skopeo --insecure-policy copy -q --dest-tls-verify=false "$@" "oci:$from" \
        "docker://$REGISTRY/$to"
}

# How many blobs the registry has handed out so far.
blobs_fetched() {
    grep -cE '"GET /v2/[^ ]*/blobs/' "$WORK/registry.log" || true
}
