/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Repair of a pool in two files. What the devices map is never changed: the trees are the data, and
 * everything else that the strict check knows (both space maps with all their blocks, hints and
 * numbers, mapped_blocks, needs_check, lengths of the files) is computed from them. Sharing that
 * times hide is made visible again. Where a tree itself is damaged, or where one of two numbers is
 * wrong and nobody can tell which, the whole repair is refused.
 */
#pragma once

#include <stdbool.h>

#include "pkg/thin/file/fsck.h"

struct thin_repair_how {
	unsigned lock_timeout_ms; /* how long to wait for another writer */
	bool dry_run;		  /* say what would be done */
};

enum thin_repair_outcome {
	THIN_REPAIR_CLEAN,    /* nothing to do */
	THIN_REPAIR_DONE,     /* all findings were repaired, and the check has none any more */
	THIN_REPAIR_POSSIBLE, /* dry run: all of them can be */
	THIN_REPAIR_REFUSED,  /* some cannot be; nothing was changed */
};

/*
 * Check a pool folder and repair what is found, all or nothing. New space maps go into blocks that
 * nothing on disk reaches, are checked there, and become the pool's with the superblock: until it
 * is down a kill or an error leaves the pool as it was.
 *
 * @ret_found: what was found before; each finding says whether it can be repaired. Owned.
 *
 * Errors: ERR_NOT_FOUND, ERR_BUSY (a writer, or a loop device on the files), ERR_NO_SPACE (no room
 * for new space maps in the metadata), ERR_SYSTEM. After an error the pool is as it was, but for
 * one while files are shortened, which another repair finishes.
 */
MUST_CHECK int thin_file_repair(const char *dir, const struct thin_repair_how *how,
				enum thin_repair_outcome *ret, struct thin_findings *ret_found,
				struct error *err);
