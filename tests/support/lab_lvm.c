/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/lab_lvm.h"

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/kernel/devmap.h"
#include "tests/support/cmocka.h"
#include "tests/support/lab.h"

enum { META_BYTES = 4 << 20, DATA_BYTES = 16 << 20, BLOCK_SECTORS = 128 };

void lab_lvm_make(struct lab_lvm *l)
{
	cleanup_free char *params = NULL;
	struct devmap_target target = {.length = DATA_BYTES / DEVMAP_SECTOR_BYTES,
				       .type = "thin-pool"};
	struct error err = {0};

	l->meta = lab_loop_new(META_BYTES);
	l->data = lab_loop_new(DATA_BYTES);
	params = xasprintf("%s %s %d 0", l->meta, l->data, BLOCK_SECTORS);
	target.params = params;
	assert_ok(devmap_create(LAB_LVM_NAME, LAB_LVM_UUID, &target, 1, 0, &err), &err);
}

void lab_lvm_free(struct lab_lvm *l)
{
	struct error err = {0};

	assert_ok(devmap_remove(LAB_LVM_UUID, 0, &err), &err);
	lab_loop_free(l->meta);
	lab_loop_free(l->data);
}
