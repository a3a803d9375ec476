/* SPDX-License-Identifier: Apache-2.0 */
/* A handle on metadata that a kernel works on: its last commit, or a metadata snapshot of it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/thin/file/pool_internal.h"

/* Block devices know it; a file in memory, which no kernel works on past the page cache, may not. */
static int open_past_cache(const char *path, struct error *err)
{
	int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);

	if (fd < 0 && errno == EINVAL)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? error_sys(err, "open %s", path) : fd;
}

/* The trees as they are there. Sizes are the pool's; space maps are not part of it. */
static int start_from_held(struct tf_pool *p, uint64_t root, struct error *err)
{
	const uint8_t *copy = tf_cache_read(&p->tx.cache, root, TF_SUPERBLOCK, err);
	uint8_t raw[TF_BLOCK_BYTES];
	struct tf_superblock held, sb = p->sb;

	if (!copy)
		return error_wrap(err, "metadata snapshot");
	tf_superblock_unpack(copy, &held);
	sb.mapping_root = held.mapping_root;
	sb.details_root = held.details_root;
	sb.transaction_id = held.transaction_id;
	sb.time = held.time;
	sb.held_root = 0;
	memcpy(raw, p->raw, sizeof(raw));
	tf_superblock_pack(&sb, raw);
	tf_pool_start(p, raw);
	p->still = p->no_counts = true;
	return 0;
}

int thin_file_open_metadata(const char *path, uint64_t held_root, struct thin_pool **ret,
			    struct error *err)
{
	cleanup(tf_pool_free_ptr) struct tf_pool *p = tf_pool_new(path, false);

	free(p->meta_name);
	p->meta_name = xstrdup(path);
	p->foreign = true;
	p->meta_fd = open_past_cache(path, err);
	if (p->meta_fd < 0 || tf_pool_load(p, err) < 0
	    || (held_root && start_from_held(p, held_root, err) < 0))
		return -1;
	*ret = &steal(&p)->base;
	return 0;
}
