/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small ext4 with one of everything the reader meets, made without root, and a way to damage it
 * so that the checksums still hold: what a guest that owns the volume can do.
 *
 *   a            10 bytes                 link, slow   symlinks in the inode and in a block
 *   big          a tree of extents        chr, fifo    special files
 *   d/           300 names, an htree      x            attributes in inode, block and ea_inodes
 *   empty/       nothing                  e/f/         nested directories
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "tests/support/memory_volume.h"

enum { EXT4_SAMPLE_NAMES = 300, EXT4_SAMPLE_BIG_EXTENTS = 500 };

/* A block of metadata, and what its checksum starts from. */
struct ext4_sample_block {
	enum ext4_sample_kind {
		SAMPLE_OTHER, /* superblock, descriptors, inodes */
		SAMPLE_DIRECTORY,
		SAMPLE_EXTENTS,
		SAMPLE_XATTRS,
	} kind;
	uint64_t block;
	uint32_t inode;
	uint64_t logical;
	bool indexed;
};

struct ext4_sample {
	struct memory_volume *v;
	struct ext4_sample_block blocks[64];
	size_t n;
	uint32_t inodes; /* in use, from 1 */
	uint64_t inode_table;
};

/* Abort on failure. Give the volume back with memory_volume_free(). */
struct ext4_sample ext4_sample_make(void);

/* A copy that shares the content until it is changed. */
struct ext4_sample ext4_sample_copy(const struct ext4_sample *s);

/* Overwrite a byte of the i-th of s->blocks. */
void ext4_sample_poke(struct ext4_sample *s, size_t i, size_t offset, uint8_t value);

/* Overwrite bytes of an inode, or of an inode's block of this kind (its n-th, from 0). */
void ext4_sample_poke_inode(struct ext4_sample *s, uint32_t number, size_t offset,
			    const void *bytes, size_t len);
void ext4_sample_poke_block(struct ext4_sample *s, enum ext4_sample_kind kind, uint32_t inode,
			    size_t n, size_t offset, const void *bytes, size_t len);

/* Make all checksums hold again, as far as the damage leaves them a place. */
void ext4_sample_sign(struct ext4_sample *s);

/*
 * Call everything the reader has on everything it finds. 0, or -1 with the first error; either is
 * fine for a damaged file system.
 */
int ext4_sample_read_all(struct thin_volume *volume, size_t *ret_names, struct error *err);
