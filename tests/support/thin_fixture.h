/* SPDX-License-Identifier: Apache-2.0 */
/* Pools of the file engine in temporary folders, judged by the real thin_check and our own. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "pkg/thin/file/engine.h"
#include "pkg/thin/pool.h"
#include "pkg/thin/volume.h"

enum { FIXTURE_BLOCK = 64 * 1024 };

struct thin_fixture {
	char *dir;
	struct thin_pool *pool; /* NULL while closed */
};

/* A new pool of so many 64 KiB blocks, opened for writing. @metadata_bytes: 0 = by the rule. */
void thin_fixture_init(struct thin_fixture *f, uint64_t data_blocks, uint64_t metadata_bytes);
/* Close and remove everything. */
void thin_fixture_release(struct thin_fixture *f);

void thin_fixture_open(struct thin_fixture *f, enum thin_file_mode mode);
void thin_fixture_close(struct thin_fixture *f);
void thin_fixture_reopen(struct thin_fixture *f);

/* Commit with the next transaction id. */
void thin_fixture_commit(struct thin_fixture *f);

/* Devices and how the pool is, each of which must work. */
void thin_fixture_create(struct thin_fixture *f, uint32_t id);
void thin_fixture_snap(struct thin_fixture *f, uint32_t id, uint32_t origin);
void thin_fixture_delete(struct thin_fixture *f, uint32_t id);
struct thin_device thin_fixture_device(struct thin_fixture *f, uint32_t id);
struct thin_pool_status thin_fixture_status(const struct thin_fixture *f);

/* Fails the test unless thin_check and the strict check accept the metadata on disk. */
void thin_fixture_check(const struct thin_fixture *f);

/* Write len bytes that are told by seed at offset of a device; or compare. A seed of 0 means
 * zeros. The volume is 1 TiB large. */
void thin_fixture_write(struct thin_fixture *f, uint32_t id, uint64_t offset, size_t len,
			uint32_t seed);
void thin_fixture_expect(struct thin_fixture *f, uint32_t id, uint64_t offset, size_t len,
			 uint32_t seed);

/* Map new data blocks as a write of these blocks would, but write nothing: large pools in little
 * time. What was mapped before is dropped. */
void thin_fixture_map(struct thin_fixture *f, uint32_t id, uint64_t vblock, uint64_t count);

/* 512-byte sectors that the host has given to a file of the pool. */
uint64_t thin_fixture_sectors(const struct thin_fixture *f, const char *name);
