/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The folder of a bundle: either all of it is there in the end, or nothing.
 *
 *   DIR/config.json
 *   DIR/rootfs             for the caller to fill
 *   DIR/.thinpull-bundle   a mark, while it is not finished: only what has it is ever cleared
 *
 *   INTENT                 beside the pool, made first and removed last: after a kill it tells where
 *                          to look
 *
 * Both are symlinks, as these are made with their content or not at all: the mark to INTENT, INTENT
 * to DIR, with "/." at its end when DIR was there before.
 *
 * The caller keeps others from the same INTENT.
 */
#pragma once

#include "pkg/base/buffer.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"

struct bundle_dir;

/*
 * Make DIR, mode 0700, or take a folder that holds neither config.json nor rootfs; in it config.json
 * and an empty rootfs. Errors: ERR_BUSY (they are there, or another bundle is being made there).
 */
MUST_CHECK int bundle_dir_make(const char *path, const char *intent, const struct buffer *config,
			       struct bundle_dir **ret, struct error *err);

/* Absolute, without links. */
const char *bundle_dir_path(const struct bundle_dir *d);
const char *bundle_dir_rootfs(const struct bundle_dir *d);

/* It is finished; empties *d. */
void bundle_dir_commit(struct bundle_dir **d);

/* Remove what was made. */
void bundle_dir_abort(struct bundle_dir *d);
DEFINE_CLEANUP(struct bundle_dir *, bundle_dir_abort);

/*
 * Remove what a killed command left, and the intent; there may be none. A bundle whose rootfs is in
 * use only loses its mark.  @used: a folder that is in use, or NULL; one that is mounted on is, too.
 */
MUST_CHECK int bundle_dir_mend(const char *intent, const char *used, struct error *err);
