/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Damage to thin metadata, one field of one block at a time with the checksum put right again, for
 * the tests of the strict check. What thin_check 0.9 does not see is run through it as well: that
 * is the reason for a check of our own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/support/thin_image.h"

enum place {
	NOWHERE,
	SUPER,
	TOP_ROOT, /* internal */
	TOP_LEAF,
	BIG_ROOT, /* mappings of device 0, internal */
	BIG_LEAF,
	SMALL_ROOT, /* mappings of device 1, a single leaf */
	DETAILS_ROOT,
	DETAILS_LEAF,
	DATA_INDEX,
	DATA_BITMAP,
	DATA_LAST_BITMAP,
	DATA_OVERFLOW,
	META_INDEX,
	META_BITMAP,
	META_OVERFLOW,
};

enum change {
	SET,
	ADD,
	POINT, /* to the block of another place */
	MAP,   /* add to the data block of a mapping value */
	TIME,  /* set the time of a mapping value */
};

enum {
	BLIND = 1,    /* thin_check 0.9 finds nothing */
	KEEP_SUM = 2, /* do not seal again */
};

struct fsck_damage {
	enum place place;
	unsigned offset, width;
	enum change change;
	uint64_t value;
	const char *kind;
	unsigned flags;
};

/* Where key and value i of a node with values of that size are. */
#define KEY(i)	    (32 + 8 * (i))
#define VALUE4(i)   (32 + 8 * 336 + 4 * (i))
#define VALUE8(i)   (32 + 8 * 252 + 8 * (i))
#define VALUE16(i)  (32 + 8 * 168 + 16 * (i))
#define VALUE24(i)  (32 + 8 * 126 + 24 * (i))
#define ENTRY(i)    (16 + 16 * (i))
#define DATA_SM	    64
#define METADATA_SM 192
#define HUGE_BLOCK  (UINT64_C(1) << 45)

/* The number of a block of an image. */
uint64_t fsck_damage_block(uint8_t *image, enum place place);

/* Change a block of an image. */
void fsck_damage_apply_at(uint8_t *image, uint64_t nr, const struct fsck_damage *m);

/*
 * Each damage of a table alone: the strict check tells it, and thin_check does not where the flags
 * say so. Fails the test with a line for each that is not so. @clean: an image without findings.
 */
void fsck_damage_check(const struct thin_image *fix, const uint8_t *clean,
		       const struct fsck_damage *table, size_t n);
