/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list of what should be in the directory /d, random sessions of an ext4_writer that change both,
 * and judges that compare them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkg/ext4/writer.h"
#include "tests/support/memory_volume.h"

struct dir_list_name {
	char *name;
	uint32_t inode;
	bool dir;
};

struct dir_list {
	struct dir_list_name *items;
	size_t n, room;
	unsigned made; /* names so far */
	uint64_t random;
};

void dir_list_release(struct dir_list *l);

/* A random number below n. */
uint32_t dir_list_below(struct dir_list *l, uint32_t n);

/* A name that never was in the list; owned. Above 250 as the longest all names are long. */
char *dir_list_new_name(struct dir_list *l, size_t len_max);

/* Change the list alone. The name is taken. */
void dir_list_add(struct dir_list *l, char *name, uint32_t inode, bool dir);
void dir_list_drop(struct dir_list *l, size_t at);

/* Change the list and, through the writer, the directory. The name is taken. */
void dir_list_make(struct ext4_writer *w, struct dir_list *l, char *name, bool dir);
void dir_list_remove(struct ext4_writer *w, struct dir_list *l, size_t at);

/* What the sessions of a run are like. */
struct dir_habit {
	uint64_t seed;
	size_t len_max;
	unsigned first, sessions, changes; /* at most in each session */
	unsigned removed;		   /* percent */
};

/* n random changes of both. */
void dir_list_change(struct ext4_writer *w, struct dir_list *l, const struct dir_habit *h,
		     unsigned n);

/*
 * Fails the test unless our reader, debugfs and e2fsck find the directory to be as the list says.
 * Returns the levels of its index.
 */
unsigned dir_list_judge(struct memory_volume *v, struct dir_list *l);
uint32_t dir_list_inode(struct memory_volume *v);

/* Two volumes with the same sessions, one of them with nothing ever in memory. */
struct dir_twins {
	struct memory_volume *with, *without;
	struct ext4_tree *tree;
};

/* Both hold an empty /d. */
struct dir_twins dir_twins_new(uint64_t size_bytes, uint64_t inodes);
void dir_twins_free(struct dir_twins *t);

/* One session of n changes on both: the same bytes. */
void dir_twins_session(struct dir_twins *t, struct dir_list *l, const struct dir_habit *h,
		       unsigned n);
