/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/patience.h"

#include <time.h>

#include "pkg/base/interrupt.h"
#include "pkg/base/log.h"

enum { WAIT_MAX_MS = 60000, LONG_MS = 3000 };

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void patience_init(struct patience *p, const char *host, unsigned backoff_ms)
{
	p->host = host;
	p->backoff_ms = backoff_ms;
	p->rest_until_ms = 0;
	pthread_mutex_init(&p->lock, NULL);
}

void patience_release(struct patience *p)
{
	pthread_mutex_destroy(&p->lock);
}

static int wait_ms(uint64_t ms, struct error *err)
{
	enum { SLICE_MS = 200 };

	while (ms > 0) {
		uint64_t slice = ms < SLICE_MS ? ms : SLICE_MS;
		struct timespec t = {.tv_nsec = (long)slice * 1000000};

		if (interrupt_check(err) < 0)
			return -1;
		nanosleep(&t, NULL);
		ms -= slice;
	}
	return 0;
}

int patience_rest(struct patience *p, struct error *err)
{
	uint64_t now = now_ms(), until;

	pthread_mutex_lock(&p->lock);
	until = p->rest_until_ms;
	pthread_mutex_unlock(&p->lock);
	return until > now ? wait_ms(until - now, err) : 0;
}

/* A long rest is told, or it looks like a hang; not one that is all but told already. */
static void begin_rest(struct patience *p, uint64_t ms, const struct error *why)
{
	uint64_t until = now_ms() + ms, before;

	pthread_mutex_lock(&p->lock);
	before = p->rest_until_ms;
	if (until > before)
		p->rest_until_ms = until;
	pthread_mutex_unlock(&p->lock);
	if (ms >= LONG_MS && until > before + LONG_MS / 2)
		log_warning("%s asks for a rest of %llu s (%s)", p->host,
			    (unsigned long long)ms / 1000, why->cause);
}

/* Up to a quarter more than is due: many that failed at once shall not come back at once. */
static uint64_t with_jitter(uint64_t ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return ms + (uint64_t)t.tv_nsec / 1000 % (ms / 4 + 1);
}

int patience_wait(struct patience *p, unsigned attempt, unsigned retry_after_s, struct error *err)
{
	uint64_t ms = with_jitter((uint64_t)p->backoff_ms << (attempt < 16 ? attempt : 16));
	uint64_t rest = (uint64_t)retry_after_s * 1000;

	if (rest > WAIT_MAX_MS)
		rest = WAIT_MAX_MS;
	if (rest > 0)
		begin_rest(p, rest, err);
	if (ms < rest)
		ms = rest;
	return wait_ms(ms < WAIT_MAX_MS ? ms : WAIT_MAX_MS, err);
}
