/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One blob on its way, in a file of its own: <dir>/<algorithm>-<hex>-<size>.part. What is there of
 * it is gone on with, whoever fetched it and whenever: its hash is made anew from the file. A large
 * one is fetched as several ranges at once; what is missing are the holes of the file. Who
 * fetches has the file locked (flock), so that a blob is on its way once on a machine; who waits
 * for that takes what the first has brought, or goes on where that one died.
 *
 * A whole file is never written to again, and stays until part_drop().
 */
#pragma once

#include <stdbool.h>

#include "oci/descriptor.h"
#include "oci/source.h"

/*
 * How many transfers there may be is for somebody else to say. One is always allowed; these calls
 * are about more, and come from any thread.
 */
struct part_lines {
	bool (*take)(void *arg);      /* one more may begin now */
	bool (*is_wanted)(void *arg); /* another blob waits for one */
	void (*give_back)(void *arg);
	void *arg;
	uint64_t piece_bytes; /* a multiple of 4096; 0: PART_PIECE_BYTES */
};
#define PART_PIECE_BYTES ((uint64_t)16 << 20)

struct part_watch {
	int (*go_on)(void *arg, struct error *err);  /* -1: stop, and why; from any thread */
	void (*progress)(uint64_t bytes, void *arg); /* there so far, verified or not */
	void *arg;
	const struct part_lines *lines; /* NULL: no second transfer */
};

struct part_got {
	int fd;			/* to be read from the beginning */
	uint64_t fetched_bytes; /* how many came for it now */
};

/*
 * Have a blob whole and verified. A transfer that the network cuts is gone on with, up to three
 * times without much to show for it. When what was there before, or came in pieces, turns out to
 * be wrong, it is fetched once more from the beginning, by one transfer.
 * Errors: those of the source and of go_on(), ERR_VERIFICATION, ERR_NO_SPACE. After ERR_NETWORK,
 * ERR_INTERRUPTED and the like what has come stays; what is wrong, or too much, does not.
 */
MUST_CHECK int part_fetch(const char *dir, struct source *source, const struct oci_descriptor *blob,
			  const struct part_watch *watch, struct part_got *ret, struct error *err);

/* The name of its file. Owned. */
char *part_path(const char *dir, const struct oci_descriptor *blob);

/* It is needed no more, unless somebody else has it locked now. */
void part_drop(const char *dir, const struct oci_descriptor *blob);

enum { PART_MAX_AGE_S = 7 * 86400 };
#define PART_MAX_BYTES ((uint64_t)16 << 30)

/*
 * Remove what nobody has locked and has not been written to for so long; of the rest the oldest,
 * until they have no more bytes than that together. @max_age_s: -1: all.
 */
void part_tidy(const char *dir, long max_age_s, uint64_t max_bytes);
