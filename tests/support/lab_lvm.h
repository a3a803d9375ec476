/* SPDX-License-Identifier: Apache-2.0 */
/* A thin-pool device with the name and the UUID that LVM gives to the pool of tests/support/fake_lvm.h,
 * on loop devices in memory: a real one, that LVM knows nothing of. */
#pragma once

#define LAB_LVM_NAME "vg--one-pool"
#define LAB_LVM_UUID "LVM-nB6KJgx5QmUydiSb02zYuLNkfpX5b9llLWFPEfHl45pX3Dh6TtAueTQg4owrvdGl-tpool"

struct lab_lvm {
	char *meta, *data;
};

void lab_lvm_make(struct lab_lvm *l);
void lab_lvm_free(struct lab_lvm *l);
