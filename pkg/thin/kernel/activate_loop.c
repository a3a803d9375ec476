/* SPDX-License-Identifier: Apache-2.0 */
/* A pool in files: loop devices under it, and the way from and to the file engine. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "pkg/base/log.h"
#include "pkg/host/loop.h"
#include "pkg/thin/file/engine.h"
#include "pkg/thin/file/format.h"
#include "pkg/thin/file/lock.h"
#include "pkg/thin/kernel/activate.h"

/* --- the superblock --------------------------------------------------------------------------- */

static int read_superblock(int fd, const char *name, struct tf_superblock *ret, struct error *err)
{
	uint8_t raw[TF_BLOCK_BYTES];

	if (fdio_pread(fd, raw, sizeof(raw), 0, name, err) < 0)
		return -1;
	if (tf_block_verify(raw, TF_SUPERBLOCK, 0, err) < 0)
		return error_wrap(err, "%s", name);
	tf_superblock_unpack(raw, ret);
	if (tf_superblock_validate(ret, false, err) < 0)
		return error_wrap(err, "%s", name);
	return 0;
}

static int open_meta(const char *name, int *ret, struct error *err)
{
	*ret = open(name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	return *ret < 0 ? error_sys(err, "open %s", name) : 0;
}

int kernel_loop_uuid(const char *dir, uint8_t ret[THIN_UUID_BYTES], struct error *err)
{
	cleanup_free char *name = xasprintf("%s/meta", dir);
	struct tf_superblock sb;
	cleanup_fd int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return error_sys(err, "open %s", name);
	if (read_superblock(fd, name, &sb, err) < 0)
		return -1;
	memcpy(ret, sb.uuid, THIN_UUID_BYTES);
	return 0;
}

/* --- attach ----------------------------------------------------------------------------------- */

/*
 * What a killed writer of the file engine left in free blocks and beyond the pool's end goes, as
 * its next writer would have it.
 */
static int end_dead_owner(const char *dir, unsigned lock_timeout_ms, struct error *err)
{
	struct thin_file_open how = {.mode = THIN_FILE_WRITE,
				     .verb = "activate",
				     .lock_timeout_ms = lock_timeout_ms};
	struct thin_pool *pool;

	if (thin_file_open(dir, &how, &pool, err) < 0) {
		/* The kernel takes a damaged pool read-only, and says so. */
		if (err->detail != ERR_DETAIL_NEEDS_CHECK)
			return -1;
		error_clear(err);
		return 0;
	}
	thin_pool_close(pool);
	return 0;
}

static int number_of(const char *device, char ret[32], struct error *err)
{
	struct stat st;

	if (stat(device, &st) < 0)
		return error_sys(err, "stat %s", device);
	snprintf(ret, 32, "%u:%u", major(st.st_rdev), minor(st.st_rdev));
	return 0;
}

/* @ret_new: it was on none before. */
static int attach(const char *file, char ret_number[32], bool *ret_new, struct error *err)
{
	char device[LOOP_PATH_BYTES];
	cleanup_fd int fd = -1;
	int status = loop_find(file, device, err);

	*ret_new = status == 1;
	if (status < 0 || (status == 1 && loop_attach(file, LOOP_DIRECT, &fd, device, err) < 0))
		return -1;
	/* One that was there may be anybody's, or from before its file grew. */
	if (status == 0 && (loop_check_whole(device, err) < 0 || loop_resize(device, err) < 0))
		return -1;
	return number_of(device, ret_number, err);
}

static void let_go(const char *file)
{
	char device[LOOP_PATH_BYTES];
	struct error ignored = {0};

	if (loop_find(file, device, &ignored) == 0 && loop_detach(device, &ignored) < 0)
		log_debug("%s stays: %s", device, ignored.cause);
}

static int attach_both(const char *meta, const char *data, struct kernel_parts *ret,
		       struct error *err)
{
	bool new_meta, new_data;

	if (attach(meta, ret->metadata, &new_meta, err) < 0)
		return -1;
	if (attach(data, ret->data, &new_data, err) == 0)
		return 0;
	if (new_meta)
		let_go(meta);
	return -1;
}

/* Once there is a loop device under one of the files they are the kernel's. */
static int hand_over(const char *dir, const char *meta, const char *data, unsigned lock_timeout_ms,
		     struct error *err)
{
	char device[LOOP_PATH_BYTES];
	int status = loop_find(meta, device, err);

	if (status == 1)
		status = loop_find(data, device, err);
	if (status <= 0)
		return status;
	return end_dead_owner(dir, lock_timeout_ms, err);
}

int kernel_loop_attach(const char *dir, unsigned lock_timeout_ms, struct kernel_parts *ret,
		       struct error *err)
{
	cleanup_free char *meta = xasprintf("%s/meta", dir);
	cleanup_free char *data = xasprintf("%s/data", dir);
	cleanup_fd int fd = -1;
	struct tf_superblock sb;

	if (loop_check(err) < 0 || hand_over(dir, meta, data, lock_timeout_ms, err) < 0
	    || open_meta(meta, &fd, err) < 0
	    || tf_lock_take(dir, TF_LOCK_OWNER, fd, lock_timeout_ms, err) < 0
	    || read_superblock(fd, meta, &sb, err) < 0)
		return -1;
	ret->block_bytes = sb.data_block_sectors * TF_SECTOR_BYTES;
	ret->data_bytes = sb.data_sm.nr_blocks * ret->block_bytes;
	return attach_both(meta, data, ret, err);
}

/* --- whose is it ------------------------------------------------------------------------------ */

int kernel_loop_check_own(const char *dir, const struct devmap_info *pool, struct error *err)
{
	cleanup_free char *meta = xasprintf("%s/meta", dir);
	cleanup_free char *data = xasprintf("%s/data", dir);
	cleanup_free char *below =
		xasprintf("/sys/dev/block/%u:%u/slaves", pool->major, pool->minor);
	char device[LOOP_PATH_BYTES];
	struct dirent *entry;
	int status = 0;
	DIR *devices = opendir(below);

	while (devices && status == 0 && (entry = readdir(devices))) {
		cleanup_free char *other = NULL;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(device, sizeof(device), "/dev/%.*s",
			 LOOP_PATH_BYTES - (int)sizeof("/dev/"), entry->d_name);
		if (loop_is_on(device, meta) != 0 || loop_is_on(device, data) != 0)
			continue;
		other = loop_file(device);
		status = error_set(err, ERR_BUSY,
				   "%s, whose UUID is this pool's, stands on %s: one of them is a "
				   "copy, and only one can be active",
				   pool->name, other ? other : device);
	}
	if (devices)
		closedir(devices);
	return status;
}

/* --- resize ----------------------------------------------------------------------------------- */

static int resize(const char *file, uint64_t bytes, struct error *err)
{
	cleanup_fd int fd = open(file, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	char device[LOOP_PATH_BYTES];
	int status;

	if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0)
		return error_sys(err, "resize %s", file);
	/* A superblock that counts more than there is would be damage. */
	if (fsync(fd) < 0)
		return error_sys(err, "sync %s", file);
	status = loop_find(file, device, err);
	if (status == 1)
		return error_set(err, ERR_INCONSISTENT, "%s is on no loop device", file);
	return status < 0 ? -1 : loop_resize(device, err);
}

int kernel_loop_resize(const char *dir, uint64_t data_bytes, uint64_t metadata_bytes,
		       struct error *err)
{
	cleanup_free char *meta = xasprintf("%s/meta", dir);
	cleanup_free char *data = xasprintf("%s/data", dir);

	if (data_bytes > INT64_MAX)
		return error_set(err, ERR_USAGE, "no file is so large");
	return resize(data, data_bytes, err) < 0 ? -1 : resize(meta, metadata_bytes, err);
}

/* --- detach ----------------------------------------------------------------------------------- */

static int detach(const char *file, struct error *err)
{
	char device[LOOP_PATH_BYTES];
	int status = loop_find(file, device, err);

	if (status < 0)
		return -1;
	if (status == 0 && (loop_flush(device, err) < 0 || loop_detach(device, err) < 0))
		return -1;
	/* It may go a moment later, with its last user. */
	if (!loop_wait_gone(file))
		return error_set(err, ERR_BUSY, "%s is still in use by %s", file, device);
	return 0;
}

int kernel_loop_detach(const char *dir, struct error *err)
{
	cleanup_free char *meta = xasprintf("%s/meta", dir);
	cleanup_free char *data = xasprintf("%s/data", dir);

	if (detach(data, err) < 0)
		return -1;
	return detach(meta, err);
}
