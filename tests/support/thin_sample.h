/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool with every kind of metadata block in it, by the engine: shared nodes, counts of 3 and
 * more, trees of two levels, several bitmaps with a partial last one, a metadata snapshot. For
 * tests that damage it. What is where is found by a walk of its own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkg/thin/file/format.h"
#include "pkg/thin/file/fsck.h"
#include "pkg/thin/file/repair.h"

enum sample_kind {
	SAMPLE_SUPERBLOCK,
	SAMPLE_HELD, /* the copy of the superblock that is a metadata snapshot */
	SAMPLE_INDEX,
	SAMPLE_METADATA_BITMAP,
	SAMPLE_DATA_BITMAP,
	SAMPLE_TOP,
	SAMPLE_MAPPING,
	SAMPLE_DETAILS,
	SAMPLE_DATA_INDEX,
	SAMPLE_METADATA_OVERFLOW,
	SAMPLE_DATA_OVERFLOW,
	SAMPLE_KINDS,
};

struct sample_block {
	uint64_t nr;
	enum sample_kind kind;
	bool internal; /* node */
	uint8_t bytes[TF_BLOCK_BYTES];
};

/* What the devices hold, those of the metadata snapshot last. */
struct sample_content {
	struct sample_mapping {
		uint64_t thin, key, value;
		uint64_t data; /* the first bytes of the data block */
	} * items;
	size_t n, room;
};

struct thin_sample {
	char *dir;
	int meta_fd, data_fd;
	uint64_t meta_bytes, data_bytes;
	const uint8_t *meta, *data; /* the files, mapped */
	struct tf_superblock sb;
	struct sample_block *blocks; /* each once, the superblock first */
	size_t n, room;
};

enum {
	SAMPLE_THINS = 262,	/* more than 252: the top level has an internal root */
	SAMPLE_MAPPED = 600,	/* blocks of device 1: several leaves */
	SAMPLE_HELD_THIN = 270, /* in the metadata snapshot alone */
};

/* @data_blocks: two bitmaps at least, 17000. */
void thin_sample_make(struct thin_sample *s, uint64_t data_blocks);
void thin_sample_release(struct thin_sample *s);

const char *thin_sample_kind_name(enum sample_kind kind);
enum tf_block_type thin_sample_type(enum sample_kind kind);

/* Overwrite a block of the metadata file, as it is. */
void thin_sample_put(struct thin_sample *s, uint64_t nr, const uint8_t *bytes);

/* The strict check of the files as they are. */
void thin_sample_check(struct thin_sample *s, struct thin_findings *ret);
/* Repair of them. @may_write: false = files that refuse to be written, for a repair that must not. */
enum thin_repair_outcome thin_sample_repair(struct thin_sample *s, bool may_write);

/* Of the files as they are, whose trees must be sound. */
void thin_sample_content(const struct thin_sample *s, struct sample_content *ret);
bool thin_sample_content_equal(const struct sample_content *a, const struct sample_content *b);
void thin_sample_content_release(struct sample_content *c);

/* What is in the blocks of the sample now, but for the superblock; owned. */
uint8_t *thin_sample_blocks(const struct thin_sample *s);

const struct sample_block *thin_sample_find(const struct thin_sample *s, uint64_t nr);

/* The blocks of the sample and the lengths of the files, as they were. */
void thin_sample_restore(struct thin_sample *s);
