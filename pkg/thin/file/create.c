/* SPDX-License-Identifier: Apache-2.0 */
/* Making an empty pool: an ordinary transaction in a file that nobody can see yet. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "pkg/thin/file/btree.h"
#include "pkg/thin/file/engine.h"

enum {
	METADATA_BYTES_PER_BLOCK = 48, /* the kernel documentation's rule */
	METADATA_BYTES_MIN = 2 * 1024 * 1024,
};

static const uint64_t metadata_bytes_max = (uint64_t)TF_METADATA_BLOCKS_MAX * TF_BLOCK_BYTES;

uint64_t thin_file_metadata_bytes(uint64_t data_bytes, uint32_t block_bytes)
{
	uint64_t blocks = block_bytes ? data_bytes / block_bytes : 0;
	uint64_t bytes;

	if (blocks > metadata_bytes_max / METADATA_BYTES_PER_BLOCK)
		return metadata_bytes_max;
	bytes = blocks * METADATA_BYTES_PER_BLOCK;
	if (bytes < METADATA_BYTES_MIN)
		return METADATA_BYTES_MIN;
	return (bytes + TF_BLOCK_BYTES - 1) / TF_BLOCK_BYTES * TF_BLOCK_BYTES;
}

struct geometry {
	uint64_t data_blocks, metadata_blocks;
	uint32_t block_bytes;
};

static int check_params(const struct thin_file_params *params, struct geometry *ret,
			struct error *err)
{
	uint64_t sectors = params->block_bytes / TF_SECTOR_BYTES;
	uint64_t metadata = params->metadata_bytes;

	if (params->block_bytes % (TF_DATA_SECTORS_MIN * TF_SECTOR_BYTES)
	    || sectors < TF_DATA_SECTORS_MIN || sectors > TF_DATA_SECTORS_MAX)
		return error_set(err, ERR_USAGE,
				 "pool blocks of %u bytes: must be 64 KiB to 1 GiB in steps of "
				 "64 KiB",
				 params->block_bytes);
	if (!metadata)
		metadata = thin_file_metadata_bytes(params->data_bytes, params->block_bytes);
	if (metadata < METADATA_BYTES_MIN || metadata > metadata_bytes_max)
		return error_set(err, ERR_USAGE,
				 "%llu bytes of pool metadata: must be %u to %llu bytes",
				 (unsigned long long)metadata, (unsigned)METADATA_BYTES_MIN,
				 (unsigned long long)metadata_bytes_max);
	ret->block_bytes = params->block_bytes;
	ret->metadata_blocks = metadata / TF_BLOCK_BYTES;
	ret->data_blocks = params->data_bytes / params->block_bytes;
	if (!ret->data_blocks || ret->data_blocks > TF_DATA_BLOCKS_MAX
	    || params->data_bytes > INT64_MAX)
		return error_set(err, ERR_USAGE, "a pool of %llu bytes in blocks of %u",
				 (unsigned long long)params->data_bytes, params->block_bytes);
	/* The bitmaps alone must leave room to work in. */
	if (tf_bitmaps_for(ret->data_blocks) > ret->metadata_blocks / 4)
		return error_set(err, ERR_USAGE, "%llu blocks of metadata for %llu blocks of data",
				 (unsigned long long)ret->metadata_blocks,
				 (unsigned long long)ret->data_blocks);
	return 0;
}

static int fill_metadata(struct tf_tx *tx, const struct geometry *g, struct tf_superblock *sb,
			 struct error *err)
{
	tx->cache.nr_blocks = g->metadata_blocks;
	if (tf_spacemap_grow(&tx->metadata, g->metadata_blocks, err) < 0
	    || tf_spacemap_grow(&tx->data, g->data_blocks, err) < 0)
		return -1;
	/* Block 0 is the superblock's. */
	if (tf_spacemap_inc(&tx->metadata, 0, err) < 0
	    || tf_btree_empty(tx, &tf_tree_devices, &sb->mapping_root, err) < 0
	    || tf_btree_empty(tx, &tf_tree_details, &sb->details_root, err) < 0)
		return -1;
	return tf_tx_flush(tx, &sb->data_sm, &sb->metadata_sm, err);
}

static int write_metadata(int fd, const char *name, const struct geometry *g, const uint8_t *uuid,
			  struct error *err)
{
	cleanup(tf_tx_release) struct tf_tx tx;
	struct tf_superblock sb = {
		.magic = TF_MAGIC,
		.version = TF_VERSION,
		.data_block_sectors = g->block_bytes / TF_SECTOR_BYTES,
		.metadata_block_sectors = TF_BLOCK_BYTES / TF_SECTOR_BYTES,
		.metadata_blocks = g->metadata_blocks,
	};
	uint8_t block[TF_BLOCK_BYTES] = {0};

	memcpy(sb.uuid, uuid, sizeof(sb.uuid));
	tf_tx_init(&tx, fd, name, NULL);
	if (fill_metadata(&tx, g, &sb, err) < 0)
		return -1;
	tf_superblock_pack(&sb, block);
	tf_block_seal(block, TF_SUPERBLOCK, 0);
	return tf_cache_write_superblock(&tx.cache, block, err);
}

int thin_file_check_params(const struct thin_file_params *params, struct error *err)
{
	struct geometry ignored;

	return check_params(params, &ignored, err);
}

int thin_file_format(int fd, const char *name, const struct thin_file_params *params,
		     struct error *err)
{
	struct geometry g;

	if (check_params(params, &g, err) < 0
	    || write_metadata(fd, name, &g, params->uuid, err) < 0)
		return -1;
	return fsync(fd) < 0 ? error_sys(err, "sync %s", name) : 0;
}

/* A sparse file of a size; what an earlier attempt left there goes. */
static int make_file(const char *name, uint64_t bytes, int *ret_fd, struct error *err)
{
	cleanup_fd int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0)
		return error_sys(err, "create %s", name);
	*ret_fd = steal_fd(&fd);
	return 0;
}

struct names {
	char *meta, *data, *meta_tmp, *data_tmp;
};

static void names_release(struct names *n)
{
	free(n->meta);
	free(n->data);
	free(n->meta_tmp);
	free(n->data_tmp);
}

static int build(const struct names *names, const struct geometry *g, const uint8_t *uuid,
		 struct error *err)
{
	cleanup_fd int meta = -1, data = -1;

	if (make_file(names->data_tmp, g->data_blocks * g->block_bytes, &data, err) < 0
	    || make_file(names->meta_tmp, g->metadata_blocks * TF_BLOCK_BYTES, &meta, err) < 0)
		return -1;
	if (write_metadata(meta, names->meta_tmp, g, uuid, err) < 0)
		return -1;
	if (fsync(data) < 0)
		return error_sys(err, "sync %s", names->data_tmp);
	if (fsync(meta) < 0)
		return error_sys(err, "sync %s", names->meta_tmp);
	return 0;
}

/* Whoever sees meta sees a whole pool. */
static int publish(const struct names *names, const char *dir, struct error *err)
{
	if (rename(names->data_tmp, names->data) < 0)
		return error_sys(err, "rename %s", names->data_tmp);
	if (fdio_sync_dir(dir, err) < 0)
		return -1;
	if (rename(names->meta_tmp, names->meta) < 0)
		return error_sys(err, "rename %s", names->meta_tmp);
	return fdio_sync_dir(dir, err);
}

/* The folder itself is the lock among creators. */
static int lock_folder(const char *dir, const char *meta, int *ret_fd, struct error *err)
{
	cleanup_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return error_set(err, ERR_NOT_FOUND, "%s: no such folder", dir);
	if (fd < 0)
		return error_sys(err, "open %s", dir);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK
			       ? error_set(err, ERR_BUSY, "a pool is being made in %s", dir)
			       : error_sys(err, "lock %s", dir);
	if (access(meta, F_OK) == 0)
		return error_set(err, ERR_BUSY, "there is a pool in %s already", dir);
	*ret_fd = steal_fd(&fd);
	return 0;
}

int thin_file_create(const char *dir, const struct thin_file_params *params, struct error *err)
{
	cleanup(names_release) struct names names = {
		.meta = xasprintf("%s/meta", dir),
		.data = xasprintf("%s/data", dir),
		.meta_tmp = xasprintf("%s/meta.tmp", dir),
		.data_tmp = xasprintf("%s/data.tmp", dir),
	};
	cleanup_fd int lock = -1;
	struct geometry g;

	if (check_params(params, &g, err) < 0 || lock_folder(dir, names.meta, &lock, err) < 0)
		return -1;
	if (build(&names, &g, params->uuid, err) < 0 || publish(&names, dir, err) < 0) {
		unlink(names.meta_tmp);
		unlink(names.data_tmp);
		return -1;
	}
	return 0;
}
