/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of oci/bundle share. */
#pragma once

#include "oci/bundle.h"
#include "oci/user.h"
#include "pkg/json/jdoc.h"

struct bundle_texts {
	const char **items; /* the array is owned, what it points to is borrowed */
	size_t n, room;
};

void bundle_texts_add(struct bundle_texts *list, const char *text);
void bundle_texts_release(struct bundle_texts *list);

/* Members of an object or array: a list of strings. */
void bundle_put_texts(struct jout *o, const char *key, const struct bundle_texts *list);

/* Absolute, without ".", ".." and needless slashes; ".." ends at the root. Owned. */
char *bundle_clean_path(const char *path);
/* Is a clean path a folder, or below it? */
bool bundle_is_below(const char *path, const char *folder);

/* The command line may hold bytes that JSON cannot. @what: in front of the error. */
MUST_CHECK int bundle_check_text(const char *what, const char *text, struct error *err);

/* --- bundle_env.c ----------------------------------------------------------------------------- */

/* @home: HOME=..., or NULL; used when nothing else names it. @ret borrows from all of them. */
MUST_CHECK int bundle_env(const struct oci_runconfig *image, const struct bundle_options *options,
			  const char *home, struct bundle_texts *ret, struct error *err);

/* --- bundle_process.c ------------------------------------------------------------------------- */

struct bundle_process {
	struct bundle_texts args, env;
	char *cwd;  /* clean */
	char *home; /* HOME=..., owned, or NULL */
	struct oci_user user;
};

MUST_CHECK int bundle_process_make(const struct oci_runconfig *image, struct ext4_reader *fs,
				   const struct bundle_options *options, struct bundle_process *ret,
				   struct error *err);
void bundle_process_release(struct bundle_process *p);
void bundle_process_put(struct jout *o, const struct bundle_process *p, bool terminal);

/* --- bundle_mounts.c -------------------------------------------------------------------------- */

/*
 * Where the image wants volumes: clean, sorted, once each; the strings are owned by ret_paths.
 * Errors: ERR_INVALID (relative, with "..", over the root or what the runtime mounts, over a file).
 */
MUST_CHECK int bundle_volumes(const struct oci_runconfig *image, struct ext4_reader *fs,
			      struct oci_strings *ret, struct error *err);
void bundle_put_mounts(struct jout *o, const struct bundle_options *options,
		       const struct oci_strings *volumes);

/* --- bundle_linux.c --------------------------------------------------------------------------- */

void bundle_put_linux(struct jout *o, const struct bundle_options *options);
