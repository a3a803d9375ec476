/* SPDX-License-Identifier: Apache-2.0 */
/* Which xattrs of a layer are kept, and what is said of the others (rules A56, A62, A63). */
#pragma once

#include "pkg/base/error.h"
#include "pkg/ext4/inode.h"
#include "pkg/tar/entry.h"

struct xattr_list {
	struct ext4_xattr *items; /* borrowed from the entry */
	size_t n, room;
};

/*
 * Choose what to set. What is dropped is a warning with the entry's name, or a debug note for
 * labels that belong to the host (security.selinux).
 * Errors: ERR_INVALID (a security.capability that cannot be one), ERR_NO_SPACE (value too large).
 */
MUST_CHECK int xattr_select(const struct tar_entry *entry, struct xattr_list *ret,
			    struct error *err);
void xattr_list_release(struct xattr_list *list);
