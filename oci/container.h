/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container between the pool and whoever uses its files. In a pool that the kernel runs it is a
 * block device as it is. On the file engine a kernel cannot mount a volume of the pool, so the first
 * use as root checks it out: into a sparse file, from then on the container's store on whichever
 * engine, on a loop device. An ordinary user gets a folder.
 *
 *   <root>/containers/POOL/lock      bytes of it are locked, see below; not empty once one was run
 *   <root>/containers/POOL/ID.ext4   the file of thin id ID
 *   <root>/containers/POOL/ID.new    one that is being made
 *   <root>/containers/POOL/ID.lent   its device is that of a run
 *   <root>/containers/POOL/ID/       the bundle of `run` by an ordinary user
 *   <root>/containers/POOL/ID.bundle a bundle that is being made, see oci/bundle_dir.h
 *   <run dir>/ROOT/POOL/NAME         mount point of `mount` without a folder (store_run_dir())
 *
 *   ready ──check out──▶ checked_out ──▶ attached ──▶ mounted     (root, file engine)
 *     ├──────────────────────────────────▶ attached ──▶ mounted     (root, kernel engine)
 *     └────extract─────▶ extracted                                (ordinary user)
 *
 * Byte ID of the lock file (OFD locks, fcntl(2)) is held by whoever changes what is above, byte
 * 2^32 + ID and 2^33 + ID by the processes of a `run`: they end with their holders, so what nobody
 * holds and the record does not name was left by a killed command, and the next one removes it. A
 * reader of ID.ext4 shares byte ID. Byte 0 is shared by makers of temporary containers until these
 * are held by their own bytes.
 *
 * Locks are taken in this order: byte 0, byte ID, the pool's.
 */
#pragma once

#include "oci/store.h"
#include "pkg/base/cleanup.h"

enum container_status {
	CONTAINER_READY,       /* in the pool */
	CONTAINER_CHECKED_OUT, /* in its file */
	CONTAINER_ATTACHED,    /* a block device */
	CONTAINER_MOUNTED,
	CONTAINER_RUNNING, /* a `run` holds it */
	CONTAINER_EXTRACTED,
};
/* "ready", "checked_out", ... */
const char *container_status_name(enum container_status status);

struct container_state {
	enum container_status status;
	char *file;	     /* of a checked-out one */
	char *device;	     /* /dev/loopN or /dev/mapper/..., when attached */
	char *mount_point;   /* the first */
	char *folder;	     /* of an extracted one */
	uint64_t used_bytes; /* of the file on the host; 0: see the pool */
};

/* What it is at this moment; takes no lock. @e: of the record. */
MUST_CHECK int container_state(struct store *s, const struct record_entry *e,
			       struct container_state *ret, struct error *err);
void container_state_release(struct container_state *st);

/* The container that is mounted on this folder. @ret_name: owned. Errors: ERR_NOT_FOUND. */
MUST_CHECK int containers_find_mount(struct store *s, const char *dir, char **ret_name,
				     struct error *err);

/* One that this process has to itself. */
struct container;

/*
 * Waits up to the lock timeout for others that change it. Errors: ERR_NOT_FOUND; ERR_BUSY, at once
 * when it is running.
 */
MUST_CHECK int container_open(struct store *s, const char *name, struct container **ret,
			      struct error *err);

/*
 * store_create_container() and container_open(), with nothing between them: a temporary container
 * that nobody holds is taken for one whose command was killed. Errors: of both.
 */
MUST_CHECK int container_create(struct store *s, const char *ref,
				const struct store_container_options *options,
				struct container **ret, struct error *err);
void container_close(struct container *c);
DEFINE_CLEANUP(struct container *, container_close);

/* As the record has it, with what was done through c. */
const struct record_entry *container_entry(const struct container *c);

/*
 * A run is about to start: others wait for what becomes of it. Until the container is closed.
 * container_set_alive() has to follow, once the first process of the run is there and cannot
 * inherit the lock: then others are told "running", until this process ends, however that happens.
 */
MUST_CHECK int container_set_running(struct container *c, struct error *err);
MUST_CHECK int container_set_alive(struct container *c, struct error *err);

/*
 * Of a running one: the first process of the run keeps this file open, and no other one does. As
 * long as it lives others wait for its end before they touch what is its.
 */
int container_running_fd(const struct container *c);

/*
 * Its file is there and the record names it. Errors: ERR_NO_SPACE (host), ERR_UNSUPPORTED (it was
 * extracted).
 */
MUST_CHECK int container_check_out(struct container *c, struct error *err);
/* NULL unless it is checked out. */
const char *container_file(const struct container *c);

/* A block device that stays. @ret_device: owned. Errors: ERR_UNSUPPORTED. */
MUST_CHECK int container_attach(struct container *c, char **ret_device, struct error *err);

/*
 * For the time of a run by root: its file, which then is checked out, or its device. One of the two
 * is set, owned. What is lent to a run that is killed is taken back by the next command.
 */
MUST_CHECK int container_lend(struct container *c, char **ret_file, char **ret_device,
			      struct error *err);
/* The run has ended. Errors: ERR_BUSY; the next command tries again. */
MUST_CHECK int container_give_back(struct container *c, struct error *err);

/*
 * Where it is mounted when no folder is named. Owned, may not exist. Whoever makes this folder
 * while he holds the container need not care for its end: an empty one goes with the next command.
 */
char *container_mount_point(const struct container *c);
/* @ret: owned. */
MUST_CHECK int container_make_mount_point(const struct container *c, char **ret, struct error *err);
/* One that is mounted on stays. */
void container_remove_mount_point(const struct container *c);

/*
 * Attached, and mounted. @dir: NULL for container_mount_point(); made when missing. Mounted there
 * already: nothing to do. @ret_dir: owned. Errors: ERR_UNSUPPORTED, ERR_BUSY.
 */
MUST_CHECK int container_mount(struct container *c, const char *dir, char **ret_dir,
			       struct error *err);

/* All its mounts and the device go. Errors: ERR_BUSY (in use), with what was not done left as is. */
MUST_CHECK int container_unmount(struct container *c, struct error *err);

/*
 * Extract into an empty folder of the caller's, and write down where; a checked-out one stays in
 * its file. What could not be kept is warned about, see pkg/ext4/extract.h. @dir: absolute; a
 * folder around it keeps others from setuid files that are the caller's now.
 * Errors: ERR_USAGE (not empty), ERR_BUSY (mounted), ERR_NO_SPACE; what is in dir is the caller's to
 * remove then.
 */
MUST_CHECK int container_extract(struct container *c, const char *dir, struct error *err);

/* Where `run` of an ordinary user may put its bundle: absolute, owned, not made yet. */
char *container_private_dir(const struct container *c);

/* Where a bundle of it is noted while it is being made, see oci/bundle_dir.h. Owned. */
char *container_bundle_intent(const struct container *c);

/* Remove it: unmounted, from the record, then its file. Errors: ERR_BUSY (mounted, unless force). */
MUST_CHECK int container_remove(struct container **c, bool force, struct error *err);

/*
 * Remove what killed commands left in this pool; called by every command that opens a store. What
 * cannot be removed now is left to the next one: the only error is ERR_INTERRUPTED.
 */
MUST_CHECK int containers_mend(struct store *s, struct error *err);
