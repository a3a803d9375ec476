/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of config.json: makes it from the text of an image and a tree, and looks at members. */
#pragma once

#include "oci/bundle.h"
#include "tests/support/ext4_edit.h"

/* What try_add_accounts() writes; what env starts with; an image that has a command. */
#define TRY_PASSWD "root:x:0:0:root:/root:/bin/sh\napp:x:1000:100::/home/app:/bin/sh\n"
#define TRY_GROUP  "root:x:0:\nadm:x:4:app\nusers:x:100:\nwheel:x:10:app\n"
#define TRY_PATH   "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin|"

#define TRY_IMAGE(fields) "{\"config\":{\"Cmd\":[\"sh\"]" fields "}}"

struct bundle_try {
	struct edit *edit; /* the tree, until the first document is made of it */
	struct ext4_reader *fs;
	struct buffer json;
	struct error err;
	char warned[300]; /* the last warning */
};

/* Setup and teardown of cmocka. */
int try_set_up(void **state);
int try_tear_down(void **state);

void try_add_accounts(struct bundle_try *f);

/* Make the document, with options or without; or fail to, with ERR_INVALID. */
void try_make(struct bundle_try *f, const char *image);
void try_make_with(struct bundle_try *f, const char *image, struct bundle_options options);
void try_refused(struct bundle_try *f, const char *image, const char *reason);
void try_refused_with(struct bundle_try *f, const char *image, struct bundle_options options,
		      const char *reason);

/*
 * The member at a path ("process.args") is: "a|b|" for lists, "k=v;" for objects, "?" for a number
 * in a list, "-" for what is not there.
 */
void try_has(const struct bundle_try *f, const char *path, const char *expected);
void try_has_text(const struct bundle_try *f, const char *text);
void try_has_not(const struct bundle_try *f, const char *text);
