/* SPDX-License-Identifier: Apache-2.0 */
/* An image is a copy of the files as they are, with every unit taken back to a moment of its own. */
#include "tests/support/thin_cut.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"

enum { CHUNK = 64 * 1024 };

static void must(bool worked, const char *what)
{
	if (worked)
		return;
	perror(what);
	abort();
}

/* ---- units that are open ---- */

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
	uint64_t from[DISK_FILES] = {thin_disk_unsynced_from(d, DISK_META, step),
				     thin_disk_unsynced_from(d, DISK_DATA, step)};

	for (size_t i = 0; i < d->n_undo && d->undo[i].step < step; i++) {
		const struct thin_disk_undo *u = &d->undo[i];
		uint64_t at = unit_number(u);

		if (u->step < from[u->file] || find_unit(list, u->file, at) < list->n)
			continue;
		ALLOC_GROW(list->items, list->n + 1, list->room);
		list->items[list->n++] = (struct unit){at, u->file};
	}
}

size_t thin_cut_pending(const struct thin_disk *d, uint64_t step)
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
static uint64_t moment_of(const struct thin_cut *cut, const struct units *list,
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

void thin_cut_copy(const char *from, const char *to)
{
	for (int file = 0; file < DISK_FILES; file++) {
		cleanup_free char *source = xasprintf("%s/%s", from, thin_disk_names[file]);
		cleanup_free char *target = xasprintf("%s/%s", to, thin_disk_names[file]);

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
		     thin_disk_names[u->file]);
}

/* What was not synced goes back by itself, all of it or sector by sector. */
static void take_back_pending(const struct thin_disk_undo *u, const struct thin_cut *cut,
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

static void take_back_all(const struct thin_disk *d, const struct thin_cut *cut,
			  const int fds[DISK_FILES])
{
	cleanup(units_release) struct units list = {0};
	uint64_t durable[DISK_FILES];
	off_t lengths[DISK_FILES];

	for (int file = 0; file < DISK_FILES; file++) {
		lengths[file] = lseek(fds[file], 0, SEEK_END);
		durable[file] = thin_disk_unsynced_from(d, (enum thin_disk_file)file, cut->step);
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
		must(ftruncate(fds[file], lengths[file]) == 0, thin_disk_names[file]);
}

void thin_cut_apply(const struct thin_disk *d, const struct thin_cut *cut, const char *folder)
{
	int fds[DISK_FILES];

	for (int file = 0; file < DISK_FILES; file++) {
		cleanup_free char *path = xasprintf("%s/%s", folder, thin_disk_names[file]);

		fds[file] = open(path, O_RDWR | O_CLOEXEC);
		must(fds[file] >= 0, path);
	}
	take_back_all(d, cut, fds);
	for (int file = 0; file < DISK_FILES; file++)
		close(fds[file]);
}

void thin_cut_image(const struct thin_disk *d, const struct thin_cut *cut, const char *folder)
{
	for (int file = 0; file < DISK_FILES; file++) {
		cleanup_free char *path = xasprintf("%s/%s", folder, thin_disk_names[file]);

		copy_file(d->path[file], path);
	}
	thin_cut_apply(d, cut, folder);
}
