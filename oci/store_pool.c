/* SPDX-License-Identifier: Apache-2.0 */
/* Pools come into being here. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/store_internal.h"
#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/base/interrupt.h"
#include "pkg/base/log.h"
#include "pkg/base/uuid.h"

#define NEW_PREFIX	   ".new-" /* of a pool that is being made */
#define DEFAULT_DATA_BYTES (UINT64_C(100) << 30)
#define DEFAULT_BASE_BYTES (UINT64_C(64) << 30)
enum { DEFAULT_BLOCK_BYTES = 64 << 10 };

static void remove_pool_files(const char *dir)
{
	static const char *const names[] = {"meta", "data", "owner", "meta.tmp", "data.tmp"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_free char *path = xasprintf("%s/%s", dir, names[i]);

		unlink(path);
	}
	rmdir(dir);
}

/* The folder of the pools is the lock among those who make one: -1 with errno, or a descriptor. */
static int lock_pools(const struct store *s, int how)
{
	cleanup_fd int fd = open(s->pools_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || flock(fd, how) < 0)
		return -1;
	return steal_fd(&fd);
}

/* Under that lock: whatever is unfinished, its maker was killed. */
static void remove_unfinished(const struct store *s)
{
	DIR *dir = opendir(s->pools_dir);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		cleanup_free char *path = xasprintf("%s/%s", s->pools_dir, entry->d_name);

		if (strncmp(entry->d_name, NEW_PREFIX, strlen(NEW_PREFIX)) != 0)
			continue;
		log_debug("mending: %s was left unfinished", path);
		remove_pool_files(path);
	}
	closedir(dir);
}

void store_remove_unfinished_pools(struct store *s)
{
	cleanup_fd int lock = lock_pools(s, LOCK_EX | LOCK_NB);

	if (lock >= 0)
		remove_unfinished(s);
}

static int fill_new_pool(struct store *s, const char *dir, const struct store_pool_params *p,
			 struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *snapshots = NULL;
	struct thin_file_params params = {
		.data_bytes = p->data_bytes ? p->data_bytes : DEFAULT_DATA_BYTES,
		.metadata_bytes = p->metadata_bytes,
		.block_bytes = p->block_bytes ? p->block_bytes : DEFAULT_BLOCK_BYTES,
	};
	struct thin_file_open how = {.mode = THIN_FILE_WRITE,
				     .verb = s->verb,
				     .lock_timeout_ms = s->lock_timeout_ms};
	struct thin_pool *pool = NULL;

	if (uuid_random(params.uuid, err) < 0 || thin_file_create(dir, &params, err) < 0
	    || thin_file_open(dir, &how, &pool, err) < 0)
		return -1;
	return snapshots_create(&pool, p->base_bytes ? p->base_bytes : DEFAULT_BASE_BYTES,
				p->base_inodes, &snapshots, err);
}

static int make_pool(struct store *s, const struct store_pool_params *params, struct error *err)
{
	cleanup_free char *dir = xasprintf("%s/" NEW_PREFIX "%s", s->pools_dir, s->pool);

	if (mkdir(dir, 0700) < 0)
		return error_sys(err, "make folder %s", dir);
	if (fill_new_pool(s, dir, params, err) < 0) {
		remove_pool_files(dir);
		return error_wrap(err, "pool %s", s->pool);
	}
	if (rename(dir, s->pool_dir) < 0) {
		error_sys(err, "rename %s to %s", dir, s->pool_dir);
		remove_pool_files(dir);
		return -1;
	}
	return fdio_sync_dir(s->pools_dir, err);
}

/* Made under another name, then renamed: a pool without a record is never seen. */
int store_pool_create(struct store *s, const struct store_pool_params *params, struct error *err)
{
	cleanup_fd int lock = -1;

	while ((lock = lock_pools(s, LOCK_EX)) < 0) {
		if (errno != EINTR)
			return error_sys(err, "lock %s", s->pools_dir);
		if (interrupt_check(err) < 0)
			return -1;
	}
	remove_unfinished(s);
	if (store_pool_exists(s))
		return error_set(err, ERR_BUSY, "there is a pool %s already in %s", s->pool,
				 s->root);
	return make_pool(s, params, err);
}
