#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run: whose output and exit status it has, what the container sees, signals, terminals, what stays;
# by runc and crun, as root on a file system of its own, as an ordinary user on a copy of it.
# weight: 30
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/runs.sh"
need_runs
user=$(id -u)
marker=7$$
expect 0 tp -q pull "$IMAGE:plain"
expect 0 tp -q pull "$IMAGE:server"
expect 0 tp -q pull "$IMAGE:empty"

run() {
    tp run -q --rm "$@" 2>"$WORK/stderr"
}

gives() { # wanted output, words of run
    local want=$1 got
    shift
    got=$(run "$@") || { cat "$WORK/stderr"; fail "run $*: exit $?"; }
    [ "$got" = "$want" ] || fail "run $*: got '$got', expected '$want'"
}

say 'exit status'
expect 0 tp run --rm "$IMAGE:plain" true
expect 42 tp run --rm "$IMAGE:plain" sh -c 'exit 42'
expect 125 tp run --rm "$IMAGE:plain" sh -c 'exit 125'
if grep -q '^thinpull: run' "$WORK/err"; then fail 'an error that is none'; fi
expect 125 tp run --rm "$IMAGE:plain" no-such-program
expect_error "run $IMAGE:plain: " 'no-such-program'
expect 125 tp --json run --rm "$IMAGE:plain" no-such-program
tail -n 1 "$WORK/err" | expect_json '[.error.code, .error.kind] | join(" ")' '125 system'
[ ! -s "$WORK/out" ] || fail 'something on standard output'
expect 1 tp run --rm "$IMAGE:plain" /srv/text
expect 1 tp run --rm "$IMAGE:plain" /srv/script
expect 125 tp run --rm "$IMAGE:plain" /srv/one
expect_error 'permission denied'
expect 125 tp run --rm "$IMAGE:empty"
expect_error 'nothing to run'
expect 125 tp run --rm --pull never "$IMAGE:missing" true
expect 125 tp run --rm -u nobody-there "$IMAGE:plain" true
expect 125 tp run --rm --runtime no-such-runtime "$IMAGE:plain" true
expect_error "'no-such-runtime'"
expect 125 env PATH=/nowhere "$PROGRAM" --root "$ROOT" run --rm --runtime ./nothing "$IMAGE:plain" true
expect_error './nothing'
expect 3 tp run --rm --name ../x "$IMAGE:plain" true
check_nothing_runs

say 'standard input, output and error'
head -c 3000000 /dev/urandom >"$WORK/bytes"
run "$IMAGE:plain" cat <"$WORK/bytes" | cmp - "$WORK/bytes" || fail 'not what was put in'
cat "$WORK/bytes" | run "$IMAGE:plain" sha256sum >"$WORK/sum"
[ "$(cut -d' ' -f1 "$WORK/sum")" = "$(sha256sum <"$WORK/bytes" | cut -d' ' -f1)" ] || fail 'a pipe'
expect 0 tp run -q --rm "$IMAGE:plain" sh -c 'echo to-out; echo to-err >&2'
[ "$(cat "$WORK/out")" = to-out ] || fail 'standard output'
[ "$(grep -v '^thinpull: warning' "$WORK/err")" = to-err ] || fail 'standard error'
expect 0 tp --json run --rm "$IMAGE:plain" echo one
[ "$(cat "$WORK/out")" = one ] || fail '--json adds to standard output'
gives y "$IMAGE:plain" sh -c 'yes | head -n 1'
[ "$(run "$IMAGE:plain" yes | head -n 1)" = y ] || fail 'a reader that goes'

say 'the command'
gives 'started by default' "$IMAGE:server"
gives 'started other words' "$IMAGE:server" other words
gives 'other words' --entrypoint echo "$IMAGE:server" other words
gives '-l --json -- x' "$IMAGE:plain" echo -l --json -- x
gives '-l -- x' "$IMAGE:plain" -- echo -l -- x
gives 'a  b|' "$IMAGE:plain" sh -c 'printf "%s|" "$1"' sh 'a  b'

say 'environment, user, folder, files'
SECRET=x LISTEN_FDS=1 LISTEN_PID=$$ run -e NAME=mine -e MORE= --entrypoint env "$IMAGE:server" \
    >"$WORK/out"
for line in NAME=mine 'OTHER=two words' MORE=; do
    grep -qx "$line" "$WORK/out" || { cat "$WORK/out"; fail "no $line"; }
done
if grep -E 'SECRET|LISTEN|THINPULL|XDG' "$WORK/out"; then fail 'of our environment'; fi
gives /work --entrypoint pwd "$IMAGE:server"
gives /srv -w /srv --entrypoint pwd "$IMAGE:server"
if [ "$user" -eq 0 ]; then
    gives '1000 1000 1000 2000' --entrypoint sh "$IMAGE:server" -c 'echo $(id -u) $(id -g) $(id -G)'
    gives '0 2000' -u 0:more --entrypoint sh "$IMAGE:server" -c 'echo $(id -u) $(id -g)'
else
    gives '0 0' --entrypoint sh "$IMAGE:server" -c 'echo $(id -u) $(id -g)'
    grep -q 'warning: user 1000:1000' "$WORK/stderr" || fail 'no warning'
fi
gives one "$IMAGE:plain" cat /srv/one
gives no --read-only "$IMAGE:plain" sh -c 'touch /srv/new 2>/dev/null && echo yes || echo no'
gives yes "$IMAGE:plain" sh -c 'touch /srv/new 2>/dev/null && echo yes || echo no'
gives box --name box "$IMAGE:plain" hostname
gives 1 "$IMAGE:plain" sh -c 'echo $$'
gives 0022 "$IMAGE:plain" sh -c umask
# The shell's own files are those that it reads: 3 is how ls lists them.
exec 7</etc/passwd 8>"$WORK/eight"
gives '0 1 2 3' "$IMAGE:plain" sh -c 'echo $(ls /proc/self/fd)'
exec 7<&- 8>&-
gives '0000000000000000 0000000000000000' "$IMAGE:plain" \
    sh -c 'echo $(sed -n "s/^Sig\(Ign\|Blk\):\t//p" /proc/self/status)'
points=$(run "$IMAGE:plain" cut -d' ' -f5 /proc/self/mountinfo)
if grep -F "$WORK" <<<"$points"; then fail 'mounts of the host are seen'; fi
check_nothing_runs

say 'signals'
loop='echo ready; while :; do sleep 0.05; done'
start_run --rm "$IMAGE:plain" sh -c "trap 'exit 7' TERM; $loop"
kill -TERM "$run_pid"
end_run 7
start_run --rm "$IMAGE:plain" sh -c "trap 'echo hup' HUP; trap 'echo usr' USR1; trap 'exit 9' USR2
    trap 'echo int' INT; $loop"
for word in hup int usr int; do
    : >"$WORK/run.out"
    kill -"$word$([ $word = usr ] && echo 1)" "$run_pid"
    wait_for "$word"
done
kill -USR2 "$run_pid"
end_run 9
# The container's first process is told of no signal that it does not ask for, but of this one.
start_run --rm "$IMAGE:plain" sh -c "$loop"
kill -TERM "$run_pid"
sleep 0.2
kill -0 "$run_pid" || fail 'ended by a signal that the container ignores'
kill -KILL "$run_pid"
end_run 137
expect 0 tp ls
check_nothing_runs

say 'processes killed one by one'
child() { # pid
    local found
    found=$(cat "/proc/$1/task"/*/children | awk '{print $1}')
    [ -n "$found" ] || fail "process $1 has no child"
    echo "$found"
}
for generation in 1 2 3; do
    start_run --rm "$IMAGE:plain" sh -c "sleep $marker & $loop"
    pid=$run_pid
    for _ in $(seq $generation); do pid=$(child "$pid"); done
    # The runtime has helpers for a moment; the container is the one that is the shell.
    [ $generation -ne 3 ] || grep -qa '^sh' "/proc/$pid/cmdline" || pid=$(pgrep -P "$(child \
        "$(child "$run_pid")")" -x sh)
    kill -KILL "$pid"
    end_run 137
    check_nothing_runs "$marker"
done

say 'terminals'
python3 "$SUPPORT/check_terminal.py" "$PROGRAM" --root "$ROOT" run -q --rm "$IMAGE:plain"
check_nothing_runs

say 'what stays'
expect 0 tp run -q --name kept "$IMAGE:plain" sh -c 'echo written >/srv/new; rm /srv/one; mkdir /d'
json ls | expect_json '.[0] | [.name, .image] | join(" ")' "kept $IMAGE:plain"
check_nothing_runs
if [ "$user" -eq 0 ]; then
    raw kept "$WORK/kept.ext4"
    [ "$(debugfs -R 'cat /srv/new' "$WORK/kept.ext4" 2>/dev/null)" = written ] || fail 'not kept'
    if debugfs -R 'cat /srv/one' "$WORK/kept.ext4" 2>/dev/null | grep -q one; then
        fail 'removed, but there'
    fi
else
    folder=$(json inspect kept | jq -r .folder)
    [ "$(cat "$folder/srv/new")" = written ] || fail 'not kept'
    [ ! -e "$folder/srv/one" ] || fail 'removed, but there'
fi
expect 125 tp run --name kept "$IMAGE:plain" true
expect_error kept
start_run --name second "$IMAGE:plain" sh -c "trap 'exit 0' TERM; $loop"
json ls | expect_json '.[] | select(.name == "second") | .state' running
expect 7 tp rm second
expect_error running
kill -TERM "$run_pid"
end_run 0
expect 0 tp rm kept second
# One that never started is not kept, with or without --rm.
expect 125 tp run --name third "$IMAGE:plain" no-such-program
json ls | expect_json length 0
check_nothing_runs
check_pool

if [ "$user" -eq 0 ]; then
    say 'a container that is mounted elsewhere'
    expect 0 tp create "$IMAGE:plain" other
    expect 0 tp mount other "$WORK/mnt"
    start_run --rm "$IMAGE:plain" sh -c "trap 'exit 0' TERM; $loop"
    # Namespaces of others may hold it as well, but not for as long as this run lives.
    for _ in $(seq 10); do
        ! tp umount other >"$WORK/out" 2>"$WORK/err" || break
    done
    cat "$WORK/err"
    json ls | expect_json '.[] | select(.name == "other") | .state' checked_out
    # Unless the namespaces of the run hold it, its device is gone.
    [ "$(loops_here | wc -l)" -eq 1 ] || fail 'the mount lives on in the run'
    kill -TERM "$run_pid"
    end_run 0
    expect 0 tp rm other
    rmdir "$WORK/mnt"
    check_nothing_runs
fi

if [ "$user" -ne 0 ]; then
    say 'a machine that does not let us'
    # shellcheck disable=SC2016
    expect 125 unshare -U --map-current-user --keep-caps sh -c \
        'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"' sh \
        "$PROGRAM" --root "$ROOT" run --rm "$IMAGE:plain" true
    expect_error 'user namespaces are not allowed here' max_user_namespaces
    check_nothing_runs
fi

say 'crun'
if [ "$user" -ne 0 ] && mountpoint -q /sys/fs/cgroup/unified; then
    say 'not here: control groups of both versions'
else
    expect 4 without_unified "$PROGRAM" --root "$ROOT" run -q --rm --runtime crun "$IMAGE:plain" \
        sh -c 'exit 4'
    expect 0 without_unified "$PROGRAM" --root "$ROOT" run -q --rm --runtime crun "$IMAGE:server"
    [ "$(cat "$WORK/out")" = 'started by default' ] || fail 'crun'
    expect 125 without_unified "$PROGRAM" --root "$ROOT" run -q --rm --runtime crun \
        "$IMAGE:plain" no-such-program
    expect_error no-such-program
    check_nothing_runs
fi
finish
