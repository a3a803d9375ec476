/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tar with images in it, or with the tree of a file system: what it is, which images there are,
 * and each of them as a source (rules B23, B24).
 */
#pragma once

#include "oci/place.h"
#include "oci/platform.h"
#include "oci/runconfig.h"
#include "oci/source.h"

struct oci_archive;

enum oci_archive_kind {
	OCI_ARCHIVE_ANY,
	OCI_ARCHIVE_LAYOUT, /* an OCI image layout: skopeo, podman, buildah, ctr, docker since v25 */
	OCI_ARCHIVE_DOCKER, /* manifest.json: docker save and those who write the same */
	OCI_ARCHIVE_TREE,   /* neither: the root of a file system */
};

/*
 * @fd: taken; a file or a pipe, plain or compressed as a whole.   @name: for errors.
 * @want: OCI_ARCHIVE_ANY: by what is in it; one that is both is an OCI layout.
 * @spool_dir: where what cannot be read in place is unpacked to, nameless; NULL: where temporary
 * files are.
 * Errors: ERR_INVALID, ERR_UNSUPPORTED (docker save before 1.10), ERR_NO_SPACE.
 */
MUST_CHECK int oci_archive_open(int fd, const char *name, enum oci_archive_kind want,
				const char *spool_dir, struct oci_archive **ret, struct error *err);
/* A folder in image layout, as if it were an archive of one. @dir: copied, absolute. */
MUST_CHECK int oci_archive_open_folder(const char *dir, struct oci_archive **ret,
				       struct error *err);
void oci_archive_close(struct oci_archive *a);
DEFINE_CLEANUP(struct oci_archive *, oci_archive_close);

enum oci_archive_kind oci_archive_kind(const struct oci_archive *a);

/* An image, and all that it is called there: as in the archive, not normalised. */
struct oci_archive_image {
	size_t index; /* as in FILE@INDEX */
	struct oci_strings names;
};

/* In order, each once; none of a tree. */
const struct oci_archive_image *oci_archive_images(const struct oci_archive *a, size_t *ret_n);

/* Whether two names mean the same image. */
typedef bool oci_archive_same_fn(const char *a, const char *b);

/*
 * One of the images as a source that borrows the archive. It has no name: that is for the caller
 * to set.
 * @place: its ref, index or digest; with none of them there must be one image alone.
 * @same: for names; NULL: byte by byte.   @ret_image: one of oci_archive_images(), or NULL when
 * none of them has the digest. May be NULL itself.
 * Errors: ERR_NOT_FOUND, ERR_USAGE (several, listed), ERR_INVALID, ERR_VERIFICATION.
 */
MUST_CHECK int oci_archive_source(struct oci_archive *a, const struct place *place,
				  oci_archive_same_fn *same, struct source **ret,
				  const struct oci_archive_image **ret_image, struct error *err);

/* The tree as an image of one layer. As above. @platform: what it is said to be for. */
MUST_CHECK int oci_archive_tree_source(struct oci_archive *a, const struct oci_platform *platform,
				       struct source **ret, struct error *err);

/*
 * What follows "oci-archive:" or "docker-archive:": FILE[:REF|@INDEX][@DIGEST], see place.h. The
 * recorded name is that with FILE absolute.
 * Errors: as above, ERR_NOT_FOUND (file).
 */
MUST_CHECK int oci_archive_open_source(const char *text, enum oci_archive_kind kind,
				       const char *spool_dir, oci_archive_same_fn *same,
				       struct source **ret, struct error *err);
/* "oci-archive:", "docker-archive:". */
const char *oci_archive_prefix(enum oci_archive_kind kind);
