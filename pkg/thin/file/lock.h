/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One writer at a time: flock() on the pool's metadata file, so that the lock dies with its owner.
 * DIR/owner says who: "PID VERB SINCE\n". It is removed before the lock is let go, so one that is
 * found by whoever gets the lock tells of an owner that was killed. The kernel engine's lock is another
 * file, with an owner's name of its own: that of the file engine has to outlive it.
 */
#pragma once

#include <stdbool.h>

#include "pkg/base/error.h"

/* In the folder of a pool. */
#define TF_LOCK_OWNER "owner"

/* Take the lock on an open file, the metadata, waiting so long for its owner. Errors: ERR_BUSY (says
 * who), ERR_INTERRUPTED. */
MUST_CHECK int tf_lock_take(const char *dir, const char *owner, int fd, unsigned timeout_ms,
			    struct error *err);

/* As above, for a look that writers have to wait for and other looks do not. */
MUST_CHECK int tf_lock_take_shared(const char *dir, const char *owner, int fd, unsigned timeout_ms,
				   struct error *err);

/* As above without waiting; and let go. */
bool tf_lock_try_shared(int meta_fd);
void tf_lock_drop(int meta_fd);

/* With the lock held: write down who holds it. @ret_dead_owner: the last owner was killed. */
MUST_CHECK int tf_lock_set_owner(const char *dir, const char *owner, const char *verb,
				 bool *ret_dead_owner, struct error *err);

/* Take the owner's name off. The lock itself goes with the file descriptor. */
void tf_lock_forget_owner(const char *dir, const char *owner);

/* The owner's name is to outlive a power cut, too: what is begun now, the next owner must undo. */
MUST_CHECK int tf_lock_sync_owner(const char *dir, const char *owner, struct error *err);

/* ERR_BUSY when a loop device stands on the file: a kernel may be using the pool. */
MUST_CHECK int tf_lock_check_loops(const char *name, struct error *err);
