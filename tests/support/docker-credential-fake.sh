#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A credential helper for tests: a copy of it in PATH as docker-credential-NAME, where NAME says how
# it behaves. What it has is in $FAKE_STORE, a file for each server, and all that it was given is
# noted there: arguments and environment of each run in log, input in input.
#   good      keeps what it is told
#   none      has nothing, and says so as the real ones do
#   quiet     has nothing, and answers with empty texts
#   token     knows an identity token for everything
#   fails     says why, status 1
#   leaks     the answer, and then status 1
#   junk      no JSON
#   hangs     never ends
#   silent    closes its output, and never ends
#   floods    never stops talking
#   deaf      answers without listening
#   killed    kills itself
#   child     leaves a child behind that keeps its output open
set -u
how=${0##*-}
store=${FAKE_STORE:-/nonexistent}
{
    tr '\0' ' ' <"/proc/$$/cmdline"
    echo
    tr '\0' '\n' <"/proc/$$/environ"
    ls "/proc/$$/fd"
} >>"$store/log" 2>/dev/null
not_found() {
    echo 'credentials not found in native keychain'
    exit 1
}
[ "$how" = deaf ] || { input=$(cat); printf '%s\n' "$1 $input" >>"$store/input"; }
name=$(printf '%s' "${input-}" | sed 's/.*"ServerURL":"\([^"]*\)".*/\1/' | tr '/:' '__')
case $how in
good)
    case $1 in
    get) [ -f "$store/$name" ] || not_found; cat "$store/$name" ;;
    store) printf '%s' "$input" >"$store/$name" ;;
    erase) rm "$store/$name" 2>/dev/null || not_found ;;
    esac ;;
none) not_found ;;
quiet) echo '{"ServerURL":"","Username":"","Secret":""}' ;;
token) echo '{"ServerURL":"x","Username":"<token>","Secret":"identity"}' ;;
fails) echo 'the keychain is locked'; echo 'in a second line'; exit 1 ;;
leaks) echo "${input-}"; echo '{"Username":"u","Secret":"SECRET"}'; exit 1 ;;
junk) echo 'Username: u, Secret: SECRET' ;;
hangs) exec sleep 60 ;;
silent) exec sleep 60 >&- ;;
floods) exec yes SECRET ;;
deaf) echo '{"Username":"u","Secret":"p"}' ;;
killed) kill -9 $$ ;;
child) sleep 0.5 & echo '{"Username":"u","Secret":"p"}' ;;
esac
