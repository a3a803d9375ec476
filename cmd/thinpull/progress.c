/* SPDX-License-Identifier: Apache-2.0 */
/* Each event becomes one line, written at once so that lines of threads do not mix. */
#include "cmd/thinpull/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/thinpull/output.h"
#include "cmd/thinpull/sizes.h"
#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"

#define PROGRESS_FETCH_INTERVAL_MS 100
/* "sha256:" and enough digits to tell layers apart */
#define PROGRESS_DIGEST_CHARS 19

void progress_init(struct progress *p, const struct settings *settings, const char *ref)
{
	memset(p, 0, sizeof(*p));
	p->mode = settings->quiet ? PROGRESS_NONE : settings->progress;
	p->ref = ref;
	pthread_mutex_init(&p->lock, NULL);
	if (p->mode == PROGRESS_AUTO && progress_terminal_is_there())
		p->terminal = progress_terminal_start(ref);
}

void progress_release(struct progress *p)
{
	if (p->terminal)
		progress_terminal_finish(p->terminal);
	pthread_mutex_destroy(&p->lock);
	free(p->fetched_ms);
}

void progress_message(const char *line)
{
	if (!progress_terminal_print(line))
		fprintf(stderr, "%s\n", line);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Several layers are fetched at once, each with a time of its own. */
static uint64_t *fetched_ms(struct progress *p, const struct unpack_event *e)
{
	if (p->n_layers <= e->layer) {
		p->fetched_ms = xrealloc(p->fetched_ms, e->layer + 1, sizeof(*p->fetched_ms));
		while (p->n_layers <= e->layer)
			p->fetched_ms[p->n_layers++] = 0;
	}
	return &p->fetched_ms[e->layer];
}

/* Fetch events come with every read: show the first and last of a layer, and a few each second. */
static bool is_too_soon(struct progress *p, const struct unpack_event *e)
{
	uint64_t now = now_ms(), *last = fetched_ms(p, e);

	if (e->step != UNPACK_FETCH)
		return false;
	if (*last && e->bytes < e->total_bytes && now - *last < PROGRESS_FETCH_INTERVAL_MS)
		return true;
	*last = now;
	return false;
}

static void plain_layer(const struct unpack_event *e, const char *text)
{
	char digest[DIGEST_TEXT_BYTES] = "";

	if (e->digest)
		digest_format(e->digest, digest);
	fprintf(stderr, "layer %zu/%zu %.*s: %s\n", e->layer, e->n_layers, PROGRESS_DIGEST_CHARS,
		digest, text);
}

static void plain_fetch(struct progress *p, const struct unpack_event *e)
{
	char size[SIZE_TEXT_BYTES], text[SIZE_TEXT_BYTES + 16];

	if (*fetched_ms(p, e))
		return;
	*fetched_ms(p, e) = now_ms();
	snprintf(text, sizeof(text), "fetching %s", size_format(e->total_bytes, size));
	plain_layer(e, text);
}

static void plain_event(struct progress *p, const struct unpack_event *e)
{
	switch (e->step) {
	case UNPACK_RESOLVED:
		fprintf(stderr, "%s: %zu layer%s\n", p->ref, e->n_layers,
			e->n_layers == 1 ? "" : "s");
		break;
	case UNPACK_PRESENT:
		plain_layer(e, "here already");
		break;
	case UNPACK_FETCH:
		plain_fetch(p, e);
		break;
	case UNPACK_COMMITTED:
		plain_layer(e, "done");
		break;
	case UNPACK_WAIT:
	case UNPACK_APPLY:
	case UNPACK_DONE:
		break;
	}
}

static void json_event(struct progress *p, const struct unpack_event *e)
{
	static const char *const names[] = {
		[UNPACK_RESOLVED] = "resolve", [UNPACK_PRESENT] = "present",
		[UNPACK_WAIT] = "wait",	       [UNPACK_FETCH] = "fetch",
		[UNPACK_APPLY] = "apply",      [UNPACK_COMMITTED] = "commit",
		[UNPACK_DONE] = "done",
	};
	cleanup_jout struct jout o = {.compact = true};
	char digest[DIGEST_TEXT_BYTES];

	if (is_too_soon(p, e))
		return;
	jout_object(&o, NULL);
	jout_string(&o, "event", names[e->step]);
	jout_string(&o, "ref", p->ref);
	jout_uint(&o, "layers", e->n_layers);
	if (e->digest) {
		jout_uint(&o, "layer", e->layer);
		jout_string(&o, "digest", digest_format(e->digest, digest));
	}
	if (e->step == UNPACK_FETCH)
		jout_uint(&o, "bytes", e->bytes);
	if (e->step == UNPACK_FETCH || e->step == UNPACK_WAIT)
		jout_uint(&o, "total_bytes", e->total_bytes);
	if (e->step == UNPACK_COMMITTED)
		jout_uint(&o, "content_bytes", e->bytes);
	jout_end_object(&o);
	fprintf(stderr, "%s\n", (const char *)o.text.data);
}

void progress_event(const struct unpack_event *event, void *arg)
{
	struct progress *p = arg;

	if (p->mode == PROGRESS_NONE)
		return;
	if (p->terminal) {
		progress_terminal_event(p->terminal, event);
		return;
	}
	pthread_mutex_lock(&p->lock);
	if (p->mode == PROGRESS_JSON)
		json_event(p, event);
	else
		plain_event(p, event);
	pthread_mutex_unlock(&p->lock);
}
