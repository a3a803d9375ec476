/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers one at a time: found, held, looked at. What is done with their files is in the other
 * container_*.c.
 */
#include "oci/container.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/container_internal.h"
#include "pkg/base/alloc.h"
#include "pkg/host/loop.h"
#include "pkg/host/mounts.h"
#include "pkg/thin/raw.h"

/* How often a name may stand for another container while it is waited for. */
enum { OPEN_TRIES = 20 };

const char *container_status_name(enum container_status status)
{
	static const char *const names[] = {
		[CONTAINER_READY] = "ready",	   [CONTAINER_CHECKED_OUT] = "checked_out",
		[CONTAINER_ATTACHED] = "attached", [CONTAINER_MOUNTED] = "mounted",
		[CONTAINER_RUNNING] = "running",   [CONTAINER_EXTRACTED] = "extracted",
	};

	return names[status];
}

char *container_path(const struct store *s, uint32_t thin_id, const char *suffix)
{
	return xasprintf("%s/%u%s", s->containers_dir, thin_id, suffix);
}

/* --- what it is at this moment ---------------------------------------------------------------- */

void container_state_release(struct container_state *st)
{
	free(st->file);
	free(st->device);
	free(st->mount_point);
	free(st->folder);
	*st = (struct container_state){0};
}

static bool is_running(struct store *s, uint32_t thin_id)
{
	cleanup_fd int fd = -1;
	struct error ignored = {0};

	/* Who may not even read the locks is told what he can see. */
	if (container_lock_open(s, false, &fd, &ignored) < 0)
		return false;
	return container_lock_run(fd, thin_id) != CONTAINER_NO_RUN;
}

static int look_at_mounts(struct container_state *st, struct error *err)
{
	cleanup(mount_list_release) struct mount_list mounts = {0};

	if (mounts_of_device(st->device, &mounts, err) < 0)
		return -1;
	if (!mounts.n)
		return 0;
	st->status = CONTAINER_MOUNTED;
	st->mount_point = steal(&mounts.points[0]);
	return 0;
}

static int look_at_device(struct store *s, const struct record_entry *e, struct container_state *st,
			  struct error *err)
{
	const struct container_way *way;
	int status;

	if (container_way(s, e, &way, err) < 0)
		return -1;
	status = way->find(s, e, &st->device, err);
	if (status != 0)
		return status < 0 ? -1 : 0;
	st->status = CONTAINER_ATTACHED;
	return look_at_mounts(st, err);
}

static void look_at_file(struct store *s, const struct record_entry *e, struct container_state *st)
{
	struct stat file;

	st->status = CONTAINER_CHECKED_OUT;
	st->file = container_path(s, e->thin_id, ".ext4");
	if (lstat(st->file, &file) == 0)
		st->used_bytes = (uint64_t)file.st_blocks * 512;
}

int container_state(struct store *s, const struct record_entry *e, struct container_state *ret,
		    struct error *err)
{
	struct container_state st = {.status = CONTAINER_READY};

	if (e->place == RECORD_IN_FOLDER) {
		st.status = CONTAINER_EXTRACTED;
		st.folder = xstrdup(e->folder);
	}
	if (e->place == RECORD_IN_FILE)
		look_at_file(s, e, &st);
	if (look_at_device(s, e, &st, err) < 0) {
		container_state_release(&st);
		return error_wrap(err, "container %s", e->name);
	}
	if (is_running(s, e->thin_id))
		st.status = CONTAINER_RUNNING;
	*ret = st;
	return 0;
}

/* --- one to oneself --------------------------------------------------------------------------- */

/* @ret: the record's entry, a copy. */
static int find_in(const struct snapshots *session, const char *name, struct record_entry *ret,
		   struct error *err)
{
	const struct record_entry *e = record_find_container(snapshots_record(session), name);

	if (!e)
		return error_set(err, ERR_NOT_FOUND, "no container named %s", name);
	record_entry_copy(e, ret);
	return 0;
}

/* @ret_session: kept, or NULL. */
static int find_entry(struct store *s, const char *name, struct record_entry *ret,
		      struct snapshots **ret_session, struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;

	if (store_read(s, &session, err) < 0 || find_in(session, name, ret, err) < 0)
		return -1;
	*ret_session = store_keep(&session);
	return 0;
}

/* Which id it has is looked at again when its byte is locked: until then mending's look will do. */
static int find_first(struct store *s, const char *name, struct record_entry *ret,
		      struct error *err)
{
	struct error ignored = {0};

	if (s->seen && find_in(s->seen, name, ret, &ignored) == 0)
		return 0;
	return find_entry(s, name, ret, &s->seen, err);
}

void container_close(struct container *c)
{
	if (!c)
		return;
	container_end_run(c);
	cleanup_fd_ptr(&c->lock_fd);
	snapshots_close(c->session);
	record_entry_release(&c->entry);
	free(c->file);
	free(c);
}

/* 0, 1 = while it was waited for, the name went to another one, -1. */
static int hold(struct container *c, const char *name, struct error *err)
{
	struct record_entry now;
	uint32_t id = c->entry.thin_id;

	snapshots_close(steal(&c->session));
	if (container_lock_take(c->store, c->lock_fd, id, CONTAINER_LOCK_EXCLUSIVE, name, err) < 0
	    || find_entry(c->store, name, &now, &c->session, err) < 0)
		return -1;
	record_entry_release(&c->entry);
	c->entry = now;
	if (now.thin_id == id)
		return 0;
	container_lock_drop(c->lock_fd, id);
	return 1;
}

int container_open(struct store *s, const char *name, struct container **ret, struct error *err)
{
	cleanup(container_close_ptr) struct container *c = xcalloc(1, sizeof(*c));
	int status = 1;

	c->store = s;
	c->lock_fd = c->run_fd = c->alive_fd = -1;
	if (find_first(s, name, &c->entry, err) < 0
	    || container_lock_open(s, true, &c->lock_fd, err) < 0)
		return -1;
	for (unsigned tries = 0; status == 1 && tries < OPEN_TRIES; tries++)
		status = hold(c, name, err);
	if (status == 1)
		return error_set(err, ERR_BUSY, "container %s is made anew all the time", name);
	if (status < 0)
		return -1;
	c->file = container_path(s, c->entry.thin_id, ".ext4");
	container_tidy(s, c->entry.thin_id, &c->entry);
	*ret = steal(&c);
	return 0;
}

int container_create(struct store *s, const char *ref,
		     const struct store_container_options *options, struct container **ret,
		     struct error *err)
{
	cleanup_fd int makers_fd = -1;
	cleanup_free char *name = NULL;

	if (container_lock_open(s, true, &makers_fd, err) < 0
	    || container_lock_take(s, makers_fd, CONTAINER_MAKERS_BYTE, CONTAINER_LOCK_SHARED,
				   "(new)", err)
		       < 0
	    || store_create_container(s, ref, options, &name, err) < 0)
		return -1;
	return container_open(s, name, ret, err);
}

const struct record_entry *container_entry(const struct container *c)
{
	return &c->entry;
}

/* By a descriptor of its own. */
static int hold_byte(const struct container *c, uint64_t bytes, int *ret_fd, struct error *err)
{
	cleanup_fd int fd = -1;
	int status;

	if (container_lock_open(c->store, true, &fd, err) < 0)
		return -1;
	status = container_lock_try(fd, bytes + c->entry.thin_id, CONTAINER_LOCK_EXCLUSIVE, err);
	if (status == 1)
		return error_set(err, ERR_BUSY, "container %s is running", c->entry.name);
	if (status < 0)
		return -1;
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* In the file of the locks: who looks for what killed runs left need not where there was none. */
static int note_runs(const struct container *c, struct error *err)
{
	static const char text[] = "run\n";

	if (pwrite(c->lock_fd, text, strlen(text), 0) < 0)
		return error_sys(err, "%s/lock", c->store->containers_dir);
	return 0;
}

int container_set_running(struct container *c, struct error *err)
{
	if (note_runs(c, err) < 0)
		return -1;
	return hold_byte(c, CONTAINER_RUN_BYTES, &c->run_fd, err);
}

int container_set_alive(struct container *c, struct error *err)
{
	return hold_byte(c, CONTAINER_ALIVE_BYTES, &c->alive_fd, err);
}

void container_end_run(struct container *c)
{
	int alive_fd = steal_fd(&c->alive_fd), run_fd = steal_fd(&c->run_fd);

	cleanup_fd_ptr(&alive_fd);
	cleanup_fd_ptr(&run_fd);
}

int container_running_fd(const struct container *c)
{
	return c->run_fd;
}

const char *container_file(const struct container *c)
{
	return c->entry.place == RECORD_IN_FILE ? c->file : NULL;
}

char *container_private_dir(const struct container *c)
{
	return container_path(c->store, c->entry.thin_id, "");
}

/* --- its file system -------------------------------------------------------------------------- */

int container_way(struct store *s, const struct record_entry *e, const struct container_way **ret,
		  struct error *err)
{
	struct thin_engine_choice choice;

	*ret = &container_way_loop;
	if (e->place == RECORD_IN_FILE)
		return 0;
	if (store_engine(s, &choice, err) < 0)
		return -1;
	if (choice.engine == THIN_ENGINE_KERNEL)
		*ret = &container_way_device;
	return 0;
}

int container_lend(struct container *c, char **ret_file, char **ret_device, struct error *err)
{
	const struct container_way *way;

	if (container_way(c->store, &c->entry, &way, err) < 0)
		return -1;
	return way->lend(c, ret_file, ret_device, err);
}

int container_give_back(struct container *c, struct error *err)
{
	const struct container_way *way;

	if (container_way(c->store, &c->entry, &way, err) < 0)
		return -1;
	return way->give_back(c, err);
}

int container_set_place(struct container *c, enum record_place place, const char *folder,
			struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;

	if (store_write(c->store, &session, err) < 0
	    || snapshots_set_place(session, c->entry.name, place, folder, err) < 0)
		return -1;
	free(c->entry.folder);
	c->entry.place = place;
	c->entry.folder = folder ? xstrdup(folder) : NULL;
	return 0;
}

int container_check_at_rest(struct store *s, const struct record_entry *e, struct error *err)
{
	cleanup(container_state_release) struct container_state st = {0};
	struct error flush = {0};

	if (container_state(s, e, &st, err) < 0)
		return -1;
	if (st.status == CONTAINER_RUNNING)
		return error_set(err, ERR_BUSY, "container %s is running", e->name);
	if (st.mount_point && !e->read_only)
		return error_set(err, ERR_BUSY, "container %s is mounted on %s", e->name,
				 st.mount_point);
	/* Who may not open the device has not written to it either. */
	if (st.device && loop_flush(st.device, &flush) < 0 && flush.kind != ERR_UNSUPPORTED) {
		*err = flush;
		return -1;
	}
	return 0;
}

/* Without a lock file, or the right to read it, nobody else has one. */
static int share_lock(struct store *s, const struct record_entry *e, int *ret_fd, struct error *err)
{
	cleanup_fd int fd = -1;
	struct error ignored = {0};

	if (container_lock_open(s, false, &fd, &ignored) < 0)
		return 0;
	if (container_lock_take(s, fd, e->thin_id, CONTAINER_LOCK_SHARED, e->name, err) < 0)
		return -1;
	*ret_fd = steal_fd(&fd);
	return 0;
}

int container_open_raw(const char *file, struct thin_volume **ret, struct error *err)
{
	if (thin_raw_open(file, false, ret, err) == 0)
		return 0;
	if (err->kind == ERR_NOT_FOUND)
		error_set(err, ERR_INCONSISTENT, "its file %s is not there", file);
	if (err->kind == ERR_INVALID)
		err->kind = ERR_INCONSISTENT;
	if (err->kind == ERR_INCONSISTENT)
		error_set_detail(err, ERR_DETAIL_FILE);
	return -1;
}

/* It stays as it is while the lock is open. @ret: the record's entry now, a copy. */
static int hold_still(struct store *s, const struct record_entry *e, int *ret_lock_fd,
		      struct record_entry *ret, struct error *err)
{
	cleanup(record_entry_release) struct record_entry now = {0};
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;
	cleanup_fd int lock_fd = -1;

	if (share_lock(s, e, &lock_fd, err) < 0 || find_entry(s, e->name, &now, &session, err) < 0)
		return -1;
	if (now.thin_id != e->thin_id || now.place != e->place)
		return error_set(err, ERR_NOT_FOUND, "container %s changed meanwhile", e->name);
	if (container_check_at_rest(s, &now, err) < 0)
		return -1;
	*ret_lock_fd = steal_fd(&lock_fd);
	*ret = now;
	now = (struct record_entry){0};
	return 0;
}

static int open_now(struct store *s, struct snapshots *session, const struct record_entry *e,
		    struct thin_volume **ret, struct error *err)
{
	cleanup_free char *file = NULL;

	if (e->place != RECORD_IN_FILE)
		return thin_pool_open_volume(snapshots_pool(session), e->thin_id, e->size_bytes,
					     false, ret, err);
	file = container_path(s, e->thin_id, ".ext4");
	return container_open_raw(file, ret, err);
}

int container_open_still(struct store *s, struct snapshots *session, const struct record_entry *e,
			 int *ret_lock_fd, struct thin_volume **ret, struct error *err)
{
	cleanup(record_entry_release) struct record_entry now = {0};
	const struct container_way *way;
	cleanup_fd int lock_fd = -1;

	if (container_way(s, e, &way, err) < 0)
		return -1;
	/* The file engine's pool has it as it was, whatever others do with it. */
	if (way == &container_way_loop && e->place != RECORD_IN_FILE)
		return open_now(s, session, e, ret, err);
	if (hold_still(s, e, &lock_fd, &now, err) < 0)
		return -1;
	if (open_now(s, session, &now, ret, err) < 0)
		return error_wrap(err, "container %s", e->name);
	*ret_lock_fd = steal_fd(&lock_fd);
	return 0;
}

int container_open_volume(struct container *c, struct snapshots **ret_session,
			  struct thin_volume **ret, struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;
	int status;

	if (store_read(c->store, &session, err) < 0)
		return -1;
	if (c->entry.place == RECORD_IN_FILE)
		status = container_open_raw(c->file, ret, err);
	else
		status = thin_pool_open_volume(snapshots_pool(session), c->entry.thin_id,
					       c->entry.size_bytes, false, ret, err);
	if (status < 0)
		return -1;
	*ret_session = steal(&session);
	return 0;
}
