/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image put together from what has no manifest: one of docker's archives, or the tree of a file
 * system. The same bytes give the same manifest.
 */
#pragma once

#include "oci/archive_members.h"
#include "oci/descriptor.h"
#include "oci/docker_manifest.h"

/* A layer, where it is in the archive. */
struct oci_archive_blob {
	struct digest digest;
	uint64_t offset, size_bytes;
	enum stream_codec codec;
};

struct oci_archive_parts {
	struct oci_descriptor target; /* of the manifest */
	struct buffer manifest, config;
	struct digest config_digest;
	struct oci_archive_blob *blobs; /* lowest first */
	size_t n_blobs;
};

/*
 * An image of docker's. Its config must have the digest that its name says, if it says one. Layers
 * that are not compressed are called by their DiffIDs, others are hashed here.
 * Errors: ERR_INVALID, ERR_VERIFICATION (the config), ERR_UNSUPPORTED (layers in xz and the like).
 */
MUST_CHECK int oci_archive_parts_docker(const struct oci_members *m,
					const struct docker_image *image,
					struct oci_archive_parts *ret, struct error *err);

/*
 * A tar of a file system, from its first byte to its last, as the one layer of an image.
 * @fd: borrowed.   @platform: what it is said to be for. Errors: those of reading.
 */
MUST_CHECK int oci_archive_parts_tree(int fd, uint64_t bytes, const struct oci_platform *platform,
				      struct oci_archive_parts *ret, struct error *err);

void oci_archive_parts_release(struct oci_archive_parts *p);
