# SPDX-License-Identifier: Apache-2.0
# A machine for boot.sh, which sources it: Debian's stock kernel on two emulated processors, set up by
# qemu_setup.sh. The host's file tree is its root by virtio-fs, which takes root on the host, too.
# shellcheck shell=bash

boot_files=$top/build/qemu
virtiofsd=/usr/lib/qemu/virtiofsd
[ -f "$boot_files/initrd" ] && [ -x $virtiofsd ] || { echo 'no qemu: make test-kernel-qemu'; exit 77; }
[ "$(id -u)" -eq 0 ] || { echo 'virtio-fs needs root'; exit 77; }
console_script=console=ttyS0
console_shell='console=ttyS0 LAB_TTY=ttyS0'
host_side=

machine_start() { # KEY=VALUE...: until it is off; the console is stdin and stdout
    local memory=${LAB_MEMORY:-2G} disk disks=()
    for disk in "${lab_disks[@]}"; do
        disks+=(-drive "file=$disk,format=raw,if=virtio")
    done
    $virtiofsd --socket-path="$dir/root" -o source=/ -o sandbox=chroot -o xattr -o cache=always \
        >"$dir/virtiofsd" 2>&1 &
    host_side=$!
    until [ -S "$dir/root" ]; do
        kill -0 $host_side || { cat "$dir/virtiofsd"; return 1; }
        sleep 0.1
    done
    qemu-system-x86_64 -M pc -accel tcg -cpu max -smp 2 -m "$memory" -no-reboot -nodefaults \
        -display none -serial stdio -name "$name" "${disks[@]}" \
        -object "memory-backend-memfd,id=memory,size=$memory,share=on" -numa node,memdev=memory \
        -chardev "socket,id=root,path=$dir/root" -device vhost-user-fs-pci,chardev=root,tag=root \
        -kernel "$boot_files/vmlinuz" -initrd "$boot_files/initrd" \
        -append "quiet panic=1 LAB_INIT=$top/tests/kernel/init.sh $*"
}

machine_stop() {
    [ -z "$host_side" ] || kill $host_side 2>/dev/null || true
    # virtiofsd leaves one for each socket
    rm -f "/run/virtiofsd/$(tr / . <<<"$dir/root").pid"
}
