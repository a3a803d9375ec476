/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table of metadata blocks and the order of writing. Knows no trees and no counts. */
#include "pkg/thin/file/cache.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"

enum {
	FIRST_BUCKETS = 256,
	CLEAN_BLOCKS_KEPT = 4096, /* 16 MiB */
	RUN_BLOCKS = 256,	  /* blocks in one system call */
};

struct tf_cache_block {
	struct tf_cache_block *next;
	uint64_t nr;
	enum tf_block_type type;
	bool fresh;
	bool used; /* since the last look of tf_cache_trim() */
	uint8_t data[TF_BLOCK_BYTES];
};

void tf_cache_init(struct tf_cache *c, int fd, const char *name, uint64_t nr_blocks)
{
	*c = (struct tf_cache){.fd = fd, .name = name, .nr_blocks = nr_blocks};
	c->n_buckets = FIRST_BUCKETS;
	c->buckets = xcalloc(c->n_buckets, sizeof(struct tf_cache_block *));
}

void tf_cache_release(struct tf_cache *c)
{
	if (!c->buckets)
		return;
	tf_cache_clear(c);
	free(c->buckets);
	c->buckets = NULL;
}

static size_t bucket_of(const struct tf_cache *c, uint64_t nr)
{
	return (size_t)nr & (c->n_buckets - 1);
}

static struct tf_cache_block *find(const struct tf_cache *c, uint64_t nr)
{
	struct tf_cache_block *b = c->buckets[bucket_of(c, nr)];

	while (b && b->nr != nr)
		b = b->next;
	return b;
}

static void link_block(struct tf_cache *c, struct tf_cache_block *b)
{
	size_t at = bucket_of(c, b->nr);

	b->next = c->buckets[at];
	c->buckets[at] = b;
}

static void double_buckets(struct tf_cache *c)
{
	cleanup_free struct tf_cache_block **old = c->buckets;
	size_t n_old = c->n_buckets;

	c->n_buckets *= 2;
	c->buckets = xcalloc(c->n_buckets, sizeof(struct tf_cache_block *));
	for (size_t i = 0; i < n_old; i++) {
		struct tf_cache_block *next;

		for (struct tf_cache_block *b = old[i]; b; b = next) {
			next = b->next;
			link_block(c, b);
		}
	}
}

static struct tf_cache_block *add(struct tf_cache *c, uint64_t nr)
{
	struct tf_cache_block *b = xmalloc(sizeof(*b));

	if (c->n_blocks >= c->n_buckets)
		double_buckets(c);
	b->nr = nr;
	b->fresh = false;
	b->used = true;
	link_block(c, b);
	c->n_blocks++;
	return b;
}

static void drop(struct tf_cache *c, struct tf_cache_block **link)
{
	struct tf_cache_block *b = *link;

	*link = b->next;
	c->n_blocks--;
	c->n_fresh -= b->fresh;
	free(b);
}

const uint8_t *tf_cache_read(struct tf_cache *c, uint64_t nr, enum tf_block_type type,
			     struct error *err)
{
	struct tf_cache_block *b = find(c, nr);
	TF_BLOCK_ALIGNED uint8_t bytes[TF_BLOCK_BYTES];

	if (b && b->type == type) {
		b->used = true;
		return b->data;
	}
	/* Block 0 is the superblock: no tree can hold it. */
	if (b || nr == 0 || nr >= c->nr_blocks) {
		error_set(err, ERR_INCONSISTENT,
			  "metadata block %llu of %llu is used as two things",
			  (unsigned long long)nr, (unsigned long long)c->nr_blocks);
		return NULL;
	}
	if (fdio_pread(c->fd, bytes, sizeof(bytes), nr * TF_BLOCK_BYTES, c->name, err) < 0
	    || tf_block_verify(bytes, type, nr, err) < 0)
		return NULL;
	c->n_reads++;
	b = add(c, nr);
	b->type = type;
	memcpy(b->data, bytes, sizeof(bytes));
	return b->data;
}

uint8_t *tf_cache_new(struct tf_cache *c, uint64_t nr, enum tf_block_type type)
{
	struct tf_cache_block *b = find(c, nr);

	if (!b)
		b = add(c, nr);
	c->n_fresh += !b->fresh;
	b->fresh = true;
	b->used = true;
	b->type = type;
	memset(b->data, 0, sizeof(b->data));
	return b->data;
}

bool tf_cache_is_fresh(const struct tf_cache *c, uint64_t nr)
{
	const struct tf_cache_block *b = find(c, nr);

	return b && b->fresh;
}

uint8_t *tf_cache_edit(struct tf_cache *c, uint64_t nr)
{
	struct tf_cache_block *b = find(c, nr);

	assert(b && b->fresh);
	return b->data;
}

void tf_cache_forget(struct tf_cache *c, uint64_t nr)
{
	struct tf_cache_block **link = &c->buckets[bucket_of(c, nr)];

	while (*link && (*link)->nr != nr)
		link = &(*link)->next;
	if (*link && (*link)->fresh)
		drop(c, link);
}

static int compare_numbers(const void *a, const void *b)
{
	const struct tf_cache_block *const *x = a, *const *y = b;

	return (*x)->nr < (*y)->nr ? -1 : (*x)->nr > (*y)->nr;
}

static int ask_hook(const struct tf_cache *c, enum tf_io io, uint64_t at, struct error *err)
{
	int sys = c->hook.before ? c->hook.before(c->hook.context, io, at) : 0;

	if (!sys)
		return 0;
	errno = sys;
	return error_sys(err, "write %s", c->name);
}

static int write_run(struct tf_cache *c, struct tf_cache_block **run, size_t n, struct error *err)
{
	struct iovec vec[RUN_BLOCKS];
	ssize_t done;

	for (size_t i = 0; i < n; i++) {
		if (ask_hook(c, TF_IO_METADATA_WRITE, run[i]->nr, err) < 0)
			return -1;
		tf_block_seal(run[i]->data, run[i]->type, run[i]->nr);
		vec[i].iov_base = run[i]->data;
		vec[i].iov_len = TF_BLOCK_BYTES;
	}
	done = pwritev(c->fd, vec, (int)n, (off_t)(run[0]->nr * TF_BLOCK_BYTES));
	if (done == (ssize_t)(n * TF_BLOCK_BYTES))
		return 0;
	/* Short or refused: the plain way finds out why. */
	for (size_t i = 0; i < n; i++)
		if (fdio_pwrite(c->fd, run[i]->data, TF_BLOCK_BYTES, run[i]->nr * TF_BLOCK_BYTES,
				c->name, err)
		    < 0)
			return -1;
	return 0;
}

static struct tf_cache_block **sorted_fresh(const struct tf_cache *c)
{
	struct tf_cache_block **all = xcalloc(c->n_fresh, sizeof(struct tf_cache_block *));
	size_t n = 0;

	for (size_t i = 0; i < c->n_buckets; i++)
		for (struct tf_cache_block *b = c->buckets[i]; b; b = b->next)
			if (b->fresh)
				all[n++] = b;
	assert(n == c->n_fresh);
	qsort(all, n, sizeof(struct tf_cache_block *), compare_numbers);
	return all;
}

static int sync_file(struct tf_cache *c, enum tf_io io, struct error *err)
{
	if (ask_hook(c, io, 0, err) < 0)
		return -1;
	if (fdatasync(c->fd) < 0)
		return error_sys(err, "sync %s", c->name);
	return 0;
}

int tf_cache_flush(struct tf_cache *c, struct error *err)
{
	/* With a hook each block is a write of its own, so that a test can stop between any two. */
	size_t most = c->hook.before ? 1 : RUN_BLOCKS;
	cleanup_free struct tf_cache_block **all = NULL;
	size_t n;

	if (!c->n_fresh)
		return 0;
	all = sorted_fresh(c);
	for (size_t i = 0; i < c->n_fresh; i += n) {
		for (n = 1; n < most && i + n < c->n_fresh; n++)
			if (all[i + n]->nr != all[i]->nr + n)
				break;
		if (write_run(c, all + i, n, err) < 0)
			return -1;
	}
	return sync_file(c, TF_IO_METADATA_SYNC, err);
}

int tf_cache_write_superblock(struct tf_cache *c, const uint8_t *block, struct error *err)
{
	if (ask_hook(c, TF_IO_SUPERBLOCK_WRITE, 0, err) < 0)
		return -1;
	if (fdio_pwrite(c->fd, block, TF_BLOCK_BYTES, 0, c->name, err) < 0)
		return -1;
	return sync_file(c, TF_IO_SUPERBLOCK_SYNC, err);
}

void tf_cache_committed(struct tf_cache *c)
{
	for (size_t i = 0; i < c->n_buckets; i++)
		for (struct tf_cache_block *b = c->buckets[i]; b; b = b->next)
			b->fresh = false;
	c->n_fresh = 0;
}

static void drop_unused(struct tf_cache *c)
{
	for (size_t i = 0; i < c->n_buckets; i++) {
		struct tf_cache_block **link = &c->buckets[i];

		while (*link) {
			struct tf_cache_block *b = *link;

			if (!b->fresh && !b->used) {
				drop(c, link);
				continue;
			}
			b->used = false;
			link = &b->next;
		}
	}
}

void tf_cache_trim(struct tf_cache *c)
{
	if (c->n_blocks - c->n_fresh > CLEAN_BLOCKS_KEPT)
		drop_unused(c);
	/* All were in use: the marks are gone now, so this empties the cache. */
	if (c->n_blocks - c->n_fresh > CLEAN_BLOCKS_KEPT)
		drop_unused(c);
}

void tf_cache_clear(struct tf_cache *c)
{
	for (size_t i = 0; i < c->n_buckets; i++)
		while (c->buckets[i])
			drop(c, &c->buckets[i]);
}
