/* SPDX-License-Identifier: Apache-2.0 */
/* What nobody uses of a pool goes back to the host. */
#include <sys/stat.h>

#include "oci/store_internal.h"
#include "pkg/base/alloc.h"
#include "pkg/thin/kernel/engine.h"

enum { STRETCH_MS = 50, SECTOR_BYTES = 512 };

/* What damaged metadata call free may hold somebody's data. */
static int check(struct store *s, struct error *err)
{
	cleanup(thin_findings_release) struct thin_findings findings = {0};

	if (store_pool_check(s, &findings, err) < 0)
		return -1;
	if (!findings.total)
		return 0;
	return error_set(err, ERR_INCONSISTENT, "it is damaged (%s: %s: %s), nothing is given back",
			 findings.items[0].kind, findings.items[0].where, findings.items[0].text);
}

/* What killed commands left is free afterwards. */
static int mend(struct store *s, struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;

	return store_write(s, &session, err);
}

static int host_bytes(const struct store *s, uint64_t *ret, struct error *err)
{
	cleanup_free char *path = xasprintf("%s/data", s->pool_dir);
	struct stat st;

	if (stat(path, &st) < 0)
		return error_sys(err, "stat %s", path);
	*ret = (uint64_t)st.st_blocks * SECTOR_BYTES;
	return 0;
}

static int trim(struct thin_pool *pool, struct error *err)
{
	if (thin_pool_is_atomic(pool))
		return thin_file_trim(pool, err);
	return thin_kernel_trim(pool, STRETCH_MS, err);
}

static int trim_and_count(struct store *s, struct store_trim *ret, struct error *err)
{
	cleanup(thin_pool_close_ptr) struct thin_pool *pool = NULL;
	struct thin_pool_status st;
	uint64_t before = 0, after = 0;
	struct store_trim t = {0};

	if (store_open_pool(s, THIN_WRITE, &pool, err) < 0 || thin_pool_room(pool, &st, err) < 0)
		return -1;
	t.in_files = st.in_files;
	t.free_bytes = (st.data_total_blocks - st.data_used_blocks) * st.block_bytes;
	if (t.in_files && host_bytes(s, &before, err) < 0)
		return -1;
	if (trim(pool, err) < 0 || (t.in_files && host_bytes(s, &after, err) < 0))
		return -1;
	t.freed_bytes = before > after ? before - after : 0;
	*ret = t;
	return 0;
}

int store_pool_trim(struct store *s, struct store_trim *ret, struct error *err)
{
	if (!store_pool_exists(s))
		return error_set(err, ERR_NOT_FOUND, "there is no pool %s in %s", s->pool, s->root);
	if (check(s, err) < 0 || mend(s, err) < 0 || trim_and_count(s, ret, err) < 0)
		return error_wrap(err, "pool %s", s->pool);
	return 0;
}
