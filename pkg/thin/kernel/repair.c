/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Repair of a pool on block devices, by the file engine's: its metadata is copied to a file,
 *
 *   DIR/repair/meta   the copy, which is repaired
 *   DIR/repair/data   a hole as long as the data, for its length
 *
 * and what differs then goes back, the superblock last. The new space maps are in blocks that
 * nothing on the device reaches, so until the superblock is down a kill leaves the pool as it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "pkg/base/log.h"
#include "pkg/host/folder.h"
#include "pkg/thin/file/repair.h"
#include "pkg/thin/kernel/activate.h"
#include "pkg/thin/kernel/copy.h"
#include "pkg/thin/kernel/engine.h"
#include "pkg/thin/kernel/sysfs.h"

/* --- the way back ----------------------------------------------------------------------------- */

struct way_back {
	struct kernel_node *to;
	int from;
	const char *from_name;
	uint8_t *new, *old; /* aligned, a block each */
};

static int put_block(struct way_back *w, uint64_t offset, struct error *err)
{
	struct iovec old = {.iov_base = w->old, .iov_len = TF_BLOCK_BYTES};
	struct iovec new = {.iov_base = w->new, .iov_len = TF_BLOCK_BYTES};

	if (fdio_pread(w->from, w->new, TF_BLOCK_BYTES, offset, w->from_name, err) < 0
	    || kernel_node_read(w->to, &old, 1, offset, err) < 0)
		return -1;
	if (memcmp(w->new, w->old, TF_BLOCK_BYTES) == 0)
		return 0;
	return kernel_node_write(w->to, &new, 1, offset, err);
}

/* Holes of the copy are zeros on both sides, or free blocks that a repair punched. */
static int put_blocks(struct way_back *w, struct error *err)
{
	off_t at = TF_BLOCK_BYTES, end;

	while ((at = lseek(w->from, at, SEEK_DATA)) >= 0) {
		end = lseek(w->from, at, SEEK_HOLE);
		if (end < 0)
			break;
		for (at -= at % TF_BLOCK_BYTES; at < end; at += TF_BLOCK_BYTES)
			if (put_block(w, (uint64_t)at, err) < 0)
				return -1;
	}
	return errno == ENXIO ? 0 : error_sys(err, "seek in %s", w->from_name);
}

static int put_back(struct kernel_node *to, const char *from, struct error *err)
{
	struct way_back w = {.to = to, .from_name = from};
	cleanup_fd int fd = open(from, O_RDONLY | O_CLOEXEC);
	void *memory = NULL;
	int status;

	if (fd < 0)
		return error_sys(err, "open %s", from);
	if (posix_memalign(&memory, NODE_ALIGN, 2 * TF_BLOCK_BYTES) != 0)
		abort();
	w.from = fd;
	w.new = memory;
	w.old = w.new + TF_BLOCK_BYTES;
	status = put_blocks(&w, err);
	if (status == 0)
		status = kernel_node_flush(to, err);
	if (status == 0)
		status = put_block(&w, 0, err);
	if (status == 0)
		status = kernel_node_flush(to, err);
	free(memory);
	return status;
}

/* --- the copy --------------------------------------------------------------------------------- */

static int make_file(const char *name, uint64_t bytes, int *ret_fd, struct error *err)
{
	cleanup_fd int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return error_sys(err, "create %s", name);
	if (ftruncate(fd, (off_t)bytes) < 0)
		return error_sys(err, "truncate %s", name);
	*ret_fd = steal_fd(&fd);
	return 0;
}

static int make_copy(const char *dir, const char *meta, struct kernel_node *from,
		     const struct thin_place *place, struct error *err)
{
	cleanup_free char *data = xasprintf("%s/data", dir);
	cleanup_fd int meta_fd = -1, data_fd = -1;

	if (mkdir(dir, 0700) < 0)
		return error_sys(err, "make folder %s", dir);
	if (make_file(meta, 0, &meta_fd, err) < 0
	    || make_file(data, place->data_bytes - place->data_bytes % place->block_bytes, &data_fd,
			 err)
		       < 0)
		return -1;
	return kernel_copy(from, 0, place->metadata_bytes, THIN_KERNEL_COPY_ALL, meta_fd, meta,
			   err);
}

static int repair_on(const char *dir, const char *device, const struct thin_place *place,
		     const struct thin_repair_how *how, enum thin_repair_outcome *ret,
		     struct thin_findings *ret_found, struct error *err)
{
	cleanup_free char *copy = xasprintf("%s/repair", dir);
	cleanup_free char *meta = xasprintf("%s/meta", copy);
	struct kernel_node node = {.fd = -1};
	struct error second = {0};
	int status;

	/* A killed repair's; we have the pool's lock. */
	if (folder_remove(copy, err) < 0)
		return -1;
	if (kernel_node_open(&node, device, true, place->metadata_bytes, err) < 0)
		return -1;
	status = make_copy(copy, meta, &node, place, err);
	if (status == 0)
		status = thin_file_repair(copy, how, ret, ret_found, err);
	if (status == 0 && *ret == THIN_REPAIR_DONE)
		status = put_back(&node, meta, err);
	kernel_node_close(&node);
	if (folder_remove(copy, &second) < 0)
		log_debug("%s stays: %s", copy, second.cause);
	return status;
}

/* --- the devices ------------------------------------------------------------------------------ */

static int repair_devices(const char *dir, const struct thin_place *place,
			  const struct thin_repair_how *how, enum thin_repair_outcome *ret,
			  struct thin_findings *ret_found, struct error *err)
{
	cleanup_free char *device = NULL;
	struct kernel_parts parts;
	struct error second = {0};
	int status;

	if (kernel_device_attach(place, &parts, err) < 0)
		return -1;
	device = sysfs_kernel_node(parts.metadata);
	status = device ? repair_on(dir, device, place, how, ret, ret_found, err)
			: error_set(err, ERR_SYSTEM, "block device %s is not in /sys",
				    parts.metadata);
	if (kernel_device_detach(place, status == 0 ? err : &second) < 0 && status == 0)
		return -1;
	return status;
}

static int repair_locked(const char *dir, const struct thin_repair_how *how,
			 enum thin_repair_outcome *ret, struct thin_findings *ret_found,
			 struct error *err)
{
	cleanup(thin_place_release) struct thin_place place = {0};

	if (kernel_place_load(dir, &place, err) < 0)
		return -1;
	if (thin_kernel_is_active(dir, &place))
		return error_set(err, ERR_BUSY,
				 "the kernel has it; 'thinpull pool deactivate' takes it back");
	if (place.kind == THIN_PLACE_LVM)
		return error_set(err, ERR_UNSUPPORTED,
				 "LVM has its metadata: 'lvconvert --repair %s/%s' is for that",
				 place.vg, place.lv);
	return repair_devices(dir, &place, how, ret, ret_found, err);
}

int thin_kernel_repair(const char *dir, const struct thin_repair_how *how,
		       enum thin_repair_outcome *ret, struct thin_findings *ret_found,
		       struct error *err)
{
	int status, lock = -1;

	if (thin_kernel_check(err) < 0
	    || kernel_lock_take(dir, "repair", how->lock_timeout_ms, &lock, err) < 0)
		return -1;
	status = repair_locked(dir, how, ret, ret_found, err);
	kernel_lock_drop(dir, &lock);
	return status;
}
