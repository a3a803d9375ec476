/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's device-mapper, one ioctl after the other: the only user of libdevmapper. Knows
 * tables, messages and events, and nothing of pools.
 *
 * With udevd each change that makes, renames or takes away a node waits for its cookie, so long and
 * no longer; flags keep rules and scanners off our devices. Without udevd the nodes in /dev/mapper
 * are made here. Devices are found by UUID: names are only for people.
 * Spec: kernel Documentation/admin-guide/device-mapper; libdevmapper(3), dm_cookie_supported(3).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkg/base/error.h"

enum { DEVMAP_NAME_BYTES = 128, DEVMAP_UUID_BYTES = 129, DEVMAP_SECTOR_BYTES = 512 };

/* Has the kernel a device-mapper? Where that cannot be told, for who is not root: yes. */
bool devmap_has_driver(void);

/*
 * Is device-mapper there, may we use it, does it know this target? A module that can be loaded is
 * loaded by the kernel itself when it is asked for. Errors: ERR_UNSUPPORTED (says which of these).
 */
MUST_CHECK int devmap_check(const char *target, struct error *err);

/* One line of a table, in sectors of 512 bytes. Strings are borrowed. */
struct devmap_target {
	uint64_t start, length;
	const char *type; /* "thin-pool", "thin", "linear" */
	const char *params;
};

struct devmap_info {
	bool exists;
	char name[DEVMAP_NAME_BYTES];
	char uuid[DEVMAP_UUID_BYTES];
	bool live; /* has an active table */
	bool suspended, read_only;
	bool deferred_remove; /* goes with its last user: still there until then */
	unsigned open_count;
	unsigned major, minor;
	uint32_t event_nr;
};

/* By UUID, or by name. One that is not there is no error: ret->exists is false. */
MUST_CHECK int devmap_info(const char *uuid, struct devmap_info *ret, struct error *err);
MUST_CHECK int devmap_info_by_name(const char *name, struct devmap_info *ret, struct error *err);

enum devmap_create_flags {
	DEVMAP_READ_ONLY = 1,
};

/*
 * Make a device with its table, and its node in /dev/mapper. Undone on failure; what a kill leaves
 * of it has no live table, and can be removed.
 * Errors: ERR_BUSY (the name or the UUID is taken), ERR_UNSUPPORTED (udevd does not answer; target
 * unknown), ERR_SYSTEM (sys = what the kernel said of the table).
 */
MUST_CHECK int devmap_create(const char *name, const char *uuid,
			     const struct devmap_target *targets, size_t n,
			     enum devmap_create_flags flags, struct error *err);

/*
 * A new table, which devmap_resume() makes the active one. Errors of all that follow: ERR_NOT_FOUND
 * (no such device), ERR_BUSY, ERR_NO_SPACE, ERR_SYSTEM; err->sys is what the kernel said.
 */
MUST_CHECK int devmap_reload(const char *uuid, const struct devmap_target *targets, size_t n,
			     enum devmap_create_flags flags, struct error *err);

enum devmap_suspend_flags {
	DEVMAP_NOFLUSH = 1, /* what is queued stays queued */
	DEVMAP_NOLOCKFS = 2,
};
MUST_CHECK int devmap_suspend(const char *uuid, enum devmap_suspend_flags flags, struct error *err);
MUST_CHECK int devmap_resume(const char *uuid, struct error *err);

enum devmap_remove_flags {
	/* When it is in use it goes with its last user, see devmap_info; its node goes at once where
	 * no udevd would see to that. */
	DEVMAP_DEFERRED = 1,
};

/*
 * Take a device away. One that is not there is fine. Who is just about to close it (udev, the last
 * reference of a process that ends) is waited for, a second at most.
 * Errors: ERR_BUSY (open, or another device stands on it).
 */
MUST_CHECK int devmap_remove(const char *uuid, enum devmap_remove_flags flags, struct error *err);

/*
 * Send a message to the device's target at sector 0. err->sys is what the kernel said, so that the
 * caller can tell EEXIST, ENODATA, EBUSY, EINVAL, EOPNOTSUPP apart; the kind is ERR_SYSTEM but for
 * ERR_BUSY (EBUSY), ERR_NO_SPACE (ENOSPC) and ERR_NOT_FOUND (ENXIO: no such device).
 */
MUST_CHECK int devmap_message(const char *uuid, struct error *err, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/*
 * What the first target says of itself. @ret_type, @ret_params: owned. @flush: false leaves the
 * pool as it is; true has it commit first.
 */
MUST_CHECK int devmap_status(const char *uuid, bool flush, char **ret_type, char **ret_params,
			     struct error *err);
/* And devmap_info(), in one ioctl. A device that is not there, or without a table: ERR_NOT_FOUND. */
MUST_CHECK int devmap_look(const char *uuid, struct devmap_info *ret, char **ret_type,
			   char **ret_params, struct error *err);
MUST_CHECK int devmap_table(const char *uuid, struct devmap_target *ret, char **ret_type,
			    char **ret_params, struct error *err);

/* All devices whose UUID starts so. */
struct devmap_list {
	struct devmap_info *items; /* owned; only name and uuid are filled */
	size_t n;
};
MUST_CHECK int devmap_list(const char *uuid_prefix, struct devmap_list *ret, struct error *err);
void devmap_list_release(struct devmap_list *l);

/*
 * Wait until the device's event counter is another one than event_nr. 0 = it is, 1 = the time is
 * over, -1. Errors: ERR_INTERRUPTED, ERR_NOT_FOUND (the device went).
 */
MUST_CHECK int devmap_wait(const char *uuid, uint32_t event_nr, int timeout_ms, struct error *err);

/* "/dev/mapper/NAME". Owned. */
char *devmap_path(const char *name);

/*
 * Make its node where that is missing: for a device that was found, since who made it may have been
 * killed before, or had no udevd. There already: one stat().
 * Errors: ERR_UNSUPPORTED (not allowed to make nodes).
 */
MUST_CHECK int devmap_make_node(const struct devmap_info *device, struct error *err);

/* How many ioctls this process has made of device-mapper. */
uint64_t devmap_ioctls(void);

/* Is there a udevd that we wait for? And the library's and the driver's versions, for `info`. */
bool devmap_has_udev(void);
void devmap_versions(char *library, size_t library_bytes, char *driver, size_t driver_bytes);
