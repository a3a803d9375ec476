/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The past of two files as a list of what was overwritten, by sectors, oldest first. An image is a
 * copy of the files as they are, with every sector taken back to a moment of its own.
 */
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

enum { MAX_DISKS = 4, CHUNK = 64 * 1024 };

static const char *const names[DISK_FILES] = {"meta", "data"};

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

		d->path[file] = xasprintf("%s/%s", folder, names[file]);
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

/* The first step of a file that is not durable before `step`. */
static uint64_t unsynced_from(const struct thin_disk *d, enum thin_disk_file file, uint64_t step)
{
	while (step > 0)
		if (d->steps[--step].call == DISK_SYNC && d->steps[step].file == file)
			return step;
	return 0;
}

uint64_t thin_disk_superblocks(const struct thin_disk *d, uint64_t step, bool synced)
{
	uint64_t before = synced ? unsynced_from(d, DISK_META, step) : step, n = 0;

	for (size_t i = 0; i < before; i++)
		n += d->steps[i].superblock;
	return n;
}

/* Units in the order in which they were first changed; the length of a file is one, too. */
struct units {
	struct unit {
		uint64_t at; /* its number, LENGTH */
		enum thin_disk_file file;
	} * items;
	size_t n, room;
};

#define LENGTH UINT64_MAX

static void units_release(struct units *list)
{
	free(list->items);
}

static uint64_t unit_number(const struct thin_disk_undo *u)
{
	return u->len ? u->at / DISK_UNIT_BYTES : LENGTH;
}

/* Its place in the list, n when it is not there. */
static size_t find_unit(const struct units *list, enum thin_disk_file file, uint64_t at)
{
	for (size_t i = list->n; i > 0; i--)
		if (list->items[i - 1].at == at && list->items[i - 1].file == file)
			return i - 1;
	return list->n;
}

static void list_pending(const struct thin_disk *d, uint64_t step, struct units *list)
{
	uint64_t from[DISK_FILES] = {unsynced_from(d, DISK_META, step),
				     unsynced_from(d, DISK_DATA, step)};

	for (size_t i = 0; i < d->n_undo && d->undo[i].step < step; i++) {
		const struct thin_disk_undo *u = &d->undo[i];
		uint64_t at = unit_number(u);

		if (u->step < from[u->file] || find_unit(list, u->file, at) < list->n)
			continue;
		ALLOC_GROW(list->items, list->n + 1, list->room);
		list->items[list->n++] = (struct unit){at, u->file};
	}
}

size_t thin_disk_pending(const struct thin_disk *d, uint64_t step)
{
	cleanup(units_release) struct units list = {0};

	list_pending(d, step, &list);
	return list.n;
}

static uint64_t mix(uint64_t v)
{
	v += 0x9e3779b97f4a7c15u;
	v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9u;
	v = (v ^ v >> 27) * 0x94d049bb133111ebu;
	return v ^ v >> 31;
}

/*
 * The moment that a unit is of: it goes back to before this step. At random: most cuts lose few
 * units or keep few, since one block too many or too few is what a wrong order shows by; now and
 * then one is of a moment between.
 */
static uint64_t moment_of(const struct thin_disk_cut *cut, const struct units *list,
			  enum thin_disk_file file, uint64_t at)
{
	static const unsigned kept[] = {3, 15, 50, 85, 97}; /* percent */
	uint64_t luck;

	if (cut->choose)
		return cut->bits >> find_unit(list, file, at) % 64 & 1 ? cut->step : 0;
	luck = mix(mix(cut->seed * 1000003 + cut->step) ^ mix(at * DISK_FILES + (uint64_t)file));
	if (luck % 100 < kept[mix(cut->seed) % ARRAY_SIZE(kept)])
		return cut->step;
	return luck >> 8 & 3 ? 0 : (luck >> 16) % (cut->step + 1);
}

/* ---- images ---- */

static void copy_file(const char *from, const char *to)
{
	cleanup_fd int in = open(from, O_RDONLY | O_CLOEXEC);
	cleanup_fd int out = open(to, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	off_t size = in < 0 ? -1 : lseek(in, 0, SEEK_END), at = 0, end;
	static uint8_t chunk[CHUNK];

	must(in >= 0 && size >= 0, from);
	must(out >= 0, to);
	must(ftruncate(out, size) == 0, to);
	while ((at = lseek(in, at, SEEK_DATA)) >= 0) {
		end = lseek(in, at, SEEK_HOLE);
		while (at < end) {
			size_t n = end - at < CHUNK ? (size_t)(end - at) : CHUNK;

			must(pread(in, chunk, n, at) == (ssize_t)n, from);
			must(pwrite(out, chunk, n, at) == (ssize_t)n, to);
			at += (off_t)n;
		}
	}
}

void thin_disk_copy(const char *from, const char *to)
{
	for (int file = 0; file < DISK_FILES; file++) {
		cleanup_free char *source = xasprintf("%s/%s", from, names[file]);
		cleanup_free char *target = xasprintf("%s/%s", to, names[file]);

		copy_file(source, target);
	}
}

static void take_back(const struct thin_disk_undo *u, uint32_t from, uint32_t len,
		      const int fds[DISK_FILES], off_t lengths[DISK_FILES])
{
	static const uint8_t zeros[DISK_UNIT_BYTES];

	if (!u->len)
		lengths[u->file] = (off_t)u->at;
	else
		must(pwrite(fds[u->file], u->bytes ? u->bytes + from : zeros, len,
			    (off_t)(u->at + from))
			     == (ssize_t)len,
		     names[u->file]);
}

/* What was not synced goes back by itself, all of it or sector by sector. */
static void take_back_pending(const struct thin_disk_undo *u, const struct thin_disk_cut *cut,
			      const struct units *list, const int fds[DISK_FILES],
			      off_t lengths[DISK_FILES])
{
	uint64_t sector = u->at / DISK_SECTOR_BYTES;

	if (!u->len || cut->unit_bytes == DISK_UNIT_BYTES) {
		if (u->step >= moment_of(cut, list, u->file, unit_number(u)))
			take_back(u, 0, u->len, fds, lengths);
		return;
	}
	for (uint32_t from = 0; from < u->len; from += DISK_SECTOR_BYTES, sector++)
		if (u->step >= moment_of(cut, list, u->file, sector))
			take_back(u, from, DISK_SECTOR_BYTES, fds, lengths);
}

static void take_back_all(const struct thin_disk *d, const struct thin_disk_cut *cut,
			  const int fds[DISK_FILES])
{
	cleanup(units_release) struct units list = {0};
	uint64_t durable[DISK_FILES];
	off_t lengths[DISK_FILES];

	for (int file = 0; file < DISK_FILES; file++) {
		lengths[file] = lseek(fds[file], 0, SEEK_END);
		durable[file] = unsynced_from(d, (enum thin_disk_file)file, cut->step);
	}
	if (cut->power && cut->choose)
		list_pending(d, cut->step, &list);
	for (size_t i = d->n_undo; i > 0; i--) {
		const struct thin_disk_undo *u = &d->undo[i - 1];

		if (u->step >= cut->step)
			take_back(u, 0, u->len, fds, lengths);
		else if (cut->power && u->step >= durable[u->file])
			take_back_pending(u, cut, &list, fds, lengths);
	}
	for (int file = 0; file < DISK_FILES; file++)
		must(ftruncate(fds[file], lengths[file]) == 0, names[file]);
}

void thin_disk_apply(const struct thin_disk *d, const struct thin_disk_cut *cut, const char *folder)
{
	int fds[DISK_FILES];

	for (int file = 0; file < DISK_FILES; file++) {
		cleanup_free char *path = xasprintf("%s/%s", folder, names[file]);

		fds[file] = open(path, O_RDWR | O_CLOEXEC);
		must(fds[file] >= 0, path);
	}
	take_back_all(d, cut, fds);
	for (int file = 0; file < DISK_FILES; file++)
		close(fds[file]);
}

void thin_disk_image(const struct thin_disk *d, const struct thin_disk_cut *cut, const char *folder)
{
	for (int file = 0; file < DISK_FILES; file++) {
		cleanup_free char *path = xasprintf("%s/%s", folder, names[file]);

		copy_file(d->path[file], path);
	}
	thin_disk_apply(d, cut, folder);
}

void thin_disk_rewind(struct thin_disk *d)
{
	const struct thin_disk_cut start = {.step = 0};
	ino_t inode[DISK_FILES];

	/* It looks away while this is undone. */
	memcpy(inode, d->inode, sizeof(inode));
	memset(d->inode, 0, sizeof(d->inode));
	thin_disk_apply(d, &start, d->folder);
	for (size_t i = 0; i < d->n_undo; i++)
		free(d->undo[i].bytes);
	d->n_undo = d->n_steps = 0;
	memcpy(d->inode, inode, sizeof(inode));
}
