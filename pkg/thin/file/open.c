/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a folder to a pool handle and back: files, lock, superblock, and what a killed owner left.
 */
#include "pkg/thin/file/pool_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "pkg/base/log.h"
#include "pkg/thin/file/lock.h"

/* A reader can meet the superblock while it is being written. */
enum { SUPERBLOCK_TRIES = 20 };

/* ---- the superblock ---- */

static int read_superblock(struct tf_pool *p, uint8_t *raw, struct error *err)
{
	struct timespec pause = {.tv_nsec = 1000000};

	for (int i = 0;; i++) {
		if (fdio_pread(p->meta_fd, raw, TF_BLOCK_BYTES, 0, p->meta_name, err) < 0)
			return -1;
		if (tf_block_verify(raw, TF_SUPERBLOCK, 0, err) == 0)
			return 0;
		if (p->writable || i == SUPERBLOCK_TRIES)
			return error_wrap(err, "%s", p->meta_name);
		nanosleep(&pause, NULL);
	}
}

static int check_length(int fd, uint64_t need, const char *name, struct error *err)
{
	off_t size = lseek(fd, 0, SEEK_END);

	if (size < 0)
		return error_sys(err, "size of %s", name);
	if ((uint64_t)size < need)
		return error_set(err, ERR_INCONSISTENT, "%s has %lld bytes, the pool %llu", name,
				 (long long)size, (unsigned long long)need);
	return 0;
}

static int check_superblock(const struct tf_pool *p, const struct tf_superblock *sb,
			    struct error *err)
{
	uint64_t block_bytes = (uint64_t)sb->data_block_sectors * TF_SECTOR_BYTES;

	if (tf_superblock_validate(sb, p->writable, err) < 0)
		return error_wrap(err, "%s", p->meta_name);
	if (p->writable && sb->flags & TF_FLAG_NEEDS_CHECK) {
		error_set(err, ERR_INCONSISTENT,
			  "pool %s is marked as needing a check (needs_check), nothing is written "
			  "to it until it had one",
			  p->dir);
		return error_set_detail(err, ERR_DETAIL_NEEDS_CHECK);
	}
	if (sb->data_sm.nr_blocks > INT64_MAX / block_bytes)
		return error_set(err, ERR_INCONSISTENT, "%s: %llu data blocks", p->meta_name,
				 (unsigned long long)sb->data_sm.nr_blocks);
	if (check_length(p->meta_fd, sb->metadata_sm.nr_blocks * TF_BLOCK_BYTES, p->meta_name, err)
	    < 0)
		return -1;
	if (p->foreign)
		return 0;
	return check_length(p->data_fd, sb->data_sm.nr_blocks * block_bytes, p->data_name, err);
}

static void note_dropped(void *context, uint64_t block)
{
	struct tf_pool *p = context;

	tf_runs_add(&p->dropped, block, 1);
}

static void note_freed(void *context, uint64_t first, uint64_t n)
{
	struct tf_pool *p = context;

	tf_runs_add(&p->freed, first, n);
}

void tf_pool_start(struct tf_pool *p, const uint8_t *raw)
{
	struct tf_fault_hook hook = p->tx.cache.hook;

	memcpy(p->raw, raw, sizeof(p->raw));
	tf_superblock_unpack(raw, &p->sb);
	tf_tx_release(&p->tx);
	tf_tx_init(&p->tx, p->meta_fd, p->meta_name, &p->sb);
	p->tx.cache.hook = hook;
	p->tx.data.context = p;
	p->tx.data.on_dropped = note_dropped;
	p->tx.data.on_freed = note_freed;
	p->data.fd = p->data_fd;
	p->data.name = p->data_name;
	p->data.block_bytes = p->sb.data_block_sectors * TF_SECTOR_BYTES;
	p->state = TF_STATE_GOOD;
}

static int settle_maps(struct tf_pool *p, struct error *err)
{
	if (tf_spacemap_settle(&p->tx.metadata, err) < 0)
		return -1;
	return tf_spacemap_settle(&p->tx.data, err);
}

int tf_pool_load(struct tf_pool *p, struct error *err)
{
	TF_BLOCK_ALIGNED uint8_t raw[TF_BLOCK_BYTES];
	struct tf_superblock sb;

	if (read_superblock(p, raw, err) < 0)
		return -1;
	tf_superblock_unpack(raw, &sb);
	if (check_superblock(p, &sb, err) < 0)
		return -1;
	tf_pool_start(p, raw);
	return p->writable ? settle_maps(p, err) : 0;
}

/* ---- opening ---- */

static int open_files(struct tf_pool *p, struct error *err)
{
	int flags = (p->writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW;
	cleanup_fd int meta = open(p->meta_name, flags);
	cleanup_fd int data = -1;

	if (meta < 0 && (errno == ENOENT || errno == ENOTDIR))
		return error_set(err, ERR_NOT_FOUND, "no pool in %s", p->dir);
	if (meta < 0)
		return error_sys(err, "open %s", p->meta_name);
	data = open(p->data_name, flags);
	if (data < 0 && errno == ENOENT)
		return error_set(err, ERR_INCONSISTENT, "%s is missing", p->data_name);
	if (data < 0)
		return error_sys(err, "open %s", p->data_name);
	p->meta_fd = steal_fd(&meta);
	p->data_fd = steal_fd(&data);
	return 0;
}

/* While waiting for the lock the pool may have been removed, and another one made in its place. */
static int check_same_file(const struct tf_pool *p, struct error *err)
{
	struct stat ours, there;

	if (fstat(p->meta_fd, &ours) < 0)
		return error_sys(err, "stat %s", p->meta_name);
	if (stat(p->meta_name, &there) < 0 || ours.st_ino != there.st_ino
	    || ours.st_dev != there.st_dev)
		return error_set(err, ERR_NOT_FOUND, "pool %s was removed meanwhile", p->dir);
	return 0;
}

static int check_loops(const struct tf_pool *p, struct error *err)
{
	if (tf_lock_check_loops(p->meta_name, err) < 0)
		return -1;
	return tf_lock_check_loops(p->data_name, err);
}

/*
 * A killed owner can have left a superblock that others see but that is not on disk. Building on
 * it before it is would overwrite blocks of the state that a power cut brings back.
 */
static int settle_disk(const struct tf_pool *p, struct error *err)
{
	if (fdatasync(p->meta_fd) < 0)
		return error_sys(err, "sync %s", p->meta_name);
	return 0;
}

int tf_pool_take_files(struct tf_pool *p, unsigned lock_timeout_ms, struct error *err)
{
	if (open_files(p, err) < 0)
		return -1;
	if (p->writable
	    && (tf_lock_take(p->dir, TF_LOCK_OWNER, p->meta_fd, lock_timeout_ms, err) < 0
		|| check_same_file(p, err) < 0))
		return -1;
	if (check_loops(p, err) < 0)
		return -1;
	return p->writable ? settle_disk(p, err) : 0;
}

static int name_owner(struct tf_pool *p, const char *verb, bool *ret_dead_owner, struct error *err)
{
	if (tf_lock_set_owner(p->dir, TF_LOCK_OWNER, verb ? verb : "-", ret_dead_owner, err) < 0)
		return -1;
	p->owner_named = true;
	p->keep_owner = *ret_dead_owner; /* until its leftovers are cleaned up */
	return 0;
}

/* Raised for a growth that was never committed, see undo_growth(). */
static int restore_lengths(const struct tf_pool *p, struct error *err)
{
	if (ftruncate(p->meta_fd, (off_t)(p->sb.metadata_sm.nr_blocks * TF_BLOCK_BYTES)) < 0)
		return error_sys(err, "truncate %s", p->meta_name);
	if (ftruncate(p->data_fd, (off_t)(p->sb.data_sm.nr_blocks * p->data.block_bytes)) < 0)
		return error_sys(err, "truncate %s", p->data_name);
	return 0;
}

static int prepare_writing(struct tf_pool *p, bool dead_owner, struct error *err)
{
	if (dead_owner) {
		log_debug("pool %s: its last owner was killed, cleaning up", p->dir);
		if (restore_lengths(p, err) < 0
		    || tf_data_punch_free(&p->data, &p->tx.data, err) < 0)
			return -1;
	}
	p->keep_owner = false;
	return 0;
}

static int open_pool(struct tf_pool *p, const struct thin_file_open *how, struct error *err)
{
	bool dead_owner = false;

	if (tf_pool_take_files(p, how->lock_timeout_ms, err) < 0)
		return -1;
	p->still = how->mode == THIN_FILE_STILL;
	if (p->still
	    && (tf_lock_take_shared(p->dir, TF_LOCK_OWNER, p->meta_fd, how->lock_timeout_ms, err)
			< 0
		|| check_same_file(p, err) < 0))
		return -1;
	if (p->writable && name_owner(p, how->verb, &dead_owner, err) < 0)
		return -1;
	if (tf_pool_load(p, err) < 0)
		return -1;
	return p->writable ? prepare_writing(p, dead_owner, err) : 0;
}

struct tf_pool *tf_pool_new(const char *dir, bool writable)
{
	struct tf_pool *p = xcalloc(1, sizeof(*p));

	p->base.ops = &tf_pool_ops;
	p->dir = xstrdup(dir);
	p->meta_name = xasprintf("%s/meta", dir);
	p->data_name = xasprintf("%s/data", dir);
	p->meta_fd = p->data_fd = -1;
	p->writable = writable;
	return p;
}

void tf_pool_free(struct tf_pool *p)
{
	if (!p)
		return;
	tf_tx_release(&p->tx);
	tf_runs_release(&p->dropped);
	tf_runs_release(&p->freed);
	if (p->owner_named && !p->keep_owner)
		tf_lock_forget_owner(p->dir, TF_LOCK_OWNER);
	if (p->data_fd >= 0)
		close(p->data_fd);
	if (p->meta_fd >= 0)
		close(p->meta_fd);
	free(p->dir);
	free(p->meta_name);
	free(p->data_name);
	free(p);
}

int thin_file_open(const char *dir, const struct thin_file_open *how, struct thin_pool **ret,
		   struct error *err)
{
	struct tf_pool *p = tf_pool_new(dir, how->mode == THIN_FILE_WRITE);

	if (open_pool(p, how, err) < 0) {
		tf_pool_free(p);
		return -1;
	}
	*ret = &p->base;
	return 0;
}

void tf_pool_close(struct thin_pool *pool)
{
	struct tf_pool *p = tf_pool_of(pool);

	assert(!p->volumes);
	if (p->writable)
		tf_pool_undo_files(p);
	tf_pool_free(p);
}
