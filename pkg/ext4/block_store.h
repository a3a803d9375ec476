/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocks of a volume, 4096 bytes each, with one run of newly written blocks held back until it
 * is 4 MiB long or ends, unless the volume does so itself. What is held back is seen by every read,
 * so nobody needs to care.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "pkg/base/error.h"
#include "pkg/ext4/checksum.h"
#include "pkg/thin/volume.h"

enum {
	STORE_RUN_BLOCKS = 1024, /* runs end where the volume's offset is a multiple of this */
};

struct block_store {
	struct thin_volume *volume; /* borrowed */
	uint64_t run_start;	    /* block */
	uint32_t run_blocks;	    /* held back */
	uint8_t *run;		    /* NULL: nothing is */
};

void block_store_init(struct block_store *s, struct thin_volume *volume);
void block_store_release(struct block_store *s);

MUST_CHECK int block_store_read(struct block_store *s, uint64_t block, size_t n, void *ret,
				struct error *err);

/* Write at the end of the held back run if it is there that the blocks belong, else start another
 * run with them. For what comes in ascending order. */
MUST_CHECK int block_store_append(struct block_store *s, uint64_t block, size_t n, const void *data,
				  struct error *err);

/* Write blocks somewhere else, without ending the run. */
MUST_CHECK int block_store_overwrite(struct block_store *s, uint64_t block, size_t n,
				     const void *data, struct error *err);

MUST_CHECK int block_store_flush(struct block_store *s, struct error *err);
