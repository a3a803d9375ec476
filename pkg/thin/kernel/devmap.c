/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of device-mapper, each with the nodes that go with it. */
#include "pkg/thin/kernel/devmap.h"

#include <errno.h>
#include <fcntl.h>
#include <libdevmapper.h>
#include <linux/dm-ioctl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/interrupt.h"
#include "pkg/base/log.h"
#include "pkg/thin/kernel/devnode.h"
#include "pkg/thin/kernel/devtask.h"

enum { REMOVE_RETRY_MS = 1000, WAIT_SLICE_MS = 500 };

#define cleanup_task cleanup(devtask_free_ptr)

static int out_of_memory(struct error *err, const char *on)
{
	return error_set(err, ERR_SYSTEM, "device-mapper: %s: cannot be asked for", on);
}

/* --- what there is ------------------------------------------------------------------------------ */

static void copy(char *ret, size_t size, const char *text)
{
	snprintf(ret, size, "%s", text ? text : "");
}

static void fill_info(struct dm_task *task, const struct dm_info *dm, struct devmap_info *ret)
{
	copy(ret->name, sizeof(ret->name), dm_task_get_name(task));
	copy(ret->uuid, sizeof(ret->uuid), dm_task_get_uuid(task));
	ret->exists = true;
	ret->live = dm->live_table;
	ret->suspended = dm->suspended;
	ret->read_only = dm->read_only;
	ret->deferred_remove = dm->deferred_remove;
	ret->open_count = dm->open_count > 0 ? (unsigned)dm->open_count : 0;
	ret->major = dm->major;
	ret->minor = dm->minor;
	ret->event_nr = dm->event_nr;
}

static int info(const char *name, const char *uuid, struct devmap_info *ret, struct error *err)
{
	const char *on = uuid ? uuid : name;
	struct dm_info dm;
	cleanup_task struct dm_task *task = NULL;

	if (devtask_new(DM_DEVICE_INFO, uuid, &task, err) < 0)
		return -1;
	if (name && !dm_task_set_name(task, name))
		return out_of_memory(err, on);
	if (devtask_run(task, "look at", on, err) < 0)
		return -1;
	if (!dm_task_get_info(task, &dm))
		return out_of_memory(err, on);
	memset(ret, 0, sizeof(*ret));
	if (dm.exists)
		fill_info(task, &dm, ret);
	return 0;
}

int devmap_info(const char *uuid, struct devmap_info *ret, struct error *err)
{
	return info(NULL, uuid, ret, err);
}

int devmap_info_by_name(const char *name, struct devmap_info *ret, struct error *err)
{
	return info(name, NULL, ret, err);
}

/* Behind the name, aligned: u32 event_nr, u32 flags, the UUID; kernels before 5.13 end earlier. */
static const char *listed_uuid(const struct dm_names *entry, size_t left)
{
	size_t at = offsetof(struct dm_names, name) + strnlen(entry->name, DEVMAP_NAME_BYTES) + 1;
	uint32_t flags;

	at = (at + 7) & ~(size_t)7;
	if (at + 2 * sizeof(uint32_t) > left)
		return NULL;
	memcpy(&flags, (const char *)entry + at + sizeof(uint32_t), sizeof(flags));
	if (flags & DM_NAME_LIST_FLAG_DOESNT_HAVE_UUID)
		return "";
	if (!(flags & DM_NAME_LIST_FLAG_HAS_UUID))
		return NULL;
	return (const char *)entry + at + 2 * sizeof(uint32_t);
}

static bool tells_uuids(struct dm_task *task)
{
	char version[64];
	unsigned major, minor;

	return dm_task_get_driver_version(task, version, sizeof(version))
	       && sscanf(version, "%u.%u", &major, &minor) == 2
	       && (major > 4 || (major == 4 && minor >= 45));
}

static void list_add(struct devmap_list *l, size_t *room, const char *name, const char *uuid)
{
	struct devmap_info *item;

	ALLOC_GROW(l->items, l->n + 1, *room);
	item = &l->items[l->n++];
	memset(item, 0, sizeof(*item));
	item->exists = true;
	copy(item->name, sizeof(item->name), name);
	copy(item->uuid, sizeof(item->uuid), uuid);
}

static int list_entry(const struct dm_names *entry, bool with_uuid, const char *prefix,
		      struct devmap_list *l, size_t *room, struct error *err)
{
	/* the last entry has no length; the library's buffer ends with zeros behind it */
	const char *uuid =
		with_uuid ? listed_uuid(entry, entry->next ? entry->next : SIZE_MAX) : NULL;
	struct devmap_info other;

	if (!uuid) {
		if (devmap_info_by_name(entry->name, &other, err) < 0)
			return -1;
		uuid = other.uuid; /* "" when it has gone */
	}
	if (uuid[0] && strncmp(uuid, prefix, strlen(prefix)) == 0)
		list_add(l, room, entry->name, uuid);
	return 0;
}

int devmap_list(const char *uuid_prefix, struct devmap_list *ret, struct error *err)
{
	struct devmap_list l = {0};
	const struct dm_names *entry;
	size_t room = 0;
	bool with_uuid;
	cleanup_task struct dm_task *task = NULL;

	if (devtask_new(DM_DEVICE_LIST, NULL, &task, err) < 0)
		return -1;
	/* With a new UUID comes the flag by which the kernel tells those of all; the text is not used. */
	if (!dm_task_set_newuuid(task, "x"))
		return out_of_memory(err, "list");
	if (devtask_run(task, "list", "devices", err) < 0)
		return -1;
	entry = dm_task_get_names(task);
	if (!entry)
		return out_of_memory(err, "list");
	with_uuid = tells_uuids(task);
	while (entry->dev) {
		if (list_entry(entry, with_uuid, uuid_prefix, &l, &room, err) < 0) {
			devmap_list_release(&l);
			return -1;
		}
		if (!entry->next)
			break;
		entry = (const void *)((const char *)entry + entry->next);
	}
	*ret = l;
	return 0;
}

void devmap_list_release(struct devmap_list *l)
{
	free(l->items);
	*l = (struct devmap_list){0};
}

/* --- making and changing ------------------------------------------------------------------------ */

static int load(const char *uuid, const struct devmap_target *targets, size_t n,
		enum devmap_create_flags flags, const char *on, struct error *err)
{
	cleanup_task struct dm_task *task = NULL;

	if (devtask_new(DM_DEVICE_RELOAD, uuid, &task, err) < 0)
		return -1;
	if ((flags & DEVMAP_READ_ONLY) && !dm_task_set_ro(task))
		return out_of_memory(err, on);
	for (size_t i = 0; i < n; i++)
		if (!dm_task_add_target(task, targets[i].start, targets[i].length, targets[i].type,
					targets[i].params))
			return out_of_memory(err, on);
	if (devtask_run(task, "load the table of", on, err) < 0) {
		if (err->sys == EINVAL) /* an unknown target is that, too */
			error_wrap(err, "%s: the kernel refuses the table, its log says why",
				   n ? targets[0].type : "table");
		return -1;
	}
	return 0;
}

static int resume(const char *uuid, enum devtask_wait wait, struct devmap_info *ret, const char *on,
		  struct error *err)
{
	struct dm_info dm;
	cleanup_task struct dm_task *task = NULL;

	if (devtask_new(DM_DEVICE_RESUME, uuid, &task, err) < 0
	    || devtask_run_change(task, wait, uuid, "resume", on, err) < 0)
		return -1;
	if (!dm_task_get_info(task, &dm))
		return out_of_memory(err, on);
	memset(ret, 0, sizeof(*ret));
	fill_info(task, &dm, ret);
	return 0;
}

static int create_empty(const char *name, const char *uuid, struct error *err)
{
	cleanup_task struct dm_task *task = NULL;

	if (devtask_new(DM_DEVICE_CREATE, uuid, &task, err) < 0)
		return -1;
	if (!dm_task_set_name(task, name))
		return out_of_memory(err, name);
	return devtask_run(task, "create", name, err);
}

int devmap_make_node(const struct devmap_info *device, struct error *err)
{
	if (devnode_make(device->name, device->major, device->minor, err) == 0)
		return 0;
	if (err->sys == EPERM || err->sys == EACCES)
		err->kind = ERR_UNSUPPORTED;
	return error_wrap(
		err, "%s",
		devtask_has_udev()
			? "udevd has not made the node (restart it)"
			: "no udevd makes nodes here, so this process must be allowed to");
}

int devmap_create(const char *name, const char *uuid, const struct devmap_target *targets, size_t n,
		  enum devmap_create_flags flags, struct error *err)
{
	struct devmap_info made;
	struct error undo = {0};

	if (create_empty(name, uuid, err) < 0)
		return -1;
	if (load(uuid, targets, n, flags, name, err) == 0
	    && resume(uuid, DEVTASK_WAIT, &made, name, err) == 0) {
		copy(made.name, sizeof(made.name), name);
		if (devmap_make_node(&made, err) == 0)
			return 0;
	}
	if (devmap_remove(uuid, 0, &undo) < 0)
		log_debug("device-mapper: %s is left: %s", name, undo.cause);
	return -1;
}

int devmap_reload(const char *uuid, const struct devmap_target *targets, size_t n,
		  enum devmap_create_flags flags, struct error *err)
{
	return load(uuid, targets, n, flags, uuid, err);
}

int devmap_suspend(const char *uuid, enum devmap_suspend_flags flags, struct error *err)
{
	cleanup_task struct dm_task *task = NULL;

	if (devtask_new(DM_DEVICE_SUSPEND, uuid, &task, err) < 0)
		return -1;
	if (((flags & DEVMAP_NOFLUSH) && !dm_task_no_flush(task))
	    || ((flags & DEVMAP_NOLOCKFS) && !dm_task_skip_lockfs(task)))
		return out_of_memory(err, uuid);
	return devtask_run(task, "suspend", uuid, err);
}

int devmap_resume(const char *uuid, struct error *err)
{
	struct devmap_info device;

	return resume(uuid, DEVTASK_NO_WAIT, &device, uuid, err);
}

/* --- taking away -------------------------------------------------------------------------------- */

/* @ret_name: as the kernel tells it. */
static int remove_once(const char *uuid, enum devmap_remove_flags flags, char *ret_name,
		       struct error *err)
{
	cleanup_task struct dm_task *task = NULL;

	if (devtask_new(DM_DEVICE_REMOVE, uuid, &task, err) < 0)
		return -1;
	if ((flags & DEVMAP_DEFERRED) && !dm_task_deferred_remove(task))
		return out_of_memory(err, uuid);
	if (devtask_run_change(task, DEVTASK_WAIT, uuid, "remove", uuid, err) < 0)
		return -1;
	copy(ret_name, DEVMAP_NAME_BYTES, dm_task_get_name(task));
	return 0;
}

int devmap_remove(const char *uuid, enum devmap_remove_flags flags, struct error *err)
{
	char name[DEVMAP_NAME_BYTES] = "";
	struct error stop = {0};
	unsigned waited_ms = 0, pause_ms = 5;

	while (remove_once(uuid, flags, name, err) < 0) {
		if (err->kind == ERR_NOT_FOUND)
			break;
		if (err->kind != ERR_BUSY || waited_ms >= REMOVE_RETRY_MS
		    || interrupt_check(&stop) < 0)
			return -1;
		usleep(pause_ms * 1000);
		waited_ms += pause_ms;
		pause_ms = pause_ms < 80 ? 2 * pause_ms : 80;
	}
	error_clear(err);
	if (!name[0])
		return 0;
	/* When the last user of a deferred one goes, nobody but udevd is there to see it. */
	if ((flags & DEVMAP_DEFERRED) && !devtask_has_udev())
		devnode_remove_now(name);
	else
		devnode_remove(name);
	return 0;
}

/* --- talking to targets ------------------------------------------------------------------------- */

int devmap_message(const char *uuid, struct error *err, const char *fmt, ...)
{
	va_list ap;
	cleanup_free char *text = NULL;
	cleanup_task struct dm_task *task = NULL;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	if (devtask_new(DM_DEVICE_TARGET_MSG, uuid, &task, err) < 0)
		return -1;
	if (!dm_task_set_sector(task, 0) || !dm_task_set_message(task, text))
		return out_of_memory(err, uuid);
	return devtask_run(task, text, uuid, err);
}

/* The first line of what STATUS or TABLE answers. */
static int first_line(struct dm_task *task, const char *what, const char *uuid,
		      struct dm_info *ret_dm, struct devmap_target *ret, char **ret_type,
		      char **ret_params, struct error *err)
{
	char *type = NULL, *params = NULL;
	uint64_t start = 0, length = 0;

	if (devtask_run(task, what, uuid, err) < 0)
		return -1;
	if (!dm_task_get_info(task, ret_dm) || !ret_dm->exists)
		return error_set(err, ERR_NOT_FOUND, "device-mapper: no device %s", uuid);
	dm_get_next_target(task, NULL, &start, &length, &type, &params);
	if (!type)
		return error_set(err, ERR_NOT_FOUND, "device-mapper: %s has no table", uuid);
	*ret_type = xstrdup(type);
	*ret_params = xstrdup(params ? params : "");
	*ret = (struct devmap_target){start, length, *ret_type, *ret_params};
	return 0;
}

static int new_status(const char *uuid, bool flush, struct dm_task **ret, struct error *err)
{
	if (devtask_new(DM_DEVICE_STATUS, uuid, ret, err) < 0)
		return -1;
	return flush || dm_task_no_flush(*ret) ? 0 : out_of_memory(err, uuid);
}

int devmap_status(const char *uuid, bool flush, char **ret_type, char **ret_params,
		  struct error *err)
{
	struct devmap_target line;
	struct dm_info dm;
	cleanup_task struct dm_task *task = NULL;

	if (new_status(uuid, flush, &task, err) < 0)
		return -1;
	return first_line(task, "status of", uuid, &dm, &line, ret_type, ret_params, err);
}

int devmap_look(const char *uuid, struct devmap_info *ret, char **ret_type, char **ret_params,
		struct error *err)
{
	struct devmap_target line;
	struct dm_info dm;
	cleanup_task struct dm_task *task = NULL;

	if (new_status(uuid, false, &task, err) < 0
	    || first_line(task, "status of", uuid, &dm, &line, ret_type, ret_params, err) < 0)
		return -1;
	memset(ret, 0, sizeof(*ret));
	fill_info(task, &dm, ret);
	return 0;
}

int devmap_table(const char *uuid, struct devmap_target *ret, char **ret_type, char **ret_params,
		 struct error *err)
{
	struct dm_info dm;
	cleanup_task struct dm_task *task = NULL;

	if (devtask_new(DM_DEVICE_TABLE, uuid, &task, err) < 0)
		return -1;
	return first_line(task, "table of", uuid, &dm, ret, ret_type, ret_params, err);
}

/* --- events ------------------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* 0 = the counter is another one, 1 = not yet. */
static int event_has_come(const char *uuid, uint32_t event_nr, struct error *err)
{
	struct devmap_info device;

	if (devmap_info(uuid, &device, err) < 0)
		return -1;
	if (!device.exists)
		return error_set(err, ERR_NOT_FOUND, "device-mapper: no device %s", uuid);
	return device.event_nr == event_nr;
}

/*
 * A control node that was opened before the counter is looked at is readable once any device has had
 * an event. Kernels before 4.13 call it readable always, hence the pause.
 */
static int wait_a_while(const char *uuid, uint32_t event_nr, int ms, struct error *err)
{
	cleanup_fd int fd = open(DEVNODE_CONTROL, O_RDWR | O_CLOEXEC);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int r = event_has_come(uuid, event_nr, err);

	if (r <= 0)
		return r;
	if (poll(&p, 1, ms) > 0)
		usleep(10000);
	return interrupt_check(err) < 0 ? -1 : 1;
}

int devmap_wait(const char *uuid, uint32_t event_nr, int timeout_ms, struct error *err)
{
	int64_t left, end = now_ms() + timeout_ms;
	int r;

	do {
		left = timeout_ms < 0 ? WAIT_SLICE_MS : end - now_ms();
		if (left <= 0)
			return event_has_come(uuid, event_nr, err);
		r = wait_a_while(uuid, event_nr, (int)(left < WAIT_SLICE_MS ? left : WAIT_SLICE_MS),
				 err);
	} while (r == 1);
	return r;
}

/* --- what is there to work with ----------------------------------------------------------------- */

char *devmap_path(const char *name)
{
	return devnode_path(name);
}

bool devmap_has_driver(void)
{
	return devnode_has_driver();
}

uint64_t devmap_ioctls(void)
{
	return devtask_count();
}

bool devmap_has_udev(void)
{
	return devtask_has_udev();
}

void devmap_versions(char *library, size_t library_bytes, char *driver, size_t driver_bytes)
{
	struct error none = {0};
	cleanup_task struct dm_task *task = NULL;

	if (!dm_get_library_version(library, library_bytes))
		copy(library, library_bytes, "");
	copy(driver, driver_bytes, "");
	if (devtask_new(DM_DEVICE_VERSION, NULL, &task, &none) == 0
	    && devtask_run(task, "ask", "the driver", &none) == 0)
		(void)dm_task_get_driver_version(task, driver, driver_bytes);
}

/* Kernels before 5.2 do not load a target that they are asked about: these list what is loaded. */
static bool is_loaded(const char *target)
{
	struct error none = {0};
	const struct dm_versions *v;
	cleanup_task struct dm_task *task = NULL;

	if (devtask_new(DM_DEVICE_LIST_VERSIONS, NULL, &task, &none) < 0
	    || devtask_run(task, "list", "targets", &none) < 0)
		return false;
	v = dm_task_get_versions(task);
	while (v && strcmp(v->name, target) != 0)
		v = v->next ? (const void *)((const char *)v + v->next) : NULL;
	return v != NULL;
}

int devmap_check(const char *target, struct error *err)
{
	cleanup_task struct dm_task *task = NULL;

	if (devtask_new(DM_DEVICE_GET_TARGET_VERSION, NULL, &task, err) < 0)
		return -1;
	if (!dm_task_set_name(task, target))
		return out_of_memory(err, target);
	if (devtask_run(task, "ask for target", target, err) == 0 || is_loaded(target))
		return 0;
	return error_set(
		err, ERR_UNSUPPORTED,
		"this kernel's device-mapper has no target %s, and no module of it could be "
		"loaded",
		target);
}
