/* SPDX-License-Identifier: Apache-2.0 */
/* A set of hashes, kept as ranges that neither touch nor overlap, ascending. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash_range {
	uint32_t first, last;
};

struct hash_ranges {
	struct hash_range *items;
	size_t n, room;
};

void hash_ranges_add(struct hash_ranges *r, uint32_t first, uint32_t last);
bool hash_ranges_hold(const struct hash_ranges *r, uint32_t hash);
void hash_ranges_release(struct hash_ranges *r);
