/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Progress of a pull on standard error: lines for people, on a terminal lines that change
 * (progress_terminal.h), or one JSON event per line (cmd/README.md).
 */
#pragma once

#include <pthread.h>
#include <stdint.h>

#include "cmd/thinpull/progress_terminal.h"
#include "cmd/thinpull/settings.h"
#include "oci/unpack.h"

struct progress {
	enum progress_mode mode;
	struct progress_terminal *terminal; /* NULL: lines */
	const char *ref;		    /* borrowed */
	pthread_mutex_t lock;		    /* events may come from several threads */
	uint64_t *fetched_ms; /* by layer: when it was last said that it is fetched; 0: never */
	size_t n_layers;
};

void progress_init(struct progress *p, const struct settings *settings, const char *ref);
void progress_release(struct progress *p);
#define cleanup_progress cleanup(progress_release)

/* A line on standard error from anywhere, which does not tear what is being shown there. */
void progress_message(const char *line);

/* For struct unpack_options; arg is the struct progress. */
void progress_event(const struct unpack_event *event, void *arg);
