/* SPDX-License-Identifier: Apache-2.0 */
/* Images, containers and pools as JSON, with the keys that others rely on. */
#pragma once

#include "cmd/thinpull/listing.h"
#include "oci/store.h"
#include "pkg/json/jdoc.h"

/* @key: NULL inside an array and at the top. */
void report_image(struct jout *o, const char *key, const struct catalog_image *image);

/* Errors: ERR_INCONSISTENT (labels in the catalog). */
MUST_CHECK int report_container(struct jout *o, const char *key,
				const struct listed_container *container, struct error *err);

/*
 * One of the store, by its exact name or reference, at the top of a document.
 * Errors: ERR_NOT_FOUND (removed meanwhile).
 */
MUST_CHECK int report_stored_image(struct jout *o, struct store *store, const char *ref,
				   struct error *err);
MUST_CHECK int report_stored_container(struct jout *o, struct store *store, const char *name,
				       struct error *err);

/* @low_water_percent: the guard. */
void report_pool(struct jout *o, const char *key, const char *name,
		 const struct thin_pool_status *status, unsigned low_water_percent);

/* What of that is numbers, as members of an object; and as lines for people, on stdout. */
void report_pool_status(struct jout *o, const struct thin_pool_status *status,
			unsigned low_water_percent);
void report_pool_text(const struct thin_pool_status *status, unsigned low_water_percent);

/* Blocks of a pool in bytes. */
uint64_t report_data_bytes(const struct thin_pool_status *status, uint64_t blocks);
uint64_t report_metadata_bytes(uint64_t blocks);
/* The part of the data that is to stay free. */
uint64_t report_guard_bytes(const struct thin_pool_status *status, unsigned percent);

/* "Name:          value" */
void report_fact(const char *name, const char *fmt, ...) PRINTF_LIKE(2, 3);
