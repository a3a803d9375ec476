/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locks on bytes of one file, by open file description (fcntl(2), "Open file description locks"):
 * they belong to a descriptor, not to the process, and end with it. Knows no containers, only ids.
 */
#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include "oci/container_internal.h"
#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/base/interrupt.h"

enum {
	POLL_FIRST_MS = 2, /* doubled after each look */
	POLL_LAST_MS = 100,
	RUN_PAUSE_MS = 2, /* for one that is starting or ending */
	RUN_TRIES = 5000,
};

int container_lock_open(struct store *s, bool writable, int *ret_fd, struct error *err)
{
	cleanup_free char *path = xasprintf("%s/lock", s->containers_dir);
	int fd;

	if (writable && fdio_mkdirs(s->containers_dir, err) < 0)
		return -1;
	fd = open(path, writable ? O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW : O_RDONLY | O_CLOEXEC,
		  0600);
	if (fd < 0)
		return error_sys(err, "open %s", path);
	*ret_fd = fd;
	return 0;
}

static struct flock lock_of(uint64_t byte, short type)
{
	return (struct flock){
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)byte,
		.l_len = 1,
	};
}

int container_lock_try(int fd, uint64_t byte, enum container_lock how, struct error *err)
{
	struct flock lock = lock_of(byte, how == CONTAINER_LOCK_SHARED ? F_RDLCK : F_WRLCK);

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return 1;
	return error_sys(err, "lock a container");
}

void container_lock_drop(int fd, uint64_t byte)
{
	struct flock lock = lock_of(byte, F_UNLCK);

	(void)!fcntl(fd, F_OFD_SETLK, &lock);
}

bool container_lock_is_held(int fd, uint64_t byte)
{
	struct flock lock = lock_of(byte, F_WRLCK);

	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

enum container_run container_lock_run(int fd, uint32_t thin_id)
{
	if (!container_lock_is_held(fd, CONTAINER_RUN_BYTES + thin_id))
		return CONTAINER_NO_RUN;
	return container_lock_is_held(fd, CONTAINER_ALIVE_BYTES + thin_id)
		       ? CONTAINER_RUN_ALIVE
		       : CONTAINER_RUN_UNSETTLED;
}

bool container_lock_wait_for_run(int fd, uint32_t thin_id)
{
	static const struct timespec pause = {.tv_nsec = RUN_PAUSE_MS * 1000000L};

	for (unsigned i = 0; i < RUN_TRIES; i++) {
		enum container_run run = container_lock_run(fd, thin_id);

		if (run != CONTAINER_RUN_UNSETTLED)
			return run == CONTAINER_NO_RUN;
		nanosleep(&pause, NULL);
	}
	return false;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Other users are not waited for when they will be there for as long as they like. */
static int check_not_running(int fd, uint64_t byte, const char *name, struct error *err)
{
	if (byte != CONTAINER_MAKERS_BYTE && !container_lock_wait_for_run(fd, (uint32_t)byte))
		return error_set(err, ERR_BUSY, "container %s is running", name);
	return 0;
}

int container_lock_take(struct store *s, int fd, uint64_t byte, enum container_lock how,
			const char *name, struct error *err)
{
	int64_t end = now_ms() + s->lock_timeout_ms;
	long pause_ms = POLL_FIRST_MS;

	for (;;) {
		int64_t left = end - now_ms();
		int status = check_not_running(fd, byte, name, err);
		struct timespec pause;

		if (status == 0)
			status = container_lock_try(fd, byte, how, err);
		if (status <= 0)
			return status;
		if (interrupt_check(err) < 0)
			return -1;
		if (left <= 0)
			return error_set(err, ERR_BUSY,
					 "container %s is being used by another process", name);
		if (pause_ms > left)
			pause_ms = (long)left;
		pause = (struct timespec){.tv_nsec = pause_ms * 1000000};
		nanosleep(&pause, NULL);
		pause_ms = pause_ms * 2 < POLL_LAST_MS ? pause_ms * 2 : POLL_LAST_MS;
	}
}
