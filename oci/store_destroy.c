/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pools end here: by pool destroy, and what killed commands left of their making or of their end.
 * A pool that is to go is renamed first. From then on nobody finds it, and whoever looks at the
 * folder of the pools finishes it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "oci/container_internal.h"
#include "oci/part.h"
#include "oci/store_internal.h"
#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/base/interrupt.h"
#include "pkg/base/log.h"
#include "pkg/host/folder.h"
#include "pkg/host/loop.h"
#include "pkg/thin/end.h"

#define GONE_PREFIX ".gone-"

/* --- the folder of the pools ------------------------------------------------------------------ */

/* -1 with errno, or a descriptor. */
static int try_lock(const struct store *s, int how)
{
	cleanup_fd int fd = open(s->pools_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || flock(fd, how) < 0)
		return -1;
	return steal_fd(&fd);
}

int store_lock_pools(struct store *s, int *ret_fd, struct error *err)
{
	while ((*ret_fd = try_lock(s, LOCK_EX)) < 0) {
		if (errno != EINTR)
			return error_sys(err, "lock %s", s->pools_dir);
		if (interrupt_check(err) < 0)
			return -1;
	}
	store_remove_unfinished(s);
	return 0;
}

/* --- what a pool has, and where --------------------------------------------------------------- */

int store_remove_pool(const char *dir, struct error *err)
{
	if (thin_end(dir, err) < 0)
		return -1;
	return folder_remove(dir, err);
}

static int remove_images(struct content *content, const char *pool, struct error *err)
{
	struct content_image *images;
	int status = 0;
	size_t n;

	if (content_images(content, &images, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n && status == 0; i++) {
		if (strcmp(images[i].pool, pool) != 0)
			continue;
		status = content_remove_image(content, images[i].ref, pool, err);
		if (status < 0 && err->kind == ERR_NOT_FOUND) /* by somebody else, just now */
			status = 0;
	}
	content_images_free(images, n);
	return status;
}

/* What was extracted into folders of the user's stays there. */
static int remove_containers(const struct store *s, const char *pool, struct error *err)
{
	cleanup_free char *dir = xasprintf("%s/containers/%s", s->root, pool);

	return folder_remove(dir, err);
}

/* @dir: renamed already. @pool: its name before. */
static int finish(struct store *s, const char *dir, const char *pool, struct error *err)
{
	struct content *content;

	if (store_content(s, &content, err) < 0 || remove_images(content, pool, err) < 0
	    || content_sweep(content, err) < 0 || remove_containers(s, pool, err) < 0)
		return -1;
	return store_remove_pool(dir, err);
}

static char *gone_path(const struct store *s)
{
	return xasprintf("%s/" GONE_PREFIX "%s", s->pools_dir, s->pool);
}

/* Its end would be that of the images of the next one. */
int store_check_gone(const struct store *s, struct error *err)
{
	cleanup_free char *gone = gone_path(s);

	if (access(gone, F_OK) == 0)
		return error_set(err, ERR_BUSY,
				 "a pool of that name was destroyed, and does not go; --debug says "
				 "why");
	return 0;
}

/* --- what killed commands left ---------------------------------------------------------------- */

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

void store_remove_unfinished(struct store *s)
{
	DIR *dir = opendir(s->pools_dir);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		cleanup_free char *path = xasprintf("%s/%s", s->pools_dir, entry->d_name);
		struct error err = {0};
		int status = 0;

		if (starts_with(entry->d_name, STORE_NEW_PREFIX))
			status = store_remove_pool(path, &err);
		else if (starts_with(entry->d_name, GONE_PREFIX))
			status = finish(s, path, entry->d_name + strlen(GONE_PREFIX), &err);
		else
			continue;
		log_debug("mending: %s was left unfinished", path);
		if (status < 0)
			log_debug("mending: %s stays: %s", path, err.cause);
	}
	if (dir)
		closedir(dir);
}

void store_mend_pools(struct store *s)
{
	cleanup_fd int lock = try_lock(s, LOCK_EX | LOCK_NB);

	if (lock >= 0)
		store_remove_unfinished(s);
}

/* --- pool destroy ----------------------------------------------------------------------------- */

/* Its mounts go, and its device; it itself goes with the pool. */
static int let_go_of_container(struct store *s, const char *name, struct error *err)
{
	cleanup(container_close_ptr) struct container *c = NULL;

	if (container_open(s, name, &c, err) < 0 || container_unmount(c, err) < 0)
		return error_wrap(err, "container %s", name);
	return 0;
}

struct names {
	char **items;
	size_t n, room;
};

static void names_release(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->items[i]);
	free(names->items);
}

static int list_containers(struct store *s, struct names *ret, struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;
	const struct record *r;

	if (store_read(s, &session, err) < 0)
		return -1;
	r = snapshots_record(session);
	for (size_t i = 0; i < r->n; i++) {
		if (r->entries[i].kind != RECORD_CONTAINER || r->entries[i].state != RECORD_READY)
			continue;
		ALLOC_GROW(ret->items, ret->n + 1, ret->room);
		ret->items[ret->n++] = xstrdup(r->entries[i].name);
	}
	return 0;
}

/* Nobody can tell which containers there are: at least their files must not be in use. */
static int check_files(const struct store *s, struct error *err)
{
	cleanup(loop_list_release) struct loop_list loops = {0};

	if (access(s->containers_dir, F_OK) < 0)
		return 0;
	if (loop_find_in(s->containers_dir, &loops, err) < 0)
		return -1;
	if (loops.n > 0)
		return error_set(err, ERR_BUSY, "a container is on %s", loops.paths[0]);
	return 0;
}

static int end_containers(struct store *s, bool force, struct error *err)
{
	cleanup(names_release) struct names names = {0};

	if (list_containers(s, &names, err) < 0) {
		if (!force || err->kind == ERR_BUSY || err->kind == ERR_INTERRUPTED)
			return -1;
		log_debug("destroying a pool that cannot be read: %s", err->cause);
		error_clear(err);
		return check_files(s, err);
	}
	if (names.n > 0 && !force) {
		error_set(err, ERR_BUSY, "it has containers: %s%s", names.items[0],
			  names.n > 1 ? " and others" : "");
		error_set_detail(err, ERR_DETAIL_CONTAINERS);
		return error_wrap(err, "pool %s", s->pool);
	}
	for (size_t i = 0; i < names.n; i++)
		if (let_go_of_container(s, names.items[i], err) < 0)
			return -1;
	return 0;
}

/* Writers wait meanwhile, and are told then that it was removed. */
static int retire(const struct store *s, const char *gone, struct error *err)
{
	struct thin_lock lock;
	int status;

	if (store_check_gone(s, err) < 0)
		return -1;
	if (thin_lock(s->pool_dir, s->verb, s->lock_timeout_ms, &lock, err) < 0)
		return -1;
	status = rename(s->pool_dir, gone);
	if (status < 0)
		error_sys(err, "rename %s", s->pool_dir);
	thin_unlock(status < 0 ? s->pool_dir : gone, &lock);
	return status < 0 ? -1 : fdio_sync_dir(s->pools_dir, err);
}

int store_pool_destroy(struct store *s, bool force, struct error *err)
{
	cleanup_free char *gone = gone_path(s);
	cleanup_fd int lock = -1;

	snapshots_close(steal(&s->seen)); /* of the pool that goes */
	if (!store_pool_exists(s))
		return error_set(err, ERR_NOT_FOUND, "there is no pool %s in %s", s->pool, s->root);
	if (end_containers(s, force, err) < 0)
		return -1;
	if (store_lock_pools(s, &lock, err) < 0 || retire(s, gone, err) < 0
	    || finish(s, gone, s->pool, err) < 0)
		return error_wrap(err, "pool %s", s->pool);
	part_tidy(s->spool_dir, -1, 0);
	return 0;
}
