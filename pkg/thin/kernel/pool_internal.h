/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel engine's session, as its parts see it: pool.c opens, commits and looks, device.c makes
 * and ends thin devices and gives them to others, opened.c opens them, held.c reads metadata.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "pkg/thin/engine.h"
#include "pkg/thin/kernel/devmap.h"
#include "pkg/thin/kernel/engine.h"
#include "pkg/thin/kernel/status.h"
#include "pkg/thin/kernel/table.h"
#include "pkg/thin/kernel/volume_node.h"

struct tk_opened;

struct tk_pool {
	struct thin_pool base; /* first */
	char *dir, *verb;
	struct thin_place place;
	struct devmap_info device; /* the thin-pool */
	enum thin_mode mode;
	unsigned lock_timeout_ms;
	int lock_fd;   /* DIR/lock; -1: none, or let go for a while */
	int claims_fd; /* DIR/claims */
	uint32_t block_bytes;
	uint64_t transaction_id; /* as of our last look or commit */
	bool just_looked;	 /* when the session was opened, and nobody has asked for it yet */
	bool dead_owner;	 /* who had the lock last was killed */
	bool unflushed;		 /* a volume that is closed wrote something */
	struct error failure;	 /* what was written is not all there: no commit */
	struct thin_pool_counts counts;
	uint64_t ioctls_before;	  /* of this process, at the session's start */
	struct kernel_node first; /* thin device 0 to write; path NULL: not open */
	struct tk_opened *opened; /* its volumes, see opened.c */
	uint32_t given;		  /* the id last given to somebody by this session, 0: none */
	struct thin_pool *reader; /* of its metadata, see held.c; NULL: not yet needed */
	bool restless;		  /* its metadata changes too fast to be read without more ado */
};

static inline struct tk_pool *tk_pool_of(struct thin_pool *pool)
{
	return (struct tk_pool *)pool;
}

/* ---- pool.c ---- */

MUST_CHECK int tk_pool_read_status(struct tk_pool *p, struct kernel_pool_status *ret,
				   struct error *err);

/* A message to the pool, with what the kernel says of it as one of our errors. */
MUST_CHECK int tk_pool_message(struct tk_pool *p, struct error *err, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/* The session may change the pool. */
MUST_CHECK int tk_pool_check_writable(const struct tk_pool *p, struct error *err);

/* The pool's mode as the reason of an error that the kernel gave without one. */
void tk_pool_explain(void *arg, struct error *err);

/* ---- device.c ---- */

int tk_device_create_thin(struct thin_pool *pool, uint32_t id, struct error *err);
int tk_device_create_snap(struct thin_pool *pool, uint32_t id, uint32_t origin, struct error *err);
int tk_device_delete(struct thin_pool *pool, uint32_t id, struct error *err);
int tk_device_activate(struct thin_pool *pool, uint32_t id, uint64_t size_bytes, bool read_only,
		       char **ret_path, struct error *err);
int tk_device_deactivate(struct thin_pool *pool, uint32_t id, struct error *err);
int tk_device_find(struct thin_pool *pool, uint32_t id, char **ret_path, struct error *err);

/*
 * A block device of this name, with a node. Errors: ERR_BUSY (there is one), ERR_NOT_FOUND (no such
 * thin device).
 */
MUST_CHECK int tk_device_make(struct tk_pool *p, const struct kernel_names *names, uint32_t id,
			      uint64_t size_bytes, bool read_only, struct error *err);

/*
 * The same, or the one that is there, of this kind. One that a killed command left without a
 * table, suspended, or for the other kind of use, is put right. Whoever calls it keeps others from
 * the same name. Errors: ERR_BUSY (for the other kind of use, and open), ERR_NOT_FOUND.
 */
MUST_CHECK int tk_device_ensure(struct tk_pool *p, const struct kernel_names *names, uint32_t id,
				uint64_t size_bytes, bool read_only, struct error *err);

/* Those that a killed command left suspended. */
MUST_CHECK int tk_device_resume_all(struct tk_pool *p, struct error *err);

/* ---- opened.c ---- */

int tk_opened_volume(struct thin_pool *pool, uint32_t id, uint64_t size_bytes, bool writable,
		     struct thin_volume **ret, struct error *err);

/* Nobody has it open, nor can until tk_opened_drop(). Errors: ERR_BUSY. */
MUST_CHECK int tk_opened_claim(struct tk_pool *p, uint32_t id, struct error *err);
void tk_opened_drop(struct tk_pool *p, uint32_t id);

int tk_opened_mend(struct thin_pool *pool, uint32_t **ret_given, size_t *ret_n, struct error *err);

/* ---- held.c ---- */

int tk_held_device(struct thin_pool *pool, uint32_t id, struct thin_device *ret, struct error *err);
int tk_held_devices(struct thin_pool *pool, struct thin_device **ret, size_t *ret_n,
		    struct error *err);
int tk_held_count_blocks(struct thin_pool *pool, const uint32_t *ids, size_t n, bool exclusive,
			 uint64_t *ret_blocks, struct error *err);
int tk_held_diff(struct thin_pool *pool, uint32_t a, uint32_t b, struct thin_diff_range **ret,
		 size_t *ret_n, struct error *err);

/* What a device maps, as struct kernel_volume_pool wants it. */
MUST_CHECK int tk_held_mapped(struct tk_pool *p, uint32_t id, uint64_t size_bytes,
			      struct kernel_range **ret, size_t *ret_n, struct error *err);

/* How many thin devices there are; 0 where the metadata cannot be read. */
uint64_t tk_held_thin_count(struct thin_pool *pool);
