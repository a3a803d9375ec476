/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file system that a test fills and then extracts. The current folder is an empty one; the tree
 * comes to "out" in it.
 */
#pragma once

#include "pkg/ext4/extract.h"
#include "tests/support/ext4_edit.h"

struct extraction {
	void *scratch;
	struct edit *edit; /* fill edit->w */
	struct ext4_extract_lost lost;
	struct error err;
};

/* Setup and teardown of cmocka; *state is the above. */
int extraction_set_up(void **state);
int extraction_tear_down(void **state);

/* As edit_dir() and the like, for all types but symlinks. */
struct ext4_node *extraction_make(struct extraction *x, const char *path, uint32_t mode);
void extraction_meta(struct extraction *x, const char *path, struct ext4_meta meta);

/* End the editing; `debugfs -w` with a request, which may damage what it likes. */
void extraction_debugfs(struct extraction *x, const char *request);

/* End the editing, make the folder out and extract into it: the result of ext4_extract(). */
int extraction_run(struct extraction *x);
/* The same for any volume and folder, which must be there. */
int extraction_into(struct thin_volume *volume, const char *folder, struct ext4_extract_lost *ret,
		    struct error *err);
