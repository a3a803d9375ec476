/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file engine: a pool in two plain files, in the kernel's own on-disk format, without root
 * and without device-mapper.
 *
 *   DIR/meta    dm-thin metadata, format version 2, sparse; flock()ed by the writer
 *   DIR/data    the data blocks, sparse
 *   DIR/owner   who holds the lock: pid, verb, since; left over after a kill
 */
#pragma once

#include "pkg/thin/pool.h"

struct thin_file_params {
	uint64_t data_bytes;	 /* rounded down to whole blocks */
	uint64_t metadata_bytes; /* 0: sized by the kernel's rule, see thin_file_metadata_bytes() */
	uint32_t block_bytes;	 /* 64 KiB .. 1 GiB, multiple of 64 KiB */
	uint8_t uuid[THIN_UUID_BYTES];
};

/* 48 bytes for each data block, at least 2 MiB, at most what the format can address. */
uint64_t thin_file_metadata_bytes(uint64_t data_bytes, uint32_t block_bytes);

/* Are these sizes that a pool can have? Errors: ERR_USAGE. */
MUST_CHECK int thin_file_check_params(const struct thin_file_params *params, struct error *err);

/*
 * Make an empty pool in a folder that exists. All or nothing: the files appear complete (written
 * under temporary names, fsynced, renamed; meta last).
 * Errors: ERR_USAGE (sizes out of range), ERR_BUSY (there is a pool already), ERR_NO_SPACE.
 */
MUST_CHECK int thin_file_create(const char *dir, const struct thin_file_params *params,
				struct error *err);

/*
 * The metadata of an empty pool alone, over whatever is there, synced.
 * @fd: of a device or file for reading and writing that has params->metadata_bytes (0: as above) at
 * least.   @name: for errors. Errors: ERR_USAGE (sizes out of range), ERR_SYSTEM.
 */
MUST_CHECK int thin_file_format(int fd, const char *name, const struct thin_file_params *params,
				struct error *err);

enum thin_file_mode {
	THIN_FILE_READ,	 /* re-reads when a writer commits meanwhile; never waits for a lock */
	THIN_FILE_STILL, /* to read, with writers kept waiting until close */
	THIN_FILE_WRITE, /* the pool's lock is held until close */
};

struct thin_file_open {
	enum thin_file_mode mode;
	const char *verb;	  /* what is being done, shown to those who wait; borrowed */
	unsigned lock_timeout_ms; /* how long to wait for a writer */
};

/*
 * Open a pool. The lock is flock() on DIR/meta, so it dies with its owner; a dead owner is told by
 * DIR/owner still being there, and what it left in free blocks of the data file is punched out.
 *
 * Errors: ERR_NOT_FOUND (no pool here), ERR_BUSY (names pid, verb and since of the owner, or the
 * loop device that uses the files), ERR_INCONSISTENT (damaged; for writing also needs_check),
 * ERR_UNSUPPORTED (unknown feature flags).
 */
MUST_CHECK int thin_file_open(const char *dir, const struct thin_file_open *how,
			      struct thin_pool **ret, struct error *err);

/*
 * Look at metadata that the kernel works on: a pool for thin_pool_status(), _device(), _devices(),
 * _mapped(), _exclusive(), _diff(), and for volumes of which only what is mapped is asked.
 *
 * @path: the block device, which is read past the page cache, as the kernel writes it.
 * @held_root: of a metadata snapshot that stays as long as the handle, whose whole metadata is then
 * read for _exclusive(). 0: the kernel's last commit; each of the above sees one state, and looks
 * again, a few times, when there is a new one meanwhile (ERR_BUSY in the end).
 * Errors: ERR_INCONSISTENT (no sound superblock), ERR_SYSTEM.
 */
MUST_CHECK int thin_file_open_metadata(const char *path, uint64_t held_root, struct thin_pool **ret,
				       struct error *err);

/*
 * Make room: raise the pool's data and metadata sizes, rounded down to whole blocks (both only
 * ever grow, 0 = leave). Takes effect with the next commit; without one the files get their old
 * lengths back. Errors: ERR_USAGE (smaller, or past the format's limit), ERR_NO_SPACE (metadata
 * for the bitmaps, or a host without files so long); the pool is as before then.
 */
MUST_CHECK int thin_file_grow(struct thin_pool *pool, uint64_t data_bytes, uint64_t metadata_bytes,
			      struct error *err);

/*
 * Give the host back what free blocks of the data file hold. A pool that is open for writing, with
 * nothing to commit. What a damaged pool calls free may be in use: check it first.
 * Errors: ERR_UNSUPPORTED (the host's file system knows no holes), ERR_INCONSISTENT.
 */
MUST_CHECK int thin_file_trim(struct thin_pool *pool, struct error *err);

/*
 * Free data blocks, one run after the other, of metadata that nobody changes meanwhile: by a handle
 * that was opened since nobody does.
 * @from: where to look; next time @ret_first + @ret_n.   @most: the longest run that is wanted.
 * @ret_n: 0 = none before @ret_first, look on from there.
 * Returns 0, 1 = there is nothing behind @from, -1.
 */
MUST_CHECK int thin_file_free_run(struct thin_pool *pool, uint64_t from, uint64_t most,
				  uint64_t *ret_first, uint64_t *ret_n, struct error *err);
