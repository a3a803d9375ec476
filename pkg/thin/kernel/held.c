/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What only the metadata tells: which thin devices there are, what they map, what nobody else maps.
 * The file engine's reader looks at the kernel's last commit on the metadata device, and looks again
 * when there was another one meanwhile: nobody is kept from anything.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/engine.h"
#include "pkg/thin/kernel/pool_internal.h"

enum { LINK_MAX_BYTES = 4096 };

/* The node of the block device "MAJOR:MINOR", under the kernel's own name. Owned. */
static int node_of(const char *number, char **ret, struct error *err)
{
	cleanup_free char *link = xasprintf("/sys/dev/block/%s", number);
	char target[LINK_MAX_BYTES];
	const char *name;
	ssize_t n = readlink(link, target, sizeof(target) - 1);

	if (n < 0)
		return error_sys(err, "readlink %s", link);
	target[n] = 0;
	name = strrchr(target, '/');
	*ret = xasprintf("/dev/%s", name ? name + 1 : target);
	for (char *c = *ret; *c; c++)
		if (*c == '!')
			*c = '/';
	return 0;
}

static int open_reader(struct tk_pool *p, struct error *err)
{
	cleanup_free char *type = NULL, *params = NULL, *path = NULL;
	struct kernel_pool_table table;
	struct devmap_target target;

	if (p->held)
		return 0;
	if (devmap_table(p->device.uuid, &target, &type, &params, err) < 0
	    || kernel_pool_table_parse(params, &table, err) < 0
	    || node_of(table.metadata, &path, err) < 0)
		return -1;
	return thin_file_open_metadata(path, &p->held, err);
}

/* What was written until now is in the next commit: asking for the status makes it. */
static int look(struct tk_pool *p, struct thin_pool **ret, struct error *err)
{
	cleanup_free char *type = NULL, *params = NULL;

	if (devmap_status(p->device.uuid, true, &type, &params, err) < 0 || open_reader(p, err) < 0)
		return error_wrap(err, "metadata of %s", p->device.name);
	*ret = p->held;
	return 0;
}

int tk_held_device(struct thin_pool *pool, uint32_t id, struct thin_device *ret, struct error *err)
{
	struct thin_pool *held;

	if (look(tk_pool_of(pool), &held, err) < 0)
		return -1;
	return thin_pool_device(held, id, ret, err);
}

int tk_held_devices(struct thin_pool *pool, struct thin_device **ret, size_t *ret_n,
		    struct error *err)
{
	struct thin_pool *held;

	if (look(tk_pool_of(pool), &held, err) < 0)
		return -1;
	return thin_pool_devices(held, ret, ret_n, err);
}

int tk_held_count_blocks(struct thin_pool *pool, const uint32_t *ids, size_t n, bool exclusive,
			 uint64_t *ret_blocks, struct error *err)
{
	struct thin_pool *held;

	if (look(tk_pool_of(pool), &held, err) < 0)
		return -1;
	return exclusive ? thin_pool_exclusive(held, ids, n, ret_blocks, err)
			 : thin_pool_mapped(held, ids, n, ret_blocks, err);
}

int tk_held_diff(struct thin_pool *pool, uint32_t a, uint32_t b, struct thin_diff_range **ret,
		 size_t *ret_n, struct error *err)
{
	struct thin_pool *held;

	if (look(tk_pool_of(pool), &held, err) < 0)
		return -1;
	return thin_pool_diff(held, a, b, ret, ret_n, err);
}

/* Each message is committed by itself, so devices are counted without another commit. */
uint64_t tk_held_thin_count(struct tk_pool *p)
{
	struct thin_pool_status status;
	struct error ignored = {0};

	if (open_reader(p, &ignored) < 0 || thin_pool_status(p->held, &status, &ignored) < 0)
		return 0;
	return status.thin_count;
}
