/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of an extraction share. One folder of the host is open at a time. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "pkg/ext4/extract.h"
#include "pkg/ext4/read_internal.h"

/* A folder that was made: its place as a chain of names, for as long as somebody refers to it. */
struct extract_folder {
	struct extract_folder *parent; /* NULL: the top */
	size_t refs;
	size_t name_len;
	char name[];
};

/* A folder that the walk is in or below. */
struct extract_level {
	struct extract_folder *folder;
	size_t path_len;
	struct ext4_meta meta;
	dev_t device; /* on the host */
	ino_t inode;
};

/* Folders that their owner may not enter get their mode last. */
struct extract_late {
	struct extract_folder *folder;
	uint32_t mode;
};

/* An inode with several names. */
struct extract_link {
	uint32_t inode; /* 0: an empty slot */
	uint32_t left;	/* names that are to come */
	struct extract_folder *folder;
	char *name; /* the first; NULL once none is left */
};

struct extract {
	struct ext4_reader *r;
	int top; /* borrowed */
	int fd;	 /* the folder that the walk is in */
	struct extract_level *levels;
	size_t depth, levels_room;
	struct extract_late *late;
	size_t n_late, late_room;
	struct extract_link *links; /* a hash table; room is a power of two */
	size_t n_links, links_room;
	size_t names_bytes; /* of folders and links in memory */
	uint8_t *seen;	    /* one bit for each inode that was made, folders aside */
	uint8_t *buf;
	const char *path; /* of the entry; NULL: of the folder that is finished */
	const struct extract_folder *finished;
	struct ext4_extract_lost lost;
};

/* --- extract_folder.c ------------------------------------------------------------------------- */

static inline struct extract_level *extract_level(struct extract *x)
{
	return &x->levels[x->depth - 1];
}

/* Take the caller's folder as the top; make one in the folder we are in. Either way: go in. */
MUST_CHECK int extract_folder_top(struct extract *x, const struct ext4_stat *st, struct error *err);
MUST_CHECK int extract_folder_make(struct extract *x, const char *name, const struct ext4_stat *st,
				   struct error *err);
/* Give it its times and mode, and go up. */
MUST_CHECK int extract_folder_leave(struct extract *x, struct error *err);
/* The modes that had to wait; afterwards nothing can be reached any more. */
MUST_CHECK int extract_folder_finish(struct extract *x, struct error *err);

/* "a/b/c", "/" for the top; owned. */
char *extract_folder_path(const struct extract_folder *folder);

/* @flags: as folder_open_at(). Any length of path. */
MUST_CHECK int extract_folder_open(struct extract *x, const struct extract_folder *folder,
				   int flags, int *ret, struct error *err);
struct extract_folder *extract_folder_hold(struct extract_folder *folder);
void extract_folder_drop(struct extract *x, struct extract_folder *folder);

/* Names in memory, counted. Errors: ERR_UNSUPPORTED (too many). */
MUST_CHECK int extract_count_name(struct extract *x, size_t bytes, struct error *err);

/* --- extract_link.c --------------------------------------------------------------------------- */

/* Remember the place of an inode that has more names. */
MUST_CHECK int extract_link_note(struct extract *x, const char *name, const struct ext4_stat *st,
				 struct error *err);
/* One more name for an inode that was made. Errors: ERR_INCONSISTENT (more than it counts). */
MUST_CHECK int extract_link_make(struct extract *x, const char *name, const struct ext4_stat *st,
				 struct error *err);
void extract_links_release(struct extract *x);

/* --- extract_file.c --------------------------------------------------------------------------- */

enum { EXTRACT_BUF_BYTES = 256 * 1024 };

/* @fd: of an empty file. */
MUST_CHECK int extract_file_content(struct extract *x, uint32_t inode, int fd, struct error *err);

/* --- extract_meta.c --------------------------------------------------------------------------- */

/* @what: of the entry; attributes in front of it. */
void extract_lose(struct extract *x, enum ext4_lost kind, const char *attribute);

/* Set what can be set. @fd: -1: nothing can, for it is neither file nor folder. */
MUST_CHECK int extract_xattrs(struct extract *x, uint32_t inode, int fd, struct error *err);
MUST_CHECK int extract_mode(struct extract *x, int fd, uint32_t mode, struct error *err);
MUST_CHECK int extract_times(int fd, const struct ext4_meta *meta, struct error *err);
/* Of a name in the folder we are in; links are not followed, nothing is opened. */
MUST_CHECK int extract_times_at(const struct extract *x, const char *name,
				const struct ext4_meta *meta, struct error *err);

/* errno of a call that makes a name: what a host cannot have is told from what failed. */
int extract_refused(struct error *err, const char *what);
