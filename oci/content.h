/* SPDX-License-Identifier: Apache-2.0 */
/*
 * <root>/content: the images we have, as an OCI image layout of manifests, indexes and configs
 * (layers live in the pool; their blobs are here, too, where somebody wanted them kept). index.json is the list of images; a recorded reference is its
 * org.opencontainers.image.ref.name. Written blob first, index last, each durably and as a whole,
 * so a kill leaves at most a blob that no one names.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "oci/blob_copy.h"
#include "oci/descriptor.h"
#include "pkg/base/buffer.h"
#include "pkg/base/cleanup.h"

struct content;

struct content_image {
	char *ref;	      /* recorded reference */
	struct digest target; /* what the reference resolved to: index or manifest */
	struct digest manifest;
	uint64_t manifest_bytes;
	char *platform; /* "linux/amd64" */
	char *created;	/* RFC 3339, of the pull */
	char *pool;	/* name of the pool that has the layers */
};

/* Opens, or makes, the folder. @dir: copied. */
MUST_CHECK int content_open(const char *dir, struct content **ret, struct error *err);
void content_close(struct content *c);
DEFINE_CLEANUP(struct content *, content_close);

/*
 * Store a blob durably under its digest; the digest must have been verified. One that is there
 * already and intact is kept. Until content_set_image() or content_close() no other process sweeps.
 */
MUST_CHECK int content_put(struct content *c, const struct digest *d, const void *data, size_t len,
			   struct error *err);
/* Read one back and verify it. Errors: ERR_NOT_FOUND, ERR_VERIFICATION. */
MUST_CHECK int content_get(struct content *c, const struct digest *d, struct buffer *ret,
			   struct error *err);

/*
 * Keep blobs of layers, too, as content_put() does: verified, from a source, unless they are there.
 * @how: where they are to is ours.   Errors: as blob_copy().
 */
MUST_CHECK int content_keep(struct content *c, const struct blob_copy *how,
			    const struct oci_descriptor *const *blobs, size_t n,
			    struct blob_copied *ret, struct error *err);
/* Whether there is such a file; its bytes, to be verified. Errors: ERR_NOT_FOUND. */
bool content_keeps(struct content *c, const struct oci_descriptor *blob);
MUST_CHECK int content_open_kept(struct content *c, const struct oci_descriptor *blob,
				 struct stream **ret, struct error *err);

/* The images, sorted by ref; an owned array, released by content_images_free(). */
MUST_CHECK int content_images(struct content *c, struct content_image **ret, size_t *ret_n,
			      struct error *err);
void content_images_free(struct content_image *images, size_t n);

/*
 * Add or replace by ref and pool (its manifest must have been put); remove by both (ERR_NOT_FOUND).
 * Serialised between processes by a lock in the folder.
 */
MUST_CHECK int content_set_image(struct content *c, const struct content_image *image,
				 struct error *err);
MUST_CHECK int content_remove_image(struct content *c, const char *ref, const char *pool,
				    struct error *err);

/*
 * Remove blobs that no image names, and temporary files of dead writers. Nothing is done while
 * another process is adding an image; what this handle has put and not named goes, too.
 */
MUST_CHECK int content_sweep(struct content *c, struct error *err);

/* Remove the temporary files that killed writers left, unless somebody is writing just now. */
void content_mend(struct content *c);

/* The bytes of index.json hashed: changes with each change of the list. */
MUST_CHECK int content_generation(struct content *c, struct digest *ret, struct error *err);
