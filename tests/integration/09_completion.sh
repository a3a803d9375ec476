#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Completion for three shells: the scripts are sound, and a Tab behind real lines in real shells
# gives what the tables and the pool have.
# weight: 6
. "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

for shell in zsh fish; do command -v $shell >/dev/null || skip "$shell is not installed"; done
export HOME=$WORK/home XDG_CONFIG_HOME=$WORK/home/config XDG_DATA_HOME=$WORK/home/data
mkdir -p "$HOME" "$WORK/bin" "$WORK/files/folder"
ln -s "$(readlink -f "$PROGRAM")" "$WORK/bin/thinpull"
PATH=$WORK/bin:$PATH
export THINPULL_ROOT=$WORK/default # of lines that name none: nothing is in it

for shell in bash zsh fish; do
    expect 0 thinpull completion $shell
    cp "$WORK/out" "$WORK/$shell.completion"
    $shell -n "$WORK/$shell.completion" || fail "$shell does not take the script"
    expect 0 thinpull --json completion $shell
    jq -rj .script "$WORK/out" | cmp - "$WORK/$shell.completion" || fail 'another script as JSON'
done
expect 3 thinpull completion csh
expect_error csh 'bash, zsh, fish'
expect 3 thinpull completion

# Two images and two containers, in a root and a pool that only options on the line can tell.
layout=$WORK/layout
for n in 1 2; do python3 "$SUPPORT/tiny_layout.py" "$layout" "v$n" 1 >/dev/null; done
run="thinpull --root $ROOT --pool side"
$run pool create --size 1G --base-size 64M >/dev/null
$run -q pull "oci:$layout:v1" >/dev/null
$run tag "oci:$layout:v1" quay.io/some/image:v1 >/dev/null
$run create "oci:$layout:v1" web-front >/dev/null
$run create "oci:$layout:v1" db >/dev/null
cd "$WORK/files"

# What is typed, and what it becomes, between bars: up to where it is not clear any more.
cat >"$WORK/cases" <<CASES
thinpull compl|thinpull completion |
thinpull completion z|thinpull completion zsh |
thinpull image hi|thinpull image history |
thinpull image ins|thinpull image inspect |
thinpull pool st|thinpull pool status |
thinpull --root $ROOT pool chec|thinpull --root $ROOT pool check |
thinpull create --pull mis|thinpull create --pull missing |
thinpull create --read|thinpull create --read-only |
thinpull images --no-t|thinpull images --no-trunc |
thinpull --engine fi|thinpull --engine file |
thinpull --progress pl|thinpull --progress plain |
thinpull help renam|thinpull help rename |
$run inspect w|$run inspect web-front |
$run rm d|$run rm db |
$run rm db w|$run rm db web-front |
$run rename --json w|$run rename --json web-front |
$run mount db fol|$run mount db folder/|
thinpull --root $ROOT -q --pool side image inspect q|thinpull --root $ROOT -q --pool side image inspect quay.io/some/image:v1 |
$run export quay.io/some/image:|$run export quay.io/some/image:v1 |
$run rmi oci:$layout:|$run rmi oci:$layout:v1 |
thinpull inspect w|thinpull inspect w|
thinpull mount-|thinpull mount-|
thinpull create --label k|thinpull create --label k|
CASES

lines=()
while IFS= read -r line; do lines+=("${line%%|*}"); done <"$WORK/cases"

for shell in bash zsh; do
    say "$shell"
    if [ $shell = bash ]; then
        echo ". '$WORK/bash.completion'" >"$WORK/setup"
    else
        printf '%s\n' 'autoload -U compinit' "compinit -u -d '$WORK/zcompdump'" \
            ". '$WORK/zsh.completion'" >"$WORK/setup"
    fi
    python3 "$SUPPORT/press_tab.py" $shell "$WORK/setup" "${lines[@]}" >"$WORK/typed" ||
        fail "$shell does not answer"
    cut -d'|' -f2 "$WORK/cases" | diff - "$WORK/typed" || fail "$shell completes otherwise"
done

# fish says all candidates; the first cases have one each.
say fish
while IFS='|' read -r line want _; do
    case $line in *mount-* | *label* | 'thinpull inspect w') continue ;; esac
    got=$(fish --no-config -c "source '$WORK/fish.completion'; complete -C '$line'" | cut -f1)
    [ "$got" = "$(sed 's/ $//; s/.* //' <<<"$want")" ] || fail "fish: '$line' gives '$got'"
done <"$WORK/cases"

# The same from the function alone, with all that it offers.
offers() { # LINE: candidates in one line
    bash -c '. "$1"; COMP_LINE=$2 COMP_POINT=${#2} COMP_WORDBREAKS=$'"' \t\n'"'
        _thinpull; printf "%s\n" "${COMPREPLY[@]}"' - "$WORK/bash.completion" "$1" | sort |
        tr '\n' ' ' | sed 's/ $//'
}
say 'all that is offered'
want=$(thinpull --json help | jq -r '.[] | select(.available) | .verb | split(" ")[0]' | sort -u |
    tr '\n' ' ' | sed 's/ $//')
[ "$(offers 'thinpull ')" = "$want" ] || fail "verbs: $(offers 'thinpull ')"
for verb in 'pool create' create export rm images; do
    want=$( (thinpull --json help $verb | jq -r '.options[] | select(.available) | "--" + .name'
        thinpull help ls | sed -n 's/^  ... \(--[a-z-]*\).*/\1/p') | sort -u | tr '\n' ' ' |
        sed 's/ $//')
    [ "$(offers "thinpull $verb -")" = "$want" ] || fail "options of $verb: $(offers "thinpull $verb -")"
done
[ "$(offers "$run export ")" = "$(printf '%s\n' "oci:$layout:v1" quay.io/some/image:v1 db web-front |
    sort | tr '\n' ' ' | sed 's/ $//')" ] || fail "what export takes: $(offers "$run export ")"
[ "$(offers 'thinpull export --format=')" = '--format=oci-archive --format=raw --format=tar' ] ||
    fail "a value behind '=': $(offers 'thinpull export --format=')"
finish
