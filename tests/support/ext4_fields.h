/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every field of every structure of the sample file system, and what a hostile guest might write
 * there: for tests that try them all, one after the other.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "tests/support/ext4_sample.h"

struct ext4_field {
	char name[56]; /* "inode 12 i_size", for messages */
	uint64_t at;   /* on the volume */
	unsigned bytes;
};

enum { EXT4_FIELD_VALUES_MAX = 20 };

/* Superblock, group descriptor, inodes, extents, names, indexes, attributes. Owned. */
struct ext4_field *ext4_fields(const struct ext4_sample *s, size_t *ret_n);

/*
 * 0, 1, one less, one more, the largest, halves, what stands beside it, and the numbers of other
 * blocks and inodes; not what is there already. Returns how many.
 */
size_t ext4_field_values(const struct ext4_sample *s, const struct ext4_field *f,
			 uint64_t ret[EXT4_FIELD_VALUES_MAX]);

void ext4_field_set(struct ext4_sample *s, const struct ext4_field *f, uint64_t value);
