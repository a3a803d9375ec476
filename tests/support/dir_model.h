/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocks of one directory in memory, and a plain list of the names that should be in them.
 * Looks at the index in its own way, as the kernel does; shares only the hash with what it judges.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkg/ext4/directory_edit.h"

struct dir_model_name {
	uint8_t len, type;
	uint32_t inode;
	char name[EXT4_NAME_MAX];
};

struct dir_model {
	struct ext4_dir_source source; /* of the blocks */
	uint8_t *blocks;
	struct dir_model_name *names; /* in byte order */
	size_t n, room;
	size_t reads;	  /* blocks */
	size_t fail_read; /* this one and all after it fail; 0: none */
	/* Of the last edit. */
	size_t changed, added;
};

void dir_model_init(struct dir_model *m);
void dir_model_release(struct dir_model *m);

/* Change the list alone: inode 0 removes the name, else it is set. */
void dir_model_list(struct dir_model *m, const struct ext4_dir_entry *changes, size_t n);

/* Encode the whole list. */
void dir_model_encode(struct dir_model *m);

/* ext4_dir_edit(), put into the blocks; what it returns. The list is as it should be after it. */
int dir_model_edit(struct dir_model *m, const struct ext4_dir_entry *changes, size_t n,
		   struct error *err);

/*
 * Fails the test unless all is right: checksums, one way to each block, index sorted, each name of
 * the list found where a lookup by its hash ends, and no other name there.
 */
void dir_model_check(struct dir_model *m);

/* Index levels between root and leaves; leaves without names. */
unsigned dir_model_levels(const struct dir_model *m);
size_t dir_model_leaves(const struct dir_model *m, size_t *ret_empty);

/* Make all checksums hold, also in blocks that make no sense. */
void dir_model_sign(struct dir_model *m);
