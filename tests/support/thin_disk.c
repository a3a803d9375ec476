/* SPDX-License-Identifier: Apache-2.0 */
/* The past of two files as a list of what was overwritten, oldest first. */
#include "tests/support/thin_disk.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"

enum { MAX_DISKS = 4 };

const char *const thin_disk_names[DISK_FILES] = {"meta", "data"};

static struct thin_disk *watched[MAX_DISKS];

static void must(bool worked, const char *what)
{
	if (worked)
		return;
	perror(what);
	abort();
}

/* ---- the past ---- */

static void forget(struct thin_disk *d)
{
	for (size_t i = 0; i < d->n_undo; i++)
		free(d->undo[i].bytes);
	for (int file = 0; file < DISK_FILES; file++)
		free(d->path[file]);
	free(d->folder);
	free(d->undo);
	free(d->steps);
	*d = (struct thin_disk){0};
}

void thin_disk_watch(struct thin_disk *d, const char *folder)
{
	size_t slot = 0;

	while (slot < MAX_DISKS && watched[slot] != d)
		slot++;
	for (size_t i = 0; slot == MAX_DISKS && i < MAX_DISKS; i++)
		if (!watched[i])
			slot = i;
	assert(slot < MAX_DISKS);
	if (watched[slot] == d)
		forget(d);
	*d = (struct thin_disk){.folder = xstrdup(folder)};
	for (int file = 0; file < DISK_FILES; file++) {
		struct stat st;

		d->path[file] = xasprintf("%s/%s", folder, thin_disk_names[file]);
		must(stat(d->path[file], &st) == 0, d->path[file]);
		d->device[file] = st.st_dev;
		d->inode[file] = st.st_ino;
	}
	watched[slot] = d;
}

void thin_disk_release(struct thin_disk *d)
{
	for (size_t i = 0; i < MAX_DISKS; i++)
		if (watched[i] == d) {
			watched[i] = NULL;
			forget(d);
		}
}

static struct thin_disk *disk_of(int fd, enum thin_disk_file *ret)
{
	struct stat st = {0};

	for (size_t i = 0; i < MAX_DISKS; i++) {
		if (!watched[i])
			continue;
		if (!st.st_ino && fstat(fd, &st) < 0)
			return NULL;
		for (int file = 0; file < DISK_FILES; file++)
			if (watched[i]->inode[file] == st.st_ino
			    && watched[i]->device[file] == st.st_dev) {
				*ret = (enum thin_disk_file)file;
				return watched[i];
			}
	}
	return NULL;
}

static struct thin_disk_undo *remember(struct thin_disk *d, enum thin_disk_file file, uint64_t at)
{
	ALLOC_GROW(d->undo, d->n_undo + 1, d->undo_room);
	d->undo[d->n_undo] = (struct thin_disk_undo){.step = d->n_steps, .at = at, .file = file};
	return &d->undo[d->n_undo++];
}

static void remember_length(struct thin_disk *d, enum thin_disk_file file, uint64_t length)
{
	remember(d, file, length);
}

static bool all_zero(const uint8_t *p, size_t len)
{
	return !p[0] && !memcmp(p, p + 1, len - 1);
}

static struct thin_disk_step *add_step(struct thin_disk *d, enum thin_disk_file file,
				       enum thin_disk_call call)
{
	ALLOC_GROW(d->steps, d->n_steps + 1, d->steps_room);
	d->steps[d->n_steps] = (struct thin_disk_step){.file = file, .call = call, .begins = true};
	return &d->steps[d->n_steps++];
}

/* The sectors that a step is about to change. Past the end they are zeros. */
static void remember_bytes(struct thin_disk *d, enum thin_disk_file file, int fd, uint64_t from,
			   uint64_t to)
{
	uint8_t bytes[DISK_UNIT_BYTES];

	from -= from % DISK_SECTOR_BYTES;
	while (from < to) {
		uint64_t end = (from / DISK_UNIT_BYTES + 1) * DISK_UNIT_BYTES;
		struct thin_disk_undo *u = remember(d, file, from);
		ssize_t n;

		if (end > to)
			end = (to + DISK_SECTOR_BYTES - 1) / DISK_SECTOR_BYTES * DISK_SECTOR_BYTES;
		u->len = (uint32_t)(end - from);
		n = pread(fd, bytes, u->len, (off_t)from);
		must(n >= 0, "pread");
		memset(bytes + n, 0, u->len - (size_t)n);
		if (!all_zero(bytes, u->len))
			u->bytes = xmemdup(bytes, u->len);
		from = end;
	}
}

/* The same for a long range, most of which may be a hole already. */
static void remember_data(struct thin_disk *d, enum thin_disk_file file, int fd, uint64_t from,
			  uint64_t to)
{
	while (from < to) {
		off_t start = lseek(fd, (off_t)from, SEEK_DATA);
		off_t end = start < 0 ? -1 : lseek(fd, start, SEEK_HOLE);

		if (start < 0 || (uint64_t)start >= to)
			return;
		assert(end > start);
		from = (uint64_t)end < to ? (uint64_t)end : to;
		remember_bytes(d, file, fd, (uint64_t)start, from);
	}
}

/* ---- what the engine calls ---- */

static bool refused(struct thin_disk *d, enum thin_disk_call call)
{
	uint64_t met;

	if (!(d->fault.kinds >> call & 1))
		return false;
	met = d->fault.met++;
	if (met < d->fault.left || (d->fault.once && met > d->fault.left))
		return false;
	errno = d->fault.sys;
	return true;
}

/* In pieces, so that there are cuts within a write; a disk that gets full writes the first ones. */
static ssize_t watched_write(struct thin_disk *d, enum thin_disk_file file, int fd,
			     const uint8_t *buf, size_t len, off_t offset)
{
	struct thin_disk_step *step;
	size_t done = 0;
	struct stat st;

	must(fstat(fd, &st) == 0, "fstat");
	if ((uint64_t)offset + len > (uint64_t)st.st_size)
		remember_length(d, file, (uint64_t)st.st_size);
	while (done < len) {
		uint64_t at = (uint64_t)offset + done;
		size_t n = DISK_UNIT_BYTES - at % DISK_UNIT_BYTES;

		if (n > len - done)
			n = len - done;
		if (refused(d, DISK_WRITE))
			return done ? (ssize_t)done : -1;
		remember_bytes(d, file, fd, at, at + n);
		step = add_step(d, file, DISK_WRITE);
		step->begins = done == 0;
		step->superblock = file == DISK_META && at == 0;
		if (syscall(SYS_pwrite64, fd, buf + done, n, (off_t)at) != (ssize_t)n)
			return -1;
		done += n;
	}
	return (ssize_t)done;
}

ssize_t thin_disk_pwrite(int fd, const void *buf, size_t len, off_t offset)
{
	enum thin_disk_file file;
	struct thin_disk *d = disk_of(fd, &file);

	if (!d)
		return syscall(SYS_pwrite64, fd, buf, len, offset);
	return watched_write(d, file, fd, buf, len, offset);
}

ssize_t thin_disk_pwritev(int fd, const struct iovec *vec, int n, off_t offset)
{
	enum thin_disk_file file;
	struct thin_disk *d = disk_of(fd, &file);
	ssize_t done = 0;

	if (!d)
		return syscall(SYS_pwritev, fd, vec, (long)n, (long)offset, 0L);
	for (int i = 0; i < n; i++) {
		ssize_t now = watched_write(d, file, fd, vec[i].iov_base, vec[i].iov_len,
					    offset + (off_t)done);

		if (now < 0)
			return done ? done : -1;
		done += now;
		if ((size_t)now < vec[i].iov_len)
			break;
	}
	return done;
}

int thin_disk_ftruncate(int fd, off_t length)
{
	enum thin_disk_file file;
	struct thin_disk *d = disk_of(fd, &file);
	struct stat st;

	if (d) {
		if (refused(d, DISK_LENGTH))
			return -1;
		must(fstat(fd, &st) == 0, "fstat");
		if (st.st_size != length)
			remember_length(d, file, (uint64_t)st.st_size);
		if (st.st_size > length)
			remember_data(d, file, fd, (uint64_t)length, (uint64_t)st.st_size);
		add_step(d, file, DISK_LENGTH);
	}
	return (int)syscall(SYS_ftruncate, fd, length);
}

int thin_disk_fallocate(int fd, int mode, off_t offset, off_t len)
{
	enum thin_disk_file file;
	struct thin_disk *d = disk_of(fd, &file);

	if (d) {
		if (refused(d, DISK_PUNCH))
			return -1;
		remember_data(d, file, fd, (uint64_t)offset, (uint64_t)(offset + len));
		add_step(d, file, DISK_PUNCH);
	}
	return (int)syscall(SYS_fallocate, fd, (long)mode, offset, len);
}

int thin_disk_sync(int fd, long how)
{
	enum thin_disk_file file;
	struct thin_disk *d = disk_of(fd, &file);

	if (!d)
		return (int)syscall(how, fd);
	if (refused(d, DISK_SYNC))
		return -1;
	add_step(d, file, d->lost_syncs >> d->n_syncs++ % 64 & 1 ? DISK_CALLS : DISK_SYNC);
	return 0;
}

/* ---- moments ---- */

bool thin_disk_is_sync(const struct thin_disk *d, uint64_t step)
{
	return step == d->n_steps || d->steps[step].call == DISK_SYNC;
}

bool thin_disk_is_piece(const struct thin_disk *d, uint64_t step)
{
	return step < d->n_steps && !d->steps[step].begins && d->steps[step].file == DISK_DATA;
}

bool thin_disk_length_changed(const struct thin_disk *d, uint64_t step)
{
	for (size_t i = 0; i < d->n_undo && d->undo[i].step < step; i++)
		if (!d->undo[i].len)
			return true;
	return false;
}

uint64_t thin_disk_unsynced_from(const struct thin_disk *d, enum thin_disk_file file, uint64_t step)
{
	while (step > 0)
		if (d->steps[--step].call == DISK_SYNC && d->steps[step].file == file)
			return step;
	return 0;
}

uint64_t thin_disk_superblocks(const struct thin_disk *d, uint64_t step, bool synced)
{
	uint64_t before = synced ? thin_disk_unsynced_from(d, DISK_META, step) : step, n = 0;

	for (size_t i = 0; i < before; i++)
		n += d->steps[i].superblock;
	return n;
}

static void undo(const struct thin_disk *d, const struct thin_disk_undo *u, const int fds[])
{
	static const uint8_t zeros[DISK_UNIT_BYTES];

	if (u->len)
		must(pwrite(fds[u->file], u->bytes ? u->bytes : zeros, u->len, (off_t)u->at)
			     == (ssize_t)u->len,
		     d->path[u->file]);
	else
		must(ftruncate(fds[u->file], (off_t)u->at) == 0, d->path[u->file]);
}

void thin_disk_rewind(struct thin_disk *d)
{
	ino_t inode[DISK_FILES];
	int fds[DISK_FILES];

	/* It looks away meanwhile. */
	memcpy(inode, d->inode, sizeof(inode));
	memset(d->inode, 0, sizeof(d->inode));
	for (int file = 0; file < DISK_FILES; file++) {
		fds[file] = open(d->path[file], O_RDWR | O_CLOEXEC);
		must(fds[file] >= 0, d->path[file]);
	}
	for (size_t i = d->n_undo; i > 0; i--) {
		undo(d, &d->undo[i - 1], fds);
		free(d->undo[i - 1].bytes);
	}
	for (int file = 0; file < DISK_FILES; file++)
		close(fds[file]);
	d->n_undo = d->n_steps = 0;
	memcpy(d->inode, inode, sizeof(inode));
}
