/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that fetch blobs, a few ahead of who applies them. */
#include "oci/spool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "oci/part.h"
#include "pkg/base/alloc.h"
#include "pkg/base/interrupt.h"

struct spool {
	char *dir;
	struct source *source;
	const struct oci_descriptor *blobs;
	size_t n;
	spool_progress_fn *progress;
	void *arg;

	pthread_t *threads;
	pthread_mutex_t lock; /* of what is below */
	pthread_cond_t changed;
	size_t n_threads;
	struct part_got *got; /* blobs fetched and not taken; of others fd is -1 */
	size_t begun, taken;
	unsigned lines, lines_max; /* transfers under way */
	unsigned waiting;	   /* blobs that could begin, if there were a line */
	struct part_lines more;
	size_t failed_at; /* the first blob that cannot be had; n: none so far */
	struct error failure;
	atomic_bool stop;
};

struct fetching {
	struct spool *spool;
	size_t i;
};

static int go_on(void *arg, struct error *err)
{
	const struct fetching *f = arg;

	if (atomic_load(&f->spool->stop))
		return error_set(err, ERR_INTERRUPTED, "stopped");
	return interrupt_check(err);
}

static void told(uint64_t bytes, void *arg)
{
	const struct fetching *f = arg;

	f->spool->progress(f->i, bytes, f->spool->arg);
}

static int fetch_blob(struct spool *s, size_t i, struct part_got *ret, struct error *err)
{
	struct fetching f = {s, i};
	const struct part_watch watch = {go_on, told, &f, &s->more};

	return part_fetch(s->dir, s->source, &s->blobs[i], &watch, ret, err);
}

/* --- lines ------------------------------------------------------------------------------------ */

/* For a large blob, when no other one can begin with it. */
static bool take_line(void *arg)
{
	struct spool *s = arg;
	bool yes;

	pthread_mutex_lock(&s->lock);
	yes = s->lines < s->lines_max && s->waiting == 0;
	s->lines += yes;
	pthread_mutex_unlock(&s->lock);
	return yes;
}

static bool line_is_wanted(void *arg)
{
	struct spool *s = arg;
	bool yes;

	pthread_mutex_lock(&s->lock);
	yes = s->waiting > 0;
	pthread_mutex_unlock(&s->lock);
	return yes;
}

static void give_line_back(void *arg)
{
	struct spool *s = arg;

	pthread_mutex_lock(&s->lock);
	s->lines--;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

/* --- threads ---------------------------------------------------------------------------------- */

/* The next blob to fetch, when there are room and a line for it; false = none, stop. */
static bool next_blob(struct spool *s, size_t *ret)
{
	bool found = false;

	pthread_mutex_lock(&s->lock);
	while (!found && !atomic_load(&s->stop) && s->begun < s->failed_at) {
		bool has_room = s->begun < s->taken + s->n_threads;

		if (has_room && s->lines < s->lines_max) {
			*ret = s->begun++;
			s->lines++;
			found = true;
			continue;
		}
		s->waiting += has_room;
		pthread_cond_wait(&s->changed, &s->lock);
		s->waiting -= has_room;
	}
	pthread_mutex_unlock(&s->lock);
	return found;
}

/* Of several failures that of the first blob counts: those before it are on their way. */
static void note(struct spool *s, size_t i, const struct part_got *got, const struct error *err)
{
	pthread_mutex_lock(&s->lock);
	s->lines--;
	s->got[i] = *got;
	if (got->fd < 0 && i < s->failed_at) {
		s->failed_at = i;
		s->failure = *err;
	}
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static void *fetch_blobs(void *arg)
{
	struct spool *s = arg;
	size_t i;

	while (next_blob(s, &i)) {
		struct error err = {0};
		struct part_got got = {.fd = -1};

		if (fetch_blob(s, i, &got, &err) < 0)
			got.fd = -1;
		note(s, i, &got, &err);
	}
	return NULL;
}

/* Fewer threads will do; that there is none is told by the first spool_take(). */
static void start_threads(struct spool *s, size_t want)
{
	sigset_t all, before;
	int rc = 0;

	/* Signals are for the main thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_mutex_lock(&s->lock);
	while (s->n_threads < want
	       && (rc = pthread_create(&s->threads[s->n_threads], NULL, fetch_blobs, s)) == 0)
		s->n_threads++;
	if (s->n_threads == 0 && rc != 0) {
		s->failed_at = 0;
		errno = rc;
		error_sys(&s->failure, "start a thread");
	}
	pthread_mutex_unlock(&s->lock);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct spool *spool_open(const char *dir, struct source *source, const struct oci_descriptor *blobs,
			 size_t n, unsigned at_once, spool_progress_fn *progress, void *arg)
{
	struct spool *s = xcalloc(1, sizeof(*s));
	size_t want;

	s->lines_max = at_once ? at_once : SPOOL_AT_ONCE;
	s->more = (struct part_lines){take_line, line_is_wanted, give_line_back, s, 0};
	want = s->lines_max < n ? s->lines_max : n;
	s->dir = xstrdup(dir);
	s->source = source;
	s->blobs = blobs;
	s->n = n;
	s->failed_at = n;
	s->progress = progress;
	s->arg = arg;
	s->got = xcalloc(n + 1, sizeof(*s->got));
	for (size_t i = 0; i < n; i++)
		s->got[i].fd = -1;
	s->threads = xcalloc(want + 1, sizeof(*s->threads));
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	part_tidy(dir, PART_MAX_AGE_S, PART_MAX_BYTES);
	start_threads(s, want);
	return s;
}

int spool_take_file(struct spool *s, int *ret_fd, uint64_t *ret_fetched, struct error *err)
{
	size_t i;
	int fd = -1;

	pthread_mutex_lock(&s->lock);
	i = s->taken;
	while (s->got[i].fd < 0 && s->failed_at > i)
		pthread_cond_wait(&s->changed, &s->lock);
	if (s->got[i].fd >= 0) {
		fd = s->got[i].fd;
		if (ret_fetched)
			*ret_fetched = s->got[i].fetched_bytes;
		s->got[i].fd = -1;
		s->taken++;
		pthread_cond_broadcast(&s->changed);
	} else {
		*err = s->failure;
	}
	pthread_mutex_unlock(&s->lock);
	*ret_fd = fd;
	return fd < 0 ? -1 : 0;
}

int spool_take(struct spool *s, struct stream **ret, uint64_t *ret_fetched, struct error *err)
{
	char name[32];
	int fd;

	if (spool_take_file(s, &fd, ret_fetched, err) < 0)
		return -1;
	snprintf(name, sizeof(name), "spooled blob %zu", s->taken);
	*ret = stream_from_fd(fd, name);
	return 0;
}

char *spool_path(const struct spool *s)
{
	return part_path(s->dir, &s->blobs[s->taken - 1]);
}

void spool_drop(struct spool *s)
{
	part_drop(s->dir, &s->blobs[s->taken - 1]);
}

void spool_close(struct spool *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	atomic_store(&s->stop, true);
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	for (size_t i = 0; i < s->n_threads; i++)
		pthread_join(s->threads[i], NULL);
	for (size_t i = 0; i < s->n; i++)
		if (s->got[i].fd >= 0)
			close(s->got[i].fd);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->changed);
	free(s->threads);
	free(s->got);
	free(s->dir);
	free(s);
}
