/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The strict reader of layer tars: ustar, PAX, GNU long names, all sparse forms. It accepts what
 * the world's readers read alike and refuses, with the reason, what they disagree about; the list
 * is in pkg/tar/README.md. Never decompresses.
 *
 * Formats: POSIX.1-2017 pax "ustar Interchange Format" and "pax Header Block"; GNU tar manual
 * "Basic Tar Format", "Storing Sparse Files".
 */
#pragma once

#include <stdbool.h>

#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"
#include "pkg/stream/stream.h"
#include "pkg/tar/entry.h"

struct tar_reader;

/* @in: taken, also on failure. 0 bytes are a valid empty archive. */
MUST_CHECK int tar_reader_open(struct stream **in, struct tar_reader **ret, struct error *err);

/*
 * The next member; what was not read of the last one is skipped. 0, 1 = end of archive, -1.
 * Errors: ERR_INVALID, with the member's name where it is known.
 */
MUST_CHECK int tar_reader_next(struct tar_reader *r, const struct tar_entry **ret,
			       struct error *err);

/*
 * Lend the next piece of the present member's data. Offsets ascend; what lies between two pieces
 * is a hole. 0, 1 = no more (the file ends at size_bytes), -1.
 */
MUST_CHECK int tar_reader_data(struct tar_reader *r, const uint8_t **ret, size_t *ret_len,
			       uint64_t *ret_offset, struct error *err);

/*
 * Where the present member is, counted from the first byte that the reader was given. For those who
 * come back to it, or have nothing to read between here and the next. Right after tar_reader_next().
 */
struct tar_extent {
	uint64_t data;	/* its first byte, if it has any */
	uint64_t next;	/* the next header */
	bool has_holes; /* what is stored is not the file as it is */
};
void tar_reader_extent(const struct tar_reader *r, struct tar_extent *ret);

/* After the end of the archive: drain the stream to its real end and check it (stream_finish). */
MUST_CHECK int tar_reader_finish(struct tar_reader *r, struct error *err);

void tar_reader_close(struct tar_reader *r);
DEFINE_CLEANUP(struct tar_reader *, tar_reader_close);
