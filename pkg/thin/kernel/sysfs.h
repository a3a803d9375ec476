/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Block devices by number, as tables name them, in /sys: for what stands below a pool.
 * Spec: kernel Documentation/ABI/testing/sysfs-block, sysfs-block-dm, sysfs-block-loop.
 */
#pragma once

/*
 * The node of "MAJOR:MINOR", "/dev/mapper/NAME" for device-mapper's; NULL: the kernel has no such
 * device. Owned. Nobody looks whether the node is there.
 */
char *sysfs_node(const char *number);

/* The file that a loop device stands on; NULL: it is none. Owned. */
char *sysfs_loop_file(const char *number);

/*
 * The node of "MAJOR:MINOR" under the kernel's own name, "/dev/dm-3", which is there without udevd;
 * NULL: there is no such device. Owned.
 */
char *sysfs_kernel_node(const char *number);
