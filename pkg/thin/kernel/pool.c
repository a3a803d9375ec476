/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel engine's session: opened, looked at, committed, ended. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/log.h"
#include "pkg/thin/kernel/activate.h"
#include "pkg/thin/kernel/claim.h"
#include "pkg/thin/kernel/mode.h"
#include "pkg/thin/kernel/pool_internal.h"
#include "pkg/thin/kernel/table.h"

/* --- what the kernel says --------------------------------------------------------------------- */

static int parse_status(const struct tk_pool *p, const char *type, const char *params,
			struct kernel_pool_status *ret, struct error *err)
{
	if (strcmp(type, "thin-pool") != 0)
		return error_set(err, ERR_INCONSISTENT, "%s is no thin-pool but %s", p->device.name,
				 type);
	return kernel_pool_status_parse(params, ret, err);
}

int tk_pool_read_status(struct tk_pool *p, struct kernel_pool_status *ret, struct error *err)
{
	cleanup_free char *type = NULL, *params = NULL;

	if (devmap_status(p->device.uuid, false, &type, &params, err) < 0)
		return -1;
	return parse_status(p, type, params, ret, err);
}

void tk_pool_explain(void *arg, struct error *err)
{
	struct tk_pool *p = arg;
	struct kernel_pool_status st;
	struct error ignored = {0};
	enum error_detail detail;
	enum error_kind kind;

	if (tk_pool_read_status(p, &st, &ignored) < 0)
		return;
	kind = kernel_mode_kind(&st, &detail);
	if (kind == ERR_NONE)
		return;
	error_wrap(err, "pool %s is in mode %s", p->device.name, kernel_mode_name(&st));
	err->kind = kind;
	if (detail != ERR_DETAIL_NONE)
		(void)error_set_detail(err, detail);
}

int tk_pool_message(struct tk_pool *p, struct error *err, const char *fmt, ...)
{
	cleanup_free char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	p->counts.messages++;
	if (devmap_message(p->device.uuid, err, "%s", text) == 0)
		return 0;
	/* These say something of the pool, the others of what was asked for. */
	if (err->sys == EOPNOTSUPP || err->sys == EIO || err->sys == EINVAL || err->sys == ENOSPC)
		tk_pool_explain(p, err);
	return error_wrap(err, "pool message \"%s\"", text);
}

int tk_pool_check_writable(const struct tk_pool *p, struct error *err)
{
	if (p->mode != THIN_WRITE)
		return error_set(err, ERR_BUSY, "the pool is open for reading");
	if (p->failure.kind != ERR_NONE) {
		*err = p->failure;
		return -1;
	}
	return 0;
}

/* --- transactions ----------------------------------------------------------------------------- */

static int sync_first(struct tk_pool *p, int fd, const char *path, struct error *err)
{
	p->counts.flushes++;
	if (fsync(fd) < 0) {
		error_sys(err, "flush %s", path);
		tk_pool_explain(p, err);
		return -1;
	}
	p->unflushed = false;
	return 0;
}

/* Any thin device's flush is the pool's: thin device 0 is always there once there was a commit. */
static int flush(struct tk_pool *p, struct error *err)
{
	struct kernel_names names;
	cleanup_free char *path = NULL;
	cleanup_fd int fd = -1;

	if (!p->unflushed)
		return 0;
	if (p->first.path)
		return sync_first(p, p->first.fd, p->first.path, err);
	kernel_names_thin(p->place.uuid, 0, &names);
	path = devmap_path(names.name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_sys(err, "open %s", path);
	return sync_first(p, fd, path, err);
}

static int look(struct tk_pool *p, struct kernel_pool_status *ret, struct error *err)
{
	if (tk_pool_read_status(p, ret, err) < 0)
		return -1;
	p->transaction_id = ret->transaction_id;
	return 0;
}

/* Why a compare-and-swap was refused. */
static int tell_who_moved(struct tk_pool *p, struct error *err)
{
	struct kernel_pool_status st;
	struct error ignored = {0};

	if (err->sys != EINVAL || tk_pool_read_status(p, &st, &ignored) < 0
	    || st.transaction_id == p->transaction_id)
		return -1;
	return error_set(err, ERR_INCONSISTENT,
			 "another program changes pool %s: its transaction id is %llu, it was %llu",
			 p->device.name, (unsigned long long)st.transaction_id,
			 (unsigned long long)p->transaction_id);
}

/*
 * The message tells whether the number was ours to change, not whether the commit that followed it
 * worked: if not, the kernel has gone back to the one before.
 */
static int check_committed(struct tk_pool *p, uint64_t id, struct error *err)
{
	struct kernel_pool_status st;

	if (look(p, &st, err) < 0)
		return -1;
	if (st.transaction_id == id && !kernel_mode_is_broken(&st))
		return 0;
	error_set(err, ERR_INCONSISTENT, "the kernel could not commit");
	tk_pool_explain(p, err);
	return -1;
}

static int set_transaction_id(struct tk_pool *p, uint64_t id, struct error *err)
{
	if (id == p->transaction_id)
		return 0;
	if (tk_pool_message(p, err, "set_transaction_id %llu %llu",
			    (unsigned long long)p->transaction_id, (unsigned long long)id)
	    < 0)
		return tell_who_moved(p, err);
	return check_committed(p, id, err);
}

static int commit(struct thin_pool *pool, uint64_t transaction_id, struct error *err)
{
	struct tk_pool *p = tk_pool_of(pool);

	if (tk_pool_check_writable(p, err) < 0)
		return -1;
	if (flush(p, err) == 0 && set_transaction_id(p, transaction_id, err) == 0)
		return 0;
	error_wrap(err, "commit");
	p->failure = *err;
	return -1;
}

/* What was done was done at once, and the record tells what of it is to be undone. */
static int abort_changes(struct thin_pool *pool, struct error *err)
{
	struct tk_pool *p = tk_pool_of(pool);
	struct kernel_pool_status st;

	if (look(p, &st, err) < 0)
		return -1;
	p->failure = (struct error){0};
	return 0;
}

static int reserve(struct thin_pool *pool, struct error *err)
{
	struct tk_pool *p = tk_pool_of(pool);

	return tk_pool_message(p, err, "reserve_metadata_snap");
}

static int release(struct thin_pool *pool, struct error *err)
{
	struct tk_pool *p = tk_pool_of(pool);

	if (tk_pool_message(p, err, "release_metadata_snap") == 0)
		return 0;
	if (err->sys == ENODATA || err->sys == EINVAL)
		err->kind = ERR_NOT_FOUND;
	return -1;
}

/* --- looking ---------------------------------------------------------------------------------- */

static int status(struct thin_pool *pool, struct thin_pool_status *ret, struct error *err)
{
	struct tk_pool *p = tk_pool_of(pool);
	struct kernel_pool_status st;

	if (tk_pool_read_status(p, &st, err) < 0)
		return -1;
	*ret = (struct thin_pool_status){
		.engine = "kernel",
		.mode = kernel_mode_name(&st),
		.block_bytes = p->block_bytes,
		.data_used_blocks = st.data_used,
		.data_total_blocks = st.data_total,
		.metadata_used_blocks = st.metadata_used,
		.metadata_total_blocks = st.metadata_total,
		.transaction_id = st.transaction_id,
		.held_root = st.held_root,
		.needs_check = st.needs_check,
		.in_files = p->place.kind == THIN_PLACE_FILES,
	};
	memcpy(ret->uuid, p->place.uuid, sizeof(ret->uuid));
	return 0;
}

/* Under the lock nobody moves it, but for a program that takes no lock: a commit finds out. */
static int get_transaction_id(struct thin_pool *pool, uint64_t *ret, struct error *err)
{
	struct tk_pool *p = tk_pool_of(pool);
	struct kernel_pool_status st;

	if (p->lock_fd < 0 && !p->just_looked && look(p, &st, err) < 0)
		return -1;
	p->just_looked = false;
	*ret = p->transaction_id;
	return 0;
}

static void counts(struct thin_pool *pool, struct thin_pool_counts *ret)
{
	const struct tk_pool *p = tk_pool_of(pool);

	*ret = p->counts;
	ret->ioctls = devmap_ioctls() - p->ioctls_before;
}

/* --- intents that are alive ------------------------------------------------------------------- */

static int claim(struct thin_pool *pool, uint32_t id, struct error *err)
{
	return claim_try(tk_pool_of(pool)->claims_fd, CLAIM_MAKING + id, true, err);
}

static void unclaim(struct thin_pool *pool, uint32_t id)
{
	claim_drop(tk_pool_of(pool)->claims_fd, CLAIM_MAKING + id);
}

static bool is_claimed(struct thin_pool *pool, uint32_t id)
{
	return claim_is_held(tk_pool_of(pool)->claims_fd, CLAIM_MAKING + id);
}

/* --- opening ---------------------------------------------------------------------------------- */

static void close_pool(struct thin_pool *pool)
{
	struct tk_pool *p = tk_pool_of(pool);

	kernel_node_close(&p->first);
	if (p->lock_fd >= 0 && p->mode == THIN_WRITE)
		kernel_lock_drop(p->dir, &p->lock_fd);
	cleanup_fd_ptr(&p->lock_fd);
	cleanup_fd_ptr(&p->claims_fd);
	thin_pool_close(p->reader);
	thin_place_release(&p->place);
	free(p->dir);
	free(p->verb);
	free(p);
}

static int read_block_size(struct tk_pool *p, struct error *err)
{
	cleanup_free char *type = NULL, *params = NULL;
	struct kernel_pool_table table;
	struct devmap_target target;

	if (devmap_table(p->device.uuid, &target, &type, &params, err) < 0
	    || kernel_pool_table_parse(params, &table, err) < 0)
		return -1;
	p->block_bytes = table.block_sectors * DEVMAP_SECTOR_BYTES;
	return 0;
}

/* Whoever only reads takes the lock for a moment where the pool has to be activated first. */
static int find_pool(struct tk_pool *p, struct error *err)
{
	int result, lock = -1;

	if (p->mode == THIN_WRITE)
		return kernel_pool_activate(p->dir, &p->place, p->lock_timeout_ms, &p->device, err);
	if (kernel_pool_find(p->dir, &p->place, &p->device, err) < 0)
		return -1;
	if (p->device.exists && p->device.live && !p->device.suspended)
		return devmap_make_node(&p->device, err);
	if (kernel_lock_take(p->dir, p->verb, p->lock_timeout_ms, &lock, err) < 0)
		return -1;
	result = kernel_pool_activate(p->dir, &p->place, p->lock_timeout_ms, &p->device, err);
	kernel_lock_drop(p->dir, &lock);
	return result;
}

/* A mode that no write and no message gets through. */
static int check_mode(const struct tk_pool *p, const struct kernel_pool_status *st,
		      struct error *err)
{
	enum error_detail detail;
	enum error_kind kind;

	if (p->mode != THIN_WRITE || !kernel_mode_is_broken(st))
		return 0;
	kind = kernel_mode_kind(st, &detail);
	error_set(err, kind, "%s is in mode %s, nothing can be written to it", p->device.name,
		  kernel_mode_name(st));
	return error_set_detail(err, detail);
}

/* Nearly always it is active, and one look tells all there is to know of it. */
static bool find_active(struct tk_pool *p, struct kernel_pool_status *ret)
{
	cleanup_free char *type = NULL, *params = NULL;
	struct error ignored = {0};
	struct devmap_info now;
	struct kernel_names names;
	const char *uuid = p->place.lvm_uuid;

	if (p->place.kind != THIN_PLACE_LVM) {
		kernel_names_part(p->place.uuid, "pool", &names);
		uuid = names.uuid;
	}
	if (!uuid || devmap_look(uuid, &now, &type, &params, &ignored) < 0 || now.suspended
	    || (p->place.kind == THIN_PLACE_FILES
		&& kernel_loop_check_own(p->dir, &now, &ignored) < 0)
	    || devmap_make_node(&now, &ignored) < 0
	    || parse_status(p, type, params, ret, &ignored) < 0)
		return false;
	p->device = now;
	p->transaction_id = ret->transaction_id;
	p->just_looked = true;
	return true;
}

/* Who keeps writers away is in the way of who activates it, too. */
static int keep_still(struct tk_pool *p, struct error *err)
{
	struct kernel_pool_status st;

	if (!find_active(p, &st) && find_pool(p, err) < 0)
		return -1;
	return kernel_lock_take_shared(p->dir, p->lock_timeout_ms, &p->lock_fd, err);
}

static int take_lock(struct tk_pool *p, struct error *err)
{
	if (p->mode == THIN_WRITE)
		return kernel_lock_take_over(p->dir, p->verb, p->lock_timeout_ms, &p->lock_fd,
					     &p->dead_owner, err);
	return p->mode == THIN_STILL ? keep_still(p, err) : 0;
}

/* With the lock just taken: the pool as it is now, which need not be the device that it was. */
static int have_pool(struct tk_pool *p, struct error *err)
{
	struct kernel_pool_status st;

	if (!find_active(p, &st) && (find_pool(p, err) < 0 || look(p, &st, err) < 0))
		return -1;
	if (check_mode(p, &st, err) < 0)
		return -1;
	return p->dead_owner ? tk_device_resume_all(p, err) : 0;
}

/* Others may have the pool while a volume is written. */
static int pause_session(struct thin_pool *pool, struct error *err)
{
	struct tk_pool *p = tk_pool_of(pool);

	(void)err;
	kernel_node_close(&p->first);
	kernel_lock_drop(p->dir, &p->lock_fd);
	return 0;
}

static int go_on(struct thin_pool *pool, struct error *err)
{
	struct tk_pool *p = tk_pool_of(pool);

	if (p->lock_fd >= 0)
		return 0;
	return take_lock(p, err) < 0 ? -1 : have_pool(p, err);
}

static int renew(struct thin_pool *pool, bool writing, unsigned lock_timeout_ms, struct error *err)
{
	struct tk_pool *p = tk_pool_of(pool);
	struct kernel_pool_status st;

	if (p->lock_fd >= 0 && pause_session(pool, err) < 0)
		return -1;
	p->lock_timeout_ms = lock_timeout_ms;
	p->mode = writing ? THIN_WRITE : THIN_READ;
	if (writing)
		return go_on(pool, err);
	if (find_active(p, &st))
		return 0;
	return error_set(err, ERR_NOT_FOUND, "%s is not active now", p->device.name);
}

static int open_pool(struct tk_pool *p, struct error *err)
{
	if (kernel_place_load(p->dir, &p->place, err) < 0
	    || claim_open(p->dir, &p->claims_fd, err) < 0 || take_lock(p, err) < 0
	    || have_pool(p, err) < 0)
		return -1;
	return read_block_size(p, err);
}

static const struct thin_pool_ops ops = {
	.create_thin = tk_device_create_thin,
	.create_snap = tk_device_create_snap,
	.delete = tk_device_delete,
	.open_volume = tk_opened_volume,
	.commit = commit,
	.abort = abort_changes,
	.reserve_metadata_snap = reserve,
	.release_metadata_snap = release,
	.status = status,
	.count_thins = tk_held_thin_count,
	.transaction_id = get_transaction_id,
	.device = tk_held_device,
	.devices = tk_held_devices,
	.count_blocks = tk_held_count_blocks,
	.diff = tk_held_diff,
	.activate = tk_device_activate,
	.deactivate = tk_device_deactivate,
	.find_device = tk_device_find,
	.mend = tk_opened_mend,
	.pause = pause_session,
	.go_on = go_on,
	.renew = renew,
	.claim = claim,
	.unclaim = unclaim,
	.is_claimed = is_claimed,
	.counts = counts,
	.close = close_pool,
};

int thin_kernel_open(const char *dir, const struct thin_open *how, struct thin_pool **ret,
		     struct error *err)
{
	struct tk_pool *p = xcalloc(1, sizeof(*p));

	p->base.ops = &ops;
	p->dir = xstrdup(dir);
	p->verb = xstrdup(how->verb ? how->verb : "-");
	p->mode = how->mode;
	p->lock_timeout_ms = how->lock_timeout_ms;
	p->lock_fd = p->claims_fd = -1;
	p->ioctls_before = devmap_ioctls();
	if (open_pool(p, err) < 0) {
		close_pool(&p->base);
		return -1;
	}
	*ret = &p->base;
	return 0;
}
