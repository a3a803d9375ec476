/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moves the stages below it to a thread of their own, which reads ahead into a ring of slots:
 *
 *     inner ──▶ [full][full][being filled][empty] ──▶ lent to the consumer, without a copy
 *                tail                      head
 *
 * The thread owns the inner stream until it has said "end" or failed; the consumer joins it
 * before it touches the inner stream itself.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/stream/stage.h"

enum { SLOT_MIN_BYTES = 256 * 1024, SLOT_MAX_BYTES = 1024 * 1024, SLOTS_MIN = 2 };

struct slot {
	uint8_t *data;
	size_t len;
	int outcome; /* after the data: 0 = more follows, 1 = end, -1 = failed */
};

struct async_stream {
	struct stream stream;
	struct stream *inner;
	pthread_t thread;
	bool joined;
	struct slot *slots;
	size_t n_slots, slot_bytes;
	struct error failure; /* of the slot whose outcome is -1 */
	bool lent;	      /* consumer only: the slot at tail is in its hands */
	int outcome;	      /* consumer only: of the slot it took last */

	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t changed;
	size_t tail, filled; /* slots tail .. tail+filled-1 are full */
	bool stop;
};

/* The slot to fill next, or NULL when nobody wants more. */
static struct slot *wait_for_empty(struct async_stream *a)
{
	struct slot *slot = NULL;

	pthread_mutex_lock(&a->lock);
	while (a->filled == a->n_slots && !a->stop)
		pthread_cond_wait(&a->changed, &a->lock);
	if (!a->stop)
		slot = &a->slots[(a->tail + a->filled) % a->n_slots];
	pthread_mutex_unlock(&a->lock);
	return slot;
}

static void hand_over(struct async_stream *a)
{
	pthread_mutex_lock(&a->lock);
	a->filled++;
	pthread_cond_signal(&a->changed);
	pthread_mutex_unlock(&a->lock);
}

static bool is_stopped(struct async_stream *a)
{
	bool stop;

	pthread_mutex_lock(&a->lock);
	stop = a->stop;
	pthread_mutex_unlock(&a->lock);
	return stop;
}

static void fill_slot(struct async_stream *a, struct slot *slot)
{
	slot->len = 0;
	slot->outcome = 0;
	while (slot->len < a->slot_bytes && slot->outcome == 0 && !is_stopped(a)) {
		size_t n = 0;

		slot->outcome = stream_read_some(a->inner, slot->data + slot->len,
						 a->slot_bytes - slot->len, &n, &a->failure);
		slot->len += n;
	}
}

static void *async_run(void *arg)
{
	struct async_stream *a = arg;
	struct slot *slot;
	int outcome = 0;

	while (outcome == 0 && (slot = wait_for_empty(a)) != NULL) {
		fill_slot(a, slot);
		outcome = slot->outcome; /* read before the consumer may take the slot */
		hand_over(a);
	}
	return NULL;
}

static struct slot *wait_for_full(struct async_stream *a)
{
	struct slot *slot;

	pthread_mutex_lock(&a->lock);
	if (a->lent) {
		a->tail = (a->tail + 1) % a->n_slots;
		a->filled--;
		pthread_cond_signal(&a->changed);
	}
	while (a->filled == 0)
		pthread_cond_wait(&a->changed, &a->lock);
	slot = &a->slots[a->tail];
	pthread_mutex_unlock(&a->lock);
	a->lent = true;
	return slot;
}

static int async_fill(struct stream *s, const uint8_t **ret, size_t *ret_len, struct error *err)
{
	struct async_stream *a = (struct async_stream *)s;
	struct slot *slot = NULL;

	if (a->outcome == 0) {
		slot = wait_for_full(a);
		a->outcome = slot->outcome;
	}
	if (slot && slot->len > 0) {
		*ret = slot->data;
		*ret_len = slot->len;
		return 0;
	}
	if (a->outcome < 0)
		*err = a->failure;
	return a->outcome;
}

static void join(struct async_stream *a)
{
	if (a->joined)
		return;
	pthread_mutex_lock(&a->lock);
	a->stop = true;
	pthread_cond_signal(&a->changed);
	pthread_mutex_unlock(&a->lock);
	pthread_join(a->thread, NULL);
	a->joined = true;
}

static int async_finish(struct stream *s, struct error *err)
{
	struct async_stream *a = (struct async_stream *)s;

	join(a);
	return stream_finish(a->inner, err);
}

static void async_release(struct stream *s)
{
	struct async_stream *a = (struct async_stream *)s;

	join(a);
	stream_close(a->inner);
	for (size_t i = 0; i < a->n_slots; i++)
		free(a->slots[i].data);
	free(a->slots);
	pthread_cond_destroy(&a->changed);
	pthread_mutex_destroy(&a->lock);
}

/* Signals are for the main thread; the flag they set is seen here, too. */
static int start_thread(struct async_stream *a)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&a->thread, NULL, async_run, a);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

static void make_slots(struct async_stream *a, size_t buffer_bytes)
{
	a->slot_bytes = buffer_bytes / 4;
	if (a->slot_bytes < SLOT_MIN_BYTES)
		a->slot_bytes = SLOT_MIN_BYTES;
	if (a->slot_bytes > SLOT_MAX_BYTES)
		a->slot_bytes = SLOT_MAX_BYTES;
	a->n_slots = buffer_bytes / a->slot_bytes;
	if (a->n_slots < SLOTS_MIN)
		a->n_slots = SLOTS_MIN;
	a->slots = xcalloc(a->n_slots, sizeof(*a->slots));
	for (size_t i = 0; i < a->n_slots; i++)
		a->slots[i].data = xmalloc(a->slot_bytes);
}

int stream_async(struct stream **s, size_t buffer_bytes, struct error *err)
{
	static const struct stream_ops ops = {
		.fill = async_fill,
		.finish = async_finish,
		.release = async_release,
	};
	struct async_stream *a = xcalloc(1, sizeof(*a));
	int rc;

	a->stream.ops = &ops;
	a->inner = steal(s);
	make_slots(a, buffer_bytes);
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->changed, NULL);
	rc = start_thread(a);
	if (rc != 0) {
		a->joined = true;
		stream_close(&a->stream);
		errno = rc;
		return error_sys(err, "start a thread");
	}
	*s = &a->stream;
	return 0;
}
