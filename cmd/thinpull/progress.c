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
#include "pkg/base/cleanup.h"

#define PROGRESS_FETCH_INTERVAL_MS 100
/* "sha256:" and enough digits to tell layers apart */
#define PROGRESS_DIGEST_CHARS 19

#define TERMINAL_CLEAR_LINE "\r\033[K"

static bool can_overwrite(void)
{
	const char *term = getenv("TERM");

	return isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

void progress_init(struct progress *p, const struct settings *settings, const char *ref)
{
	memset(p, 0, sizeof(*p));
	p->mode = settings->progress == PROGRESS_AUTO ? PROGRESS_PLAIN : settings->progress;
	if (settings->quiet)
		p->mode = PROGRESS_NONE;
	p->terminal =
		settings->progress == PROGRESS_AUTO && p->mode == PROGRESS_PLAIN && can_overwrite();
	p->ref = ref;
	pthread_mutex_init(&p->lock, NULL);
}

void progress_release(struct progress *p)
{
	if (p->status)
		fputs(TERMINAL_CLEAR_LINE, stderr);
	pthread_mutex_destroy(&p->lock);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Fetch events come with every read: show the first and last of a layer, and a few each second. */
static bool is_too_soon(struct progress *p, const struct unpack_event *e)
{
	uint64_t now = now_ms();

	if (e->step != UNPACK_FETCH)
		return false;
	if (p->fetching == e->layer && e->bytes < e->total_bytes
	    && now - p->last_fetch_ms < PROGRESS_FETCH_INTERVAL_MS)
		return true;
	p->fetching = e->layer;
	p->last_fetch_ms = now;
	return false;
}

/* What stands in front of every line: the changing line goes. */
static const char *line_start(struct progress *p)
{
	const char *start = p->status ? TERMINAL_CLEAR_LINE : "";

	p->status = false;
	return start;
}

static void plain_layer(struct progress *p, const struct unpack_event *e, const char *text)
{
	char digest[DIGEST_TEXT_BYTES] = "";

	if (e->digest)
		digest_format(e->digest, digest);
	fprintf(stderr, "%slayer %zu/%zu %.*s: %s\n", line_start(p), e->layer, e->n_layers,
		PROGRESS_DIGEST_CHARS, digest, text);
}

static void plain_fetch(struct progress *p, const struct unpack_event *e)
{
	char size[SIZE_TEXT_BYTES], text[SIZE_TEXT_BYTES + 16];

	if (p->fetching == e->layer)
		return;
	p->fetching = e->layer;
	snprintf(text, sizeof(text), "fetching %s", size_format(e->total_bytes, size));
	plain_layer(p, e, text);
}

static void terminal_fetch(struct progress *p, const struct unpack_event *e)
{
	char bytes[SIZE_TEXT_BYTES], total[SIZE_TEXT_BYTES];

	if (is_too_soon(p, e))
		return;
	fprintf(stderr, TERMINAL_CLEAR_LINE "layer %zu/%zu: fetched %s of %s", e->layer,
		e->n_layers, size_format(e->bytes, bytes), size_format(e->total_bytes, total));
	p->status = true;
}

static void plain_event(struct progress *p, const struct unpack_event *e)
{
	switch (e->step) {
	case UNPACK_RESOLVED:
		fprintf(stderr, "%s%s: %zu layer%s\n", line_start(p), p->ref, e->n_layers,
			e->n_layers == 1 ? "" : "s");
		break;
	case UNPACK_PRESENT:
		plain_layer(p, e, "here already");
		break;
	case UNPACK_FETCH:
		if (p->terminal)
			terminal_fetch(p, e);
		else
			plain_fetch(p, e);
		break;
	case UNPACK_COMMITTED:
		plain_layer(p, e, "done");
		break;
	case UNPACK_APPLY:
	case UNPACK_DONE:
		break;
	}
}

static void json_event(struct progress *p, const struct unpack_event *e)
{
	static const char *const names[] = {
		[UNPACK_RESOLVED] = "resolve", [UNPACK_PRESENT] = "present",
		[UNPACK_FETCH] = "fetch",      [UNPACK_APPLY] = "apply",
		[UNPACK_COMMITTED] = "commit", [UNPACK_DONE] = "done",
	};
	cleanup_jout struct jout o = {.compact = true};
	char digest[DIGEST_TEXT_BYTES];

	if (is_too_soon(p, e))
		return;
	jout_object(&o, NULL);
	jout_string(&o, "event", names[e->step]);
	jout_string(&o, "ref", p->ref);
	if (e->layer)
		jout_uint(&o, "layer", e->layer);
	jout_uint(&o, "layers", e->n_layers);
	if (e->digest)
		jout_string(&o, "digest", digest_format(e->digest, digest));
	if (e->step == UNPACK_FETCH) {
		jout_uint(&o, "bytes", e->bytes);
		jout_uint(&o, "total_bytes", e->total_bytes);
	}
	jout_end_object(&o);
	fprintf(stderr, "%s\n", (const char *)o.text.data);
}

void progress_event(const struct unpack_event *event, void *arg)
{
	struct progress *p = arg;

	if (p->mode == PROGRESS_NONE)
		return;
	pthread_mutex_lock(&p->lock);
	if (p->mode == PROGRESS_JSON)
		json_event(p, event);
	else
		plain_event(p, event);
	pthread_mutex_unlock(&p->lock);
}
