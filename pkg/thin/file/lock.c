/* SPDX-License-Identifier: Apache-2.0 */
/* The pool's lock, its owner's name, and the loop devices that a kernel reaches the files by. */
#include "pkg/thin/file/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "pkg/base/timestamp.h"
#include "pkg/base/interrupt.h"
#include "pkg/host/loop.h"

enum {
	OWNER_MAX_BYTES = 256,
	POLL_FIRST_MS = 2, /* doubled after each look */
	POLL_LAST_MS = 100,
};

static char *owner_path(const char *dir, const char *owner)
{
	return xasprintf("%s/%s", dir, owner);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void sleep_ms(long ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&ts, NULL);
}

/* "PID VERB SINCE": the verb is what stands between the first and the last blank. */
static int busy_error(const char *dir, const char *owner, struct error *err)
{
	cleanup_free char *path = owner_path(dir, owner);
	cleanup_buffer struct buffer text = {0};
	struct error ignored = {0};
	char *verb, *since, *s;

	if (fdio_read_file(path, OWNER_MAX_BYTES, &text, &ignored) < 0 || !text.len)
		return error_set(err, ERR_BUSY, "pool %s is in use by another process", dir);
	s = (char *)text.data;
	s[strcspn(s, "\n")] = 0;
	verb = strchr(s, ' ');
	since = strrchr(s, ' ');
	if (!verb || since == verb)
		return error_set(err, ERR_BUSY, "pool %s is in use by process %s", dir, s);
	*verb++ = 0;
	*since++ = 0;
	return error_set(err, ERR_BUSY, "pool %s is in use by process %s (%s) since %s", dir, s,
			 verb, since);
}

static int take(const char *dir, const char *owner, int fd, int operation, unsigned timeout_ms,
		struct error *err)
{
	int64_t end = now_ms() + timeout_ms;
	long pause = POLL_FIRST_MS;

	while (flock(fd, operation | LOCK_NB) < 0) {
		int64_t left = end - now_ms();

		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return error_sys(err, "lock %s", dir);
		if (interrupt_check(err) < 0)
			return -1;
		if (left <= 0)
			return busy_error(dir, owner, err);
		sleep_ms(pause < left ? pause : (long)left);
		pause = pause * 2 < POLL_LAST_MS ? pause * 2 : POLL_LAST_MS;
	}
	return 0;
}

int tf_lock_take(const char *dir, const char *owner, int fd, unsigned timeout_ms, struct error *err)
{
	return take(dir, owner, fd, LOCK_EX, timeout_ms, err);
}

int tf_lock_take_shared(const char *dir, const char *owner, int fd, unsigned timeout_ms,
			struct error *err)
{
	return take(dir, owner, fd, LOCK_SH, timeout_ms, err);
}

bool tf_lock_try_shared(int meta_fd)
{
	return flock(meta_fd, LOCK_SH | LOCK_NB) == 0;
}

void tf_lock_drop(int meta_fd)
{
	flock(meta_fd, LOCK_UN);
}

/* Not synced: after a power cut few need to be told that the owner is gone, see
 * tf_lock_sync_owner(). */
static int write_owner(const char *path, const char *verb, struct error *err)
{
	cleanup_fd int fd = -1;
	cleanup_buffer struct buffer text = {0};
	char since[TIMESTAMP_BYTES];

	buffer_printf(&text, "%ld %.100s %s\n", (long)getpid(), verb, timestamp_now(since));
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return error_sys(err, "create %s", path);
	return fdio_write(fd, text.data, text.len, path, err);
}

int tf_lock_set_owner(const char *dir, const char *owner, const char *verb, bool *ret_dead_owner,
		      struct error *err)
{
	cleanup_free char *path = owner_path(dir, owner);
	bool dead = access(path, F_OK) == 0;

	if (write_owner(path, verb, err) < 0) {
		/* Half a name would be taken for that of a dead owner. */
		if (!dead)
			unlink(path);
		return -1;
	}
	*ret_dead_owner = dead;
	return 0;
}

void tf_lock_forget_owner(const char *dir, const char *owner)
{
	cleanup_free char *path = owner_path(dir, owner);

	unlink(path);
}

int tf_lock_sync_owner(const char *dir, const char *owner, struct error *err)
{
	cleanup_free char *path = owner_path(dir, owner);
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || fdatasync(fd) < 0)
		return error_sys(err, "sync %s", path);
	return fdio_sync_dir(dir, err);
}

int tf_lock_check_loops(const char *name, struct error *err)
{
	char loop[LOOP_PATH_BYTES];
	int status = loop_find(name, loop, err);

	if (status == 0)
		error_set(err, ERR_BUSY, "the kernel engine has the pool: %s is on %s", name, loop);
	if (status == 0)
		return error_set_detail(err, ERR_DETAIL_KERNEL_POOL);
	return status < 0 ? -1 : 0;
}
