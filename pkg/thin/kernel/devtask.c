/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs ioctls through libdevmapper. Its messages are kept for errors and --debug, its own making of
 * nodes is switched off, and its waiting for udevd, which has no end, is not used.
 */
#include "pkg/thin/kernel/devtask.h"

#include <errno.h>
#include <fcntl.h>
#include <libdevmapper.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "pkg/base/interrupt.h"
#include "pkg/base/log.h"
#include "pkg/thin/kernel/devnode.h"

enum {
	UDEV_WAIT_MS = 10000,
	LIBRARY_ERROR = 3, /* its log levels are those of syslog */
	/* Nobody is to open our devices to see what is in them; the library leaves nodes to us. */
	KEEP_OFF = DM_UDEV_DISABLE_DISK_RULES_FLAG | DM_UDEV_DISABLE_OTHER_RULES_FLAG
		   | DM_UDEV_DISABLE_LIBRARY_FALLBACK,
	KEEP_OFF_OURS = KEEP_OFF | DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG,
};

/* The library has one state for the process, so this is that of the process, too. */
static struct {
	pthread_mutex_t lock;
	bool ready;
	bool driver;
	bool udev; /* there, and has answered so far */
	uint64_t ioctls;
	char first_words[192]; /* of the library's errors since the last ioctl */
} process = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void PRINTF_LIKE(5, 6)
	library_says(int level, const char *file, int line, int class, const char *fmt, ...)
{
	char text[sizeof(process.first_words)];
	va_list ap;

	(void)file, (void)line, (void)class;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_debug("libdevmapper: %s", text);
	if ((level & 7) <= LIBRARY_ERROR && !process.first_words[0])
		memcpy(process.first_words, text, sizeof(text));
}

/* A socket that a killed udevd left is there, but nobody listens. */
static bool udevd_listens(void)
{
	static const struct sockaddr_un control = {AF_UNIX, "/run/udev/control"};
	cleanup_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd >= 0
	       && (connect(fd, (const struct sockaddr *)&control, sizeof(control)) == 0
		   || errno == EAGAIN);
}

static void get_ready(void)
{
	if (process.ready)
		return;
	process.ready = true;
	process.driver = devnode_has_driver();
	dm_log_with_errno_init(library_says);
	/* Names are ours, or LVM's, which escapes what the kernel or udev could not bear. */
	dm_set_name_mangling_mode(DM_STRING_MANGLING_NONE);
	process.udev = process.driver && dm_udev_get_sync_support() && udevd_listens();
	if (!process.udev)
		dm_udev_set_sync_support(0);
}

/*
 * The library opens the control node for good, and would hand it to programs that we start. It got
 * the lowest number that was free, so few are looked at.
 */
static void close_control_on_exec(void)
{
	struct stat control, st;

	if (stat(DEVNODE_CONTROL, &control) < 0)
		return;
	for (int fd = 3; fd < 1024; fd++) {
		if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != control.st_rdev)
			continue;
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		return;
	}
}

static struct dm_task *create(int type)
{
	static bool asked;
	struct dm_task *task = dm_task_create(type);

	if (!asked) { /* the first task has asked for the driver's version */
		asked = true;
		process.ioctls++;
		close_control_on_exec();
	}
	return task;
}

static int no_device_mapper(struct error *err)
{
	if (!process.driver)
		return error_set(err, ERR_UNSUPPORTED, "no device-mapper in this kernel");
	return error_set(err, ERR_UNSUPPORTED, "no device-mapper for this process: %s",
			 process.first_words[0] ? process.first_words
						: "its control node did not answer");
}

int devtask_new(int type, const char *uuid, struct dm_task **ret, struct error *err)
{
	struct dm_task *task;
	int r = 0;

	pthread_mutex_lock(&process.lock);
	get_ready();
	process.first_words[0] = '\0';
	/* Without a driver the library makes the control node, which nobody takes away again. */
	task = process.driver ? create(type) : NULL;
	if (task && (!uuid || dm_task_set_uuid(task, uuid)))
		*ret = task;
	else
		r = no_device_mapper(err);
	if (r < 0 && task)
		dm_task_destroy(task);
	pthread_mutex_unlock(&process.lock);
	return r;
}

void devtask_free(struct dm_task *task)
{
	dm_task_destroy(task);
}

static int failed(struct dm_task *task, const char *what, const char *on, struct error *err)
{
	int sys = dm_task_get_errno(task);

	if (sys == 0) /* it did not come to the ioctl */
		return error_set(err, ERR_SYSTEM, "device-mapper: %s %s: %s", what, on,
				 process.first_words);
	errno = sys;
	error_sys(err, "device-mapper: %s %s", what, on);
	if (sys == EBUSY)
		err->kind = ERR_BUSY;
	if (sys == ENXIO)
		err->kind = ERR_NOT_FOUND;
	return -1;
}

/* With the lock held. */
static int run(struct dm_task *task, const char *what, const char *on, struct error *err)
{
	process.first_words[0] = '\0';
	process.ioctls++;
	return dm_task_run(task) ? 0 : failed(task, what, on, err);
}

int devtask_run(struct dm_task *task, const char *what, const char *on, struct error *err)
{
	int r;

	pthread_mutex_lock(&process.lock);
	r = run(task, what, on, err);
	pthread_mutex_unlock(&process.lock);
	return r;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void go_on_without_udev(const char *why)
{
	process.udev = false;
	dm_udev_set_sync_support(0);
	log_warning("%s: going on without it; restart it, or set DM_DISABLE_UDEV=1", why);
}

/*
 * A cookie is a System V semaphore that outlives its process: whatever happens it is waited for to
 * the end, for only that removes it. What udevd did not do is then done by whoever looks for nodes.
 */
static void wait_for_udev(uint32_t cookie)
{
	int64_t end = now_ms() + UDEV_WAIT_MS;
	struct error stop = {0};
	bool late;
	int ready = 0;

	while (dm_udev_wait_immediate(cookie, &ready) && !ready) {
		late = now_ms() > end;
		if (!late && interrupt_check(&stop) == 0) {
			usleep(1000);
			continue;
		}
		/* In udevd's place. When it comes to it later, it finds no cookie. */
		if (!dm_udev_complete(cookie) || !dm_udev_wait_immediate(cookie, &ready))
			log_debug("udev cookie %#x is left", cookie);
		if (late)
			go_on_without_udev("udevd does not answer");
		return;
	}
}

/* LVM's own rules know what is to be done with its devices. */
static uint16_t rules_for(const char *uuid)
{
	return strncmp(uuid, "LVM-", 4) == 0 ? KEEP_OFF : KEEP_OFF_OURS;
}

/* With the lock held. Without a semaphore the rules still get the flags. */
static uint32_t set_cookie(struct dm_task *task, enum devtask_wait wait, uint16_t rules)
{
	uint32_t cookie = 0;

	if (process.udev && wait == DEVTASK_WAIT && dm_task_set_cookie(task, &cookie, rules))
		return cookie;
	if (process.udev && wait == DEVTASK_WAIT)
		go_on_without_udev("no semaphore to wait for udevd with");
	dm_udev_set_sync_support(0);
	cookie = 0;
	(void)dm_task_set_cookie(task, &cookie, rules);
	return 0;
}

int devtask_run_change(struct dm_task *task, enum devtask_wait wait, const char *uuid,
		       const char *what, const char *on, struct error *err)
{
	uint32_t cookie;
	int r;

	pthread_mutex_lock(&process.lock);
	cookie = set_cookie(task, wait, rules_for(uuid));
	r = run(task, what, on, err);
	if (cookie)
		wait_for_udev(cookie);
	if (process.udev)
		dm_udev_set_sync_support(1);
	pthread_mutex_unlock(&process.lock);
	return r;
}

uint64_t devtask_count(void)
{
	uint64_t n;

	pthread_mutex_lock(&process.lock);
	n = process.ioctls;
	pthread_mutex_unlock(&process.lock);
	return n;
}

bool devtask_has_udev(void)
{
	bool udev;

	pthread_mutex_lock(&process.lock);
	get_ready();
	udev = process.udev;
	pthread_mutex_unlock(&process.lock);
	return udev;
}
