/* SPDX-License-Identifier: Apache-2.0 */
/* The way of the file engine: a container is checked out, and its file put on a loop device. */
#include "oci/container_internal.h"
#include "pkg/base/alloc.h"
#include "pkg/host/loop.h"

int container_find_loop(const char *file, char **ret, struct error *err)
{
	char device[LOOP_PATH_BYTES];
	int status = loop_find(file, device, err);

	if (status == 0)
		*ret = xstrdup(device);
	return status;
}

static int find(struct store *s, const struct record_entry *e, char **ret, struct error *err)
{
	cleanup_free char *file = NULL;

	if (e->place != RECORD_IN_FILE)
		return 1;
	file = container_path(s, e->thin_id, ".ext4");
	return container_find_loop(file, ret, err);
}

static int attach(struct container *c, char **ret, bool *ret_new, struct error *err)
{
	enum loop_flags flags = c->entry.read_only ? LOOP_READ_ONLY : 0;
	char device[LOOP_PATH_BYTES];
	cleanup_fd int fd = -1;
	int status;

	/* Before anything is changed: who has no devices keeps his container in the pool. */
	if (loop_check(err) < 0 || container_check_out(c, err) < 0)
		return -1;
	status = container_find_loop(c->file, ret, err);
	*ret_new = status == 1;
	if (status <= 0)
		return status;
	if (loop_attach(c->file, flags, &fd, device, err) < 0)
		return -1;
	*ret = xstrdup(device);
	return 0;
}

static int detach(struct container *c, const char *device, struct error *err)
{
	(void)c;
	return loop_detach(device, err);
}

/* The runtime's first process puts the file on a device that goes with it. */
static int lend(struct container *c, char **ret_file, char **ret_device, struct error *err)
{
	if (container_check_out(c, err) < 0)
		return -1;
	*ret_file = xstrdup(c->file);
	*ret_device = NULL;
	return 0;
}

static int give_back(struct container *c, struct error *err)
{
	(void)c;
	(void)err;
	return 0;
}

const struct container_way container_way_loop = {
	.find = find,
	.attach = attach,
	.detach = detach,
	.lend = lend,
	.give_back = give_back,
};
