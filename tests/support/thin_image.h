/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metadata of a pool in memory, made by thin_restore: 300 devices that share blocks, so that
 * every kind of block is there, internal nodes too. For tests that damage it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "pkg/thin/file/format.h"
#include "pkg/thin/file/fsck.h"

enum {
	IMAGE_BLOCKS = 512,
	IMAGE_BYTES = IMAGE_BLOCKS * TF_BLOCK_BYTES,
	IMAGE_DEVICES = 300, /* more than 252: the top level has an internal root */
	IMAGE_TIME = 9,
	IMAGE_TRANSACTION = 7,
	IMAGE_BIG_BLOCKS = 1000, /* mappings of device 0: an internal root as well */
	IMAGE_SHARED_BLOCKS = 20,
	IMAGE_DATA_BLOCKS = 20000, /* two bitmaps, the second one partial */
};

struct thin_image {
	char *folder;	   /* scratch, for programs that want files */
	uint8_t *restored; /* as thin_restore left it */
	uint8_t *clean;	   /* with its known wrong hints put right */
};

/* -1: thin_restore is not there or failed. */
int thin_image_make(struct thin_image *ret);
void thin_image_release(struct thin_image *image);

uint8_t *thin_image_block(uint8_t *image, uint64_t block);
struct tf_superblock thin_image_superblock(const uint8_t *image);
void thin_image_set_superblock(uint8_t *image, const struct tf_superblock *sb);
/* Put right what thin_restore gets wrong: the hints of the index entries and nr_allocated. */
void thin_image_fix_hints(uint8_t *image);

/*
 * Make a metadata snapshot, as the kernel's reserve_metadata_snap does it: a copy of the
 * superblock without space maps at a free block, one more reference to both roots.
 */
void thin_image_hold(uint8_t *image, uint64_t at);

/* The strict check of the first bytes of an image; exit status of thin_check. */
void thin_image_check(const uint8_t *image, size_t len, struct thin_findings *ret);
int thin_image_thin_check(const char *folder, const uint8_t *image);
bool thin_image_found(const struct thin_findings *findings, const char *kind);
