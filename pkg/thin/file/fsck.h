/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The strict check of dm-thin metadata. Shares no code with the writer but the checksum and the
 * field offsets of format.h: it reads with pread(), recounts everything from the trees, and so
 * finds what thin_check 0.9 does not (data reference counts, times, id sets, mapped_blocks,
 * sharing against time, nr_allocated, reserved fields, free-space hints).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkg/base/error.h"

struct thin_finding {
	char kind[32];	 /* "data_refcount", "min_fill", ... */
	char where[96];	 /* "metadata block 12", "thin 3 block 77" */
	char text[160];	 /* what is wrong, with both numbers */
	bool repairable; /* by thin_file_repair(), which loses nothing */
};

struct thin_findings {
	struct thin_finding *items; /* at most THIN_FINDINGS_MAX are kept, all are counted */
	size_t n, room;
	uint64_t total;
	uint64_t unrepairable; /* of these */
};

enum { THIN_FINDINGS_MAX = 1000 };

void thin_findings_release(struct thin_findings *f);

/*
 * Check a metadata file. @data_bytes: size of the data file, to compare the data space map with;
 * 0 = not known. Findings are a result, not an error: an error means the check could not be made.
 */
MUST_CHECK int thin_file_fsck(const char *meta_path, uint64_t data_bytes, struct thin_findings *ret,
			      struct error *err);

/* As above for a pool folder: waits for a writer to finish (ERR_BUSY after the timeout) and keeps
 * others out meanwhile. */
MUST_CHECK int thin_file_check(const char *dir, unsigned lock_timeout_ms, struct thin_findings *ret,
			       struct error *err);
