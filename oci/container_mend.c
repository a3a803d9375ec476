/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers end here: by rm, and what killed commands left of them. The record goes first, then
 * what it named, so that whatever a kill leaves is something that the record does not name.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/bundle_dir.h"
#include "oci/container_internal.h"
#include "oci/runtime.h"
#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/base/interrupt.h"
#include "pkg/base/log.h"
#include "pkg/host/folder.h"
#include "pkg/host/loop.h"

#define BUNDLE_INTENT ".bundle"

char *container_bundle_intent(const struct container *c)
{
	return container_path(c->store, c->entry.thin_id, BUNDLE_INTENT);
}

/* --- what stands beside the pool -------------------------------------------------------------- */

/* On a device that nobody uses, else it stays: unlinked it could not be found any more. */
static int remove_file(const char *file, struct error *err)
{
	cleanup_free char *device = NULL;
	int status = container_find_loop(file, &device, err);

	if (status < 0 || (status == 0 && loop_detach(device, err) < 0))
		return -1;
	return fdio_remove(file, err);
}

static bool is_container(const struct record_entry *e)
{
	return e && e->kind == RECORD_CONTAINER && e->state == RECORD_READY;
}

static void note(const char *path, int status, const struct error *err)
{
	if (status < 0)
		log_debug("mending: %s stays: %s", path, err->cause);
}

void container_tidy(struct store *s, uint32_t thin_id, const struct record_entry *e)
{
	bool container = is_container(e);
	cleanup_free char *file = container_path(s, thin_id, ".ext4");
	cleanup_free char *new = container_path(s, thin_id, ".new");
	cleanup_free char *folder = container_path(s, thin_id, "");
	cleanup_free char *bundle = container_path(s, thin_id, BUNDLE_INTENT);
	cleanup_free char *lent = container_path(s, thin_id, CONTAINER_LENT);
	struct error err = {0};

	note(lent, container_take_back(s, thin_id, &err), &err);
	note(bundle, bundle_dir_mend(bundle, container ? e->folder : NULL, &err), &err);
	note(new, fdio_remove(new, &err), &err);
	if (!container || e->place != RECORD_IN_FILE)
		note(file, remove_file(file, &err), &err);
	/* The record names it by a path that is another one when the root was moved. */
	if (!container || e->place != RECORD_IN_FOLDER)
		note(folder, folder_remove(folder, &err), &err);
}

/* --- rm --------------------------------------------------------------------------------------- */

static int check_not_mounted(struct container *c, struct error *err)
{
	struct container_state st;
	int status = 0;

	if (container_state(c->store, &c->entry, &st, err) < 0)
		return -1;
	if (st.mount_point) {
		error_set(err, ERR_BUSY, "mounted on %s", st.mount_point);
		status = error_set_detail(err, ERR_DETAIL_MOUNTED);
	}
	container_state_release(&st);
	return status;
}

static int remove_from_record(struct container *c, struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;

	if (store_write(c->store, &session, err) < 0)
		return -1;
	return snapshots_remove_container(session, c->entry.name, err);
}

int container_remove(struct container **taken, bool force, struct error *err)
{
	cleanup(container_close_ptr) struct container *c = steal(taken);

	/* Its id may be that of another one as soon as the record has lost it. */
	container_end_run(c);
	if ((!force && check_not_mounted(c, err) < 0) || container_unmount(c, err) < 0
	    || remove_from_record(c, err) < 0)
		return -1;
	container_tidy(c->store, c->entry.thin_id, NULL);
	return 0;
}

int store_remove_container(struct store *s, const char *name, bool force, struct error *err)
{
	struct container *c;

	if (container_open(s, name, &c, err) < 0)
		return -1;
	return container_remove(&c, force, err);
}

/* --- what killed commands left ---------------------------------------------------------------- */

/* Thin ids that something stands beside the pool for. */
struct ids {
	uint32_t *items;
	size_t n, room;
};

static void ids_release(struct ids *ids)
{
	free(ids->items);
}

/* "17.ext4", "17.new", "17.bundle", "17.lent", "17"; everything else there is none of ours. */
static bool parse_name(const char *name, uint32_t *ret_id, const char **ret_suffix)
{
	char *end;
	unsigned long id;

	if (name[0] < '1' || name[0] > '9')
		return false;
	id = strtoul(name, &end, 10);
	*ret_id = (uint32_t)id;
	*ret_suffix = end;
	return id <= THIN_ID_MAX
	       && (!*end || !strcmp(end, ".ext4") || !strcmp(end, ".new")
		   || !strcmp(end, BUNDLE_INTENT) || !strcmp(end, CONTAINER_LENT));
}

static bool is_named(const struct record *r, uint32_t id, const char *suffix)
{
	const struct record_entry *e = record_find_id(r, id);

	if (!is_container(e))
		return false;
	if (strcmp(suffix, ".ext4") == 0)
		return e->place == RECORD_IN_FILE;
	return !*suffix && e->place == RECORD_IN_FOLDER;
}

static void ids_add(struct ids *ids, uint32_t id)
{
	ALLOC_GROW(ids->items, ids->n + 1, ids->room);
	ids->items[ids->n++] = id;
}

static void find_unnamed(const struct store *s, const struct record *r, struct ids *ret)
{
	DIR *dir = opendir(s->containers_dir);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		const char *suffix;
		uint32_t id;

		if (!parse_name(entry->d_name, &id, &suffix) || is_named(r, id, suffix))
			continue;
		ids_add(ret, id);
	}
	closedir(dir);
}

/* Only a container in the pool is a block device for longer than a command, and one in the making. */
static bool has_device(struct snapshots *session, uint32_t id)
{
	const struct record_entry *e = record_find_id(snapshots_record(session), id);

	if (e && e->state == RECORD_CREATING)
		return thin_pool_is_claimed(snapshots_pool(session), id);
	return is_container(e) && e->place == RECORD_IN_POOL;
}

static void find_strays(struct snapshots *session, struct ids *ret)
{
	cleanup_free uint32_t *given = NULL;
	struct error err = {0};
	size_t n = 0;

	if (thin_pool_mend(snapshots_pool(session), &given, &n, &err) < 0)
		log_debug("mending: %s", err.cause);
	for (size_t i = 0; i < n; i++)
		if (!has_device(session, given[i]))
			ids_add(ret, given[i]);
}

static void mend_device(struct snapshots *session, uint32_t id)
{
	struct error err = {0};

	if (!has_device(session, id) && thin_pool_deactivate(snapshots_pool(session), id, &err) < 0)
		log_debug("mending: %s", err.cause);
}

/* Somebody may have taken the id between the look and the lock: the record is read again. */
static void mend_id(struct store *s, int lock_fd, uint32_t id)
{
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;
	struct error err = {0};

	if (container_lock_try(lock_fd, id, CONTAINER_LOCK_EXCLUSIVE, &err) != 0)
		return;
	if (container_lock_wait_for_run(lock_fd, id) && store_read(s, &session, &err) == 0) {
		log_debug("mending: what thin %u left in %s", id, s->containers_dir);
		container_tidy(s, id, record_find_id(snapshots_record(session), id));
		mend_device(session, id);
	}
	container_lock_drop(lock_fd, id);
}

/* 0, or -1 when somebody has it or it is gone; the error tells which. */
static int remove_temporary(struct store *s, const char *name, struct error *err)
{
	struct container *c;

	if (container_open(s, name, &c, err) < 0)
		return -1;
	if (!c->entry.temporary) {
		container_close(c);
		return 0;
	}
	log_debug("mending: temporary container %s was left", name);
	return container_remove(&c, true, err);
}

/*
 * Nobody is between making one and holding it while byte 0 is ours, so what can be opened now has
 * no command any more.
 */
static void mend_temporaries(struct store *s, int lock_fd, const struct record *r)
{
	struct error err = {0};

	if (container_lock_try(lock_fd, CONTAINER_MAKERS_BYTE, CONTAINER_LOCK_EXCLUSIVE, &err) != 0)
		return;
	for (size_t i = 0; i < r->n; i++) {
		const struct record_entry *e = &r->entries[i];

		if (e->kind == RECORD_CONTAINER && e->state == RECORD_READY && e->temporary
		    && remove_temporary(s, e->name, &err) < 0)
			log_debug("mending: container %s stays: %s", e->name, err.cause);
	}
	container_lock_drop(lock_fd, CONTAINER_MAKERS_BYTE);
}

static bool has_temporary(const struct record *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->entries[i].temporary && r->entries[i].state == RECORD_READY)
			return true;
	return false;
}

/* --- mount points ----------------------------------------------------------------------------- */

static bool is_mount_point(const char *path)
{
	cleanup_free char *above = xasprintf("%s/..", path);
	struct stat here, there;

	return lstat(path, &here) == 0 && stat(above, &there) == 0 && here.st_dev != there.st_dev;
}

/*
 * Whoever has the container may be about to mount there, also in another mount namespace; or had
 * it mounted there in one, as a run that was killed, and it is being unmounted.
 */
static void mend_mount_point(struct store *s, const char *path, const char *name)
{
	cleanup(container_close_ptr) struct container *c = NULL;
	struct error err = {0};

	if (is_mount_point(path)
	    || (container_open(s, name, &c, &err) < 0 && err.kind != ERR_NOT_FOUND))
		return;
	if (c && container_file(c) && !loop_wait_gone(container_file(c)))
		log_debug("mending: %s is on a loop device", container_file(c));
	if (rmdir(path) < 0)
		log_debug("mending: %s stays: %s", path, strerror(errno));
}

void container_tidy_run_dir(const struct store *s)
{
	cleanup_free char *above = xstrdup(s->run_dir);

	*strrchr(above, '/') = 0;
	/* A kill may have left the outer one alone. */
	if (rmdir(s->run_dir) == 0 || errno == ENOENT)
		rmdir(above);
}

static void mend_mount_points(struct store *s)
{
	DIR *dir = opendir(s->run_dir);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		cleanup_free char *path = xasprintf("%s/%s", s->run_dir, entry->d_name);

		if (store_is_name(entry->d_name))
			mend_mount_point(s, path, entry->d_name);
	}
	if (dir)
		closedir(dir);
	container_tidy_run_dir(s);
}

/* --- control groups --------------------------------------------------------------------------- */

/*
 * runtime_is_running_fn; @arg: a descriptor of the locks. Whoever has the container may start it, so
 * nobody gets it until the descriptor is closed.
 */
static int is_taken(uint32_t thin_id, void *arg, struct error *err)
{
	int fd = *(int *)arg;

	if (!container_lock_wait_for_run(fd, thin_id))
		return 1;
	return container_lock_try(fd, thin_id, CONTAINER_LOCK_SHARED, err);
}

static void mend_groups(struct store *s)
{
	cleanup_fd int lock_fd = -1;
	struct error err = {0};
	struct stat st;

	/* Nothing is in it before the first run. */
	if (container_lock_open(s, false, &lock_fd, &err) == 0 && fstat(lock_fd, &st) == 0
	    && st.st_size > 0 && runtime_forget(s->pool_dir, is_taken, &lock_fd, &err) < 0)
		log_debug("mending: control groups: %s", err.cause);
}

/* --- all of it -------------------------------------------------------------------------------- */

static void mend_containers(struct store *s)
{
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;
	cleanup(ids_release) struct ids ids = {0};
	cleanup_fd int lock_fd = -1;
	struct error err = {0};
	const struct record *r;

	if (!store_pool_exists(s) || store_read(s, &session, &err) < 0)
		return;
	r = snapshots_record(session);
	find_unnamed(s, r, &ids);
	find_strays(session, &ids);
	if (!ids.n && !has_temporary(r)) {
		snapshots_close(s->seen);
		s->seen = store_keep(&session);
		return;
	}
	if (container_lock_open(s, true, &lock_fd, &err) < 0)
		return;
	for (size_t i = 0; i < ids.n; i++)
		mend_id(s, lock_fd, ids.items[i]);
	if (has_temporary(r))
		mend_temporaries(s, lock_fd, r);
}

int containers_mend(struct store *s, struct error *err)
{
	unsigned timeout_ms = s->lock_timeout_ms;

	store_mend_pools(s);
	/* Nobody is waited for: there will be other commands. */
	s->lock_timeout_ms = 0;
	mend_containers(s);
	mend_mount_points(s);
	mend_groups(s);
	s->lock_timeout_ms = timeout_ms;
	return interrupt_check(err);
}
