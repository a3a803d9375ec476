/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a pool, whoever runs it and whatever state it is in: first nobody else may have it,
 * then all of it goes that is not in its folder.
 */
#pragma once

#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"

/* Keeps others away from a pool, also when its folder is renamed. */
struct thin_lock {
	int kernel_fd, file_fd; /* of either engine, -1: none */
};

/*
 * Wait for those who write to the pool, and keep them and the kernel away until thin_unlock(). The
 * pool is not active any more then. A damaged one is as good as any.
 * Errors: ERR_BUSY (a writer; a device that is open, by its name), ERR_UNSUPPORTED (it needs a
 * kernel that is not there).
 */
MUST_CHECK int thin_lock(const char *dir, const char *verb, unsigned timeout_ms,
			 struct thin_lock *ret, struct error *err);
void thin_unlock(const char *dir, struct thin_lock *lock);

/*
 * What the pool has outside of its folder goes: devices of ours, what is written on disks, volumes
 * that LVM made for it. What is not there any more, or was never made, is fine: it can be done again
 * after a kill. The folder itself is the caller's, its place.json has to be there until this is
 * done. Errors: ERR_BUSY, ERR_UNSUPPORTED.
 */
MUST_CHECK int thin_end(const char *dir, struct error *err);
