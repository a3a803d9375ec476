/* SPDX-License-Identifier: Apache-2.0 */
/* A pool's metadata by themselves, wherever they are: copied, dumped, put right. */
#include <unistd.h>

#include "oci/store_internal.h"
#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/thin/file/dump.h"
#include "pkg/thin/file/repair.h"
#include "pkg/thin/kernel/engine.h"
#include "pkg/thin/place.h"

int store_copy_metadata(struct store *s, struct thin_pool *pool, enum thin_kernel_copy what,
			int *ret_fd, char **ret_path, struct error *err)
{
	cleanup_free char *path = NULL;
	cleanup_fd int fd = -1;

	if (fdio_open_nameless(s->spool_dir, &fd, err) < 0)
		return -1;
	path = xasprintf("/proc/self/fd/%d", fd);
	if (thin_kernel_copy_metadata(pool, what, path, err) < 0)
		return error_wrap(err, "copy the metadata of pool %s", s->pool);
	*ret_fd = steal_fd(&fd);
	*ret_path = steal(&path);
	return 0;
}

/* --- dump ------------------------------------------------------------------------------------- */

static int dump_copy(struct store *s, struct thin_pool *pool, enum thin_kernel_copy what, bool held,
		     const struct thin_dump_sink *sink, struct error *err)
{
	cleanup(thin_pool_close_ptr) struct thin_pool *reader = NULL;
	cleanup_free char *copy = NULL;
	cleanup_fd int fd = -1;

	if (store_copy_metadata(s, pool, what, &fd, &copy, err) < 0
	    || thin_file_open_metadata(copy, 0, &reader, err) < 0)
		return -1;
	return thin_file_dump(reader, held, sink, err);
}

/* Where the trees need what nobody counts as used, that is copied too. */
static int dump_in_kernel(struct store *s, struct thin_pool *pool, bool held,
			  const struct thin_dump_sink *sink, struct error *err)
{
	if (dump_copy(s, pool, THIN_KERNEL_COPY_USED, held, sink, err) == 0)
		return 0;
	if (err->kind != ERR_INCONSISTENT)
		return -1;
	error_clear(err);
	return dump_copy(s, pool, THIN_KERNEL_COPY_ALL, held, sink, err);
}

int store_pool_dump(struct store *s, bool held, const struct thin_dump_sink *sink,
		    struct error *err)
{
	cleanup(thin_pool_close_ptr) struct thin_pool *pool = NULL;

	if (store_open_pool(s, THIN_READ, &pool, err) < 0)
		return -1;
	return thin_pool_is_atomic(pool) ? thin_file_dump(pool, held, sink, err)
					 : dump_in_kernel(s, pool, held, sink, err);
}

/* --- repair ----------------------------------------------------------------------------------- */

static int repair(struct store *s, const struct thin_repair_how *how, enum thin_repair_outcome *ret,
		  struct thin_findings *ret_found, struct error *err)
{
	cleanup(thin_place_release) struct thin_place place = {0};

	if (thin_place_load(s->pool_dir, &place, err) < 0)
		return -1;
	if (place.kind != THIN_PLACE_FILES)
		return thin_kernel_repair(s->pool_dir, how, ret, ret_found, err);
	if (thin_kernel_is_active(s->pool_dir, &place))
		return error_set(err, ERR_BUSY,
				 "the kernel has it; 'thinpull pool deactivate' takes it back");
	return thin_file_repair(s->pool_dir, how, ret, ret_found, err);
}

int store_pool_repair(struct store *s, bool dry_run, enum thin_repair_outcome *ret,
		      struct thin_findings *ret_found, struct error *err)
{
	const struct thin_repair_how how = {.lock_timeout_ms = s->lock_timeout_ms,
					    .dry_run = dry_run};

	if (!store_pool_exists(s))
		return error_set(err, ERR_NOT_FOUND, "there is no pool %s in %s", s->pool, s->root);
	if (repair(s, &how, ret, ret_found, err) < 0)
		return error_wrap(err, "pool %s", s->pool);
	return 0;
}
