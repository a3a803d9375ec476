/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream over memory that lends it in small pieces, each in an allocation of its own: what looks
 * one byte too far or holds on to a piece too long is seen by the address sanitizer.
 */
#pragma once

#include <stdbool.h>

#include "pkg/stream/stage.h"

struct pieces {
	const void *data; /* borrowed */
	size_t len;
	size_t piece;  /* bytes lent at a time */
	bool fails;    /* ERR_NETWORK instead of an end */
	int *finished; /* counts calls of finish(); may be NULL */
	int *released; /* counts calls of release(); may be NULL */
	int finish_rc; /* what finish() returns */
};

struct stream *pieces_stream(const struct pieces *options);
