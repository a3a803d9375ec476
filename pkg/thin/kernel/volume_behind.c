/* SPDX-License-Identifier: Apache-2.0 */
/* Writes to a node from a thread of its own. */
#include "pkg/thin/kernel/volume_behind.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"

enum { JOBS = 8 };

struct job {
	struct iovec pieces[NODE_MOST_PIECES];
	int n;
	uint64_t offset;
};

struct kernel_behind {
	struct kernel_node *node;
	pthread_t thread;
	bool has_thread;
	struct kernel_node out; /* the thread's: the same node with counts of its own */
	uint64_t submitted;	/* tickets given out */
	uint64_t known_over;	/* over when we last looked */

	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t changed;
	struct job jobs[JOBS]; /* by ticket */
	uint64_t begun;	       /* tickets that the thread may work on */
	uint64_t over;
	bool stop;
	struct error failed;
};

struct kernel_behind *kernel_behind_new(struct kernel_node *node)
{
	struct kernel_behind *b = xcalloc(1, sizeof(*b));

	b->node = node;
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->changed, NULL);
	return b;
}

/* ---- the thread ---- */

static struct job *wait_for_job(struct kernel_behind *b)
{
	struct job *job = NULL;

	pthread_mutex_lock(&b->lock);
	while (b->over == b->begun && !b->stop)
		pthread_cond_wait(&b->changed, &b->lock);
	if (b->over < b->begun)
		job = &b->jobs[b->over % JOBS];
	pthread_mutex_unlock(&b->lock);
	return job;
}

static void end_job(struct kernel_behind *b, const struct error *err)
{
	pthread_mutex_lock(&b->lock);
	b->failed = *err;
	b->over++;
	pthread_cond_signal(&b->changed);
	pthread_mutex_unlock(&b->lock);
}

/* After a failure the rest is passed over. */
static void *run(void *arg)
{
	struct kernel_behind *b = arg;
	struct error err = {0};
	int status = 0;
	struct job *job;

	while ((job = wait_for_job(b)) != NULL) {
		if (status == 0)
			status = kernel_node_write(&b->out, job->pieces, job->n, job->offset, &err);
		end_job(b, &err);
	}
	return NULL;
}

/* Signals are for the program's own thread. Where there is no thread to be had it goes without. */
void kernel_behind_start(struct kernel_behind *b)
{
	sigset_t all, before;

	if (b->has_thread)
		return;
	b->out = *b->node;
	b->out.counts = (struct kernel_volume_counts){0};
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	b->has_thread = pthread_create(&b->thread, NULL, run, b) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* ---- the caller ---- */

/* 0, or -1 and the error of an earlier write. */
static int wait_until(struct kernel_behind *b, uint64_t over, struct error *err)
{
	int status = 0;

	pthread_mutex_lock(&b->lock);
	while (b->over < over)
		pthread_cond_wait(&b->changed, &b->lock);
	b->known_over = b->over;
	if (b->failed.kind != ERR_NONE) {
		*err = b->failed;
		status = -1;
	}
	pthread_mutex_unlock(&b->lock);
	return status;
}

int kernel_behind_write(struct kernel_behind *b, struct iovec *pieces, int n, uint64_t offset,
			uint64_t *ret_ticket, struct error *err)
{
	struct job *job = &b->jobs[b->submitted % JOBS];

	*ret_ticket = 0;
	if (!b->has_thread)
		return kernel_node_write(b->node, pieces, n, offset, err);
	if (wait_until(b, b->submitted < JOBS ? 0 : b->submitted - JOBS + 1, err) < 0)
		return -1;
	memcpy(job->pieces, pieces, (size_t)n * sizeof(*pieces));
	job->n = n;
	job->offset = offset;
	*ret_ticket = ++b->submitted;
	pthread_mutex_lock(&b->lock);
	b->begun = b->submitted;
	pthread_cond_signal(&b->changed);
	pthread_mutex_unlock(&b->lock);
	return 0;
}

bool kernel_behind_is_over(const struct kernel_behind *b, uint64_t ticket)
{
	return ticket <= b->known_over;
}

void kernel_behind_wait(struct kernel_behind *b, uint64_t ticket)
{
	struct error told_later;

	if (b->known_over < ticket)
		(void)!wait_until(b, ticket, &told_later);
}

int kernel_behind_check(struct kernel_behind *b, struct error *err)
{
	return b->has_thread ? wait_until(b, 0, err) : 0;
}

int kernel_behind_drain(struct kernel_behind *b, struct error *err)
{
	int status = b->has_thread ? wait_until(b, b->submitted, err) : 0;

	b->node->counts.writes += b->out.counts.writes;
	b->node->counts.bytes_written += b->out.counts.bytes_written;
	b->out.counts = (struct kernel_volume_counts){0};
	if (b->has_thread)
		b->node->direct &= b->out.direct;
	return status;
}

void kernel_behind_free(struct kernel_behind *b)
{
	if (!b)
		return;
	if (b->has_thread) {
		pthread_mutex_lock(&b->lock);
		b->stop = true;
		pthread_cond_signal(&b->changed);
		pthread_mutex_unlock(&b->lock);
		pthread_join(b->thread, NULL);
	}
	pthread_mutex_destroy(&b->lock);
	pthread_cond_destroy(&b->changed);
	free(b);
}
