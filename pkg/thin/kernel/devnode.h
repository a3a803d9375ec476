/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /dev/mapper/NAME, where nobody else makes it: without udevd, or with one that does not answer.
 * Made as udevd would, a link to ../dm-MINOR; a node of its own where the kernel keeps none in /dev.
 */
#pragma once

#include <stdbool.h>

#include "pkg/base/error.h"

#define DEVNODE_CONTROL "/dev/mapper/control"

/* "/dev/mapper/NAME". Owned. */
char *devnode_path(const char *name);

/* Is the node there, and this device's? */
bool devnode_is(const char *name, unsigned major, unsigned minor);

/* Make it, unless it is there. What an earlier device of that name left is replaced. */
MUST_CHECK int devnode_make(const char *name, unsigned major, unsigned minor, struct error *err);

/* Take it away, unless a device of that name is there (again). Not there: fine. */
void devnode_remove(const char *name);
/* Take it away from a device that is about to go. */
void devnode_remove_now(const char *name);

/* Has the kernel a device-mapper? Where that cannot be told, for who is not root: yes. */
bool devnode_has_driver(void);
