/* SPDX-License-Identifier: Apache-2.0 */
/* Reference-counted blocks of bytes; two states, the present one and the committed one, that share
 * blocks as long as they are the same block. */
#include "tests/support/thin_model.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/volume.h"

enum { SECTOR_BYTES = 512 };

static void forget_versions(struct model_block *b)
{
	for (size_t i = 0; i < b->n_versions; i++)
		free(b->versions[i]);
	free(b->versions);
	b->versions = NULL;
	b->n_versions = b->versions_room = 0;
}

static void block_drop(struct model_block **b)
{
	if (*b && --(*b)->refs == 0) {
		forget_versions(*b);
		free((*b)->bytes);
		free(*b);
	}
	*b = NULL;
}

static void thin_release(struct thin_model *m, struct model_thin *t)
{
	for (uint64_t i = 0; t->blocks && i < m->nr_blocks; i++)
		block_drop(&t->blocks[i]);
	free(t->blocks);
	free(t->shared);
	*t = (struct model_thin){0};
}

static void thin_init(struct thin_model *m, struct model_thin *t)
{
	*t = (struct model_thin){.exists = true};
	t->blocks = xcalloc(m->nr_blocks, sizeof(struct model_block *));
	t->shared = xcalloc(m->nr_blocks, sizeof(*t->shared));
}

static void thin_copy(struct thin_model *m, struct model_thin *to, const struct model_thin *from)
{
	thin_release(m, to);
	if (!from->exists)
		return;
	thin_init(m, to);
	to->mapped = from->mapped;
	memcpy(to->shared, from->shared, m->nr_blocks * sizeof(*to->shared));
	for (uint64_t i = 0; i < m->nr_blocks; i++) {
		to->blocks[i] = from->blocks[i];
		if (to->blocks[i])
			to->blocks[i]->refs++;
	}
}

static void state_copy(struct thin_model *m, struct model_state *to, const struct model_state *from)
{
	for (size_t i = 0; i < m->nr_thins; i++)
		thin_copy(m, &to->thins[i], &from->thins[i]);
	to->transaction_id = from->transaction_id;
}

void thin_model_init(struct thin_model *m)
{
	m->nr_blocks = (m->size_bytes + m->block_bytes - 1) / m->block_bytes;
	m->now.thins = xcalloc(m->nr_thins, sizeof(*m->now.thins));
	m->committed.thins = xcalloc(m->nr_thins, sizeof(*m->committed.thins));
}

void thin_model_release(struct thin_model *m)
{
	for (size_t i = 0; i < m->nr_thins; i++) {
		thin_release(m, &m->now.thins[i]);
		thin_release(m, &m->committed.thins[i]);
	}
	free(m->now.thins);
	free(m->committed.thins);
}

static struct model_block *copy_block(const struct thin_model *m, const struct model_block *from)
{
	struct model_block *b = xcalloc(1, sizeof(*b));

	b->bytes = xmemdup(from->bytes, m->kept_bytes);
	for (size_t i = 0; i < from->n_versions; i++) {
		ALLOC_GROW(b->versions, b->n_versions + 1, b->versions_room);
		b->versions[b->n_versions++] = xmemdup(from->versions[i], m->kept_bytes);
	}
	return b;
}

void thin_model_copy(struct thin_model *to, const struct thin_model *from)
{
	*to = (struct thin_model){.nr_thins = from->nr_thins,
				  .size_bytes = from->size_bytes,
				  .block_bytes = from->block_bytes,
				  .kept_bytes = from->kept_bytes};
	thin_model_init(to);
	state_copy(to, &to->now, &from->committed);
	for (uint32_t id = 0; id < to->nr_thins; id++)
		for (uint64_t i = 0; to->now.thins[id].exists && i < to->nr_blocks; i++) {
			struct model_block **b = &to->now.thins[id].blocks[i], *old = *b;

			if (!old)
				continue;
			if (!old->twin)
				old->twin = copy_block(to, old);
			*b = old->twin;
			old->twin->refs++;
			block_drop(&old);
		}
	for (uint32_t id = 0; id < from->nr_thins; id++)
		for (uint64_t i = 0; from->committed.thins[id].exists && i < from->nr_blocks; i++)
			if (from->committed.thins[id].blocks[i])
				from->committed.thins[id].blocks[i]->twin = NULL;
	state_copy(to, &to->committed, &to->now);
}

void thin_model_create(struct thin_model *m, uint32_t id)
{
	thin_init(m, &m->now.thins[id]);
}

void thin_model_snap(struct thin_model *m, uint32_t id, uint32_t origin)
{
	struct model_thin *from = &m->now.thins[origin], *to = &m->now.thins[id];

	thin_copy(m, to, from);
	for (uint64_t i = 0; i < m->nr_blocks; i++)
		to->shared[i] = from->shared[i] = from->blocks[i] != NULL;
}

void thin_model_delete(struct thin_model *m, uint32_t id)
{
	thin_release(m, &m->now.thins[id]);
}

/* The block that a write goes to: itself when private, else a new one with the old content. */
static struct model_block *block_for_write(struct thin_model *m, struct model_thin *t, uint64_t i)
{
	struct model_block *fresh, *old = t->blocks[i];

	if (old && !t->shared[i])
		return old;
	fresh = xcalloc(1, sizeof(*fresh));
	fresh->refs = 1;
	fresh->bytes = old ? xmemdup(old->bytes, m->kept_bytes) : xcalloc(1, m->kept_bytes);
	t->mapped += !old;
	block_drop(&t->blocks[i]);
	t->blocks[i] = fresh;
	t->shared[i] = false;
	return fresh;
}

static void keep_version(struct thin_model *m, struct model_block *b)
{
	ALLOC_GROW(b->versions, b->n_versions + 1, b->versions_room);
	b->versions[b->n_versions++] = xmemdup(b->bytes, m->kept_bytes);
}

static void write_model(struct thin_model *m, uint32_t id, const uint8_t *p, size_t len,
			uint64_t offset, bool only_in_place)
{
	struct model_thin *t = &m->now.thins[id];

	while (len) {
		uint64_t i = offset / m->block_bytes, at = offset % m->block_bytes;
		size_t part = len < m->block_bytes - at ? len : (size_t)(m->block_bytes - at);
		bool in_place = t->blocks[i] && !t->shared[i];

		assert(at + part <= m->kept_bytes);
		if (in_place)
			keep_version(m, t->blocks[i]);
		if (in_place || !only_in_place)
			memcpy(block_for_write(m, t, i)->bytes + at, p, part);
		p += part;
		offset += part;
		len -= part;
	}
}

void thin_model_discard(struct thin_model *m, uint32_t id, uint64_t offset, uint64_t len)
{
	struct model_thin *t = &m->now.thins[id];

	for (uint64_t i = 0; i < m->nr_blocks; i++) {
		uint64_t start = i * m->block_bytes, end = start + m->block_bytes;

		if (end > m->size_bytes)
			end = m->size_bytes;
		if (start < offset || end > offset + len)
			continue;
		t->mapped -= t->blocks[i] != NULL;
		block_drop(&t->blocks[i]);
		t->shared[i] = false;
	}
}

void thin_model_write(struct thin_model *m, uint32_t id, const void *buf, size_t len,
		      uint64_t offset)
{
	write_model(m, id, buf, len, offset, false);
}

void thin_model_write_failed(struct thin_model *m, uint32_t id, const void *buf, size_t len,
			     uint64_t offset)
{
	write_model(m, id, buf, len, offset, true);
}

void thin_model_commit(struct thin_model *m, uint64_t transaction_id)
{
	m->now.transaction_id = transaction_id;
	for (uint32_t id = 0; id < m->nr_thins; id++)
		for (uint64_t i = 0; m->now.thins[id].exists && i < m->nr_blocks; i++)
			if (m->now.thins[id].blocks[i])
				forget_versions(m->now.thins[id].blocks[i]);
	state_copy(m, &m->committed, &m->now);
}

void thin_model_abort(struct thin_model *m)
{
	state_copy(m, &m->now, &m->committed);
}

static bool different(const char *what, uint32_t id, uint64_t at, uint64_t have, uint64_t want)
{
	fprintf(stderr, "thin %u: %s at %llu: %llu instead of %llu\n", id, what,
		(unsigned long long)at, (unsigned long long)have, (unsigned long long)want);
	return false;
}

static struct thin_volume *open_thin(struct thin_model *m, struct thin_pool *pool, uint32_t id)
{
	struct thin_volume *v = NULL;
	struct error err = {0};
	char text[800];

	if (thin_pool_open_volume(pool, id, m->size_bytes, false, &v, &err) == 0)
		return v;
	error_text(&err, text, sizeof(text));
	fprintf(stderr, "thin %u: %s\n", id, text);
	return NULL;
}

static size_t bytes_in(const struct thin_model *m, uint64_t block)
{
	uint64_t left = m->size_bytes - block * m->block_bytes;

	return left < m->kept_bytes ? (size_t)left : m->kept_bytes;
}

/* Each sector must be one of those that the block had; the newest is tried first. */
static bool settle_block(struct thin_model *m, uint32_t id, uint64_t i, const uint8_t *is)
{
	struct model_block *b = m->now.thins[id].blocks[i];
	size_t len = bytes_in(m, i);

	for (size_t at = 0; at < len; at += SECTOR_BYTES) {
		size_t n = len - at < SECTOR_BYTES ? len - at : SECTOR_BYTES, v = b->n_versions;

		if (!memcmp(is + at, b->bytes + at, n))
			continue;
		while (v > 0 && memcmp(is + at, b->versions[v - 1] + at, n) != 0)
			v--;
		if (!v)
			return different("torn sector", id, i * m->block_bytes + at, is[at],
					 b->bytes[at]);
	}
	memcpy(b->bytes, is, len);
	return true;
}

static bool settle_thin(struct thin_model *m, struct thin_pool *pool, uint32_t id)
{
	const struct model_thin *t = &m->now.thins[id];
	cleanup(thin_volume_close_ptr) struct thin_volume *v = NULL;
	cleanup_free uint8_t *is = NULL;
	struct error err = {0};

	for (uint64_t i = 0; i < m->nr_blocks; i++) {
		if (!t->blocks[i] || !t->blocks[i]->n_versions)
			continue;
		if (!v)
			v = open_thin(m, pool, id);
		if (!v)
			return false;
		if (!is)
			is = xmalloc(m->kept_bytes);
		if (thin_volume_read(v, is, bytes_in(m, i), i * m->block_bytes, &err) < 0)
			return different(err.cause, id, i * m->block_bytes, 0, 0);
		if (!settle_block(m, id, i, is))
			return false;
	}
	return true;
}

bool thin_model_settle(struct thin_model *m, struct thin_pool *pool)
{
	for (uint32_t id = 0; id < m->nr_thins; id++)
		if (m->now.thins[id].exists && !settle_thin(m, pool, id))
			return false;
	return true;
}

static bool all_zero(const uint8_t *p, size_t len)
{
	return !p[0] && !memcmp(p, p + 1, len - 1);
}

static bool block_equals(struct thin_model *m, struct thin_volume *v, uint32_t id, uint64_t i,
			 uint8_t *is)
{
	const struct model_block *b = m->now.thins[id].blocks[i];
	uint64_t start = i * m->block_bytes;
	size_t len = bytes_in(m, i);
	struct error err = {0};

	memset(is, 0xa5, len);
	if (thin_volume_read(v, is, len, start, &err) < 0)
		return different(err.cause, id, start, 0, len);
	if (b ? memcmp(is, b->bytes, len) == 0 : all_zero(is, len))
		return true;
	for (size_t at = 0; at < len; at++)
		if (is[at] != (b ? b->bytes[at] : 0))
			return different(b ? "byte" : "byte of an unmapped block", id, start + at,
					 is[at], b ? b->bytes[at] : 0);
	return true;
}

/* next_mapped must walk over exactly the mapped blocks, in order. */
static bool ranges_equal(struct thin_model *m, struct thin_volume *v, uint32_t id)
{
	uint64_t offset = 0, at = 0, len = 0, seen = 0;
	struct error err = {0};
	int rc;

	while ((rc = thin_volume_next_mapped(v, offset, &at, &len, &err)) == 0) {
		if (at < offset || !len || at + len > m->size_bytes)
			return different("mapped range", id, at, len, offset);
		for (uint64_t i = at / m->block_bytes; i <= (at + len - 1) / m->block_bytes; i++) {
			if (!m->now.thins[id].blocks[i])
				return different("mapped block", id, i, 1, 0);
			seen++;
		}
		offset = at + len;
		if (offset == m->size_bytes)
			break;
	}
	if (rc < 0)
		return different(err.cause, id, offset, 0, 0);
	if (seen != m->now.thins[id].mapped)
		return different("blocks in mapped ranges", id, 0, seen, m->now.thins[id].mapped);
	return true;
}

static bool thin_equals(struct thin_model *m, struct thin_pool *pool, uint32_t id, uint64_t from,
			uint64_t stride)
{
	cleanup(thin_volume_close_ptr) struct thin_volume *v = open_thin(m, pool, id);
	cleanup_free uint8_t *is = xmalloc(m->kept_bytes);

	if (!v || !ranges_equal(m, v, id))
		return false;
	for (uint64_t i = from % stride; i < m->nr_blocks; i += stride)
		if (!block_equals(m, v, id, i, is))
			return false;
	return true;
}

static bool lists_equal(struct thin_model *m, struct thin_pool *pool)
{
	cleanup_free struct thin_device *devices = NULL;
	struct error err = {0};
	size_t n = 0, k = 0;

	if (thin_pool_devices(pool, &devices, &n, &err) < 0)
		return different(err.cause, 0, 0, 0, 0);
	for (uint32_t id = 0; id < m->nr_thins; id++) {
		const struct model_thin *t = &m->now.thins[id];
		bool listed = k < n && devices[k].id == id;

		if (listed != t->exists)
			return different("listed", id, 0, listed, t->exists);
		if (listed && devices[k].mapped_blocks != t->mapped)
			return different("mapped_blocks", id, 0, devices[k].mapped_blocks,
					 t->mapped);
		k += listed;
	}
	return k == n || different("devices", 0, 0, n, k);
}

bool thin_model_equals(struct thin_model *m, struct thin_pool *pool, uint64_t from, uint64_t stride)
{
	struct thin_pool_status status;
	struct error err = {0};

	if (!lists_equal(m, pool))
		return false;
	if (thin_pool_status(pool, &status, &err) < 0
	    || status.transaction_id != m->now.transaction_id)
		return different("transaction", 0, 0, status.transaction_id, m->now.transaction_id);
	for (uint32_t id = 0; id < m->nr_thins; id++)
		if (m->now.thins[id].exists && !thin_equals(m, pool, id, from, stride))
			return false;
	return true;
}
