/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the thin-pool and thin targets say of themselves, read by position; fields that an older
 * kernel does not have yet keep their zero values.
 * Spec: kernel Documentation/admin-guide/device-mapper/thin-provisioning.rst "Status".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "pkg/base/error.h"

enum kernel_pool_mode {
	KERNEL_POOL_WRITE,
	KERNEL_POOL_OUT_OF_DATA,
	KERNEL_POOL_READ_ONLY, /* or out of metadata, which looks the same */
	KERNEL_POOL_FAIL,      /* only deactivating helps; nothing else of the status is known */
	KERNEL_POOL_ERROR,     /* the target could not tell */
};

struct kernel_pool_status {
	enum kernel_pool_mode mode;
	uint64_t transaction_id;
	uint64_t metadata_used,
		metadata_total;		/* 4096-byte blocks; used counts the kernel's reserve */
	uint64_t data_used, data_total; /* data blocks */
	uint64_t held_root;		/* 0 = none */
	bool discard, discard_passdown;
	bool error_if_no_space; /* else it queues */
	bool needs_check;
	uint64_t metadata_low_water; /* blocks; 0 = the kernel does not say */
};

/* @params: as devmap_status() gives it. Errors: ERR_INVALID (no such line). */
MUST_CHECK int kernel_pool_status_parse(const char *params, struct kernel_pool_status *ret,
					struct error *err);

struct kernel_thin_status {
	bool failed;
	uint64_t mapped_sectors;
	uint64_t highest_sector; /* only when mapped_sectors > 0 */
};
MUST_CHECK int kernel_thin_status_parse(const char *params, struct kernel_thin_status *ret,
					struct error *err);
