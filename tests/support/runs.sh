# SPDX-License-Identifier: Apache-2.0
# For the scripts that run containers, which source it after lib.sh: whether that works here, and
# what is left of a run on the machine.
# shellcheck shell=bash
IMAGE=oci:$IMAGES/busybox
[ -e "$IMAGES/busybox.key" ] || skip 'no image busybox: bash tests/support/images.sh busybox'

run_pid= # one or more

# Also of a test that fails: the next command is what clears the machine.
end_all() {
    local status=$?
    set +e
    if [ -n "$run_pid" ]; then
        # shellcheck disable=SC2086
        { kill -KILL $run_pid; wait $run_pid; "$PROGRAM" --root "$ROOT" ls; } >/dev/null 2>&1
    fi
    (exit $status)
    clean_up
}
trap end_all EXIT

# Skip where a machine does not let us: as root without loop devices, as a user without namespaces.
need_runs() {
    if [ "$(id -u)" -eq 0 ]; then
        [ -w /dev/loop-control ] || skip 'no loop devices'
    else
        unshare -Urmpf --mount-proc true 2>/dev/null || skip 'no user namespaces here'
    fi
}

# crun refuses machines with both versions of control groups; in this mount namespace there is one.
without_unified() {
    if [ "$(id -u)" -eq 0 ] && mountpoint -q /sys/fs/cgroup/unified; then
        # shellcheck disable=SC2016
        unshare -m sh -c 'umount /sys/fs/cgroup/unified && exec "$@"' sh "$@"
    else
        "$@"
    fi
}

# Control groups of the pool of $ROOT.
groups_here() {
    [ -d "$ROOT/pools/default" ] || return 0
    local prefix
    # shellcheck disable=SC2046
    prefix=$(printf 'thinpull-%x-%x-' $(stat -c '%d %i' "$ROOT/pools/default"))
    find /sys/fs/cgroup -maxdepth 2 -name "$prefix*" 2>/dev/null || true
}

loops_here() {
    grep -l "^$WORK/" /sys/block/loop*/loop/backing_file 2>/dev/null || true
}

mounts_here() {
    grep -F " $WORK/" /proc/self/mountinfo || true
}

# Processes that name this test's folder or this word. A zombie is its parent's.
processes_here() { # word
    ps -eo pid,stat,args | awk -v self=$$ -v work="$WORK" -v word="${1:-$WORK}" \
        '$2 !~ /^Z/ && $1 != self && $3 !~ /^(ps|awk|bash)$/ && (index($0, work) || index($0, word))'
}

# Everything that a run makes, but containers that stay; one line for each.
left_here() { # word
    mounts_here
    loops_here
    groups_here
    processes_here "$@"
    find "$THINPULL_RUN_DIR" -mindepth 1 2>/dev/null || true
}

# Nothing of it is left, nor is any file of a container, but of those that `ls` shows.
check_nothing_runs() { # word
    local found ids files
    found=$(left_here "$@")
    [ -z "$found" ] || fail "left: $found"
    ids=$(json ls | jq -r '.[] | select(.state != "ready") | .thin_id' | sort)
    files=$(find "$ROOT/containers/default" -mindepth 1 -maxdepth 1 ! -name lock -printf '%f\n' \
        2>/dev/null | sed 's/\.ext4$//' | sort)
    [ "$ids" = "$files" ] || fail "containers: $ids; files: $files"
}

# start_run WORDS...: in the background, until the container says "ready". Sets run_pid; its output
# is in $WORK/run.out, its exit status what end_run gives.
start_run() {
    rm -f "$WORK/run.out"
    "$PROGRAM" --root "$ROOT" run -q "$@" >"$WORK/run.out" 2>"$WORK/run.err" </dev/null &
    run_pid=$!
    wait_for ready
}

wait_for() { # line
    local i
    for i in $(seq 600); do
        ! grep -qx "$1" "$WORK/run.out" 2>/dev/null || return 0
        kill -0 "$run_pid" 2>/dev/null || break
        sleep 0.02
    done
    cat "$WORK/run.out" "$WORK/run.err"
    fail "the container does not say '$1'"
}

end_run() { # wanted exit status
    local got=0
    { wait "$run_pid" || got=$?; } 2>/dev/null
    run_pid=
    [ "$got" = "$1" ] || { cat "$WORK/run.out" "$WORK/run.err"; fail "exit $got, expected $1"; }
}
