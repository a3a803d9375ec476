/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that fetches blobs into nameless files, a few ahead of who applies them. */
#include "oci/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/base/interrupt.h"
#include "pkg/base/log.h"

enum {
	FETCH_TRIES = 3,  /* of a blob whose transfer breaks in the middle */
	BACKOFF_MS = 250, /* before the second try, twice that before the third */
	LOOK_MS = 50,	  /* how soon a signal is noticed meanwhile */
};

struct spool {
	char *dir;
	struct source *source;
	const struct oci_descriptor *blobs;
	size_t n;
	spool_progress_fn *progress;
	void *arg;

	pthread_t thread;
	bool running;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int *fds;	/* of blobs fetched and not taken, else -1 */
	size_t fetched; /* blobs done so far */
	size_t taken;
	bool failed;
	atomic_bool stop;
	struct error failure;
};

static int stopped(struct error *err)
{
	return error_set(err, ERR_INTERRUPTED, "stopped");
}

static int copy_stream(struct spool *s, size_t i, struct stream *in, int fd, struct error *err)
{
	uint64_t bytes = 0;
	const uint8_t *data;
	size_t len;
	int status;

	while ((status = stream_peek(in, &data, &len, err)) == 0) {
		if (atomic_load(&s->stop))
			return stopped(err);
		if (interrupt_check(err) < 0 || fdio_write(fd, data, len, s->dir, err) < 0)
			return -1;
		stream_advance(in, len);
		bytes += len;
		s->progress(i, bytes, s->arg);
	}
	if (status < 0)
		return -1;
	return stream_finish(in, err);
}

/* 0, or -1; *ret_broken: the transfer had begun and the network cut it. */
static int try_fetch(struct spool *s, size_t i, int fd, bool *ret_broken, struct error *err)
{
	const struct oci_descriptor *blob = &s->blobs[i];
	cleanup(stream_close_ptr) struct stream *in = NULL;

	*ret_broken = false;
	/* What fails before the first byte has been tried often enough by the source itself. */
	if (source_fetch(s->source, blob, &in, err) < 0)
		return -1;
	if (stream_verify(&in, &blob->digest, blob->size_bytes, "blob", err) == 0
	    && copy_stream(s, i, in, fd, err) == 0)
		return 0;
	*ret_broken = err->kind == ERR_NETWORK;
	return -1;
}

static struct timespec in_ms(long ms)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += ms * 1000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

/* Wait before another try; -1 when nobody wants it any more. */
static int back_off(struct spool *s, long ms, struct error *err)
{
	for (; ms > 0 && !atomic_load(&s->stop); ms -= LOOK_MS) {
		struct timespec end = in_ms(ms < LOOK_MS ? ms : LOOK_MS);

		if (interrupt_check(err) < 0)
			return -1;
		pthread_mutex_lock(&s->lock);
		while (!atomic_load(&s->stop)
		       && pthread_cond_timedwait(&s->changed, &s->lock, &end) == 0)
			;
		pthread_mutex_unlock(&s->lock);
	}
	return atomic_load(&s->stop) ? stopped(err) : 0;
}

/* Another try starts the blob, and its file, from the beginning. */
static int fetch_into(struct spool *s, size_t i, int fd, struct error *err)
{
	for (int tries = 1;; tries++) {
		bool broken;

		if (try_fetch(s, i, fd, &broken, err) == 0)
			return 0;
		if (!broken)
			return -1;
		if (tries == FETCH_TRIES)
			return error_wrap(err, "tried %d times", tries);
		log_debug("spool: %s; trying again", err->cause);
		if (back_off(s, (long)BACKOFF_MS << (tries - 1), err) < 0)
			return -1;
		if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0)
			return error_sys(err, "empty a file in %s", s->dir);
	}
}

static int fetch_blob(struct spool *s, size_t i, int *ret_fd, struct error *err)
{
	cleanup_fd int fd = -1;

	if (fdio_open_nameless(s->dir, &fd, err) < 0 || fetch_into(s, i, fd, err) < 0)
		return -1;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_sys(err, "rewind a file in %s", s->dir);
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* Wait until blob i may be fetched; false = stop. */
static bool wait_for_room(struct spool *s, size_t i)
{
	pthread_mutex_lock(&s->lock);
	while (!atomic_load(&s->stop) && i >= s->taken + SPOOL_AHEAD)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
	return !atomic_load(&s->stop);
}

static void *fetch_all(void *arg)
{
	struct spool *s = arg;

	for (size_t i = 0; i < s->n && wait_for_room(s, i); i++) {
		struct error err = {0};
		int fd = -1;
		int status = fetch_blob(s, i, &fd, &err);

		pthread_mutex_lock(&s->lock);
		if (status < 0) {
			s->failed = true;
			s->failure = err;
		} else {
			s->fds[i] = fd;
			s->fetched++;
		}
		pthread_cond_broadcast(&s->changed);
		pthread_mutex_unlock(&s->lock);
		if (status < 0)
			break;
	}
	return NULL;
}

/* A thread that cannot be had is told by the first spool_take(). Signals are for the main thread. */
static void start_thread(struct spool *s)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&s->thread, NULL, fetch_all, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	s->running = rc == 0;
	if (s->running)
		return;
	s->failed = true;
	errno = rc;
	error_sys(&s->failure, "start a thread");
}

struct spool *spool_open(const char *dir, struct source *source, const struct oci_descriptor *blobs,
			 size_t n, spool_progress_fn *progress, void *arg)
{
	struct spool *s = xcalloc(1, sizeof(*s));

	s->dir = xstrdup(dir);
	s->source = source;
	s->blobs = blobs;
	s->n = n;
	s->progress = progress;
	s->arg = arg;
	s->fds = xcalloc(n + 1, sizeof(*s->fds));
	for (size_t i = 0; i < n; i++)
		s->fds[i] = -1;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	start_thread(s);
	return s;
}

int spool_take(struct spool *s, struct stream **ret, struct error *err)
{
	char name[32];
	size_t i;
	int fd = -1;

	pthread_mutex_lock(&s->lock);
	i = s->taken;
	while (s->fetched <= i && !s->failed)
		pthread_cond_wait(&s->changed, &s->lock);
	if (s->fetched > i) {
		fd = s->fds[i];
		s->fds[i] = -1;
		s->taken++;
		pthread_cond_broadcast(&s->changed);
	} else {
		*err = s->failure;
	}
	pthread_mutex_unlock(&s->lock);
	if (fd < 0)
		return -1;
	snprintf(name, sizeof(name), "spooled blob %zu", i + 1);
	*ret = stream_from_fd(fd, name);
	return 0;
}

void spool_close(struct spool *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	atomic_store(&s->stop, true);
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	if (s->running)
		pthread_join(s->thread, NULL);
	for (size_t i = 0; i < s->n; i++)
		if (s->fds[i] >= 0)
			close(s->fds[i]);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->changed);
	free(s->fds);
	free(s->dir);
	free(s);
}
