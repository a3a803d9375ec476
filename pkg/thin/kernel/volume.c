/* SPDX-License-Identifier: Apache-2.0 */
/* A thin device through its node: the cache does the bytes, this what a volume can beside them. */
#include "pkg/thin/kernel/volume.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/thin/engine.h"
#include "pkg/thin/kernel/volume_cache.h"
#include "pkg/thin/kernel/volume_node.h"

enum {
	CACHE_BYTES = 32 << 20,
	FEW_BYTES = 64 << 10, /* of what is read by page */
	/* Larger blocks are not kept as a whole: the kernel zeroes or copies around what is written.
	 */
	PART_BYTES = 1 << 20,
};

struct kernel_volume {
	struct thin_volume base; /* first */
	struct kernel_node node;
	struct kernel_cache *cache;
	struct kernel_volume_pool pool;
	uint64_t flushed; /* changes() at the last flush */
	/* what next_mapped() has asked for */
	struct kernel_range *mapped;
	size_t n_mapped;
	uint64_t mapped_at; /* changes() then */
	bool is_mapped_known;
};

static struct kernel_volume *volume_of(struct thin_volume *v)
{
	return (struct kernel_volume *)v;
}

/* How often the device was changed by us. */
static uint64_t changes(const struct kernel_volume *v)
{
	return v->node.counts.writes + v->node.counts.discards;
}

/* For a status on its way up: the pool may know more of an error. */
static int told(struct kernel_volume *v, int status, struct error *err)
{
	if (status < 0 && err->sys && v->pool.explain)
		v->pool.explain(v->pool.arg, err);
	return status;
}

static int volume_read(struct thin_volume *volume, void *buf, size_t len, uint64_t offset,
		       struct error *err)
{
	struct kernel_volume *v = volume_of(volume);

	return told(v, kernel_cache_read(v->cache, buf, len, offset, err), err);
}

static int volume_write(struct thin_volume *volume, const void *buf, size_t len, uint64_t offset,
			struct error *err)
{
	struct kernel_volume *v = volume_of(volume);

	return told(v, kernel_cache_write(v->cache, buf, len, offset, err), err);
}

static int volume_zero(struct thin_volume *volume, uint64_t offset, uint64_t len, struct error *err)
{
	struct kernel_volume *v = volume_of(volume);

	return told(v, kernel_cache_zero(v->cache, offset, len, err), err);
}

/* ---- discard ---- */

/*
 * Does the kernel unmap all blocks that it is asked to? Not the last one when it is shorter; and where
 * the size is no power of two its block layer (6.1: bio_discard_limit(), round_up()) cuts some ranges
 * inside a block, and neither part is a whole one then.
 */
static bool may_leave_blocks(const struct kernel_volume *v, uint64_t end)
{
	uint64_t block_bytes = v->base.block_bytes;

	return (block_bytes & (block_bytes - 1)) || end % block_bytes;
}

/* Discarded or not, it reads as zeros. */
static int discard(struct kernel_volume *v, uint64_t offset, uint64_t len, struct error *err)
{
	int status;

	if (kernel_cache_forget(v->cache, offset, len, err) < 0)
		return -1;
	status = kernel_node_discard(&v->node, offset, len, err);
	if (status < 0)
		return kernel_cache_fail(v->cache, err);
	if (status == 0 && !may_leave_blocks(v, offset + len))
		return 0;
	return kernel_cache_zero(v->cache, offset, len, err);
}

static int volume_discard(struct thin_volume *volume, uint64_t offset, uint64_t len,
			  struct error *err)
{
	struct kernel_volume *v = volume_of(volume);

	return told(v, discard(v, offset, len, err), err);
}

/* ---- what is mapped ---- */

static int ask_mapped(struct kernel_volume *v, struct error *err)
{
	struct kernel_range *ranges;
	size_t n;

	if (v->base.writable && kernel_cache_write_out(v->cache, err) < 0)
		return -1;
	if (v->is_mapped_known && v->mapped_at == changes(v))
		return 0;
	if (v->pool.mapped(v->pool.arg, &ranges, &n, err) < 0)
		return -1;
	free(v->mapped);
	v->mapped = ranges;
	v->n_mapped = n;
	v->mapped_at = changes(v);
	v->is_mapped_known = true;
	return 0;
}

/* The first range that ends behind a block, or NULL. */
static const struct kernel_range *range_at(const struct kernel_volume *v, uint64_t block)
{
	size_t low = 0, high = v->n_mapped;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (v->mapped[mid].first_block + v->mapped[mid].nr_blocks <= block)
			low = mid + 1;
		else
			high = mid;
	}
	return low < v->n_mapped ? &v->mapped[low] : NULL;
}

static int volume_next_mapped(struct thin_volume *volume, uint64_t offset, uint64_t *ret_offset,
			      uint64_t *ret_len, struct error *err)
{
	struct kernel_volume *v = volume_of(volume);
	uint64_t block_bytes = v->base.block_bytes, start = 0, end = v->base.size_bytes;
	const struct kernel_range *range;

	if (v->pool.mapped) {
		if (ask_mapped(v, err) < 0)
			return told(v, -1, err);
		range = range_at(v, offset / block_bytes);
		if (!range || range->first_block > (end - 1) / block_bytes)
			return 1;
		start = range->first_block * block_bytes;
		if (range->nr_blocks < (end - start) / block_bytes)
			end = start + range->nr_blocks * block_bytes;
	}
	*ret_offset = start > offset ? start : offset;
	*ret_len = end - *ret_offset;
	return 0;
}

/* ---- flush and close ---- */

int kernel_volume_write_out(struct thin_volume *volume, struct error *err)
{
	struct kernel_volume *v = volume_of(volume);

	if (!volume->writable)
		return 0;
	return told(v, kernel_cache_write_out(v->cache, err), err);
}

int kernel_volume_flush(struct thin_volume *volume, struct error *err)
{
	struct kernel_volume *v = volume_of(volume);

	if (kernel_volume_write_out(volume, err) < 0)
		return -1;
	if (v->flushed == changes(v))
		return 0;
	/* What the kernel could not write it may have forgotten: it is not asked again. */
	if (kernel_node_flush(&v->node, err) < 0) {
		kernel_cache_fail(v->cache, err);
		return told(v, -1, err);
	}
	v->flushed = changes(v);
	return 0;
}

void kernel_volume_counts(const struct thin_volume *volume, struct kernel_volume_counts *ret)
{
	*ret = ((const struct kernel_volume *)volume)->node.counts;
}

static void volume_close(struct thin_volume *volume)
{
	struct kernel_volume *v = volume_of(volume);
	struct error failed = {0};
	bool unflushed;
	int status;

	/* What waits in the page cache would be out of reach of others' flushes. */
	status = v->node.direct ? kernel_volume_write_out(volume, &failed)
				: kernel_volume_flush(volume, &failed);
	unflushed = v->flushed != changes(v);
	if (status < 0)
		log_debug("%s was closed with something unwritten: %s", v->node.path, failed.cause);
	kernel_cache_free(v->cache);
	kernel_node_close(&v->node);
	if (v->pool.closed)
		v->pool.closed(v->pool.arg, volume, &failed, unflushed);
	free(v->mapped);
	free(v);
}

static const struct thin_volume_ops volume_ops = {
	.read = volume_read,
	.write = volume_write,
	.zero = volume_zero,
	.discard = volume_discard,
	.next_mapped = volume_next_mapped,
	.close = volume_close,
};

struct thin_volume *kernel_volume_new(const struct kernel_node *node, uint64_t size_bytes,
				      uint32_t block_bytes, bool writable,
				      const struct kernel_volume_pool *pool)
{
	uint32_t unit = pool->by_page				   ? NODE_ALIGN
			: block_bytes <= KERNEL_VOLUME_WHOLE_BYTES ? block_bytes
								   : PART_BYTES;
	struct kernel_volume *v = xcalloc(1, sizeof(*v));

	v->base.ops = &volume_ops;
	v->base.size_bytes = size_bytes;
	v->base.block_bytes = block_bytes;
	v->base.writable = writable;
	v->base.gathers = true;
	v->node = *node;
	v->cache = kernel_cache_new(&v->node, size_bytes, unit,
				    pool->by_page ? FEW_BYTES : CACHE_BYTES);
	v->pool = *pool;
	return &v->base;
}

int kernel_volume_open(const char *path, uint64_t size_bytes, uint32_t block_bytes, bool writable,
		       const struct kernel_volume_pool *pool, struct thin_volume **ret,
		       struct error *err)
{
	struct kernel_node node;

	if (kernel_node_open(&node, path, writable, size_bytes, err) < 0)
		return -1;
	*ret = kernel_volume_new(&node, size_bytes, block_bytes, writable, pool);
	return 0;
}
