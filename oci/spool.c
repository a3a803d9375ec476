/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that fetches blobs into nameless files, a few ahead of who applies them. */
#include "oci/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/base/interrupt.h"

struct spool {
	char *dir;
	struct source *source;
	const struct oci_descriptor *blobs;
	size_t n;
	spool_progress_fn *progress;
	void *arg;

	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int *fds;	/* of blobs fetched and not taken, else -1 */
	size_t fetched; /* blobs done so far */
	size_t taken;
	bool failed;
	atomic_bool stop;
	struct error failure;
};

/* A file that vanishes with its descriptor; where O_TMPFILE is not known, made and unlinked. */
static int open_nameless(const char *dir, struct error *err)
{
	cleanup_free char *path = NULL;
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		return fd;
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
		return error_sys(err, "make a file in %s", dir);
	path = xasprintf("%s/blob.XXXXXX", dir);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return error_sys(err, "make %s", path);
	unlink(path);
	return fd;
}

static int copy_stream(struct spool *s, size_t i, struct stream *in, int fd, struct error *err)
{
	uint64_t bytes = 0;
	const uint8_t *data;
	size_t len;
	int status;

	while ((status = stream_peek(in, &data, &len, err)) == 0) {
		if (atomic_load(&s->stop))
			return error_set(err, ERR_INTERRUPTED, "stopped");
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

static int fetch_blob(struct spool *s, size_t i, int *ret_fd, struct error *err)
{
	const struct oci_descriptor *blob = &s->blobs[i];
	cleanup(stream_close_ptr) struct stream *in = NULL;
	cleanup_fd int fd = open_nameless(s->dir, err);

	if (fd < 0 || source_fetch(s->source, blob, &in, err) < 0
	    || stream_verify(&in, &blob->digest, blob->size_bytes, "blob", err) < 0
	    || copy_stream(s, i, in, fd, err) < 0)
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
	if (pthread_create(&s->thread, NULL, fetch_all, s) != 0)
		abort();
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
