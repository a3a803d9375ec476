/* SPDX-License-Identifier: Apache-2.0 */
/* Each step is written down before it is done, and looked for before it is undone. */
#include "pkg/thin/kernel/make_lvm.h"

#include <string.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/base/log.h"
#include "pkg/host/lvm.h"
#include "pkg/thin/file/engine.h"
#include "pkg/thin/kernel/activate_lvm.h"
#include "pkg/thin/kernel/engine.h"
#include "pkg/thin/kernel/make_device.h"

enum { DEFAULT_BLOCK_BYTES = 512 << 10, EXTEND_PERCENT = 20, LOCK_TIMEOUT_MS = 60 * 1000 };
#define POOL_LV	     "pool"	       /* of a volume group that we made */
#define LONGEST_NAME "--lvol0_pmspare" /* that LVM puts behind the group's in a device's name */

/* --- how large -------------------------------------------------------------------------------- */

static uint64_t round_up(uint64_t bytes, uint64_t unit)
{
	return (bytes + unit - 1) / unit * unit;
}

int thin_lvm_plan(uint64_t group_bytes, uint64_t extent_bytes, const struct thin_lvm_params *p,
		  struct thin_lvm_plan *ret, struct error *err)
{
	uint32_t block_bytes = p->block_bytes ? p->block_bytes : DEFAULT_BLOCK_BYTES;
	uint64_t metadata = p->metadata_bytes, data = p->data_bytes, left;

	if (!extent_bytes || group_bytes > INT64_MAX || extent_bytes > group_bytes)
		return error_set(err, ERR_INVALID,
				 "a volume group of %llu bytes in extents of %llu",
				 (unsigned long long)group_bytes, (unsigned long long)extent_bytes);
	if (data > INT64_MAX || metadata > INT64_MAX / 4)
		return error_set(err, ERR_USAGE, "no volume group is so large");
	if (!metadata)
		metadata = thin_file_metadata_bytes(group_bytes, block_bytes);
	metadata = round_up(metadata, extent_bytes);
	left = 2 * metadata < group_bytes ? group_bytes - 2 * metadata : 0;
	if (!data)
		data = left / extent_bytes * 100 / (100 + EXTEND_PERCENT) * extent_bytes;
	data = round_up(data, extent_bytes);
	if (!data || data > left)
		return error_set(err, ERR_NO_SPACE,
				 "the volume group has %llu MiB, of which metadata and its spare "
				 "need %llu and the data %llu",
				 (unsigned long long)(group_bytes >> 20),
				 (unsigned long long)(2 * metadata >> 20),
				 (unsigned long long)(data >> 20));
	*ret = (struct thin_lvm_plan){.data_bytes = data, .metadata_bytes = metadata};
	return 0;
}

/* --- making ----------------------------------------------------------------------------------- */

int thin_lvm_look(const char *device, bool force, char **ret_name, struct error *err)
{
	cleanup(blockdev_release) struct blockdev disk = {0};
	cleanup_lvm_group struct lvm_group group = {0};
	struct error none = {0};

	if (thin_device_look(device, force, &disk, err) < 0)
		return -1;
	if (lvm_group_find_device(disk.name, &group, &none) == 0 && group.vg[0])
		return error_set(err, ERR_BUSY, "%s is in the volume group %s", device, group.vg);
	if (none.kind != ERR_NONE && none.kind != ERR_NOT_FOUND) {
		*err = none;
		return -1;
	}
	*ret_name = xstrdup(disk.name);
	return 0;
}

static int check_group_is_new(const char *vg, struct error *err)
{
	cleanup_lvm_group struct lvm_group group = {0};
	struct error found = {0};

	if (lvm_group_find(vg, &group, &found) == 0)
		return error_set(err, ERR_BUSY, "there is a volume group %s already", vg);
	if (found.kind == ERR_NOT_FOUND)
		return 0;
	*err = found;
	return -1;
}

/* In names of devices each dash of a group's is two. */
static int check_name_fits(const char *vg, struct error *err)
{
	size_t len = strlen(vg) + strlen(LONGEST_NAME);

	for (const char *c = vg; *c; c++)
		len += *c == '-';
	if (len >= DEVMAP_NAME_BYTES)
		return error_set(err, ERR_USAGE, "the name %s is too long for LVM", vg);
	return 0;
}

/* LVM's name for the device, which will be the same after each boot. */
static int remember_device(struct thin_place *place, struct error *err)
{
	cleanup_lvm_pool struct lvm_pool pool = {0};

	if (lvm_pool_find(place->vg, place->lv, &pool, err) < 0)
		return -1;
	free(place->lvm_uuid);
	place->lvm_uuid = steal(&pool.device_uuid);
	place->block_bytes = (uint32_t)pool.block_bytes;
	return 0;
}

static int make_volumes(struct thin_place *place, const struct thin_lvm_params *p,
			struct error *err)
{
	cleanup_lvm_group struct lvm_group group = {0};
	struct thin_lvm_plan plan;

	if ((p->force && thin_device_wipe(place->data_device, err) < 0)
	    || lvm_group_create(place->vg, place->data_device, place->uuid, err) < 0
	    || lvm_profile_store(err) < 0 || lvm_group_find(place->vg, &group, err) < 0
	    || thin_lvm_plan(group.bytes, group.extent_bytes, p, &plan, err) < 0)
		return -1;
	if (lvm_pool_create(&(struct lvm_pool_params){.vg = place->vg,
						      .lv = place->lv,
						      .data_bytes = plan.data_bytes,
						      .metadata_bytes = plan.metadata_bytes,
						      .block_bytes = place->block_bytes,
						      .queue_when_full = place->queue_when_full,
						      .no_zero = place->no_zero},
			    err)
	    < 0)
		return -1;
	return remember_device(place, err);
}

int thin_lvm_create(const char *dir, const struct thin_lvm_params *p, struct error *err)
{
	cleanup(thin_place_release) struct thin_place place = {
		.kind = THIN_PLACE_LVM,
		.block_bytes = p->block_bytes ? p->block_bytes : DEFAULT_BLOCK_BYTES,
		.queue_when_full = p->queue_when_full,
		.no_zero = p->no_zero,
	};

	place.data_device = xstrdup(p->device);
	place.vg = xstrdup(p->vg);
	place.lv = xstrdup(POOL_LV);
	memcpy(place.uuid, p->uuid, sizeof(place.uuid));
	if (check_name_fits(place.vg, err) < 0 || lvm_check(err) < 0
	    || check_group_is_new(place.vg, err) < 0 || thin_place_store(dir, &place, err) < 0)
		return -1;
	if (make_volumes(&place, p, err) < 0)
		return -1;
	return thin_place_store(dir, &place, err);
}

/* --- adopting --------------------------------------------------------------------------------- */

/* While this file is there, what is in the pool is not known to be ours. */
static char *doubt_path(const char *dir)
{
	return xasprintf("%s/adopting", dir);
}

static int doubt(const char *dir, struct error *err)
{
	cleanup_free char *path = doubt_path(dir);

	return fdio_replace_file(path, "", 0, err);
}

static int doubt_no_more(const char *dir, struct error *err)
{
	cleanup_free char *path = doubt_path(dir);

	if (fdio_remove(path, err) < 0)
		return -1;
	return fdio_sync_dir(dir, err);
}

static bool is_in_doubt(const char *dir)
{
	cleanup_free char *path = doubt_path(dir);

	return access(path, F_OK) == 0;
}

/* As LVM sees it. */
static int check_volume(const struct lvm_pool *pool, struct error *err)
{
	if (!pool->thin_pool)
		return error_set(err, ERR_UNSUPPORTED, "it is no thin pool");
	if (!pool->whole)
		return error_set(err, ERR_UNSUPPORTED, "disks of its volume group are missing");
	if (pool->thin_count)
		return error_set(err, ERR_BUSY, "LVM has %llu thin volumes in it",
				 (unsigned long long)pool->thin_count);
	if (pool->transaction_id)
		return error_set(err, ERR_BUSY,
				 "LVM has had thin volumes in it: its transaction id is %llu",
				 (unsigned long long)pool->transaction_id);
	return 0;
}

/* As the kernel does: others use thin pools of LVM's without telling it. */
static int check_content(const char *dir, struct error *err)
{
	struct thin_open how = {.engine = THIN_ENGINE_KERNEL,
				.mode = THIN_READ,
				.verb = "adopt",
				.lock_timeout_ms = LOCK_TIMEOUT_MS};
	cleanup(thin_pool_close_ptr) struct thin_pool *pool = NULL;
	cleanup_free struct thin_device *devices = NULL;
	struct thin_pool_status status;
	size_t n;

	if (thin_kernel_open(dir, &how, &pool, err) < 0 || thin_pool_status(pool, &status, err) < 0)
		return -1;
	if (status.transaction_id)
		return error_set(err, ERR_BUSY, "somebody uses it: its transaction id is %llu",
				 (unsigned long long)status.transaction_id);
	if (strcmp(status.mode, "rw") != 0)
		return error_set(err, ERR_INCONSISTENT, "its mode is %s", status.mode);
	if (thin_pool_devices(pool, &devices, &n, err) < 0)
		return -1;
	if (n || status.data_used_blocks)
		return error_set(err, ERR_BUSY, "somebody uses it: it has %zu thin devices", n);
	return 0;
}

static int take_over(const char *dir, const struct thin_place *place, struct error *err)
{
	cleanup_lvm_pool struct lvm_pool pool = {0};

	if (thin_kernel_activate(dir, LOCK_TIMEOUT_MS, err) < 0 || check_content(dir, err) < 0
	    || lvm_pool_find_device(place->lvm_uuid, &pool, err) < 0
	    || lvm_pool_set(&pool, place->queue_when_full, !place->no_zero, err) < 0)
		return -1;
	return doubt_no_more(dir, err);
}

int thin_lvm_adopt(const char *dir, const struct thin_lvm_params *p, struct error *err)
{
	cleanup(thin_place_release) struct thin_place place = {
		.kind = THIN_PLACE_LVM,
		.adopted = true,
		.queue_when_full = p->queue_when_full,
		.no_zero = p->no_zero,
	};
	cleanup_lvm_pool struct lvm_pool pool = {0};

	if (lvm_check(err) < 0 || lvm_pool_find(p->vg, p->lv, &pool, err) < 0)
		return -1;
	place.vg = xstrdup(pool.vg);
	place.lv = xstrdup(pool.lv);
	place.lvm_uuid = xstrdup(pool.device_uuid);
	place.block_bytes = (uint32_t)pool.block_bytes;
	place.was_queueing = pool.queue_when_full;
	place.was_zeroing = pool.zeroing;
	memcpy(place.uuid, p->uuid, sizeof(place.uuid));
	if (check_volume(&pool, err) < 0)
		return error_wrap(err, "%s/%s", p->vg, p->lv);
	if (doubt(dir, err) < 0 || thin_place_store(dir, &place, err) < 0)
		return -1;
	if (take_over(dir, &place, err) < 0)
		return error_wrap(err, "%s/%s", p->vg, p->lv);
	return 0;
}

int thin_lvm_prove(const char *dir, struct error *err)
{
	cleanup(thin_place_release) struct thin_place place = {0};
	cleanup_lvm_pool struct lvm_pool pool = {0};
	struct devmap_info info;

	if (thin_kernel_deactivate(dir, LOCK_TIMEOUT_MS, err) < 0
	    || thin_place_load(dir, &place, err) < 0 || kernel_lvm_find(&place, &info, err) < 0)
		return -1;
	if (info.open_count) {
		log_debug("%s is in use: LVM is not asked to activate it again", info.name);
		return 0;
	}
	if (!info.exists) /* it was we who had activated it */
		return kernel_lvm_activate(dir, &place, err);
	if (lvm_pool_find_device(place.lvm_uuid, &pool, err) < 0
	    || lvm_pool_deactivate(pool.vg, pool.lv, err) < 0)
		return -1;
	return lvm_pool_activate(pool.vg, pool.lv, err);
}

/* --- the end ---------------------------------------------------------------------------------- */

static int list_devices(const char *dir, struct thin_device **ret, size_t *ret_n,
			struct thin_pool_status *status, struct error *err)
{
	struct thin_open how = {.engine = THIN_ENGINE_KERNEL, .mode = THIN_READ};
	cleanup(thin_pool_close_ptr) struct thin_pool *pool = NULL;

	if (thin_kernel_open(dir, &how, &pool, err) < 0 || thin_pool_status(pool, status, err) < 0)
		return -1;
	return thin_pool_devices(pool, ret, ret_n, err);
}

/*
 * Empty, with the transaction id that LVM knows. Whoever ends a pool has its lock already, hence no
 * session that writes. The record, which is device 0, goes last: until then it tells what there is.
 */
static int empty(const char *dir, const struct thin_place *place, struct error *err)
{
	cleanup_free struct thin_device *devices = NULL;
	struct thin_pool_status status;
	size_t n;

	if (kernel_lvm_activate(dir, place, err) < 0
	    || list_devices(dir, &devices, &n, &status, err) < 0)
		return -1;
	while (n-- > 0)
		if (devmap_message(place->lvm_uuid, err, "delete %u", devices[n].id) < 0)
			return error_wrap(err, "thin %u", devices[n].id);
	if (!status.transaction_id)
		return 0;
	return devmap_message(place->lvm_uuid, err, "set_transaction_id %llu 0",
			      (unsigned long long)status.transaction_id);
}

static int give_back(const char *dir, const struct thin_place *place, struct error *err)
{
	cleanup_lvm_pool struct lvm_pool pool = {0};

	if (lvm_pool_find_device(place->lvm_uuid, &pool, err) < 0)
		return -1;
	if (!is_in_doubt(dir) && empty(dir, place, err) < 0)
		return -1;
	if (lvm_pool_set(&pool, place->was_queueing, place->was_zeroing, err) < 0)
		return -1;
	return kernel_lvm_deactivate(dir, place, err);
}

/* Ours is what has the UUID that we know; before there was one, all of a volume group that is on a
 * disk with our UUID. */
static int remove_volume(const struct thin_place *place, struct error *err)
{
	cleanup_lvm_pool struct lvm_pool pool = {0};
	struct error found = {0};

	if (!place->lvm_uuid)
		return 0;
	if (lvm_pool_find_device(place->lvm_uuid, &pool, &found) == 0)
		return lvm_pool_remove(pool.vg, pool.lv, err);
	if (found.kind == ERR_NOT_FOUND)
		return 0;
	*err = found;
	return -1;
}

static int remove_group(const struct thin_place *place, struct error *err)
{
	cleanup_lvm_group struct lvm_group group = {0};
	bool finished = place->lvm_uuid != NULL;
	struct error found = {0};

	if (lvm_group_find_disk(place->uuid, &group, &found) < 0) {
		if (found.kind == ERR_NOT_FOUND)
			return 0;
		*err = found;
		return -1;
	}
	if (finished && group.volumes)
		return error_set(err, ERR_BUSY, "volume group %s has other volumes, it stays",
				 group.vg);
	return lvm_group_remove(group.vg, group.device, !finished, err);
}

static int take_away(const struct thin_place *place, struct error *err)
{
	struct devmap_info info;

	if (kernel_lvm_find(place, &info, err) < 0)
		return -1;
	if (info.open_count)
		return error_set(err, ERR_BUSY, "%s is in use", info.name);
	if (remove_volume(place, err) < 0 || remove_group(place, err) < 0)
		return -1;
	return lvm_profile_remove(err);
}

int thin_lvm_end(const char *dir, const struct thin_place *place, struct error *err)
{
	return place->adopted ? give_back(dir, place, err) : take_away(place, err);
}

/* --- what LVM does by itself ------------------------------------------------------------------ */

void thin_lvm_policy_release(struct thin_lvm_policy *policy)
{
	free(policy->vg);
	free(policy->lv);
	*policy = (struct thin_lvm_policy){0};
}

int thin_lvm_policy(const struct thin_place *place, struct thin_lvm_policy *ret, struct error *err)
{
	cleanup_lvm_pool struct lvm_pool pool = {0};
	struct lvm_policy policy;

	if (lvm_pool_find_device(place->lvm_uuid, &pool, err) < 0
	    || lvm_policy_of(&pool, &policy, err) < 0)
		return -1;
	*ret = (struct thin_lvm_policy){.vg = steal(&pool.vg),
					.lv = steal(&pool.lv),
					.monitored = policy.monitored,
					.threshold_percent = (unsigned)policy.threshold,
					.extend_percent = (unsigned)policy.percent,
					.group_free_bytes = pool.group_free_bytes};
	return 0;
}
