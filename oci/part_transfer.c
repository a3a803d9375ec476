/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is missing of a blob, piece by piece. One thread is who wants it: it tries again, decides,
 * hashes and tells. Once a range was answered by that range, others help it, as long as there are
 * lines for them (see part_lines); a helper that fails just goes, its piece is free again.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "oci/part_internal.h"
#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/base/log.h"

enum {
	TRIES = 3,		  /* of a blob whose transfer breaks in the middle */
	BACKOFF_MS = 250,	  /* before the second try, twice that before the third */
	LOOK_MS = 50,		  /* how often somebody who waits looks up */
	PROGRESS_BYTES = 1 << 20, /* a try that brought so much was none in vain */
	BUFFER_BYTES = 256 << 10, /* what is lost of each transfer by a kill */
	HELPERS_MAX = 31,
	HELPERS_LOST_MAX = 8, /* then the rest comes by one transfer */
};

struct crew;

struct helper {
	struct crew *crew;
	pthread_t thread;
	bool is_started, is_done; /* under the part's lock */
};

struct crew {
	struct part *part;
	struct helper helpers[HELPERS_MAX];
	bool may_hire;
	unsigned lost; /* helpers that failed; under the part's lock */
	atomic_bool stop;
};

/* --- one piece -------------------------------------------------------------------------------- */

struct transfer {
	struct crew *crew;
	struct part *part;
	struct piece *piece;
	bool is_helper;
	uint8_t *buffer;
	size_t n;
	uint64_t left; /* of what was asked for */
};

static int go_on(const struct transfer *t, struct error *err)
{
	if (t->is_helper && atomic_load(&t->crew->stop))
		return error_set(err, ERR_INTERRUPTED, "stopped");
	return part_go_on(t->part, err);
}

static struct piece *take_piece(struct part *p, bool *ret_whole)
{
	struct piece *piece;

	pthread_mutex_lock(&p->lock);
	piece = pieces_next(&p->pieces);
	if (piece)
		piece->is_taken = true;
	*ret_whole = pieces_bytes(&p->pieces) == p->blob->size_bytes;
	pthread_mutex_unlock(&p->lock);
	return piece;
}

static void give_piece_back(struct part *p, struct piece *piece)
{
	pthread_mutex_lock(&p->lock);
	piece->is_taken = false;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

/* Whole blocks, or all of it: only the end of a piece may be less than a block. */
static int flush(struct transfer *t, bool all, struct error *err)
{
	struct part *p = t->part;
	size_t len = all ? t->n : t->n - t->n % PIECE_BLOCK_BYTES;
	uint64_t at = t->piece->at;

	if (len == 0)
		return 0;
	if (fdio_pwrite(p->fd, t->buffer, len, at, p->path, err) < 0)
		return -1;
	if (!t->is_helper && p->hashed == at) {
		hash_update(p->hash, t->buffer, len);
		p->hashed += len;
	}
	memmove(t->buffer, t->buffer + len, t->n - len);
	t->n -= len;
	pthread_mutex_lock(&p->lock);
	t->piece->at += len;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	if (!t->is_helper)
		part_tell(p);
	return 0;
}

static void hire(struct crew *c);

static int put(struct transfer *t, const uint8_t *data, size_t len, struct error *err)
{
	while (len > 0) {
		size_t n = BUFFER_BYTES - t->n < len ? BUFFER_BYTES - t->n : len;

		memcpy(t->buffer + t->n, data, n);
		t->n += n;
		data += n;
		len -= n;
		if (t->n < BUFFER_BYTES)
			break;
		if (flush(t, false, err) < 0)
			return -1;
		if (!t->is_helper)
			hire(t->crew);
	}
	/* One piece has no hole, wherever it ends: what has come is kept, and told, as it comes. */
	return t->part->pieces.n == 1 ? flush(t, true, err) : 0;
}

static int copy_all(struct transfer *t, struct stream *in, struct error *err)
{
	const uint8_t *data;
	size_t len;
	int status;

	while ((status = stream_peek(in, &data, &len, err)) == 0) {
		if (go_on(t, err) < 0)
			return -1;
		pthread_mutex_lock(&t->part->lock);
		t->part->fetched += len;
		pthread_mutex_unlock(&t->part->lock);
		if (len > t->left)
			return error_set(err, ERR_VERIFICATION,
					 "blob has more than the expected %llu bytes",
					 (unsigned long long)t->part->blob->size_bytes);
		if (put(t, data, len, err) < 0)
			return -1;
		stream_advance(in, len);
		t->left -= len;
	}
	return status < 0 ? -1 : stream_finish(in, err);
}

/* What has come is kept, however the transfer ends. */
static int copy(struct transfer *t, struct stream *in, struct error *err)
{
	struct error ignored = {0};
	bool is_end;
	int rc;

	t->buffer = xmalloc(BUFFER_BYTES);
	rc = copy_all(t, in, err);
	is_end = t->piece->at + t->n == t->piece->end || t->part->pieces.n == 1;
	if (flush(t, is_end, rc < 0 ? &ignored : err) < 0)
		rc = -1;
	free(t->buffer);
	return rc;
}

static void dismiss(struct crew *c);

/* The source gives all or nothing: then all, by this transfer alone. */
static int begin_whole(struct transfer *t, struct error *err)
{
	struct part *p = t->part;

	if (t->is_helper)
		return error_set(err, ERR_UNSUPPORTED, "no range");
	dismiss(t->crew);
	if (part_start_over(p, err) < 0)
		return -1;
	t->piece = p->pieces.items;
	t->piece->is_taken = true;
	return 0;
}

/*
 * What is missing of a piece, which is free again afterwards. 0, or -1; *ret_broken: the transfer
 * had begun and the network cut it.
 */
static int fetch_piece(struct transfer *t, bool *ret_broken, struct error *err)
{
	cleanup(stream_close_ptr) struct stream *in = NULL;
	struct part *p = t->part;
	struct byte_range want = {t->piece->at, t->piece->end - t->piece->at}, got = want;
	int rc;

	*ret_broken = false;
	/* What fails before the first byte has been tried often enough by the source itself. */
	rc = source_fetch_range(p->source, p->blob, &got, &in, err);
	if (rc == 0 && got.bytes != want.bytes)
		rc = begin_whole(t, err);
	if (rc == 0) {
		t->left = got.bytes;
		if (!t->is_helper && p->pieces.n > 1) {
			p->is_joined = true;
			t->crew->may_hire = true;
			hire(t->crew);
		}
		rc = copy(t, in, err);
		*ret_broken = rc < 0 && err->kind == ERR_NETWORK;
		if (rc == 0 && t->left > 0)
			rc = error_set(err, ERR_VERIFICATION,
				       "blob has only %llu bytes, %llu are expected",
				       (unsigned long long)(got.offset + got.bytes - t->left),
				       (unsigned long long)p->blob->size_bytes);
	}
	give_piece_back(p, t->piece);
	return rc;
}

/* --- helpers ---------------------------------------------------------------------------------- */

static int help(struct crew *c, struct error *err)
{
	const struct part_lines *lines = c->part->watch->lines;
	int rc = 0;

	while (rc == 0 && !atomic_load(&c->stop) && !lines->is_wanted(lines->arg)) {
		struct transfer t = {.crew = c, .part = c->part, .is_helper = true};
		bool whole, broken;

		t.piece = take_piece(c->part, &whole);
		if (!t.piece)
			break;
		rc = fetch_piece(&t, &broken, err);
	}
	return rc;
}

static void *run_helper(void *arg)
{
	struct helper *h = arg;
	struct part *p = h->crew->part;
	struct error err = {0};
	int rc = help(h->crew, &err);

	if (rc < 0)
		log_debug("spool: %s: one transfer less: %s", p->path, err.cause);
	p->watch->lines->give_back(p->watch->lines->arg);
	pthread_mutex_lock(&p->lock);
	h->is_done = true;
	h->crew->lost += rc < 0;
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* Is there something to help with, and one who may? */
static struct helper *idle_helper(struct crew *c)
{
	struct part *p = c->part;
	struct helper *found = NULL;

	pthread_mutex_lock(&p->lock);
	if (pieces_next(&p->pieces) && c->lost < HELPERS_LOST_MAX)
		for (size_t i = 0; i < HELPERS_MAX && !found; i++)
			if (!c->helpers[i].is_started || c->helpers[i].is_done)
				found = &c->helpers[i];
	pthread_mutex_unlock(&p->lock);
	return found;
}

static void join(struct helper *h)
{
	if (h->is_started)
		pthread_join(h->thread, NULL);
	h->is_started = h->is_done = false;
}

/* As many as there are lines for; none is needed. */
static void hire(struct crew *c)
{
	const struct part_lines *lines = c->part->watch->lines;
	struct helper *h;
	sigset_t all, before;

	while (c->may_hire && lines && (h = idle_helper(c)) && lines->take(lines->arg)) {
		join(h);
		h->crew = c;
		/* Signals are for the main thread. */
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before);
		h->is_started = pthread_create(&h->thread, NULL, run_helper, h) == 0;
		pthread_sigmask(SIG_SETMASK, &before, NULL);
		if (!h->is_started) {
			c->may_hire = false;
			lines->give_back(lines->arg);
		}
	}
}

static void dismiss(struct crew *c)
{
	c->may_hire = false;
	atomic_store(&c->stop, true);
	for (size_t i = 0; i < HELPERS_MAX; i++)
		join(&c->helpers[i]);
	atomic_store(&c->stop, false);
}

/* --- all of them ------------------------------------------------------------------------------ */

/* A piece to fetch: 0; 1: all are there; -1. Waits for helpers that are at the last ones. */
static int await_piece(struct part *p, struct piece **ret, struct error *err)
{
	bool whole;

	while (!(*ret = take_piece(p, &whole)) && !whole) {
		struct timespec t;

		if (part_go_on(p, err) < 0 || part_hash(p, err) < 0)
			return -1;
		part_tell(p);
		clock_gettime(CLOCK_REALTIME, &t);
		t.tv_nsec += LOOK_MS * 1000000L;
		t.tv_sec += t.tv_nsec / 1000000000L;
		t.tv_nsec %= 1000000000L;
		pthread_mutex_lock(&p->lock);
		pthread_cond_timedwait(&p->changed, &p->lock, &t);
		pthread_mutex_unlock(&p->lock);
	}
	return *ret ? 0 : 1;
}

static int fetch_missing(struct crew *c, struct error *err)
{
	struct part *p = c->part;
	int tries = 1, rc;
	struct piece *piece;

	while ((rc = await_piece(p, &piece, err)) == 0) {
		struct transfer t = {.crew = c, .part = p, .piece = piece};
		uint64_t had = part_bytes(p);
		bool broken;

		if (fetch_piece(&t, &broken, err) == 0) {
			if (part_hash(p, err) < 0)
				return -1;
			continue;
		}
		if (!broken)
			return -1;
		if (part_bytes(p) >= had + PROGRESS_BYTES)
			tries = 1;
		if (tries == TRIES)
			return error_wrap(err, "tried %d times", tries);
		log_debug("spool: %s; going on at %llu", err->cause,
			  (unsigned long long)part_bytes(p));
		error_clear(err);
		p->is_joined = part_bytes(p) > 0;
		if (part_wait_ms(p, (long)BACKOFF_MS << (tries - 1), err) < 0)
			return -1;
		tries++;
	}
	if (rc < 0)
		return -1;
	part_tell(p);
	return part_hash(p, err);
}

int part_transfer(struct part *p, struct error *err)
{
	struct crew *c = xcalloc(1, sizeof(*c));
	int rc;

	c->part = p;
	rc = fetch_missing(c, err);
	dismiss(c);
	free(c);
	return rc;
}
