/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool watch: in the foreground, until a signal ends it. Sleeps on events of the pool, extends it,
 * and says what happens to it, a line for each event.
 */
#include "cmd/thinpull/command.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/output.h"
#include "cmd/thinpull/pool_report.h"
#include "cmd/thinpull/report.h"
#include "cmd/thinpull/sizes.h"
#include "pkg/base/alloc.h"
#include "pkg/base/interrupt.h"
#include "pkg/base/timestamp.h"

enum {
	LOOK_MS = 10 * 1000, /* without an event: metadata that fill up send none in time */
	AWAY_MS = 2 * 1000,  /* between looks at a pool that is not active */
	SLICE_MS = 100,	     /* how soon a signal is noticed then */
};

struct watch {
	const struct context *context;
	struct store *store;
	bool began, active;
	char mode[32];
	uint64_t data_bytes, metadata_bytes;
	struct error trouble; /* what was said last of extending it */
};

/* --- what is said ----------------------------------------------------------------------------- */

static void say_json(const struct watch *w, const char *event, const struct store_facts *f,
		     const char *text)
{
	cleanup_jout struct jout o = {.compact = true};
	char now[TIMESTAMP_BYTES];

	jout_object(&o, NULL);
	jout_string(&o, "time", timestamp_now(now));
	jout_string(&o, "event", event);
	jout_string(&o, "text", text);
	if (f)
		pool_report(&o, "pool", w->context, w->store, f);
	else
		jout_string(&o, "pool", NULL);
	jout_end_object(&o);
	output_json(&o);
}

/* @f: NULL of a pool that is not active. */
static void say(const struct watch *w, const char *event, const struct store_facts *f,
		const char *text)
{
	char now[TIMESTAMP_BYTES];

	if (w->context->settings->json)
		say_json(w, event, f, text);
	else
		output_line("%s pool %s: %s", timestamp_now(now), store_pool_name(w->store), text);
	fflush(stdout);
}

static void say_mode(const struct watch *w, const struct store_facts *f)
{
	const char *hint = pool_report_hint(f);
	cleanup_free char *text = hint ? xasprintf("mode %s (%s)", pool_report_mode(f), hint)
				       : xasprintf("mode %s", pool_report_mode(f));

	say(w, "mode", f, text);
}

static void say_extended(const struct watch *w, const struct store_facts *f)
{
	char data[SIZE_TEXT_BYTES], metadata[SIZE_TEXT_BYTES];
	cleanup_free char *text = xasprintf(
		"extended, has %s of data and %s of metadata now",
		size_format(report_data_bytes(&f->status, f->status.data_total_blocks), data),
		size_format(report_metadata_bytes(f->status.metadata_total_blocks), metadata));

	say(w, "extended", f, text);
}

/* Once, however often it is met. */
static void say_trouble(struct watch *w, const struct store_facts *f, const struct error *err)
{
	cleanup_free char *text = xasprintf("not extended: %s", err->cause);

	if (strcmp(w->trouble.cause, err->cause) != 0)
		say(w, "not_extended", f, text);
	w->trouble = *err;
}

/* --- one look --------------------------------------------------------------------------------- */

static void note(struct watch *w, const struct store_facts *f)
{
	uint64_t data = report_data_bytes(&f->status, f->status.data_total_blocks);
	uint64_t metadata = report_metadata_bytes(f->status.metadata_total_blocks);

	if (!w->active)
		say(w, "watching", f, "watching");
	else if (f->has_status && (data > w->data_bytes || metadata > w->metadata_bytes))
		say_extended(w, f);
	if (strcmp(w->mode, pool_report_mode(f)) != 0 && (w->active || pool_report_hint(f)))
		say_mode(w, f);
	snprintf(w->mode, sizeof(w->mode), "%s", pool_report_mode(f));
	w->data_bytes = data;
	w->metadata_bytes = metadata;
	w->active = true;
}

static int look(struct watch *w, struct error *err)
{
	cleanup(store_facts_release) struct store_facts before = {0}, facts = {0};
	struct error trouble = {0};

	if (store_facts_load(w->store, &before, err) < 0)
		return -1;
	note(w, &before);
	if (store_pool_autoextend(w->store, &trouble) == 0)
		error_clear(&w->trouble);
	if (store_facts_load(w->store, &facts, err) < 0)
		return -1;
	note(w, &facts);
	if (trouble.kind == ERR_INTERRUPTED)
		*err = trouble;
	else if (trouble.kind != ERR_NONE)
		say_trouble(w, &facts, &trouble);
	return trouble.kind == ERR_INTERRUPTED ? -1 : 0;
}

/* --- on and on -------------------------------------------------------------------------------- */

static int wait_until_active(struct watch *w, struct error *err)
{
	if (w->active || !w->began)
		say(w, "inactive", NULL,
		    w->active ? "is not active any more; waiting until it is again"
			      : "is not active; waiting until it is");
	w->active = false;
	for (int ms = 0; ms < AWAY_MS; ms += SLICE_MS) {
		if (interrupt_check(err) < 0)
			return -1;
		usleep(SLICE_MS * 1000);
	}
	return 0;
}

static int watch_once(struct watch *w, struct error *err)
{
	uint32_t events;

	if (thin_kernel_events(store_pool_dir(w->store), &events, err) < 0)
		return -1;
	/* What happens from here on is another number. */
	if (look(w, err) < 0)
		return -1;
	return thin_kernel_wait(store_pool_dir(w->store), events, LOOK_MS, err) < 0 ? -1 : 0;
}

static int watch(struct watch *w, struct error *err)
{
	for (;; w->began = true) {
		if (watch_once(w, err) == 0)
			continue;
		if (err->kind != ERR_NOT_FOUND || !store_pool_exists(w->store))
			return -1;
		error_clear(err);
		if (wait_until_active(w, err) < 0)
			return -1;
	}
}

int cmd_pool_watch(const struct context *context, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;
	struct watch w = {.context = context};

	if (thin_kernel_check(err) < 0 || context_open_root(context, &store, err) < 0)
		return error_wrap(err, "pool watch");
	if (!store_pool_exists(store)) {
		error_set(err, ERR_NOT_FOUND, "there is no pool %s in %s", store_pool_name(store),
			  store_root(store));
		return error_wrap(err, "pool watch");
	}
	store_set_look(store, STORE_ONLY_LOOK);
	w.store = store;
	(void)!watch(&w, err);
	/* That is how it is meant to end. */
	if (err->kind == ERR_INTERRUPTED) {
		say(&w, "end", NULL, "not watched any more");
		error_clear(err);
		return 0;
	}
	return error_wrap(err, "pool watch");
}
