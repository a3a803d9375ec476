/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables and names of the devices of a pool.
 *
 *   UUID  THINPULL-<32 hex of the pool's>-pool, -meta, -data, -<thin id>, -<thin id>-volume
 *   name  thinpull-<first 12 hex of it>-pool, ...         nobody else's devices are touched
 *
 * -<thin id> is given to others and outlives its maker, -<thin id>-volume is a session's that has
 * the thin device open; the kernel has both at once where need be.
 *
 * A pool that LVM runs has LVM's own name and UUID; its thin devices have ours.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "pkg/base/error.h"
#include "pkg/thin/kernel/devmap.h"
#include "pkg/thin/pool.h"

struct kernel_names {
	char name[DEVMAP_NAME_BYTES];
	char uuid[DEVMAP_UUID_BYTES];
};

void kernel_names_part(const uint8_t pool[THIN_UUID_BYTES], const char *part,
		       struct kernel_names *ret);
void kernel_names_thin(const uint8_t pool[THIN_UUID_BYTES], uint32_t id, struct kernel_names *ret);
void kernel_names_volume(const uint8_t pool[THIN_UUID_BYTES], uint32_t id,
			 struct kernel_names *ret);

/* "THINPULL-<uuid>-": what the UUIDs of all devices of a pool start with. */
void kernel_names_prefix(const uint8_t pool[THIN_UUID_BYTES], char ret[DEVMAP_UUID_BYTES]);

/* The thin id of a device with such a UUID, of one kind or the other; false for the others. */
bool kernel_names_parse_thin(const char *uuid, uint32_t *ret_id);
bool kernel_names_parse_volume(const char *uuid, uint32_t *ret_id);

struct kernel_pool_table {
	char metadata[32], data[32]; /* "MAJOR:MINOR" */
	uint32_t block_sectors;
	uint64_t low_water_blocks;
	bool skip_zeroing, ignore_discard, no_discard_passdown, read_only, error_if_no_space;
};

/* The params of a thin-pool line. Owned. */
char *kernel_pool_table_format(const struct kernel_pool_table *t);
MUST_CHECK int kernel_pool_table_parse(const char *params, struct kernel_pool_table *ret,
				       struct error *err);
