/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One root folder: its pools, its content and its catalog, and what can be done with images and
 * containers in it.
 *
 *   <root>/catalog.db   index for queries, rebuilt when it does not match the two below
 *   <root>/content/     images (oci/content.h)
 *   <root>/pools/NAME/  layers and containers (pkg/snapshot)
 *   <root>/spool/       blobs on their way
 *   <root>/containers/  containers outside the pool (oci/container.h)
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "oci/content.h"
#include "pkg/base/cleanup.h"
#include "pkg/catalog/catalog.h"
#include "pkg/snapshot/snapshot.h"
#include "pkg/thin/file/repair.h"
#include "pkg/thin/open.h"

struct store;

/* Names of pools and containers: letters, digits and _.- after the first. */
enum { STORE_NAME_MAX = 128 };
bool store_is_name(const char *text);

/* When a pool on loop devices is made larger by the commands that use it. */
struct store_autoextend {
	unsigned threshold; /* percent of data or metadata in use; 100 = never */
	unsigned percent;   /* of what it has, that is added */
};

struct store_options {
	const char *root;    /* made when missing */
	const char *run_dir; /* mount points; made when needed. NULL: <root>/run */
	const char *pool;    /* name: [a-zA-Z0-9][a-zA-Z0-9_.-]* */
	enum thin_engine engine;
	const char *verb; /* what is being done, shown to others who wait for the pool */
	unsigned lock_timeout_ms;
	unsigned min_free_data_percent, min_free_metadata_percent; /* the guard */
	struct store_autoextend autoextend;			   /* all zero = never */
};

/* @options: copied. Nothing is locked. Errors: ERR_USAGE (names), ERR_SYSTEM. */
MUST_CHECK int store_open(const struct store_options *options, struct store **ret,
			  struct error *err);
void store_close(struct store *s);
DEFINE_CLEANUP(struct store *, store_close);

const char *store_root(const struct store *s);
const char *store_pool_name(const struct store *s);
const char *store_pool_dir(const struct store *s);
const char *store_spool_dir(const struct store *s);
/*
 * Where mount points of this pool are made: <run dir>/<8 hex of the root's path>/<pool>; several
 * roots can have one run folder. May not exist.
 */
const char *store_run_dir(const struct store *s);
/* Who runs the pool, or would run one that is not made yet. Errors: as thin_engine_choose(). */
MUST_CHECK int store_engine(const struct store *s, struct thin_engine_choice *ret,
			    struct error *err);
/*
 * What becomes of a pool that is not active. An active one is nothing special.
 */
enum store_look {
	STORE_ACTIVATE,	     /* it is activated, where the kernel is to run it */
	STORE_STAY_INACTIVE, /* the same, but one in files is left to the file engine */
	STORE_ONLY_LOOK,     /* and one on block devices is not opened: ERR_UNSUPPORTED */
};
void store_set_look(struct store *s, enum store_look look);

/* Opened when first asked for; borrowed. */
MUST_CHECK int store_content(struct store *s, struct content **ret, struct error *err);

/* --- pool ------------------------------------------------------------------------------------- */

/* Where a new pool is to be. */
enum store_pool_kind {
	STORE_POOL_FILES,   /* in the root folder, for either engine */
	STORE_POOL_LOOP,    /* the same, in the kernel at once */
	STORE_POOL_DEVICE,  /* on block devices of its own */
	STORE_POOL_LVM,	    /* in a volume group that LVM makes on one */
	STORE_POOL_ADOPTED, /* a thin pool that LVM has */
};

struct store_pool_params {
	enum store_pool_kind kind;
	const char *device;	     /* STORE_POOL_DEVICE, STORE_POOL_LVM */
	const char *metadata_device; /* STORE_POOL_DEVICE: may be NULL */
	const char *vg, *lv;	     /* STORE_POOL_ADOPTED */
	bool force;		     /* take devices with something on them */
	uint64_t data_bytes;	     /* 0: 100 GiB, or what the devices have */
	uint64_t metadata_bytes;     /* 0: by the rule */
	uint32_t block_bytes;	     /* 0: 64 KiB; of LVM's 512 KiB */
	uint64_t base_bytes;	     /* 0: 64 GiB */
	uint64_t base_inodes;	     /* 0: one for each 16 KiB */
	bool queue_when_full;	     /* I/O waits for room; else it fails */
	bool no_zero;		     /* blocks have anything in them before they are written */
};

bool store_pool_exists(const struct store *s);
/* Make the pool; undone on failure. Errors: ERR_USAGE, ERR_BUSY (exists; a device in use or with
 * something on it), ERR_NO_SPACE, ERR_UNSUPPORTED (the kernel cannot run it). */
MUST_CHECK int store_pool_create(struct store *s, const struct store_pool_params *params,
				 struct error *err);
/* Give the pool to the kernel, or take it back. Errors: ERR_NOT_FOUND, ERR_UNSUPPORTED, ERR_BUSY (by
 * a writer; a container's device is open; the other engine has it). */
MUST_CHECK int store_pool_activate(struct store *s, struct error *err);
MUST_CHECK int store_pool_deactivate(struct store *s, struct error *err);
/*
 * The pool with all that is in it, its images and its containers. Killed on the way: the next
 * command that writes to any pool of the root finishes it.
 * @force: also while there are containers, mounted or not, and when it cannot be read.
 * Errors: ERR_NOT_FOUND, ERR_BUSY (it has containers; somebody uses it), those of a damaged pool.
 */
MUST_CHECK int store_pool_destroy(struct store *s, bool force, struct error *err);
/* A new total size, or how much is to be added to the present one; 0 = neither. */
struct store_pool_size {
	uint64_t bytes;
	bool add;
};

/*
 * Make the pool larger. New totals are rounded down to whole blocks, what is added is rounded up.
 * The metadata grows along with the data, by the rule of new pools, when nothing is said of it. A
 * pool on devices takes all of these when nothing is said at all.
 * Errors: ERR_NOT_FOUND, ERR_USAGE (smaller than it is, past the format's limit), ERR_NO_SPACE (of
 * metadata to count more data with, or the host has no files so long). All or nothing.
 */
MUST_CHECK int store_pool_extend(struct store *s, const struct store_pool_size *data,
				 const struct store_pool_size *metadata, struct error *err);
/* Errors: ERR_NOT_FOUND (no pool yet). */
MUST_CHECK int store_pool_status(struct store *s, struct thin_pool_status *ret, struct error *err);

/* A session on the pool. Readers never block; a writer waits for others up to the lock timeout. */
MUST_CHECK int store_read(struct store *s, struct snapshots **ret, struct error *err);
MUST_CHECK int store_write(struct store *s, struct snapshots **ret, struct error *err);

/*
 * The guard: refuse when `need` more bytes of data would leave less than the configured part of the
 * pool free, in data or in metadata (what the kernel keeps for itself counts as used), or, of a
 * pool in files, more than the host file system has. What LVM could add by itself does not count:
 * it does so later, and only as long as the volume group has extents. Errors: ERR_NO_SPACE.
 */
MUST_CHECK int store_guard(struct store *s, struct thin_pool *pool, uint64_t need_bytes,
			   struct error *err);

/*
 * Before the guard decides: a pool in files that the kernel runs is extended when it is above the
 * threshold, or would be with the need.
 * @pool: open for reading; it is opened once more, to write. For writing, store_write() has seen to it.
 * Errors: those of opening; that there is no room is a warning.
 */
MUST_CHECK int store_make_room(struct store *s, struct thin_pool *pool, uint64_t need_bytes,
			       struct error *err);

/*
 * Now, not in passing: a pool that is to be extended is, and the kernel is told when to send its
 * event. @s: one that only looks; nothing to do for a pool that is not active, or not ours to extend.
 * Errors: ERR_BUSY, ERR_NO_SPACE (the host), those of growing.
 */
MUST_CHECK int store_pool_autoextend(struct store *s, struct error *err);

/* --- images and containers -------------------------------------------------------------------- */

/*
 * Of this pool: each pool of a root has images of its own, also when they have the same reference.
 * Answers come from the catalog, brought up to date first. Arrays are owned, see pkg/catalog.
 */
MUST_CHECK int store_images(struct store *s, struct catalog_image **ret, size_t *ret_n,
			    struct error *err);
MUST_CHECK int store_containers(struct store *s, struct catalog_container **ret, size_t *ret_n,
				struct error *err);

/*
 * The image a user means: a recorded reference, or one that is the same after normalising.
 * @ref: exact recorded reference, of this pool. Errors: ERR_NOT_FOUND. The image's strings are owned, released by
 * content_images_free(image, 1).
 */
MUST_CHECK int store_find_image(struct store *s, const char *ref, struct content_image **ret,
				struct error *err);

struct store_container_options {
	const char *name; /* NULL: one is made up */
	bool read_only;
	bool temporary; /* only with container_create(), which keeps it from being mended away */
	bool attach;	/* it will be mounted next */
	const struct record_label *labels;
	size_t n_labels;
};

/* @ret_name: owned. Errors: ERR_NOT_FOUND (image), ERR_USAGE (malformed name), ERR_BUSY (name
 * taken), ERR_NO_SPACE (guard). */
MUST_CHECK int store_create_container(struct store *s, const char *ref,
				      const struct store_container_options *options,
				      char **ret_name, struct error *err);
/* Errors: ERR_NOT_FOUND, ERR_BUSY (running; mounted, unless force). */
MUST_CHECK int store_remove_container(struct store *s, const char *name, bool force,
				      struct error *err);
/* Errors: ERR_NOT_FOUND, ERR_USAGE (malformed name), ERR_BUSY (name taken; running, mounted). */
MUST_CHECK int store_rename_container(struct store *s, const char *name, const char *new_name,
				      struct error *err);

/*
 * Record an image under another reference, too. One that stands for another image is moved to this
 * one. @ref: as recorded.   @new_ref: normalised by the caller. Errors: ERR_NOT_FOUND.
 */
MUST_CHECK int store_tag_image(struct store *s, const char *ref, const char *new_ref,
			       struct error *err);

/*
 * Remove an image and the layers that no other image or container needs. Errors: ERR_NOT_FOUND,
 * ERR_BUSY (a container was made from it; names one).
 */
MUST_CHECK int store_remove_image(struct store *s, const char *ref, struct error *err);

/*
 * The volume of a container or of an image's top layer, for reading; of a checked-out container,
 * its file. One whose files were extracted is read as it was in the pool, with a warning.
 * @ret_session: owned, holds the volume; close the volume first. A checked-out container is not
 * changed by others until the store is closed.
 * Errors: ERR_NOT_FOUND, ERR_BUSY (checked out and mounted or running).
 */
MUST_CHECK int store_open_volume(struct store *s, const char *name_or_ref,
				 struct snapshots **ret_session, struct thin_volume **ret,
				 struct error *err);

/* Is this a container's name? (names are looked up before references) */
MUST_CHECK int store_is_container(struct store *s, const char *name, bool *ret, struct error *err);

/* The pool's metadata as XML (pkg/thin/file/dump.h). Errors: ERR_NOT_FOUND, ERR_INCONSISTENT. */
struct thin_dump_sink;
MUST_CHECK int store_pool_dump(struct store *s, bool held, const struct thin_dump_sink *sink,
			       struct error *err);

/* Pool metadata (pkg/thin/file/fsck.h) and record against the pool's ids. */
MUST_CHECK int store_pool_check(struct store *s, struct thin_findings *ret, struct error *err);

/* What a trim did. */
struct store_trim {
	uint64_t free_bytes; /* of the pool, when it began */
	bool in_files;
	uint64_t freed_bytes; /* what its file takes less of the host than before */
};

/*
 * Free data blocks go back to the host, or are discarded on the pool's device, while it is in use.
 * Errors: ERR_NOT_FOUND, ERR_INCONSISTENT (a check finds something: nothing is done then),
 * ERR_UNSUPPORTED (what lies below cannot; a pool of LVM's), ERR_INTERRUPTED. What was done stays.
 */
MUST_CHECK int store_pool_trim(struct store *s, struct store_trim *ret, struct error *err);

/* Of the pool alone, as thin_file_repair(). */
MUST_CHECK int store_pool_repair(struct store *s, bool dry_run, enum thin_repair_outcome *ret,
				 struct thin_findings *ret_found, struct error *err);
