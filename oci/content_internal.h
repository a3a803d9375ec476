/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of the content store share: its files and its locks. */
#pragma once

#include "oci/content.h"

struct content {
	char *dir;
	int lock_fd; /* "lock": held while a file is replaced, never for long */
	/*
	 * "blobs.lock": held shared from the first blob put until the image is set, so that a
	 * sweep by another process does not take blobs that are about to be named; -1 = not held.
	 */
	int blobs_fd;
};

char *content_path(const struct content *c, const char *name);
char *content_blob_path(const struct content *c, const struct digest *d);

MUST_CHECK int content_lock(struct content *c, struct error *err);
void content_unlock(struct content *c);
/* With the lock: files of writers that were killed. */
void content_remove_temporary(struct content *c);
/* No sweep until that. */
MUST_CHECK int content_hold_blobs(struct content *c, struct error *err);
/* What was put is named now, or given up. */
void content_release_blobs(struct content *c);
