/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image from a source into a layout folder as it is, byte by byte: nothing is unpacked, and no
 * pool is needed. An index can come with all that it lists: other platforms, attestations. What
 * the folder has already is verified there and not fetched.
 */
#pragma once

#include "oci/layout_writer.h"
#include "oci/source.h"
#include "oci/unpack.h"

enum {
	MIRROR_MANIFESTS_MAX = 1000, /* of one index, with those nested in it */
	MIRROR_BLOBS_MAX = 64 * 1024,
};

struct mirror_options {
	const struct oci_platform *platform; /* of an index, the one manifest; NULL: all of it */
	const char *name;		     /* what the image is called in the folder */
	unsigned downloads;		     /* at once; see spool_open() */
	/* As of a pull, but each blob counts as a layer, and nothing is applied. May be NULL. */
	void (*progress)(const struct unpack_event *event, void *arg);
	void *arg;
};

struct mirror_result {
	struct digest digest; /* of what has the name now: an index or a manifest */
	size_t n_blobs, n_fetched;
	uint64_t fetched_bytes;
};

/*
 * After an error the folder lists what it did before; whole blobs stay, and a second try goes on
 * with them. What images are made of does not matter: artifacts are copied, too.
 * Errors: those of the source, of the writer, and of oci_manifest_parse_any(); ERR_NOT_FOUND
 * (platform), ERR_UNSUPPORTED (an index lists what is neither manifest nor index).
 */
MUST_CHECK int mirror_image(struct source *source, struct layout_writer *out,
			    const struct mirror_options *options, struct mirror_result *ret,
			    struct error *err);
