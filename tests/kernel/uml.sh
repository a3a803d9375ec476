# SPDX-License-Identifier: Apache-2.0
# A machine for boot.sh, which sources it: User-Mode Linux, a kernel as a program. The host's file
# tree is its root.
# shellcheck shell=bash

kernel=$(command -v linux.uml) || { echo 'no linux.uml: make deps'; exit 77; }
modules=$(find /usr/lib/uml/modules -mindepth 2 -maxdepth 2 -name kernel | sort -V | tail -n 1)
console_script=con0=null,fd:1
console_shell=con0=fd:0,fd:1

machine_start() { # KEY=VALUE...: until it is off; the console is stdin and stdout
    local disks=() disk
    for disk in "${lab_disks[@]}"; do
        disks+=("ubd$(printf "\\x$(printf %x $((97 + ${#disks[@]})))")=$disk")
    done
    mkdir "$dir/home" # the kernel keeps the state of its instances in ~/.uml
    # killed without a word to us, it must not stay
    HOME=$dir/home setpriv --pdeathsig KILL "$kernel" mem="${LAB_MEMORY:-2G}" rootfstype=hostfs rootflags=/ rw \
        init="$top/tests/kernel/init.sh" con=null quiet loglevel=3 umid="$name" \
        "${disks[@]}" LAB_MODULES="$modules" "$@"
}

# Not by the program's name: other guests may be running. All processes of this one say its name.
machine_stop() {
    local pid
    for pid in $(grep -lazF "umid=$name" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3); do
        kill -KILL "$pid" 2>/dev/null || true
    done
}
