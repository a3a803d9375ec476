/* SPDX-License-Identifier: Apache-2.0 */
/* The containers of the pool, each with what it is at this moment. */
#pragma once

#include "oci/container.h"
#include "oci/store.h"

struct listed_container {
	const struct catalog_container *row; /* borrowed from the listing */
	struct container_state state;
	uint64_t mapped_bytes; /* of the pool, or of the host when its files are outside */
};

struct listing {
	struct listed_container *items;
	size_t n;
	struct catalog_container *rows; /* of the catalog, maybe more of them */
	size_t n_rows;
};

/* @only: a name, or NULL for all of them. */
MUST_CHECK int listing_load(struct store *store, const char *only, struct listing *ret,
			    struct error *err);
void listing_release(struct listing *l);
