/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of struct container and its locks, for container*.c only. */
#pragma once

#include "oci/container.h"
#include "oci/store_internal.h"

struct container {
	struct store *store;
	struct record_entry entry; /* a copy, kept up to date by container_set_place() */
	char *file;		   /* where it is when it is checked out */
	struct snapshots *session; /* by which it was found just now, see store_keep(); or NULL */
	int lock_fd;		   /* byte ID */
	int run_fd;		   /* the byte of a run, or -1 */
	int alive_fd;		   /* that of its command, or -1 */
};

/* --- container_lock.c ------------------------------------------------------------------------- */

enum container_lock {
	CONTAINER_LOCK_SHARED,
	CONTAINER_LOCK_EXCLUSIVE,
};

#define CONTAINER_MAKERS_BYTE UINT64_C(0)
/* Plus the thin id. */
#define CONTAINER_RUN_BYTES   (UINT64_C(1) << 32)
#define CONTAINER_ALIVE_BYTES (UINT64_C(2) << 32)

/* Each descriptor holds locks of its own. For writing the folder and the file are made. */
MUST_CHECK int container_lock_open(struct store *s, bool writable, int *ret_fd, struct error *err);

/* 0, 1 = others hold it, -1. */
MUST_CHECK int container_lock_try(int fd, uint64_t byte, enum container_lock how,
				  struct error *err);

/* Waits up to the lock timeout, but not for a run. @name: of the container. Errors: ERR_BUSY. */
MUST_CHECK int container_lock_take(struct store *s, int fd, uint64_t byte, enum container_lock how,
				   const char *name, struct error *err);
void container_lock_drop(int fd, uint64_t byte);

/* By another descriptor than this one. A lock that cannot be asked for is not held. */
bool container_lock_is_held(int fd, uint64_t byte);

/*
 * The byte of a run is held by its command and by the first process of its namespaces, a second one
 * by the command alone, which takes it when that process is there and cannot inherit it. A command
 * that is killed lets go of the second at once; the process then is killed too, but may need a
 * moment. So whoever finds only the first one waits: the run is starting or ending.
 */
enum container_run {
	CONTAINER_NO_RUN,
	CONTAINER_RUN_UNSETTLED,
	CONTAINER_RUN_ALIVE,
};

enum container_run container_lock_run(int fd, uint32_t thin_id);

/* One that is unsettled is waited for, whatever the lock timeout. False: there is a run. */
bool container_lock_wait_for_run(int fd, uint32_t thin_id);

/* --- container.c ------------------------------------------------------------------------------ */

/* <root>/containers/POOL/ID and what follows: ".ext4", ".new", "". Owned. */
char *container_path(const struct store *s, uint32_t thin_id, const char *suffix);

/* Lets go of the bytes of a run. */
void container_end_run(struct container *c);

/* Durably in the record, and in c. Errors: of the pool. */
MUST_CHECK int container_set_place(struct container *c, enum record_place place, const char *folder,
				   struct error *err);

/*
 * Its file system for reading, from where it is now: the pool or its file; of an extracted one
 * from the pool. @ret_session: as store_open_volume().
 */
MUST_CHECK int container_open_volume(struct container *c, struct snapshots **ret_session,
				     struct thin_volume **ret, struct error *err);

/* A container's file for reading. Errors: ERR_INCONSISTENT (not there, or something else is). */
MUST_CHECK int container_open_raw(const char *file, struct thin_volume **ret, struct error *err);

/*
 * The file system of a container for reading, from where it is now, which stays as it is while
 * *ret_lock_fd is open; there it is -1 when there is no need for that.   @session: for reading, holds
 * the volume of one in the pool.
 * Errors: ERR_BUSY (mounted, running), ERR_NOT_FOUND (it changed meanwhile, look again).
 */
MUST_CHECK int container_open_still(struct store *s, struct snapshots *session,
				    const struct record_entry *e, int *ret_lock_fd,
				    struct thin_volume **ret, struct error *err);

/*
 * A file system that a kernel writes to is not whole; one that nobody may write to always is. What
 * was written to its device is where a reader finds it then. Errors: ERR_BUSY (mounted, running).
 */
MUST_CHECK int container_check_at_rest(struct store *s, const struct record_entry *e,
				       struct error *err);

/* --- ways to a block device ------------------------------------------------------------------- */

/*
 * How the file system of a container becomes a block device: by a file that is checked out and put
 * on a loop device, or as what it is in a pool that the kernel runs. Who changes it holds the
 * container.
 */
struct container_way {
	/* Takes no lock. 0, 1 = it is on no device, -1. @ret: owned. */
	int (*find)(struct store *s, const struct record_entry *e, char **ret, struct error *err);
	/*
	 * There already: nothing to do. @ret: owned.   @ret_new: it was not.
	 * Errors: ERR_UNSUPPORTED (no devices for us; it was extracted).
	 */
	int (*attach)(struct container *c, char **ret, bool *ret_new, struct error *err);
	/* Whoever is about to close it is waited for. Errors: ERR_BUSY. */
	int (*detach)(struct container *c, const char *device, struct error *err);
	/* Where a run finds its files, until they are given back; one of the two, owned. */
	int (*lend)(struct container *c, char **ret_file, char **ret_device, struct error *err);
	int (*give_back)(struct container *c, struct error *err);
};

/* The one of this container. Errors: as store_engine(). */
MUST_CHECK int container_way(struct store *s, const struct record_entry *e,
			     const struct container_way **ret, struct error *err);

extern const struct container_way container_way_loop, container_way_device;

/* ERR_UNSUPPORTED: its files are in a folder. Returns -1. */
int container_is_extracted(const struct container *c, struct error *err);

#define CONTAINER_LENT ".lent" /* behind the id: its device is a run's */

/* What a run that was killed, or has ended, was lent: none is fine. Errors: ERR_BUSY. */
MUST_CHECK int container_take_back(struct store *s, uint32_t thin_id, struct error *err);

/* The loop device of a file. 0, 1 = none, -1. @ret: owned. */
MUST_CHECK int container_find_loop(const char *file, char **ret, struct error *err);

/* --- container_mend.c ------------------------------------------------------------------------- */

/*
 * Remove what stands beside the pool under a thin id and its entry does not name. The caller holds
 * the byte of the id. @e: NULL when there is no such container. What does not go is left.
 */
void container_tidy(struct store *s, uint32_t thin_id, const struct record_entry *e);

/* The folders of this pool in the run folder go when they are empty. */
void container_tidy_run_dir(const struct store *s);
