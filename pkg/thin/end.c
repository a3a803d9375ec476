/* SPDX-License-Identifier: Apache-2.0 */
/* Takes a pool away from whoever has it, and then from where it is. */
#include "pkg/thin/end.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/thin/file/lock.h"
#include "pkg/thin/kernel/activate.h"
#include "pkg/thin/kernel/engine.h"
#include "pkg/thin/kernel/make_device.h"
#include "pkg/thin/kernel/make_lvm.h"
#include "pkg/thin/place.h"

/* --- the kernel lets go ----------------------------------------------------------------------- */

/* 1 = there is nothing that could be anywhere: a maker was killed early. */
static int load_place(const char *dir, struct thin_place *ret, struct error *err)
{
	if (thin_place_load(dir, ret, err) == 0)
		return 0;
	if (err->kind != ERR_NOT_FOUND)
		return -1;
	error_clear(err);
	return 1;
}

/* Without a superblock that can be read its devices have no names: then only loops can be found. */
static int let_go_of_files(const char *dir, struct error *err)
{
	cleanup(thin_place_release) struct thin_place place = {0};

	if (thin_kernel_obstacle()) {
		cleanup_free char *meta = xasprintf("%s/meta", dir);
		cleanup_free char *data = xasprintf("%s/data", dir);

		return tf_lock_check_loops(meta, err) < 0 ? -1 : tf_lock_check_loops(data, err);
	}
	if (kernel_place_load(dir, &place, err) == 0)
		return kernel_pool_deactivate(dir, &place, err);
	error_clear(err);
	return kernel_loop_detach(dir, err);
}

static int let_go(const char *dir, const struct thin_place *place, struct error *err)
{
	if (place->kind == THIN_PLACE_FILES)
		return let_go_of_files(dir, err);
	if (thin_kernel_check(err) < 0)
		return -1;
	return kernel_pool_deactivate(dir, place, err);
}

/* --- locks ------------------------------------------------------------------------------------ */

static int lock_files(const char *dir, unsigned timeout_ms, int *ret, struct error *err)
{
	cleanup_free char *meta = xasprintf("%s/meta", dir);
	cleanup_fd int fd = open(meta, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return errno == ENOENT ? 0 : error_sys(err, "open %s", meta);
	if (tf_lock_take(dir, TF_LOCK_OWNER, fd, timeout_ms, err) < 0)
		return -1;
	*ret = steal_fd(&fd);
	return 0;
}

int thin_lock(const char *dir, const char *verb, unsigned timeout_ms, struct thin_lock *ret,
	      struct error *err)
{
	cleanup(thin_place_release) struct thin_place place = {0};
	int status;

	ret->kernel_fd = ret->file_fd = -1;
	if (kernel_lock_take(dir, verb, timeout_ms, &ret->kernel_fd, err) < 0)
		return -1;
	status = load_place(dir, &place, err);
	if (status == 0)
		status = let_go(dir, &place, err);
	if (status >= 0 && lock_files(dir, timeout_ms, &ret->file_fd, err) == 0)
		return 0;
	thin_unlock(dir, ret);
	return -1;
}

void thin_unlock(const char *dir, struct thin_lock *lock)
{
	cleanup_fd_ptr(&lock->file_fd);
	if (lock->kernel_fd >= 0)
		kernel_lock_drop(dir, &lock->kernel_fd);
	lock->kernel_fd = lock->file_fd = -1;
}

/* --- the end ---------------------------------------------------------------------------------- */

int thin_end(const char *dir, struct error *err)
{
	cleanup(thin_place_release) struct thin_place place = {0};
	int status = load_place(dir, &place, err);

	if (status)
		return status < 0 ? -1 : 0;
	if (let_go(dir, &place, err) < 0)
		return -1;
	switch (place.kind) {
	case THIN_PLACE_LVM:
		return thin_lvm_end(dir, &place, err);
	case THIN_PLACE_DEVICE:
		return thin_device_end(&place, err);
	case THIN_PLACE_FILES:
		break;
	}
	return 0;
}
