/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a place to an active pool and back:
 *
 *   what it stands on (loop devices, linear devices, LVM) ─▶ thin-pool ─▶ thin devices
 *
 * All is found again by UUID or by file, so what a killed command left half done is completed, and
 * nothing is made twice.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/log.h"
#include "pkg/thin/file/lock.h"
#include "pkg/thin/kernel/activate.h"
#include "pkg/thin/kernel/activate_lvm.h"
#include "pkg/thin/kernel/engine.h"
#include "pkg/thin/kernel/table.h"

/* Percent of the data that are free when the kernel sends its event. */
enum { LOW_WATER_PERCENT = 20 };

#define KERNEL_LOCK_OWNER "lock.owner"

/* --- the lock --------------------------------------------------------------------------------- */

static int open_lock(const char *dir, int *ret, struct error *err)
{
	cleanup_free char *path = xasprintf("%s/lock", dir);

	*ret = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return *ret < 0 ? error_sys(err, "open %s", path) : 0;
}

/* While waiting for the lock the pool may have been removed, and another one made in its place. */
static int check_same_file(const char *dir, int fd, struct error *err)
{
	cleanup_free char *path = xasprintf("%s/lock", dir);
	struct stat ours, there;

	if (fstat(fd, &ours) < 0)
		return error_sys(err, "stat %s", path);
	if (stat(path, &there) < 0 || ours.st_ino != there.st_ino || ours.st_dev != there.st_dev)
		return error_set(err, ERR_NOT_FOUND, "pool %s was removed meanwhile", dir);
	return 0;
}

int kernel_lock_take_shared(const char *dir, unsigned timeout_ms, int *ret_fd, struct error *err)
{
	cleanup_fd int fd = -1;

	if (open_lock(dir, &fd, err) < 0
	    || tf_lock_take_shared(dir, KERNEL_LOCK_OWNER, fd, timeout_ms, err) < 0
	    || check_same_file(dir, fd, err) < 0)
		return -1;
	*ret_fd = steal_fd(&fd);
	return 0;
}

int kernel_lock_take_over(const char *dir, const char *verb, unsigned timeout_ms, int *ret_fd,
			  bool *ret_dead_owner, struct error *err)
{
	cleanup_fd int fd = -1;

	if (open_lock(dir, &fd, err) < 0)
		return -1;
	if (tf_lock_take(dir, KERNEL_LOCK_OWNER, fd, timeout_ms, err) < 0
	    || check_same_file(dir, fd, err) < 0
	    || tf_lock_set_owner(dir, KERNEL_LOCK_OWNER, verb, ret_dead_owner, err) < 0)
		return -1;
	*ret_fd = steal_fd(&fd);
	return 0;
}

int kernel_lock_take(const char *dir, const char *verb, unsigned timeout_ms, int *ret_fd,
		     struct error *err)
{
	bool dead_owner;

	return kernel_lock_take_over(dir, verb, timeout_ms, ret_fd, &dead_owner, err);
}

void kernel_lock_drop(const char *dir, int *fd)
{
	tf_lock_forget_owner(dir, KERNEL_LOCK_OWNER);
	close(steal_fd(fd));
}

/* --- finding ---------------------------------------------------------------------------------- */

static bool is_zero(const uint8_t uuid[THIN_UUID_BYTES])
{
	static const uint8_t zero[THIN_UUID_BYTES];

	return memcmp(uuid, zero, sizeof(zero)) == 0;
}

int kernel_place_load(const char *dir, struct thin_place *ret, struct error *err)
{
	if (thin_place_load(dir, ret, err) < 0)
		return -1;
	if (ret->kind != THIN_PLACE_FILES || !is_zero(ret->uuid))
		return 0;
	if (kernel_loop_uuid(dir, ret->uuid, err) == 0)
		return 0;
	thin_place_release(ret);
	return -1;
}

int kernel_pool_find(const char *dir, const struct thin_place *place, struct devmap_info *ret,
		     struct error *err)
{
	struct kernel_names names;

	if (place->kind == THIN_PLACE_LVM)
		return kernel_lvm_find(place, ret, err);
	kernel_names_part(place->uuid, "pool", &names);
	if (devmap_info(names.uuid, ret, err) < 0)
		return -1;
	if (place->kind != THIN_PLACE_FILES || !ret->exists)
		return 0;
	return kernel_loop_check_own(dir, ret, err);
}

bool thin_kernel_is_active(const char *dir, const struct thin_place *place)
{
	cleanup(thin_place_release) struct thin_place own = {0};
	struct error ignored = {0};
	struct devmap_info info;

	if (is_zero(place->uuid) && kernel_place_load(dir, &own, &ignored) < 0)
		return false;
	return kernel_pool_find(dir, is_zero(place->uuid) ? &own : place, &info, &ignored) == 0
	       && info.exists && info.live;
}

/* --- activate --------------------------------------------------------------------------------- */

static int attach_parts(const char *dir, const struct thin_place *place, unsigned lock_timeout_ms,
			struct kernel_parts *ret, struct error *err)
{
	if (place->kind == THIN_PLACE_FILES)
		return kernel_loop_attach(dir, lock_timeout_ms, ret, err);
	return kernel_device_attach(place, ret, err);
}

uint64_t kernel_low_water(uint64_t data_blocks)
{
	return data_blocks / 100 * LOW_WATER_PERCENT + data_blocks % 100 * LOW_WATER_PERCENT / 100;
}

static int create_pool(const struct thin_place *place, const struct kernel_parts *parts,
		       struct error *err)
{
	uint64_t blocks = parts->data_bytes / parts->block_bytes;
	uint64_t block_sectors = parts->block_bytes / DEVMAP_SECTOR_BYTES;
	struct kernel_pool_table table = {.block_sectors = (uint32_t)block_sectors,
					  .low_water_blocks = kernel_low_water(blocks),
					  .skip_zeroing = place->no_zero,
					  .error_if_no_space = !place->queue_when_full};
	cleanup_free char *params = NULL;
	struct devmap_target target = {.length = blocks * block_sectors, .type = "thin-pool"};
	struct kernel_names names;

	memcpy(table.metadata, parts->metadata, sizeof(table.metadata));
	memcpy(table.data, parts->data, sizeof(table.data));
	params = kernel_pool_table_format(&table);
	target.params = params;
	kernel_names_part(place->uuid, "pool", &names);
	return devmap_create(names.name, names.uuid, &target, 1, 0, err);
}

/* The record's device, so that those who only read find it. A new pool has none yet. */
static void create_record(const char *dir, const struct thin_place *place)
{
	struct devmap_target target = {.length = THIN_RECORD_BYTES / DEVMAP_SECTOR_BYTES,
				       .type = "thin"};
	cleanup_free char *params = NULL;
	struct kernel_names names;
	struct devmap_info pool;
	struct error ignored = {0};

	if (kernel_pool_find(dir, place, &pool, &ignored) < 0)
		return;
	params = xasprintf("%u:%u 0", pool.major, pool.minor);
	target.params = params;
	kernel_names_thin(place->uuid, 0, &names);
	if (devmap_create(names.name, names.uuid, &target, 1, 0, &ignored) < 0)
		log_debug("thin 0: %s", ignored.cause);
}

static int make_pool(const char *dir, const struct thin_place *place, unsigned lock_timeout_ms,
		     struct error *err)
{
	struct error ignored = {0};
	struct kernel_parts parts;

	/* Nobody expects a program to be run by whatever comes first after a boot. */
	if (place->kind == THIN_PLACE_LVM) {
		error_set(err, ERR_NOT_FOUND, "LVM has not activated %s/%s", place->vg, place->lv);
		return error_set_detail(err, ERR_DETAIL_INACTIVE);
	}
	if (attach_parts(dir, place, lock_timeout_ms, &parts, err) < 0)
		return -1;
	if (create_pool(place, &parts, err) == 0) {
		create_record(dir, place);
		return 0;
	}
	if (kernel_parts_detach(dir, place, &ignored) < 0)
		log_debug("%s", ignored.cause);
	return -1;
}

int kernel_pool_mend(const struct thin_place *place, struct devmap_info *info, struct error *err)
{
	if (place->kind == THIN_PLACE_LVM && info->exists && !info->live) {
		info->exists = false; /* LVM's to mend */
		return 0;
	}
	if (info->exists && !info->live) {
		if (devmap_remove(info->uuid, 0, err) < 0)
			return -1;
		info->exists = false;
	}
	return info->exists && info->suspended ? devmap_resume(info->uuid, err) : 0;
}

int kernel_pool_activate(const char *dir, const struct thin_place *place, unsigned lock_timeout_ms,
			 struct devmap_info *ret, struct error *err)
{
	if (kernel_pool_find(dir, place, ret, err) < 0 || kernel_pool_mend(place, ret, err) < 0)
		return -1;
	if (ret->exists)
		return devmap_make_node(ret, err);
	if (make_pool(dir, place, lock_timeout_ms, err) < 0)
		return error_wrap(err, "activate pool %s", dir);
	log_debug("pool %s is active now", dir);
	return kernel_pool_find(dir, place, ret, err);
}

int thin_kernel_activate(const char *dir, unsigned lock_timeout_ms, struct error *err)
{
	cleanup(thin_place_release) struct thin_place place = {0};
	struct devmap_info info;
	int status, lock = -1;

	if (kernel_place_load(dir, &place, err) < 0
	    || kernel_lock_take(dir, "activate", lock_timeout_ms, &lock, err) < 0)
		return -1;
	status = place.kind == THIN_PLACE_LVM ? kernel_lvm_activate(dir, &place, err) : 0;
	if (status == 0)
		status = kernel_pool_activate(dir, &place, lock_timeout_ms, &info, err);
	kernel_lock_drop(dir, &lock);
	return status;
}
