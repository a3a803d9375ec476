#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What qemu.sh boots, in build/qemu: the kernel of Debian's package, which is unpacked but not
# installed, and an initrd with the modules that the scripts need, which goes on to the host's tree.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
folder=$top/build/qemu
modules='virtio_pci virtiofs virtio_blk loop overlay xfs dm-thin-pool dm-flakey dm-log-writes dm-delay'

package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image-.*\)/\1/p')
stamp="$package $(apt-cache policy "$package" | sed -n 's/^ *Candidate: //p') $(cksum <"${BASH_SOURCE[0]}")"
if [ "$(cat "$folder/stamp" 2>/dev/null)" = "$stamp" ]; then exit 0; fi
version=${package#linux-image-}
echo "qemu: setting up $package"

rm -rf "$folder"
mkdir -p "$folder/kernel"
cd "$folder"
apt-get -qq download "$package" 2>/dev/null
dpkg -x ./*.deb kernel
rm ./*.deb
mv "kernel/boot/vmlinuz-$version" vmlinuz
[ -d "kernel/lib/modules/$version" ] || mv kernel/usr/lib/modules kernel/lib/
busybox depmod -b "$folder/kernel" "$version"

root=$folder/root
mkdir -p "$root"/{bin,proc,dev,root}
cp "$(command -v busybox)" "$root/bin/"
# a line of modules.dep is a module and all that it needs
for module in $modules; do
    grep -E "/${module//[-_]/[-_]}\.ko:" "kernel/lib/modules/$version/modules.dep"
done | tr -d : | tr ' ' '\n' | sort -u >needed
while read -r file; do
    install -D -m 644 "kernel/lib/modules/$version/$file" "$root/lib/modules/$version/$file"
done <needed
busybox depmod -b "$root" "$version"
cat >"$root/init" <<END
#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
for module in $modules; do
    /bin/busybox modprobe \$module || echo "lab: no module \$module"
done
/bin/busybox mount -t virtiofs root /root
exec /bin/busybox switch_root /root "\$LAB_INIT"
END
chmod 755 "$root/init"
(cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >initrd
rm -rf kernel root needed
echo "$stamp" >stamp
