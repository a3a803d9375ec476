/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file-engine pool in a scratch folder beside its model, with a hook between the engine and its
 * files: it can refuse writes from some point on or end the process there, and watches the order
 * of writes and syncs. Broken expectations fail the running cmocka test.
 */
#pragma once

#include "pkg/thin/file/engine.h"
#include "pkg/thin/file/fault_internal.h"
#include "tests/support/thin_model.h"

enum { THIN_RUN_DIED = 40, THIN_RUN_DIED_COMMITTED }; /* exit status of a killed process */

struct thin_watch {
	uint64_t left; /* writes and syncs until all are refused */
	bool fired;
	bool kill;     /* the process ends where it would be refused */
	bool no_punch; /* a file system without holes */
	bool superblock_passed;
	bool data_unsynced, metadata_unsynced, superblock_unsynced;
	bool *in_use; /* metadata blocks of the committed state */
	uint64_t nr_blocks;
	const char *broken; /* a rule that the engine broke */
};

struct thin_past {
	struct thin_model model;
	uint64_t held;
};

struct thin_run {
	char *folder, *meta, *data;
	uint64_t seed;
	uint32_t block_bytes;
	uint64_t data_bytes, metadata_bytes;
	struct thin_pool *pool;
	struct thin_model model;
	struct thin_watch watch;
	unsigned commits, check_every; /* each so many commits thin_check is run */
	uint64_t stride;	       /* and after all every stride-th block compared */
	bool sizes_raised; /* not committed yet: a cut leaves the files longer than the pool */
	uint64_t no_space; /* how often space was short */
	/* What the metadata snapshot holds, as a sum over its trees; 0 = there is none. */
	uint64_t held, held_committed;
	bool no_hook;	    /* nothing stands between: as in the program */
	bool may_fail;	    /* any error is to be expected */
	struct error error; /* the last one */
	/* When wanted: the model before each commit, each of which then has a transaction id of
	 * its own, one above the one before. */
	bool keep_past;
	struct thin_past *past;
	size_t n_past, past_room;
};

/* @r: has seed, block_bytes, data_bytes, metadata_bytes, check_every, stride and model. */
void thin_run_start(struct thin_run *r);
void thin_run_end(struct thin_run *r);

uint64_t thin_run_random(struct thin_run *r, uint64_t below);
uint64_t thin_run_environment(const char *name, uint64_t otherwise);

/*
 * Long proofs go through every so many of their steps: THINPULL_EVERY, where 1 is all. Without it
 * few, fewer still where the same has been run before or sanitizers make it slow.
 */
unsigned thin_run_every(void);

void thin_run_open(struct thin_run *r);
void thin_run_close(struct thin_run *r);
/* Close without commit and open again; the model forgets as well. */
void thin_run_reopen(struct thin_run *r);
void thin_run_abort(struct thin_run *r);
/* A new transaction id, then all checks. 0, or -1 as thin_run_failed(). */
int thin_run_commit(struct thin_run *r);

/* Reserve a metadata snapshot, or release the one that there is. 0, or -1 as above. */
int thin_run_hold_or_release(struct thin_run *r);

/* Of a pool that came from elsewhere. */
void thin_run_learn_held(struct thin_run *r);

/* Pool and model; 0, or -1 as thin_run_failed(). Bytes are random, and zeros at times. */
int thin_run_create(struct thin_run *r, uint32_t id);
int thin_run_snap(struct thin_run *r, uint32_t id, uint32_t origin);
int thin_run_delete(struct thin_run *r, uint32_t id);
int thin_run_write(struct thin_run *r, uint32_t id, uint64_t offset, size_t len);
int thin_run_discard(struct thin_run *r, uint32_t id, uint64_t offset, uint64_t len);
int thin_run_write_to(struct thin_run *r, struct thin_volume *v, uint32_t id, uint64_t offset,
		      size_t len);

/* Make room for so many more blocks. 0, or -1 as thin_run_failed(). */
int thin_run_grow(struct thin_run *r, uint64_t data_blocks, uint64_t metadata_blocks);

/* Nothing that the strict check finds; but files may be longer than the pool says. */
bool thin_run_disk_is_clean(const char *meta, const char *data, bool sizes_raised);
/* Strict check and, if wanted, thin_check; bytes; what another process sees. */
void thin_run_check_disk(struct thin_run *r, bool thin_check);
void thin_run_check_contents(struct thin_run *r, uint64_t stride);
void thin_run_check_reader(struct thin_run *r);

void thin_run_forget_past(struct thin_run *r);

/* A random device that exists, or an id that is free. False: none. */
bool thin_run_pick(struct thin_run *r, bool exists, uint32_t *ret);

/* -1 for an operation that may fail: space is short, or the hook has fired. Else ends the test. */
int thin_run_failed(struct thin_run *r, const struct error *err);
