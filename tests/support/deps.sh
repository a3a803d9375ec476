#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages of packages.txt, or of other such lists, that are missing. Returns at
# once when none is; no service is started, and none that this run brought in is left enabled.
#
# usage: deps.sh [LIST...]
set -eu
[ $# -gt 0 ] || set -- "$(dirname "$0")/packages.txt"
packages=$(sed 's/#.*//' "$@")

missing() {
    # shellcheck disable=SC2086
    dpkg-query -W -f='${Package} ${db:Status-Status}\n' $packages 2>/dev/null |
        awk '$2 == "installed" { print $1 }' | sort -u >"$have"
    printf '%s\n' $packages | sort -u | comm -23 - "$have" | tr '\n' ' '
}

policy=/usr/sbin/policy-rc.d
saved=$policy.thinpull-saved
restore_policy() {
    rm -f "$policy"
    if [ -e "$saved" ]; then mv "$saved" "$policy"; fi
}

disable_services() { # package
    dpkg -L "$1" 2>/dev/null | sed -nE 's#.*/lib/systemd/system/([^@/]*[.](service|socket|timer))$#\1#p' |
        xargs -r systemctl disable >/dev/null 2>&1 || true
}

install_packages() {
    if [ -e "$policy" ] && [ ! -e "$saved" ]; then mv "$policy" "$saved"; fi
    trap 'restore_policy; rm -f "$have"' EXIT
    trap 'exit 130' INT TERM HUP
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    export DEBIAN_FRONTEND=noninteractive
    before=" $(dpkg-query -W -f='${Package} ${db:Status-Status}\n' |
        awk '$2 == "installed" { printf "%s ", $1 }')"
    apt-get update -q || echo 'deps: apt-get update had errors, going on' >&2
    # shellcheck disable=SC2086
    apt-get install -q -y --no-install-recommends $todo
    command -v systemctl >/dev/null || return 0
    for package in docker-registry containerd docker.io nginx-common podman; do
        case $before in
        *" $package "*) ;;
        *) disable_services "$package" ;;
        esac
    done
}

command -v dpkg-query >/dev/null || { echo 'deps: this needs Debian' >&2; exit 1; }
have=$(mktemp)
trap 'rm -f "$have"' EXIT
todo=$(missing)
[ -n "$todo" ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "deps: as root, run: apt-get install $todo" >&2; exit 1; }
    echo "deps: installing through sudo: $todo"
    rm -f "$have"
    exec sudo sh "$0" "$@"
fi
echo "deps: installing: $todo"
install_packages
todo=$(missing)
[ -z "$todo" ] || { echo "deps: still missing: $todo" >&2; exit 1; }
