/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks a path in the tree being written, as if its root were the root: symlinks are followed
 * inside, ".." stops there. The host's file system is never looked at (rules A23, A37, A38).
 */
#pragma once

#include "oci/tarpath.h"
#include "pkg/base/error.h"
#include "pkg/ext4/writer.h"

enum resolve_mode {
	RESOLVE_EXISTING, /* a missing part gives NULL */
	RESOLVE_CREATE,	  /* missing folders are made: 0755, 0:0, times 0 */
};

enum { RESOLVE_LINKS_MAX = 40 };

/* Attributes of a folder nobody gave an entry (rule A40). */
extern const struct ext4_meta resolve_implicit_meta;

/*
 * Find the folder that n leading components name.
 * @ret: NULL when a part is missing, or is no folder, and mode is RESOLVE_EXISTING.
 * Errors: ERR_INVALID (more than 40 links; with RESOLVE_CREATE a part that is no folder).
 */
MUST_CHECK int resolve_folder(struct ext4_writer *fs, const struct tarpath_part *parts, size_t n,
			      enum resolve_mode mode, struct ext4_node **ret, struct error *err);
