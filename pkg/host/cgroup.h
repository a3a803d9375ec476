/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control groups that a runtime made right below the root of each hierarchy, version 1 or 2 or
 * both. Making them and setting limits is the runtime's; this finds those left behind.
 */
#pragma once

#include <stddef.h>

#include "pkg/base/error.h"

struct cgroup_names {
	char **items; /* owned; each once, in no order */
	size_t n, room;
};
void cgroup_names_release(struct cgroup_names *names);

/* Those whose name starts like this, in any hierarchy. No hierarchy at all is fine. */
MUST_CHECK int cgroup_find(const char *prefix, struct cgroup_names *ret, struct error *err);

/*
 * Remove it, with all below, from each hierarchy. Not there: fine. Processes that are being killed
 * are waited for, for a second. @name: one component. Errors: ERR_BUSY (processes are in it),
 * ERR_SYSTEM.
 */
MUST_CHECK int cgroup_remove(const char *name, struct error *err);
