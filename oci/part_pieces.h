/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of a blob on its way, as pieces that are fetched each by itself. Nothing else says how
 * much of them is there: what is missing are the holes of the file. So that a hole never begins
 * within a block, a piece is written from its beginning on, in whole blocks, but for its end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"

enum { PIECE_BLOCK_BYTES = 4096 };

struct piece {
	uint64_t end;
	uint64_t at; /* what is before, down to the piece before it, is there */
	bool is_taken;
};

struct pieces {
	struct piece *items;
	size_t n;
};

/*
 * Nothing is there.
 * @piece_bytes: a multiple of PIECE_BLOCK_BYTES; 0, or more than half of all: there is one piece.
 */
void pieces_init(struct pieces *p, uint64_t size_bytes, uint64_t piece_bytes);
void pieces_release(struct pieces *p);

/*
 * What of them is in a file, after pieces_init(). A file system that knows no holes shows a file
 * without any: then zeros pass for content, which the digest will tell.
 */
MUST_CHECK int pieces_find(struct pieces *p, int fd, const char *path, struct error *err);

/* The first that nobody has taken and that is not whole; NULL: none. */
struct piece *pieces_next(struct pieces *p);

/* How much is there; how much from the beginning on, without a hole. */
uint64_t pieces_bytes(const struct pieces *p);
uint64_t pieces_prefix(const struct pieces *p);
