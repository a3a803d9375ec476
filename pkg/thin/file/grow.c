/* SPDX-License-Identifier: Apache-2.0 */
/* More room: the files first, then the maps, all of it undone when there is no commit. */
#include <assert.h>
#include <unistd.h>

#include "pkg/base/log.h"
#include "pkg/thin/file/lock.h"
#include "pkg/thin/file/pool_internal.h"

/* Metadata blocks that it takes besides the new bitmaps: index paths and the rest of a commit. */
enum { GROW_BLOCKS = 16 };

/* Wanted sizes, in blocks. */
struct growth {
	uint64_t data, metadata;
};

static int blocks_wanted(const char *what, uint64_t bytes, uint32_t block_bytes, uint64_t now,
			 uint64_t *ret, struct error *err)
{
	*ret = bytes ? bytes / block_bytes : now;
	if (*ret >= now)
		return 0;
	return error_set(err, ERR_USAGE, "the pool has %llu bytes of %s and cannot shrink to %llu",
			 (unsigned long long)(now * block_bytes), what, (unsigned long long)bytes);
}

static int check(const struct tf_pool *p, uint64_t data_bytes, uint64_t metadata_bytes,
		 struct growth *ret, struct error *err)
{
	uint32_t block_bytes = p->data.block_bytes;

	if (blocks_wanted("data", data_bytes, block_bytes, p->tx.data.nr_blocks, &ret->data, err)
		    < 0
	    || blocks_wanted("metadata", metadata_bytes, TF_BLOCK_BYTES, p->tx.metadata.nr_blocks,
			     &ret->metadata, err)
		       < 0)
		return -1;
	if (data_bytes > INT64_MAX || ret->data > TF_DATA_BLOCKS_MAX)
		return error_set(err, ERR_USAGE, "a pool cannot have %llu bytes in blocks of %u",
				 (unsigned long long)data_bytes, block_bytes);
	if (ret->metadata > TF_METADATA_BLOCKS_MAX)
		return error_set(err, ERR_USAGE,
				 "%llu bytes of pool metadata: the format has at most %llu",
				 (unsigned long long)metadata_bytes,
				 (unsigned long long)TF_METADATA_BLOCKS_MAX * TF_BLOCK_BYTES);
	return 0;
}

/* New bitmaps and their index entries, and the commit; new metadata brings its own room. */
static int check_room(const struct tf_pool *p, const struct growth *g, struct error *err)
{
	uint64_t room =
		tf_spacemap_available(&p->tx.metadata) + g->metadata - p->tx.metadata.nr_blocks;
	uint64_t bitmaps = tf_bitmaps_for(g->data) - p->tx.data.n_groups
			   + tf_bitmaps_for(g->metadata) - p->tx.metadata.n_groups;
	uint64_t need = GROW_BLOCKS + 2 * bitmaps + tf_spacemap_commit_need(&p->tx.data)
			+ tf_spacemap_commit_need(&p->tx.metadata);

	if (room >= need)
		return 0;
	return error_set(err, ERR_NO_SPACE,
			 "growing takes %llu blocks of pool metadata, %llu are free or new",
			 (unsigned long long)need, (unsigned long long)room);
}

static int raise_file(int fd, uint64_t bytes, const char *name, struct error *err)
{
	off_t now = lseek(fd, 0, SEEK_END);

	if (now < 0)
		return error_sys(err, "size of %s", name);
	if ((uint64_t)now < bytes && ftruncate(fd, (off_t)bytes) < 0)
		return error_sys(err, "grow %s to %llu bytes", name, (unsigned long long)bytes);
	return 0;
}

/* A kernel would take the rest of the metadata file for its own. If this fails it is left to the
 * next owner. */
static void set_lengths(struct tf_pool *p, uint64_t data_blocks, uint64_t metadata_blocks)
{
	if (ftruncate(p->meta_fd, (off_t)(metadata_blocks * TF_BLOCK_BYTES)) < 0
	    || ftruncate(p->data_fd, (off_t)(data_blocks * p->data.block_bytes)) < 0) {
		log_debug("pool %s: a file that grew could not be shortened again", p->dir);
		p->keep_owner = true;
	}
}

void tf_grow_undo(struct tf_pool *p)
{
	struct tf_superblock disk;

	if (!p->grown)
		return;
	tf_superblock_unpack(p->raw, &disk);
	set_lengths(p, disk.data_sm.nr_blocks, disk.metadata_sm.nr_blocks);
	p->grown = false;
}

static int raise_files(struct tf_pool *p, const struct growth *g, struct error *err)
{
	if (raise_file(p->meta_fd, g->metadata * TF_BLOCK_BYTES, p->meta_name, err) == 0
	    && raise_file(p->data_fd, g->data * p->data.block_bytes, p->data_name, err) == 0)
		return 0;
	set_lengths(p, p->tx.data.nr_blocks, p->tx.metadata.nr_blocks);
	return -1;
}

static int grow_maps(struct tf_pool *p, const struct growth *g, struct error *err)
{
	if (tf_spacemap_grow(&p->tx.metadata, g->metadata, err) < 0)
		return -1;
	p->tx.cache.nr_blocks = g->metadata;
	return tf_spacemap_grow(&p->tx.data, g->data, err);
}

int thin_file_grow(struct thin_pool *pool, uint64_t data_bytes, uint64_t metadata_bytes,
		   struct error *err)
{
	struct tf_pool *p = tf_pool_of(pool);
	struct growth g;

	assert(pool->ops == &tf_pool_ops);
	if (tf_pool_ready(p, err) < 0 || tf_pool_check_writable(p, err) < 0
	    || check(p, data_bytes, metadata_bytes, &g, err) < 0 || check_room(p, &g, err) < 0)
		return -1;
	if (g.data == p->tx.data.nr_blocks && g.metadata == p->tx.metadata.nr_blocks)
		return 0;
	/* Only a dead owner's name tells the next one to shorten them again. */
	if (tf_lock_sync_owner(p->dir, TF_LOCK_OWNER, err) < 0)
		return -1;
	p->grown = true;
	if (raise_files(p, &g, err) < 0)
		return -1;
	p->data.dirty = true; /* the new length is made durable with the commit */
	return tf_pool_end(p, grow_maps(p, &g, err), err);
}
