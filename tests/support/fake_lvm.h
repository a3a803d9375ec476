/* SPDX-License-Identifier: Apache-2.0 */
/* A script in the place of LVM's program, and what it was asked. */
#pragma once

/*
 * From now on `lvm` is this script of sh, which runs in the scratch folder and has each line of its
 * arguments written to the file "calls" first, but for the --config that all have ($config).
 */
void fake_lvm(const char *dir, const char *script);

/* What it was asked since the last time, a line each; owned. */
char *fake_lvm_calls(void);

/* Reports as LVM 2.03.16 prints them: one pool, one volume group, one disk. */
extern const char fake_lvm_pool[], fake_lvm_group[], fake_lvm_disk[];
