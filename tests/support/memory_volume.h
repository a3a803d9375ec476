/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thin volume in memory for tests: unmapped parts read as zeros, snapshots share blocks until
 * one side writes, calls are counted and can be made to fail.
 */
#pragma once

#include <stdint.h>

#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"
#include "pkg/thin/engine.h"

struct memory_volume_counts {
	uint64_t reads, writes; /* calls */
	uint64_t bytes_read, bytes_written;
	uint64_t mapped_blocks; /* pool blocks this volume maps, now */
	uint64_t dirty_blocks;	/* different pool blocks written to */
	uint64_t copied_blocks; /* of those: shared with another volume before */
};

struct memory_block;

struct memory_volume {
	struct thin_volume volume; /* first: pass &v->volume */
	struct memory_block **blocks;
	uint8_t *dirty; /* one byte for each pool block */
	uint64_t n_blocks;
	struct memory_volume_counts counts;
	/* The n-th call from now fails, and all after it; 0 = never. Looks at what is mapped count
	 * as reads. */
	uint64_t fail_read, fail_write;
	bool fail_once;		   /* only the n-th */
	enum error_kind fail_kind; /* ERR_SYSTEM unless set */
	uint64_t faults;	   /* calls that failed so */
};

/* @block_bytes: size of a pool block, 0 = 64 KiB. The size need not be a multiple of it. */
struct memory_volume *memory_volume_new(uint64_t size_bytes, uint32_t block_bytes);

/* A writable snapshot: shares everything, counts from zero. Not for several threads. */
struct memory_volume *memory_volume_snapshot(struct memory_volume *origin);

void memory_volume_free(struct memory_volume *v);
DEFINE_CLEANUP(struct memory_volume *, memory_volume_free);

/* Counts from zero (but mapped_blocks stays), nothing is dirty. */
void memory_volume_reset_counts(struct memory_volume *v);

/*
 * The content as a sparse raw file for e2fsck, debugfs or a loop mount; and back. Abort on error.
 */
void memory_volume_dump(const struct memory_volume *v, const char *path);
struct memory_volume *memory_volume_load(const char *path, uint32_t block_bytes);

/* 0 when both hold the same bytes, else 1 + offset of the first byte that differs. */
uint64_t memory_volume_differ(struct memory_volume *a, struct memory_volume *b);
