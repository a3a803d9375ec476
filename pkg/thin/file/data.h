/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data file: bytes at offsets, and the promise that whoever maps a block finds zeros where
 * nothing was written. Knows nothing of volumes and maps.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkg/base/error.h"
#include "pkg/thin/file/fault_internal.h"
#include "pkg/thin/file/spacemap.h"

/* Runs of data blocks, in the order in which they were added. */
struct tf_runs {
	struct tf_run_item {
		uint64_t first, n;
	} * items;
	size_t n, room;
};

void tf_runs_add(struct tf_runs *runs, uint64_t first, uint64_t n);
void tf_runs_release(struct tf_runs *runs);

struct tf_data {
	int fd;		  /* borrowed */
	const char *name; /* borrowed, for errors */
	uint32_t block_bytes;
	struct tf_fault_hook hook;
	bool dirty;		  /* written since the last sync */
	bool cannot_punch;	  /* the file system below has no holes */
	uint64_t run_at, run_end; /* written one after the other, not yet on the way to disk */
};

MUST_CHECK int tf_data_read(struct tf_data *d, void *buf, size_t len, uint64_t offset,
			    struct error *err);
MUST_CHECK int tf_data_write(struct tf_data *d, const void *buf, size_t len, uint64_t offset,
			     struct error *err);
/* Make a range read as zeros: a hole where possible. */
MUST_CHECK int tf_data_zero(struct tf_data *d, uint64_t offset, uint64_t len, struct error *err);
/* Copy a range over another; what is zero becomes a hole. */
MUST_CHECK int tf_data_copy(struct tf_data *d, uint64_t from, uint64_t to, uint64_t len,
			    struct error *err);
MUST_CHECK int tf_data_sync(struct tf_data *d, struct error *err);

/* Give the host its space back; what does not work is left, blocks are zeroed on reuse anyway. */
void tf_data_punch(struct tf_data *d, uint64_t first_block, uint64_t n);
void tf_data_punch_runs(struct tf_data *d, const struct tf_runs *runs);

/* Punch a block unless somebody took it meanwhile. */
void tf_data_punch_if_free(struct tf_data *d, struct tf_spacemap *sm, uint64_t block);

/* Punch all blocks that hold data in the file but are free in the map. */
MUST_CHECK int tf_data_punch_free(struct tf_data *d, struct tf_spacemap *sm, struct error *err);
