/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who uses the space of a pool. A data block belongs to everybody whose thin devices map it:
 * images by their layers, containers, the pool itself (the record and the empty file system below
 * all layers), and others (layers that no image names, of a pull that has not ended or was
 * killed). Two sums hold, each over all data blocks in use:
 *
 *   exclusive of each image + of each container + of others + of the pool itself + shared
 *   bytes of system + of images (less system) + of others (less both) + only of containers
 *
 * Two references to one image share all of it: removing one of them frees nothing.
 */
#pragma once

#include "oci/container.h"

struct usage_layer {
	struct digest chain_id, parent; /* parent: none = the base */
	uint32_t thin_id;
	uint64_t content_bytes;	  /* of its own files */
	uint64_t mapped_bytes;	  /* of its device, with what it inherits */
	uint64_t exclusive_bytes; /* of these, what no other device maps */
	size_t n_images;	  /* references that need it; 0 = others' */
};

struct usage_image {
	char *ref;
	struct digest manifest;
	struct digest chain_id; /* of the top layer; none = the base */
	size_t n_layers, n_containers;
	uint64_t mapped_bytes;	  /* by its layers together */
	uint64_t exclusive_bytes; /* of these, what nobody else uses */
};

struct usage_container {
	const struct record_entry *entry; /* borrowed from usage */
	uint64_t mapped_bytes, exclusive_bytes;
	enum container_status status;
	bool active;	     /* somebody may be using it: running, mounted, on a device */
	uint64_t host_bytes; /* of its file, once it left the pool */
};

struct usage_sum {
	size_t n, n_active; /* images: those with containers */
	uint64_t bytes;	    /* as in the second sum */
	uint64_t exclusive_bytes;
	uint64_t reclaimable_bytes; /* free when all that is not active goes */
};

struct usage {
	struct thin_pool_status pool;
	struct snapshots *session;  /* holds the entries */
	struct usage_layer *layers; /* by thin id */
	size_t n_layers;
	struct usage_image *images; /* by reference */
	size_t n_images;
	struct usage_container *containers; /* by thin id */
	size_t n_containers;
	uint32_t base_thin_id;
	uint64_t base_mapped_bytes;
	/* Of the system: the record, the base, and what only a metadata snapshot holds. */
	struct usage_sum image_sum, container_sum, other_sum, system_sum;
	uint64_t shared_bytes; /* with two users or more, each block once */
	uint64_t host_bytes;
};

/*
 * All at one moment, without a lock. Errors: ERR_NOT_FOUND (no pool), ERR_BUSY (it changes all the
 * time).
 */
MUST_CHECK int usage_measure(struct store *s, struct usage *ret, struct error *err);
void usage_release(struct usage *u);
