/* SPDX-License-Identifier: Apache-2.0 */
/* What people write for an image: as a source to pull from, and as one of the images here. */
#pragma once

#include "oci/source.h"
#include "oci/store.h"
#include "registry/session.h"

/* Errors: ERR_USAGE when no reference can look like this. */
MUST_CHECK int imageref_check(const char *text, struct error *err);

/*
 * The source a reference names; nothing is asked of a registry yet.
 * @options: for registries, or NULL.   @spool_dir: for archives that cannot be read in place, or
 * NULL.
 * Errors: ERR_USAGE (malformed), ERR_NOT_FOUND (folder, file, image), those of archives.
 */
MUST_CHECK int imageref_open_source(const char *text, const struct session_options *options,
				    const char *spool_dir, struct source **ret, struct error *err);

/* A name of a registry, as a pull would record it; NULL when it is none. Owned. */
char *imageref_full_name(const char *text);
/* Whether two names mean the same image of a registry: "alpine", "docker.io/library/alpine:latest". */
bool imageref_same(const char *a, const char *b);

/* Whether the text says that a registry is meant: "docker://". */
bool imageref_is_remote(const char *text);
/* Whether it says where the image is: that, a folder, or an archive. */
bool imageref_is_place(const char *text);

/*
 * Find the image meant among those here: by its recorded reference, by one that is the same when
 * normalised, by either with the digest behind it (as pull prints it), or by 12 or more digits of
 * its digest.
 *
 * @ret_ref: owned, the recorded reference. Errors: ERR_NOT_FOUND, ERR_USAGE (malformed, or digits
 * of several images).
 */
MUST_CHECK int imageref_find(struct store *store, const char *text, char **ret_ref,
			     struct error *err);

/*
 * A reference to be recorded for an image that is here: a name as of a registry, normalised.
 * @ret: owned. Errors: ERR_USAGE (malformed, with a digest, or of a folder or an archive).
 */
MUST_CHECK int imageref_new_tag(const char *text, char **ret, struct error *err);

/* "REF@DIGEST"; a reference that names a digest stays as it is. Owned. */
char *imageref_with_digest(const char *ref, const char *digest);
