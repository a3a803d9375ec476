/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where tests stand between the engine and its files: a hook is asked before each write and sync.
 * Refusing everything from the k-th write on leaves the files as a process killed at that moment
 * would (the handle itself is useless afterwards, close it).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct thin_pool;

enum tf_io {
	TF_IO_DATA_WRITE,	/* at = byte offset in the data file */
	TF_IO_DATA_SYNC,	/* at = 0 */
	TF_IO_DATA_PUNCH,	/* at = byte offset; a refusal is ignored, as on old file systems */
	TF_IO_METADATA_WRITE,	/* at = metadata block; one call for each block */
	TF_IO_METADATA_SYNC,	/* at = 0 */
	TF_IO_SUPERBLOCK_WRITE, /* at = 0; the moment of commit */
	TF_IO_SUPERBLOCK_SYNC,	/* at = 0; a refusal puts the old superblock back */
};

struct tf_fault_hook {
	/* 0 = go on, else the errno that the write or sync fails with. NULL = no hook. */
	int (*before)(void *context, enum tf_io io, uint64_t at);
	void *context;
};

/* Metadata blocks read from the file since the pool's state was loaded: at open, at abort, and when
 * a reader met a commit. */
uint64_t tf_pool_metadata_reads(const struct thin_pool *pool);

/* For a pool opened with thin_file_open(THIN_FILE_WRITE). */
void tf_pool_set_fault_hook(struct thin_pool *pool, struct tf_fault_hook hook);

/* Asked before each allocation of the map called "data" or "metadata": true = it is full. NULL = as
 * it is. */
struct tf_full_hook {
	bool (*full)(void *context, const char *map);
	void *context;
};

/* Until the pool is closed or a transaction aborted. */
void tf_pool_set_full_hook(struct thin_pool *pool, struct tf_full_hook hook);
