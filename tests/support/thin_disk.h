/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The disk under a pool. It stands between the engine and the kernel for the pool's two files
 * (see thin_disk_calls.h) and knows what each call overwrote, so that thin_cut.h can put any moment
 * since thin_disk_watch() together again. It can also refuse calls, and answer syncs that it does
 * not do.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum thin_disk_file { DISK_META, DISK_DATA, DISK_FILES };
enum thin_disk_call { DISK_WRITE, DISK_LENGTH, DISK_PUNCH, DISK_SYNC, DISK_CALLS };

/* The names of the two files in a pool's folder. */
extern const char *const thin_disk_names[DISK_FILES];

enum { DISK_ANY = (1 << DISK_CALLS) - 1, DISK_UNIT_BYTES = 4096, DISK_SECTOR_BYTES = 512 };

/* What was there before a step: whole sectors of one unit, or the length of the file. */
struct thin_disk_undo {
	uint64_t step, at; /* offset, or the old length */
	uint32_t len;	   /* 0: it is the length */
	enum thin_disk_file file;
	uint8_t *bytes; /* NULL: zeros */
};

struct thin_disk_step {
	enum thin_disk_file file;
	enum thin_disk_call call; /* a sync that was lost is DISK_CALLS */
	bool begins;		  /* else it is a further piece of a write */
	bool superblock;
};

struct thin_disk {
	char *folder, *path[DISK_FILES];
	dev_t device[DISK_FILES];
	ino_t inode[DISK_FILES];
	/* Each piece of a write, each hole, change of length and sync is a step. */
	struct thin_disk_step *steps;
	size_t n_steps, steps_room;
	struct thin_disk_undo *undo;
	size_t n_undo, undo_room;

	struct {
		unsigned kinds; /* 1 << enum thin_disk_call; 0 = refuse nothing */
		uint64_t left;	/* so many of them pass */
		bool once;	/* and only one does not */
		int sys;
		uint64_t met;
	} fault;
	uint64_t lost_syncs; /* bit n: the n-th is answered but not done */
	unsigned n_syncs;
};

/* The files `meta` and `data` of a folder as they are, all of it durable. Watching again forgets
 * the past. */
void thin_disk_watch(struct thin_disk *d, const char *folder);
void thin_disk_release(struct thin_disk *d);

/* Does a window end here: is the step a sync, or the end? */
bool thin_disk_is_sync(const struct thin_disk *d, uint64_t step);
/* Is it within a write to the data file? */
bool thin_disk_is_piece(const struct thin_disk *d, uint64_t step);

/* Before that step, since the start. */
bool thin_disk_length_changed(const struct thin_disk *d, uint64_t step);

/* The first step of a file that is not durable before this one. */
uint64_t thin_disk_unsynced_from(const struct thin_disk *d, enum thin_disk_file file,
				 uint64_t step);

/* How many superblocks had been written, or written and synced, before a step. */
uint64_t thin_disk_superblocks(const struct thin_disk *d, uint64_t step, bool synced);

/* Undo everything since the start; there it starts again. */
void thin_disk_rewind(struct thin_disk *d);

/* What the calls of a test that includes thin_disk_calls.h come to. @how: SYS_fsync, ... */
struct iovec;
ssize_t thin_disk_pwrite(int fd, const void *buf, size_t len, off_t offset);
ssize_t thin_disk_pwritev(int fd, const struct iovec *vec, int n, off_t offset);
int thin_disk_ftruncate(int fd, off_t length);
int thin_disk_fallocate(int fd, int mode, off_t offset, off_t len);
int thin_disk_sync(int fd, long how);
