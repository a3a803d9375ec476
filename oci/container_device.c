/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of the kernel engine: a container is a block device as it is in the pool. One that is lent
 * to a run is noted beside the pool first, so that after a kill the next command can tell it from
 * one that `path` has given to somebody.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "oci/container_internal.h"
#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"

/* Each waits a second: the processes of a run that was killed die one after the other. */
enum { TAKE_BACK_TRIES = 3 };

/* Devices come and go without the writer's lock: nothing of the pool changes by it. */
static int find(struct store *s, const struct record_entry *e, char **ret, struct error *err)
{
	cleanup(thin_pool_close_ptr) struct thin_pool *pool = NULL;

	if (e->place != RECORD_IN_POOL)
		return 1;
	if (store_open_pool(s, THIN_READ, &pool, err) < 0)
		return -1;
	return thin_pool_find_device(pool, e->thin_id, ret, err);
}

/* By the session that the container was found by just now, or one of its own. */
static int attach(struct container *c, char **ret, bool *ret_new, struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *session = steal(&c->session);
	cleanup(thin_pool_close_ptr) struct thin_pool *own = NULL;
	cleanup_free char *before = NULL;
	const struct record_entry *e = &c->entry;
	struct thin_pool *pool;
	int status;

	if (e->place == RECORD_IN_FOLDER)
		return container_is_extracted(c, err);
	if (!session && store_open_pool(c->store, THIN_READ, &own, err) < 0)
		return -1;
	pool = session ? snapshots_pool(session) : own;
	status = thin_pool_find_device(pool, e->thin_id, &before, err);
	if (status < 0)
		return -1;
	*ret_new = status == 1;
	return thin_pool_activate(pool, e->thin_id, e->size_bytes, e->read_only, ret, err);
}

static int detach_id(struct store *s, uint32_t thin_id, struct error *err)
{
	cleanup(thin_pool_close_ptr) struct thin_pool *pool = NULL;

	if (store_open_pool(s, THIN_READ, &pool, err) < 0)
		return -1;
	return thin_pool_deactivate(pool, thin_id, err);
}

static int detach(struct container *c, const char *device, struct error *err)
{
	(void)device;
	return detach_id(c->store, c->entry.thin_id, err);
}

/* --- for a run -------------------------------------------------------------------------------- */

static int make_note(const struct container *c, struct error *err)
{
	cleanup_free char *note = container_path(c->store, c->entry.thin_id, CONTAINER_LENT);
	cleanup_fd int fd = open(note, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd < 0 ? error_sys(err, "create %s", note) : 0;
}

int container_take_back(struct store *s, uint32_t thin_id, struct error *err)
{
	cleanup_free char *note = container_path(s, thin_id, CONTAINER_LENT);

	if (access(note, F_OK) < 0)
		return 0;
	for (unsigned tries = 1; detach_id(s, thin_id, err) < 0; tries++)
		if (err->kind != ERR_BUSY || tries == TAKE_BACK_TRIES)
			return -1;
	return fdio_remove(note, err);
}

static int give_back(struct container *c, struct error *err)
{
	return container_take_back(c->store, c->entry.thin_id, err);
}

static int lend(struct container *c, char **ret_file, char **ret_device, struct error *err)
{
	struct error ignored = {0};
	bool is_new;

	*ret_file = NULL;
	snapshots_close(steal(&c->session)); /* much may have come between */
	if (make_note(c, err) < 0)
		return -1;
	if (attach(c, ret_device, &is_new, err) == 0)
		return 0;
	(void)!give_back(c, &ignored);
	return -1;
}

const struct container_way container_way_device = {
	.find = find,
	.attach = attach,
	.detach = detach,
	.lend = lend,
	.give_back = give_back,
};
