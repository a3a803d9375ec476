/* SPDX-License-Identifier: Apache-2.0 */
/* Units in memory, as volume_cache.c and volume_out.c see them. */
#pragma once

#include "pkg/thin/kernel/volume_behind.h"
#include "pkg/thin/kernel/volume_cache.h"

struct kernel_unit {
	struct kernel_unit *next_in_slot;
	struct kernel_unit *newer, *older; /* in one of two rings */
	uint64_t index;			   /* in the volume */
	uint8_t *data;
	bool dirty;
	bool spent;	 /* written, and nobody wanted it since */
	uint64_t ticket; /* of its last write: before it is over nothing may change in it */
	uint32_t pages, missing;
	uint64_t *valid; /* one bit for each page */
};

struct kernel_cache {
	struct kernel_node *node;
	struct kernel_behind *behind; /* all writes go through it */
	uint64_t size_bytes;
	uint32_t unit_bytes;
	size_t max_units, n_units, n_dirty;
	size_t early_units;	    /* dirty ones that are worth a thread */
	struct kernel_unit **slots; /* hash by index, as many as units */
	struct kernel_unit ages;    /* ring of units in use; .newer = the oldest one */
	struct kernel_unit spent;  /* written early, and nobody wanted them since: the next to go */
	struct kernel_unit *spare; /* not in use */
	uint8_t *memory;	   /* of all units */
	size_t memory_bytes;
	uint8_t *scratch;    /* one unit */
	uint64_t next_index; /* behind what was read last */
	size_t ahead;	     /* units read at once there */
	struct error failed;
};

struct kernel_unit *kernel_cache_find(const struct kernel_cache *c, uint64_t index);
/* Bytes of a unit: the last one may be shorter. */
size_t kernel_cache_unit_len(const struct kernel_cache *c, uint64_t index);
/* A unit of which nothing is known yet; the oldest one goes for it. NULL on error. */
struct kernel_unit *kernel_cache_add(struct kernel_cache *c, uint64_t index, struct error *err);
void kernel_cache_drop(struct kernel_cache *c, struct kernel_unit *u);
void kernel_cache_set_dirty(struct kernel_cache *c, struct kernel_unit *u, bool dirty);
/* It will not be wanted soon. */
void kernel_cache_spend(struct kernel_cache *c, struct kernel_unit *u);

void kernel_cache_add_page(struct kernel_unit *u, uint32_t page);
/* All of these bytes are known. */
bool kernel_cache_has_bytes(const struct kernel_unit *u, size_t at, size_t len);
/* What is missing of a unit is read. */
MUST_CHECK int kernel_cache_fill(struct kernel_cache *c, struct kernel_unit *u, struct error *err);
MUST_CHECK int kernel_cache_read_node(struct kernel_cache *c, struct iovec *pieces, int n,
				      uint64_t offset, struct error *err);
MUST_CHECK int kernel_cache_read_unit(struct kernel_cache *c, uint64_t index, uint8_t *buf,
				      struct error *err);

/* ---- volume_out.c ---- */

/* -1 and the error when a write has failed before. */
MUST_CHECK int kernel_cache_check(struct kernel_cache *c, struct error *err);
bool kernel_cache_is_zero(const uint8_t *data, size_t len);

/* A dirty unit, and with it those of its neighbours that can go out in the same call. */
MUST_CHECK int kernel_cache_write_around(struct kernel_cache *c, struct kernel_unit *u,
					 struct error *err);

/* When much waits, the oldest of it that is whole goes on its way. */
MUST_CHECK int kernel_cache_write_early(struct kernel_cache *c, struct error *err);
