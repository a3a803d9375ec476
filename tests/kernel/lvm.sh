# SPDX-License-Identifier: Apache-2.0
# For scripts of tests/kernel that need LVM, after lib.sh: an LVM of the guest's own, which sees loop
# devices only and writes nothing down on the machine. It is set up as awkwardly as somebody might.
# shellcheck shell=bash

export LVM_SYSTEM_DIR=$WORK/lvm
mkdir -p "$LVM_SYSTEM_DIR" /run/lvm /run/lock/lvm
cat >"$LVM_SYSTEM_DIR/lvm.conf" <<'END'
devices {
    use_devicesfile=0
    scan=["/dev"]
    filter=["a|^/dev/loop|", "r|.*|"]
}
backup {
    backup=0
    archive=0
}
log {
    command_names=1
    report_command_log=1
}
report {
    compact_output=1
    binary_values_as_numeric=1
}
global {
    units="s"
}
END
plain='log{command_names=0 report_command_log=0} report{compact_output=0 binary_values_as_numeric=0}'

# As users have it.
lvm() {
    command lvm "$1" --config "$plain" "${@:2}"
}

# disk SIZE: a new one, its device on stdout.
disk() {
    local file
    file=$(mktemp "$WORK/disk.XXXXXX")
    truncate -s "$1" "$file"
    losetup -f --show "$file"
}

# The words after the name are LVM's columns, printed one after the other.
lv() { # VG/LV COLUMN[,COLUMN...]
    lvm lvs --noheadings --units b --nosuffix --separator ' ' -o "$2" "$1" | sed 's/^ *//; s/ *$//'
}

# lvm_is_clean: neither LVM nor device-mapper has anything.
lvm_is_clean() {
    [ -z "$(lvm pvs --noheadings)" ] || fail "LVM has: $(lvm pvs)"
    [ "$(dmsetup ls)" = 'No devices found' ] || fail "device-mapper has: $(dmsetup ls)"
}

# refused STATUS TEXT ARG...: what the program says to that.
refused() {
    local want=$1 text=$2 status=0
    shift 2
    tp "$@" >"$WORK/said" 2>&1 || status=$?
    [ "$status" -eq "$want" ] || fail "status $status, not $want: $*: $(cat "$WORK/said")"
    grep -qF -e "$text" "$WORK/said" || fail "it does not say \"$text\": $(cat "$WORK/said")"
}
