/* SPDX-License-Identifier: Apache-2.0 */
/* Units of a device in memory: found by a hash, thrown out by age. */
#include "pkg/thin/kernel/volume_cache.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "pkg/base/alloc.h"
#include "pkg/thin/kernel/volume_cache_internal.h"

enum {
	LEAST_UNITS = 4,
	EARLY_BYTES = 2 << 20,	  /* two calls: one is under way while the next is put together */
	BYPASS_BYTES = 256 << 10, /* whole units that are read at once so many are not kept */
	HEAP_BYTES = 96 << 10,	  /* as much memory is taken from the heap */
};

/* ---- finding units ---- */

static struct kernel_unit **slot_of(const struct kernel_cache *c, uint64_t index)
{
	return &c->slots[index % c->max_units];
}

struct kernel_unit *kernel_cache_find(const struct kernel_cache *c, uint64_t index)
{
	struct kernel_unit *u = *slot_of(c, index);

	while (u && u->index != index)
		u = u->next_in_slot;
	return u;
}

size_t kernel_cache_unit_len(const struct kernel_cache *c, uint64_t index)
{
	uint64_t left = c->size_bytes - index * c->unit_bytes;

	return left < c->unit_bytes ? (size_t)left : c->unit_bytes;
}

static void unlink_age(struct kernel_unit *u)
{
	u->older->newer = u->newer;
	u->newer->older = u->older;
}

static void link_newest(struct kernel_unit *ring, struct kernel_unit *u)
{
	u->newer = ring;
	u->older = ring->older;
	u->older->newer = u;
	ring->older = u;
}

void kernel_cache_spend(struct kernel_cache *c, struct kernel_unit *u)
{
	unlink_age(u);
	link_newest(&c->spent, u);
}

static void touch(struct kernel_cache *c, struct kernel_unit *u)
{
	unlink_age(u);
	link_newest(&c->ages, u);
}

/* What is dirty is in use. */
void kernel_cache_set_dirty(struct kernel_cache *c, struct kernel_unit *u, bool dirty)
{
	c->n_dirty += (size_t)dirty - (size_t)u->dirty;
	u->dirty = dirty;
	if (dirty)
		touch(c, u);
}

void kernel_cache_drop(struct kernel_cache *c, struct kernel_unit *u)
{
	struct kernel_unit **link = slot_of(c, u->index);

	kernel_behind_wait(c->behind, u->ticket);
	kernel_cache_set_dirty(c, u, false);
	while (*link != u)
		link = &(*link)->next_in_slot;
	*link = u->next_in_slot;
	unlink_age(u);
	u->next_in_slot = c->spare;
	c->spare = u;
}

static size_t map_words(const struct kernel_cache *c)
{
	return (c->unit_bytes / NODE_ALIGN + 63) / 64;
}

static struct kernel_unit *new_unit(struct kernel_cache *c)
{
	struct kernel_unit *u = xcalloc(1, sizeof(*u));

	u->data = c->memory + c->n_units * c->unit_bytes;
	u->valid = xcalloc(map_words(c), sizeof(*u->valid));
	c->n_units++;
	return u;
}

/* The unit that is missed least, or NULL: there is memory for one more. */
static struct kernel_unit *victim(struct kernel_cache *c)
{
	struct kernel_unit *spent = c->spent.newer;

	if (spent != &c->spent && kernel_behind_is_over(c->behind, spent->ticket))
		return spent;
	if (c->n_units < c->max_units)
		return NULL;
	return spent != &c->spent ? spent : c->ages.newer;
}

struct kernel_unit *kernel_cache_add(struct kernel_cache *c, uint64_t index, struct error *err)
{
	struct kernel_unit *u = c->spare ? NULL : victim(c);

	if (u && u->dirty && kernel_cache_write_around(c, u, err) < 0)
		return NULL;
	if (u)
		kernel_cache_drop(c, u);
	u = c->spare;
	if (u)
		c->spare = u->next_in_slot;
	else
		u = new_unit(c);
	u->index = index;
	u->ticket = 0;
	u->pages = u->missing =
		(uint32_t)((kernel_cache_unit_len(c, index) + NODE_ALIGN - 1) / NODE_ALIGN);
	memset(u->valid, 0, map_words(c) * sizeof(*u->valid));
	u->next_in_slot = *slot_of(c, index);
	*slot_of(c, index) = u;
	link_newest(&c->ages, u);
	return u;
}

/* ---- pages ---- */

static bool has_page(const struct kernel_unit *u, uint32_t page)
{
	return u->valid[page / 64] >> page % 64 & 1;
}

void kernel_cache_add_page(struct kernel_unit *u, uint32_t page)
{
	if (has_page(u, page))
		return;
	u->valid[page / 64] |= UINT64_C(1) << page % 64;
	u->missing--;
}

bool kernel_cache_has_bytes(const struct kernel_unit *u, size_t at, size_t len)
{
	if (!u->missing)
		return true;
	for (size_t page = at / NODE_ALIGN; page <= (at + len - 1) / NODE_ALIGN; page++)
		if (!has_page(u, (uint32_t)page))
			return false;
	return true;
}

/* A page of which only a part is written has to be known. */
static bool ends_are_known(const struct kernel_cache *c, const struct kernel_unit *u, size_t at,
			   size_t len)
{
	size_t end = at + len;

	if (at % NODE_ALIGN && !kernel_cache_has_bytes(u, at, 1))
		return false;
	return end % NODE_ALIGN == 0 || end == kernel_cache_unit_len(c, u->index)
	       || kernel_cache_has_bytes(u, end - 1, 1);
}

int kernel_cache_read_node(struct kernel_cache *c, struct iovec *pieces, int n, uint64_t offset,
			   struct error *err)
{
	/* What was not in fact written and is not in memory any more would read as it was before. */
	if (kernel_behind_check(c->behind, err) < 0)
		return kernel_cache_fail(c, err);
	return kernel_node_read(c->node, pieces, n, offset, err);
}

int kernel_cache_read_unit(struct kernel_cache *c, uint64_t index, uint8_t *buf, struct error *err)
{
	struct iovec piece = {buf, kernel_cache_unit_len(c, index)};

	return kernel_cache_read_node(c, &piece, 1, index * c->unit_bytes, err);
}

int kernel_cache_fill(struct kernel_cache *c, struct kernel_unit *u, struct error *err)
{
	size_t len = kernel_cache_unit_len(c, u->index);
	bool some = u->missing < u->pages;

	if (!u->missing)
		return 0;
	if (kernel_cache_read_unit(c, u->index, some ? c->scratch : u->data, err) < 0)
		return -1;
	for (uint32_t page = 0; page < u->pages; page++) {
		size_t at = (size_t)page * NODE_ALIGN;

		if (some && !has_page(u, page))
			memcpy(u->data + at, c->scratch + at,
			       len - at < NODE_ALIGN ? len - at : NODE_ALIGN);
		kernel_cache_add_page(u, page);
	}
	return 0;
}

/* ---- reading ---- */

/* How many units from this one on, n at most, are not in memory. */
static size_t absent(const struct kernel_cache *c, uint64_t index, size_t n)
{
	size_t len = 0;

	while (len < n && !kernel_cache_find(c, index + len))
		len++;
	return len;
}

/* Who reads one unit after the other gets twice as many each time. */
static size_t plan_ahead(struct kernel_cache *c, uint64_t index, size_t wanted)
{
	size_t most = NODE_MOST_BYTES / c->unit_bytes;
	uint64_t left = (c->size_bytes - 1) / c->unit_bytes - index + 1;

	if (most > c->max_units / 2)
		most = c->max_units / 2;
	if (most > NODE_MOST_PIECES)
		most = NODE_MOST_PIECES;
	c->ahead = index == c->next_index ? 2 * c->ahead : 0;
	if (c->ahead < wanted)
		c->ahead = wanted;
	if (c->ahead > most)
		c->ahead = most ? most : 1;
	return c->ahead < left ? c->ahead : (size_t)left;
}

/* Read units that are absent, this one and some behind it. */
static int load(struct kernel_cache *c, uint64_t index, size_t wanted, struct error *err)
{
	struct kernel_unit *units[NODE_MOST_PIECES];
	struct iovec pieces[NODE_MOST_PIECES];
	size_t n = absent(c, index, plan_ahead(c, index, wanted)), got = 0;
	int status = 0;

	/* Room is made before anything is read: that may write, and age others out. */
	while (status == 0 && got < n) {
		struct kernel_unit *u = kernel_cache_add(c, index + got, err);

		if (!u) {
			status = -1;
			break;
		}
		units[got] = u;
		pieces[got++] = (struct iovec){u->data, kernel_cache_unit_len(c, u->index)};
	}
	if (status == 0)
		status = kernel_cache_read_node(c, pieces, (int)n, index * c->unit_bytes, err);
	for (size_t i = 0; i < got; i++) {
		if (status < 0)
			kernel_cache_drop(c, units[i]);
		for (uint32_t page = 0; status == 0 && page < units[i]->pages; page++)
			kernel_cache_add_page(units[i], page);
	}
	c->next_index = index + n;
	return status;
}

static int read_part(struct kernel_cache *c, uint8_t *buf, size_t len, uint64_t index, size_t at,
		     size_t wanted, struct error *err)
{
	struct kernel_unit *u = kernel_cache_find(c, index);

	if (!u) {
		if (load(c, index, wanted, err) < 0)
			return -1;
		u = kernel_cache_find(c, index);
	}
	if (!kernel_cache_has_bytes(u, at, len) && kernel_cache_fill(c, u, err) < 0)
		return -1;
	touch(c, u);
	memcpy(buf, u->data + at, len);
	return 0;
}

/* How many whole units can go past the memory here: none of them is in it. */
static size_t bypass_units(const struct kernel_cache *c, const void *buf, size_t len,
			   uint64_t offset)
{
	size_t n = len / c->unit_bytes;

	if (offset % c->unit_bytes || (uintptr_t)buf % NODE_ALIGN || len < BYPASS_BYTES)
		return 0;
	if (n > NODE_MOST_BYTES / c->unit_bytes)
		n = NODE_MOST_BYTES / c->unit_bytes ? NODE_MOST_BYTES / c->unit_bytes : 1;
	return n;
}

int kernel_cache_read(struct kernel_cache *c, void *buf, size_t len, uint64_t offset,
		      struct error *err)
{
	uint8_t *to = buf;

	while (len) {
		uint64_t index = offset / c->unit_bytes;
		size_t at = (size_t)(offset % c->unit_bytes), n = c->unit_bytes - at;
		size_t whole = absent(c, index, bypass_units(c, to, len, offset));

		if (whole) {
			struct iovec piece = {to, n = whole * c->unit_bytes};

			if (kernel_cache_read_node(c, &piece, 1, offset, err) < 0)
				return -1;
		} else {
			size_t wanted = (at + len + c->unit_bytes - 1) / c->unit_bytes;

			n = n < len ? n : len;
			if (read_part(c, to, n, index, at, wanted, err) < 0)
				return -1;
		}
		to += n;
		offset += n;
		len -= n;
	}
	return 0;
}

/* ---- writing ---- */

static int write_part(struct kernel_cache *c, const uint8_t *data, size_t len, uint64_t index,
		      size_t at, struct error *err)
{
	struct kernel_unit *u = kernel_cache_find(c, index);

	if (!u)
		u = kernel_cache_add(c, index, err);
	if (!u || (!ends_are_known(c, u, at, len) && kernel_cache_fill(c, u, err) < 0))
		return -1;
	kernel_behind_wait(c->behind, u->ticket);
	memcpy(u->data + at, data, len);
	for (size_t page = at / NODE_ALIGN; page <= (at + len - 1) / NODE_ALIGN; page++)
		kernel_cache_add_page(u, (uint32_t)page);
	kernel_cache_set_dirty(c, u, true);
	return u->missing ? 0 : kernel_cache_write_early(c, err);
}

int kernel_cache_write(struct kernel_cache *c, const void *buf, size_t len, uint64_t offset,
		       struct error *err)
{
	const uint8_t *from = buf;

	if (kernel_cache_check(c, err) < 0)
		return -1;
	while (len) {
		size_t at = (size_t)(offset % c->unit_bytes), n = c->unit_bytes - at;

		n = n < len ? n : len;
		if (write_part(c, from, n, offset / c->unit_bytes, at, err) < 0)
			return -1;
		from += n;
		offset += n;
		len -= n;
	}
	return 0;
}

/* ---- from birth to death ---- */

/*
 * Used only as far as there are units. Much of it is given back as a whole: a heap would be in pieces
 * then. For little that would cost more than what it is for.
 */
static uint8_t *reserve(size_t bytes)
{
	void *memory;

	if (bytes <= HEAP_BYTES)
		return xaligned(NODE_ALIGN, bytes);
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		abort();
	return memory;
}

static void give_back(uint8_t *memory, size_t bytes)
{
	if (bytes <= HEAP_BYTES)
		free(memory);
	else
		munmap(memory, bytes);
}

struct kernel_cache *kernel_cache_new(struct kernel_node *node, uint64_t size_bytes,
				      uint32_t unit_bytes, uint64_t most_bytes)
{
	struct kernel_cache *c = xcalloc(1, sizeof(*c));
	uint64_t units = most_bytes / unit_bytes;

	c->node = node;
	c->behind = kernel_behind_new(node);
	c->size_bytes = size_bytes;
	c->unit_bytes = unit_bytes;
	c->max_units = units < LEAST_UNITS ? LEAST_UNITS : (size_t)units;
	c->early_units = EARLY_BYTES / unit_bytes;
	if (c->early_units > c->max_units / LEAST_UNITS)
		c->early_units = c->max_units / LEAST_UNITS;
	if (c->early_units == 0)
		c->early_units = 1;
	c->slots = xcalloc(c->max_units, sizeof(struct kernel_unit *));
	c->memory_bytes = (c->max_units + 1) * (size_t)unit_bytes;
	if (c->memory_bytes <= HEAP_BYTES) /* nor would it pay to write early */
		c->early_units = c->max_units;
	c->memory = reserve(c->memory_bytes);
	c->scratch = c->memory + c->max_units * (size_t)unit_bytes;
	c->ages.newer = c->ages.older = &c->ages;
	c->spent.newer = c->spent.older = &c->spent;
	c->next_index = UINT64_MAX;
	return c;
}

static void free_unit(struct kernel_unit *u)
{
	free(u->valid);
	free(u);
}

static void drop_all(struct kernel_cache *c, struct kernel_unit *ring)
{
	while (ring->newer != ring)
		kernel_cache_drop(c, ring->newer);
}

void kernel_cache_free(struct kernel_cache *c)
{
	if (!c)
		return;
	drop_all(c, &c->ages);
	drop_all(c, &c->spent);
	while (c->spare) {
		struct kernel_unit *u = c->spare;

		c->spare = u->next_in_slot;
		free_unit(u);
	}
	kernel_behind_free(c->behind);
	free(c->slots);
	give_back(c->memory, c->memory_bytes);
	free(c);
}
