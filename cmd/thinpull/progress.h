/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Progress of a pull on standard error: lines for people, on a terminal with one below them that
 * changes, or one JSON event per line.
 */
#pragma once

#include <pthread.h>
#include <stdint.h>

#include "cmd/thinpull/settings.h"
#include "oci/unpack.h"

struct progress {
	enum progress_mode mode;
	bool terminal;		/* plain, and a line can be written over */
	bool status;		/* such a line is showing */
	const char *ref;	/* borrowed */
	pthread_mutex_t lock;	/* events may come from several threads */
	size_t fetching;	/* the last layer that was said to be fetched */
	uint64_t last_fetch_ms; /* when the last fetch event was shown */
};

void progress_init(struct progress *p, const struct settings *settings, const char *ref);
void progress_release(struct progress *p);
#define cleanup_progress cleanup(progress_release)

/* For struct unpack_options; arg is the struct progress. */
void progress_event(const struct unpack_event *event, void *arg);
