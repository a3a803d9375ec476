/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One ioctl of device-mapper by libdevmapper: how it is run, what becomes of the library's words,
 * and how udevd is waited for. Included only by devmap.
 *
 * The library is not made for threads: all calls into it that are more than filling a task are
 * made here, one at a time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"

struct dm_task;

/* @type: DM_DEVICE_...   @uuid: NULL = none. Errors: ERR_UNSUPPORTED (no device-mapper for us). */
MUST_CHECK int devtask_new(int type, const char *uuid, struct dm_task **ret, struct error *err);
void devtask_free(struct dm_task *task);
DEFINE_CLEANUP(struct dm_task *, devtask_free);

/*
 * @what, @on: for errors, "suspend", "thinpull-...". Errors: ERR_BUSY (EBUSY), ERR_NOT_FOUND
 * (ENXIO), ERR_NO_SPACE, ERR_SYSTEM; err->sys is the ioctl's errno.
 */
MUST_CHECK int devtask_run(struct dm_task *task, const char *what, const char *on,
			   struct error *err);

enum devtask_wait {
	DEVTASK_NO_WAIT, /* no node comes or goes, or it does not matter */
	DEVTASK_WAIT,
};

/* As devtask_run(), for resume and remove, of which udevd hears; its rules are told to keep off. */
MUST_CHECK int devtask_run_change(struct dm_task *task, enum devtask_wait wait, const char *uuid,
				  const char *what, const char *on, struct error *err);

uint64_t devtask_count(void);

/* Is there a udevd that we wait for? */
bool devtask_has_udev(void);
