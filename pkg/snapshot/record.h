/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record: what every thin id of a pool is. Lives in thin device 0; nothing else is trusted.
 *
 *   thin device 0:  0            64 MiB        128 MiB
 *                   | copy A     | copy B      |
 *
 *   copy:  0     magic "thinpull record\0"
 *          16    u32 version = 1, u32 zero
 *          24    u64 transaction id of the pool this copy belongs to
 *          32    u64 length of the JSON at 4096
 *          40    sha256 over the first 4096 bytes with this field zero, then the JSON
 *          4096  JSON
 *
 * The copy that is not in use is overwritten in place before the pool's commit; on open the valid
 * copy with the highest transaction id that is not above the superblock's wins.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"
#include "pkg/digest/digest.h"
#include "pkg/thin/pool.h"

enum record_kind { RECORD_LAYER, RECORD_CONTAINER };

/* Anything but ready is an intent: the next writer removes the id, unless its maker is alive. */
enum record_state { RECORD_READY, RECORD_CREATING, RECORD_DELETING };

/*
 * Where the files of a container are by now. A container that was handed to a kernel or a runtime
 * has left the pool; its thin device stays, unchanged, and keeps its id.
 */
enum record_place {
	RECORD_IN_POOL,	  /* in its thin device */
	RECORD_IN_FILE,	  /* in a sparse file with the whole file system, see oci/container.h */
	RECORD_IN_FOLDER, /* a copy was extracted into a folder by an ordinary user */
};

struct record_label {
	char *key, *value;
};

struct record_entry {
	uint32_t thin_id;
	enum record_kind kind;
	enum record_state state;
	uint64_t size_bytes;	/* of the volume */
	struct digest chain_id; /* of the layer, or of the one a container is on; none = the base */
	/* layers */
	uint32_t layout_version;
	struct digest parent; /* ChainID below; none = the base */
	struct digest diff_id;
	uint64_t content_bytes; /* sum of the sizes of the layer's files */
	/* containers; strings are owned */
	char *name;
	char *image; /* recorded reference */
	struct digest manifest;
	char *created; /* RFC 3339 */
	bool read_only;
	bool temporary; /* of a command that removes it at its end (run --rm) */
	enum record_place place;
	char *folder; /* absolute, of RECORD_IN_FOLDER; else NULL */
	struct record_label *labels;
	size_t n_labels;
};

struct record {
	uint64_t base_bytes;	      /* size of this pool's base file system */
	uint64_t base_inodes;	      /* 0: by the default rule */
	uint64_t transaction_id;      /* of the copy it was read from or last written to */
	uint64_t pool_transaction_id; /* of the pool then: higher when somebody else moved it */
	unsigned slot;		      /* which copy that is */
	struct record_entry *entries; /* by thin id, ascending */
	size_t n, room;
};

enum { RECORD_THIN_ID = 0 };

/* Errors: ERR_INCONSISTENT (no valid copy). */
MUST_CHECK int record_load(struct thin_pool *pool, struct record *ret, struct error *err);

/*
 * Write it to the other copy; thin_pool_commit(pool, transaction_id) must follow. Thin device 0
 * must exist.
 */
MUST_CHECK int record_store(struct record *r, struct thin_pool *pool, uint64_t transaction_id,
			    struct error *err);

void record_release(struct record *r);

/* An entry of its own, and its end. */
void record_entry_copy(const struct record_entry *from, struct record_entry *ret);
void record_entry_release(struct record_entry *e);

/* NULL when there is none; by chain or name only ready entries are found. */
struct record_entry *record_find_id(const struct record *r, uint32_t thin_id);
struct record_entry *record_find_layer(const struct record *r, const struct digest *chain_id,
				       uint32_t layout_version);
struct record_entry *record_find_container(const struct record *r, const char *name);

/* A layer other than `except` (may be NULL), or a container, that was made from this layer; or
 * NULL. */
struct record_entry *record_entry_on(const struct record *r, const struct digest *chain_id,
				     const struct digest *except);

/* Add an empty entry under an id that is free; remove one with what it owns. */
struct record_entry *record_add(struct record *r, uint32_t thin_id);
void record_remove(struct record *r, uint32_t thin_id);

/* The lowest id without an entry; 0 when all are taken. */
uint32_t record_free_id(const struct record *r);
