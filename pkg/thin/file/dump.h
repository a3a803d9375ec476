/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metadata of a pool as XML, as thin_dump(8) of thin-provisioning-tools 0.9 prints it and
 * thin_restore(8) reads it. Devices and mappings; not the uuid, for which that form has no place.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "pkg/base/error.h"

struct thin_pool;

/* Where the text goes, piece by piece. */
struct thin_dump_sink {
	/* What came before is void, and all comes again: a writer has committed meanwhile. Also
	 * called once at the start. */
	int (*begin)(void *context, struct error *err);
	int (*text)(void *context, const char *text, size_t len, struct error *err);
	void *context;
};

/*
 * One committed state, whatever writers do meanwhile. Memory is that of a path through a tree.
 * @pool: opened for reading.   @held: the metadata snapshot instead.
 * Errors: ERR_NOT_FOUND (there is no metadata snapshot), ERR_INCONSISTENT (damaged; what came
 * before is right as far as it goes).
 */
MUST_CHECK int thin_file_dump(struct thin_pool *pool, bool held, const struct thin_dump_sink *sink,
			      struct error *err);
