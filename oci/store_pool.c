/* SPDX-License-Identifier: Apache-2.0 */
/* Pools come into being here, and are given to the kernel and taken back. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/store_internal.h"
#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/base/log.h"
#include "pkg/base/uuid.h"
#include "pkg/thin/kernel/engine.h"
#include "pkg/thin/kernel/make_device.h"
#include "pkg/thin/kernel/make_lvm.h"
#include "pkg/thin/place.h"

#define DEFAULT_DATA_BYTES (UINT64_C(100) << 30)
#define DEFAULT_BASE_BYTES (UINT64_C(64) << 30)
enum { DEFAULT_BLOCK_BYTES = 64 << 10 };

/* --- making a pool ---------------------------------------------------------------------------- */

static int fill_files(const char *dir, const struct store_pool_params *p, struct error *err)
{
	struct thin_file_params params = {
		.data_bytes = p->data_bytes ? p->data_bytes : DEFAULT_DATA_BYTES,
		.metadata_bytes = p->metadata_bytes,
		.block_bytes = p->block_bytes ? p->block_bytes : DEFAULT_BLOCK_BYTES,
	};
	struct thin_place place = {.kind = THIN_PLACE_FILES,
				   .block_bytes = params.block_bytes,
				   .queue_when_full = p->queue_when_full,
				   .no_zero = p->no_zero};

	if (uuid_random(params.uuid, err) < 0 || thin_file_create(dir, &params, err) < 0)
		return -1;
	if (!place.queue_when_full && !place.no_zero)
		return 0;
	memcpy(place.uuid, params.uuid, sizeof(place.uuid));
	return thin_place_store(dir, &place, err);
}

static int fill_device(const struct store *s, const char *dir, const struct store_pool_params *p,
		       struct error *err)
{
	struct thin_device_params params = {
		.pool = s->pool,
		.data_device = p->device,
		.metadata_device = p->metadata_device,
		.force = p->force,
		.data_bytes = p->data_bytes,
		.metadata_bytes = p->metadata_bytes,
		.block_bytes = p->block_bytes ? p->block_bytes : DEFAULT_BLOCK_BYTES,
		.queue_when_full = p->queue_when_full,
		.no_zero = p->no_zero,
	};

	if (uuid_random(params.uuid, err) < 0)
		return -1;
	return thin_device_create(dir, &params, err);
}

/* The volume group has the pool's name. */
static int fill_lvm(const struct store *s, const char *dir, const struct store_pool_params *p,
		    struct error *err)
{
	cleanup_free char *device = NULL, *vg = xasprintf("thinpull-%s", s->pool);
	struct thin_lvm_params params = {
		.vg = vg,
		.force = p->force,
		.data_bytes = p->data_bytes,
		.metadata_bytes = p->metadata_bytes,
		.block_bytes = p->block_bytes,
		.queue_when_full = p->queue_when_full,
		.no_zero = p->no_zero,
	};

	if (thin_lvm_look(p->device, p->force, &device, err) < 0
	    || uuid_random(params.uuid, err) < 0)
		return -1;
	params.device = device;
	return thin_lvm_create(dir, &params, err);
}

static int fill_adopted(const char *dir, const struct store_pool_params *p, struct error *err)
{
	struct thin_lvm_params params = {
		.vg = p->vg,
		.lv = p->lv,
		.queue_when_full = p->queue_when_full,
		.no_zero = p->no_zero,
	};

	if (uuid_random(params.uuid, err) < 0)
		return -1;
	return thin_lvm_adopt(dir, &params, err);
}

/* Data and metadata, empty, where they are to be; place.json says where that is. */
static int fill_place(const struct store *s, const char *dir, const struct store_pool_params *p,
		      struct error *err)
{
	switch (p->kind) {
	case STORE_POOL_FILES:
	case STORE_POOL_LOOP:
		break;
	case STORE_POOL_DEVICE:
		return fill_device(s, dir, p, err);
	case STORE_POOL_LVM:
		return fill_lvm(s, dir, p, err);
	case STORE_POOL_ADOPTED:
		return fill_adopted(dir, p, err);
	}
	return fill_files(dir, p, err);
}

/* Files are written faster by their own engine, and are the same then. */
static int fill_record(struct store *s, const char *dir, const struct store_pool_params *p,
		       struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *snapshots = NULL;
	bool files = p->kind == STORE_POOL_FILES || p->kind == STORE_POOL_LOOP;
	struct thin_open how = {.engine = files ? THIN_ENGINE_FILE : THIN_ENGINE_KERNEL,
				.mode = THIN_WRITE,
				.verb = s->verb,
				.lock_timeout_ms = s->lock_timeout_ms};
	struct thin_pool *pool = NULL;

	if (thin_open(dir, &how, &pool, err) < 0)
		return -1;
	return snapshots_create(&pool, p->base_bytes ? p->base_bytes : DEFAULT_BASE_BYTES,
				p->base_inodes, &snapshots, err);
}

/* What there is to see to once the record is there. */
static int finish_pool(struct store *s, const char *dir, const struct store_pool_params *p,
		       struct error *err)
{
	/* LVM shows that it takes the pool back with our transaction id in it, as after a boot. */
	if (p->kind == STORE_POOL_ADOPTED && thin_lvm_prove(dir, err) < 0)
		return -1;
	if (p->kind == STORE_POOL_LOOP || p->kind == STORE_POOL_ADOPTED)
		return thin_kernel_activate(dir, s->lock_timeout_ms, err);
	return 0;
}

static int fill_pool(struct store *s, const char *dir, const struct store_pool_params *p,
		     struct error *err)
{
	if (fill_place(s, dir, p, err) < 0 || fill_record(s, dir, p, err) < 0
	    || finish_pool(s, dir, p, err) < 0)
		return -1;
	if (rename(dir, s->pool_dir) < 0)
		return error_sys(err, "rename %s to %s", dir, s->pool_dir);
	return fdio_sync_dir(s->pools_dir, err);
}

/* Made under another name, then renamed: a pool without a record is never seen. */
static int make_pool(struct store *s, const struct store_pool_params *params, struct error *err)
{
	cleanup_free char *dir = xasprintf("%s/" STORE_NEW_PREFIX "%s", s->pools_dir, s->pool);
	struct error second = {0};

	if (mkdir(dir, 0700) < 0)
		return error_sys(err, "make folder %s", dir);
	/* What names disks outlives a power cut before anything is written to them. */
	if (fdio_sync_dir(s->pools_dir, err) == 0 && fill_pool(s, dir, params, err) == 0)
		return 0;
	if (store_remove_pool(dir, &second) < 0)
		log_debug("%s stays: %s", dir, second.cause);
	return error_wrap(err, "pool %s", s->pool);
}

static int check_engine(const struct store *s, const struct store_pool_params *params,
			struct error *err)
{
	if (params->kind == STORE_POOL_FILES)
		return 0;
	if (s->engine == THIN_ENGINE_FILE)
		return error_set(err, ERR_USAGE, "such a pool is not for the file engine");
	return thin_kernel_check(err);
}

int store_pool_create(struct store *s, const struct store_pool_params *params, struct error *err)
{
	cleanup_fd int lock = -1;

	if (check_engine(s, params, err) < 0)
		return -1;
	if (store_lock_pools(s, &lock, err) < 0)
		return -1;
	if (store_check_gone(s, err) < 0)
		return -1;
	if (store_pool_exists(s))
		return error_set(err, ERR_BUSY, "there is a pool %s already in %s", s->pool,
				 s->root);
	return make_pool(s, params, err);
}

/* --- in the kernel, or not -------------------------------------------------------------------- */

static int find_pool(const struct store *s, struct error *err)
{
	if (!store_pool_exists(s))
		return error_set(err, ERR_NOT_FOUND, "there is no pool %s in %s", s->pool, s->root);
	return thin_kernel_check(err);
}

int store_pool_activate(struct store *s, struct error *err)
{
	struct error full = {0};

	if (find_pool(s, err) < 0)
		return -1;
	if (thin_kernel_activate(s->pool_dir, s->lock_timeout_ms, err) < 0)
		return error_wrap(err, "pool %s", s->pool);
	if (store_pool_autoextend(s, &full) < 0)
		log_warning("pool %s was not extended: %s", s->pool, full.cause);
	return 0;
}

int store_pool_deactivate(struct store *s, struct error *err)
{
	snapshots_close(steal(&s->seen)); /* of the pool that goes */
	if (find_pool(s, err) < 0)
		return -1;
	if (thin_kernel_deactivate(s->pool_dir, s->lock_timeout_ms, err) < 0)
		return error_wrap(err, "pool %s", s->pool);
	return 0;
}
