/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of part.h share: part.c has the file, part_transfer.c fills it. */
#pragma once

#include <pthread.h>

#include "oci/part.h"
#include "oci/part_pieces.h"

struct part {
	struct source *source;
	const struct oci_descriptor *blob;
	const struct part_watch *watch;
	char *path;
	int fd;
	struct hash *hash; /* of the first `hashed` bytes */
	uint64_t hashed;
	uint64_t told;	/* how much is there, as was said last */
	bool is_joined; /* of more than one transfer */

	pthread_mutex_t lock; /* of what is below */
	pthread_cond_t changed;
	struct pieces pieces;
	uint64_t fetched; /* bytes that came, whatever became of them */
};

/* -1 when nobody wants it any more. */
int part_go_on(const struct part *p, struct error *err);
int part_wait_ms(const struct part *p, long ms, struct error *err);
void part_tell(struct part *p);
uint64_t part_bytes(struct part *p);

/* The file is empty, and all of it is missing, as one piece. Nobody else may be at it. */
int part_start_over(struct part *p, struct error *err);
/* Go on with the hash as far as the file has no hole. */
int part_hash(struct part *p, struct error *err);

/*
 * Fetch and hash what is missing. A transfer that the network cuts is gone on with.
 * Errors: see part_fetch().
 */
MUST_CHECK int part_transfer(struct part *p, struct error *err);
