/* SPDX-License-Identifier: Apache-2.0 */
/* The way out of the cache: whole units, neighbours in one call, zeros only where they matter. */
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/thin/kernel/volume_cache_internal.h"

/* ---- once failed, always failed ---- */

const struct error *kernel_cache_failed(const struct kernel_cache *c)
{
	return &c->failed;
}

int kernel_cache_fail(struct kernel_cache *c, const struct error *err)
{
	if (c->failed.kind == ERR_NONE)
		c->failed = *err;
	return -1;
}

int kernel_cache_check(struct kernel_cache *c, struct error *err)
{
	if (c->failed.kind == ERR_NONE)
		return 0;
	*err = c->failed;
	return -1;
}

/* ---- units to the device ---- */

bool kernel_cache_is_zero(const uint8_t *data, size_t len)
{
	return len == 0 || (data[0] == 0 && memcmp(data, data + 1, len - 1) == 0);
}

static bool holds_zeros(const struct kernel_cache *c, const struct kernel_unit *u)
{
	return kernel_cache_is_zero(u->data, kernel_cache_unit_len(c, u->index));
}

/* Would zeros change anything there? 1 = yes, 0, -1. */
static int differs_from_zeros(struct kernel_cache *c, uint64_t index, struct error *err)
{
	if (kernel_cache_read_unit(c, index, c->scratch, err) < 0)
		return -1;
	return !kernel_cache_is_zero(c->scratch, kernel_cache_unit_len(c, index));
}

/* Goes along in one call, without a question of its own. */
static struct kernel_unit *companion(const struct kernel_cache *c, uint64_t index)
{
	struct kernel_unit *u = kernel_cache_find(c, index);

	return u && u->dirty && !u->missing && !holds_zeros(c, u) ? u : NULL;
}

static int write_run(struct kernel_cache *c, uint64_t first, int n, struct error *err)
{
	struct kernel_unit *units[NODE_MOST_PIECES];
	struct iovec pieces[NODE_MOST_PIECES];
	uint64_t ticket;

	for (int i = 0; i < n; i++) {
		units[i] = kernel_cache_find(c, first + (uint64_t)i);
		pieces[i] =
			(struct iovec){units[i]->data, kernel_cache_unit_len(c, units[i]->index)};
	}
	if (kernel_behind_write(c->behind, pieces, n, first * c->unit_bytes, &ticket, err) < 0)
		return kernel_cache_fail(c, err);
	for (int i = 0; i < n; i++) {
		units[i]->ticket = ticket;
		kernel_cache_set_dirty(c, units[i], false);
	}
	return 0;
}

int kernel_cache_write_around(struct kernel_cache *c, struct kernel_unit *u, struct error *err)
{
	uint64_t first = u->index, last = u->index;
	int n = 1, most = (int)(NODE_MOST_BYTES / c->unit_bytes);

	if (most > NODE_MOST_PIECES)
		most = NODE_MOST_PIECES;
	if (kernel_cache_check(c, err) < 0)
		return -1;
	/* What is to be written and cannot be put together is lost as well. */
	if (kernel_cache_fill(c, u, err) < 0)
		return kernel_cache_fail(c, err);
	if (holds_zeros(c, u)) {
		int differs = differs_from_zeros(c, u->index, err);

		if (differs < 0)
			return kernel_cache_fail(c, err);
		kernel_cache_set_dirty(c, u, differs);
		return differs ? write_run(c, first, 1, err) : 0;
	}
	for (; n < most && first && companion(c, first - 1); n++)
		first--;
	for (; n < most && companion(c, last + 1); n++)
		last++;
	return write_run(c, first, n, err);
}

/* What went out in one call is whole and not looked at again soon: its memory is the next to be
 * used, while it is in the processor's cache. */
static void spend_run(struct kernel_cache *c, const struct kernel_unit *of)
{
	struct kernel_unit *u;

	for (uint64_t i = of->index; (u = kernel_cache_find(c, i)) && u->ticket == of->ticket; i++)
		kernel_cache_spend(c, u);
	for (uint64_t i = of->index;
	     i > 0 && (u = kernel_cache_find(c, i - 1)) && u->ticket == of->ticket; i--)
		kernel_cache_spend(c, u);
}

int kernel_cache_write_early(struct kernel_cache *c, struct error *err)
{
	struct kernel_unit *u = c->ages.newer;

	if (c->n_dirty <= c->early_units)
		return 0;
	while (u != &c->ages && (!u->dirty || u->missing))
		u = u->newer;
	if (u == &c->ages)
		return 0;
	kernel_behind_start(c->behind);
	if (kernel_cache_write_around(c, u, err) < 0)
		return -1;
	if (u->ticket)
		spend_run(c, u);
	return 0;
}

/* ---- all of it ---- */

static int by_index(const void *a, const void *b)
{
	const struct kernel_unit *x = *(struct kernel_unit *const *)a;
	const struct kernel_unit *y = *(struct kernel_unit *const *)b;

	return x->index < y->index ? -1 : x->index > y->index;
}

static int drain(struct kernel_cache *c, struct error *err)
{
	if (kernel_behind_drain(c->behind, err) < 0)
		return kernel_cache_fail(c, err);
	return 0;
}

int kernel_cache_write_out(struct kernel_cache *c, struct error *err)
{
	cleanup_free struct kernel_unit **dirty = xcalloc(c->n_units + 1, sizeof(*dirty));
	size_t n = 0;

	if (kernel_cache_check(c, err) < 0)
		return -1;
	for (struct kernel_unit *u = c->ages.newer; u != &c->ages; u = u->newer)
		if (u->dirty)
			dirty[n++] = u;
	qsort(dirty, n, sizeof(*dirty), by_index);
	for (size_t i = 0; i < n; i++)
		if (kernel_cache_fill(c, dirty[i], err) < 0)
			return kernel_cache_fail(c, err);
	for (size_t i = 0; i < n; i++)
		if (dirty[i]->dirty && kernel_cache_write_around(c, dirty[i], err) < 0)
			return -1;
	return drain(c, err);
}

static int forget(struct kernel_cache *c, struct kernel_unit *ring, uint64_t offset, uint64_t len,
		  struct error *err)
{
	struct kernel_unit *next;

	for (struct kernel_unit *u = ring->newer; u != ring; u = next) {
		uint64_t from = u->index * c->unit_bytes;
		uint64_t to = from + kernel_cache_unit_len(c, u->index);

		next = u->newer;
		if (to <= offset || from >= offset + len)
			continue;
		if (u->dirty && (from < offset || to > offset + len)
		    && kernel_cache_write_around(c, u, err) < 0)
			return -1;
		kernel_cache_drop(c, u);
	}
	return 0;
}

int kernel_cache_forget(struct kernel_cache *c, uint64_t offset, uint64_t len, struct error *err)
{
	if (forget(c, &c->spent, offset, len, err) < 0 || forget(c, &c->ages, offset, len, err) < 0)
		return -1;
	return drain(c, err);
}

/* ---- zeros ---- */

/* Zeros into a part of a unit, unless they are there. */
static int zero_part(struct kernel_cache *c, uint64_t index, size_t at, size_t len,
		     struct error *err)
{
	struct kernel_unit *u = kernel_cache_find(c, index);

	if (!u)
		u = kernel_cache_add(c, index, err);
	if (!u || (!kernel_cache_has_bytes(u, at, len) && kernel_cache_fill(c, u, err) < 0))
		return -1;
	if (kernel_cache_is_zero(u->data + at, len))
		return 0;
	kernel_behind_wait(c->behind, u->ticket);
	memset(u->data + at, 0, len);
	kernel_cache_set_dirty(c, u, true);
	return 0;
}

/* The same for whole units that are not in memory: only those that hold something get there. */
static int zero_absent(struct kernel_cache *c, uint64_t index, size_t n, uint8_t *buf,
		       struct error *err)
{
	struct iovec piece = {buf, n * c->unit_bytes};

	if (kernel_cache_read_node(c, &piece, 1, index * c->unit_bytes, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (!kernel_cache_is_zero(buf + i * c->unit_bytes, c->unit_bytes)
		    && zero_part(c, index + i, 0, c->unit_bytes, err) < 0)
			return -1;
	return 0;
}

/* How many whole units from this one on are not in memory, as far as a buffer holds them. */
static size_t absent_units(const struct kernel_cache *c, uint64_t index, uint64_t len)
{
	uint64_t most = NODE_MOST_BYTES / c->unit_bytes, n = 0;

	if (most > len / c->unit_bytes)
		most = len / c->unit_bytes;
	while (n < most && !kernel_cache_find(c, index + n))
		n++;
	return (size_t)n;
}

int kernel_cache_zero(struct kernel_cache *c, uint64_t offset, uint64_t len, struct error *err)
{
	cleanup_free uint8_t *buf = NULL;

	while (len) {
		uint64_t index = offset / c->unit_bytes;
		size_t at = (size_t)(offset % c->unit_bytes), n = c->unit_bytes - at;
		size_t absent = at ? 0 : absent_units(c, index, len);

		if (kernel_cache_check(c, err) < 0)
			return -1;
		if (absent) {
			n = absent * c->unit_bytes;
			if (!buf)
				buf = xaligned(NODE_ALIGN, NODE_MOST_BYTES);
			if (zero_absent(c, index, absent, buf, err) < 0)
				return -1;
		} else {
			n = n < len ? n : (size_t)len;
			if (zero_part(c, index, at, n, err) < 0)
				return -1;
		}
		offset += n;
		len -= n;
	}
	return 0;
}
