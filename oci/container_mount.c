/* SPDX-License-Identifier: Apache-2.0 */
/* Containers as block devices, whichever way, and mounted in the file tree. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/container_internal.h"
#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/base/log.h"
#include "pkg/host/mounts.h"

/* How often our mount point may be removed by a command that finds it empty. */
enum { MOUNT_TRIES = 5 };

/* @ret_new: it was on no device before. */
static int attach(struct container *c, const struct container_way **ret_way, char **ret_device,
		  bool *ret_new, struct error *err)
{
	if (container_way(c->store, &c->entry, ret_way, err) < 0)
		return -1;
	return (*ret_way)->attach(c, ret_device, ret_new, err);
}

int container_attach(struct container *c, char **ret_device, struct error *err)
{
	const struct container_way *way;
	bool is_new;

	return attach(c, &way, ret_device, &is_new, err);
}

/* --- mount ------------------------------------------------------------------------------------ */

char *container_mount_point(const struct container *c)
{
	return xasprintf("%s/%s", store_run_dir(c->store), c->entry.name);
}

int container_make_mount_point(const struct container *c, char **ret, struct error *err)
{
	cleanup_free char *point = container_mount_point(c);

	/* A command that mends may take the empty folder above it away. */
	for (unsigned tries = 1; fdio_mkdirs(point, err) < 0; tries++)
		if (err->sys != ENOENT || tries == MOUNT_TRIES)
			return -1;
	*ret = steal(&point);
	return 0;
}

static void remove_mount_point(const struct container *c, const char *point)
{
	if (rmdir(point) < 0 && errno != ENOENT)
		log_debug("%s stays: %s", point, strerror(errno));
	container_tidy_run_dir(c->store);
}

void container_remove_mount_point(const struct container *c)
{
	cleanup_free char *point = container_mount_point(c);

	remove_mount_point(c, point);
}

static bool is_among(const struct mount_list *mounts, const char *dir)
{
	for (size_t i = 0; i < mounts->n; i++)
		if (strcmp(mounts->points[i], dir) == 0)
			return true;
	return false;
}

/* @ret_real: owned, without links. */
static int mount_on(struct container *c, const char *device, const char *dir, char **ret_real,
		    struct error *err)
{
	cleanup(mount_list_release) struct mount_list mounts = {0};
	cleanup_free char *real = NULL;

	if (fdio_mkdirs(dir, err) < 0)
		return -1;
	real = realpath(dir, NULL);
	if (!real)
		return error_sys(err, "%s", dir);
	if (mounts_of_device(device, &mounts, err) < 0
	    || (!is_among(&mounts, real) && mounts_add(device, real, c->entry.read_only, err) < 0))
		return -1;
	*ret_real = steal(&real);
	return 0;
}

/* A command that mends may take an empty folder away just before it is mounted on. */
static int mount_and_again(struct container *c, const char *device, const char *dir,
			   char **ret_real, struct error *err)
{
	for (unsigned tries = 1; mount_on(c, device, dir, ret_real, err) < 0; tries++)
		if (err->sys != ENOENT || tries == MOUNT_TRIES)
			return -1;
	return 0;
}

int container_mount(struct container *c, const char *dir, char **ret_dir, struct error *err)
{
	cleanup_free char *point = dir ? xstrdup(dir) : container_mount_point(c);
	cleanup_free char *device = NULL;
	bool made = access(point, F_OK) < 0;
	const struct container_way *way;
	struct error ignored = {0};
	bool is_new;

	if (geteuid() != 0)
		return error_set(err, ERR_UNSUPPORTED, "only root can mount");
	if (attach(c, &way, &device, &is_new, err) < 0)
		return -1;
	if (mount_and_again(c, device, point, ret_dir, err) == 0)
		return 0;
	if (made)
		remove_mount_point(c, point);
	if (is_new && way->detach(c, device, &ignored) < 0)
		log_debug("%s stays: %s", device, ignored.cause);
	return -1;
}

/* --- unmount ---------------------------------------------------------------------------------- */

/* What else is mounted on top of it is not ours to take away. */
static int check_not_covered(const char *device, const char *point, struct error *err)
{
	struct stat on, what;

	if (stat(device, &what) < 0)
		return error_sys(err, "stat %s", device);
	if (lstat(point, &on) < 0)
		return error_sys(err, "stat %s", point);
	if (on.st_dev != what.st_rdev)
		return error_set(err, ERR_BUSY, "%s is covered by another mount", point);
	return 0;
}

static int unmount_all(const char *device, struct error *err)
{
	cleanup(mount_list_release) struct mount_list mounts = {0};

	if (mounts_of_device(device, &mounts, err) < 0)
		return -1;
	for (size_t i = mounts.n; i-- > 0;)
		if (check_not_covered(device, mounts.points[i], err) < 0
		    || mounts_remove(mounts.points[i], err) < 0)
			return -1;
	return 0;
}

int container_unmount(struct container *c, struct error *err)
{
	cleanup_free char *point = container_mount_point(c);
	cleanup_free char *device = NULL;
	const struct container_way *way;
	int status;

	if (container_way(c->store, &c->entry, &way, err) < 0)
		return -1;
	status = way->find(c->store, &c->entry, &device, err);
	if (status < 0)
		return -1;
	if (status == 0 && (unmount_all(device, err) < 0 || way->detach(c, device, err) < 0))
		return -1;
	remove_mount_point(c, point);
	return 0;
}

/* --- by mount point --------------------------------------------------------------------------- */

/* 1 = it is mounted there, 0 = not, -1. */
static int is_mounted_on(struct store *s, const struct record_entry *e, const char *dir,
			 struct error *err)
{
	cleanup(mount_list_release) struct mount_list mounts = {0};
	const struct container_way *way;
	cleanup_free char *device = NULL;
	int status;

	if (e->kind != RECORD_CONTAINER || e->state != RECORD_READY)
		return 0;
	if (container_way(s, e, &way, err) < 0)
		return -1;
	status = way->find(s, e, &device, err);
	if (status != 0)
		return status < 0 ? -1 : 0;
	if (mounts_of_device(device, &mounts, err) < 0)
		return -1;
	return is_among(&mounts, dir);
}

int containers_find_mount(struct store *s, const char *dir, char **ret_name, struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;
	cleanup_free char *real = realpath(dir, NULL);
	const struct record *r;

	if (!real && errno != ENOENT)
		return error_sys(err, "%s", dir);
	if (real && store_read(s, &session, err) < 0)
		return -1;
	r = session ? snapshots_record(session) : NULL;
	for (size_t i = 0; r && i < r->n; i++) {
		int mounted = is_mounted_on(s, &r->entries[i], real, err);

		if (mounted < 0)
			return -1;
		if (!mounted)
			continue;
		*ret_name = xstrdup(r->entries[i].name);
		return 0;
	}
	return error_set(err, ERR_NOT_FOUND, "no container is mounted on %s", dir);
}
