/* SPDX-License-Identifier: Apache-2.0 */
#include "pkg/ext4/hash_ranges.h"

#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"

/* The first range that ends at a hash or behind it. */
static size_t find(const struct hash_ranges *r, uint32_t hash)
{
	size_t low = 0, high = r->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (r->items[middle].last < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool hash_ranges_hold(const struct hash_ranges *r, uint32_t hash)
{
	size_t at = find(r, hash);

	return at < r->n && r->items[at].first <= hash;
}

void hash_ranges_add(struct hash_ranges *r, uint32_t first, uint32_t last)
{
	/* Those that touch it count, too. */
	size_t at = find(r, first ? first - 1 : 0), end = at;

	for (; end < r->n && (last == UINT32_MAX || r->items[end].first <= last + 1); end++) {
		if (r->items[end].first < first)
			first = r->items[end].first;
		if (r->items[end].last > last)
			last = r->items[end].last;
	}
	if (end == at)
		ALLOC_GROW(r->items, r->n + 1, r->room);
	memmove(r->items + at + 1, r->items + end, (r->n - end) * sizeof(*r->items));
	r->items[at] = (struct hash_range){first, last};
	r->n = r->n - (end - at) + 1;
}

void hash_ranges_release(struct hash_ranges *r)
{
	free(r->items);
	*r = (struct hash_ranges){0};
}
