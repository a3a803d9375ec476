/* SPDX-License-Identifier: Apache-2.0 */
/* All that can be told of a pool, whoever runs it and whether it is active or not. */
#pragma once

#include "oci/store.h"
#include "pkg/thin/kernel/engine.h"
#include "pkg/thin/kernel/make_lvm.h"
#include "pkg/thin/place.h"

struct store_facts {
	struct thin_place place;
	bool active; /* in the kernel */
	/* Its mode, how full it is. Else why that could not be told is in reason. */
	bool has_status;
	struct thin_pool_status status;
	struct error reason;
	bool has_setup; /* active, and the kernel engine is what runs it */
	struct thin_kernel_setup setup;
	bool has_policy; /* of LVM's, and LVM tells */
	struct thin_lvm_policy policy;
	char *data_file, *metadata_file; /* of a pool in files, owned; NULL: block devices */
};

/*
 * That a pool is not active, or cannot be read, is no error: then there is no status.
 * Errors: ERR_NOT_FOUND (no pool yet), ERR_INCONSISTENT (nobody can tell where it is).
 */
MUST_CHECK int store_facts_load(struct store *s, struct store_facts *ret, struct error *err);
void store_facts_release(struct store_facts *f);
