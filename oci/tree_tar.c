/* SPDX-License-Identifier: Apache-2.0 */
/* From the walk over an ext4 to the members of a tar, one visit a member. */
#include "oci/tree_tar.h"

#include <inttypes.h>
#include <search.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"
#include "pkg/base/interrupt.h"
#include "pkg/base/log.h"

enum {
	CHUNK_BYTES = 1 << 20,
	LOST_NAME_BYTES = 128,
};

/* What the tar lacks, or has but would not keep as a layer: how many, and the first of them. */
struct lost {
	uint64_t n;
	char first[LOST_NAME_BYTES];
};

struct export
{
	struct ext4_reader *fs;
	struct tar_archive *archive;
	void *names; /* tsearch(3): first names of the inodes that have several */
	struct tar_xattr *xattrs;
	size_t n_xattrs, xattrs_room, xattr_bytes;
	struct tar_region *regions;
	size_t n_regions, regions_room;
	uint64_t gap_bytes; /* holes up to this size are written as zeros */
	uint64_t data_left; /* content to be written: as much as the file system can hold */
	struct buffer path, link;
	uint8_t *chunk;
	struct lost sockets, whiteouts, lost_xattrs;
};

struct first_name {
	uint32_t inode;
	char *path;
};

static void first_name_free(void *p)
{
	struct first_name *name = p;

	free(name->path);
	free(name);
}

static void forget_xattrs(struct export *x)
{
	for (size_t i = 0; i < x->n_xattrs; i++) {
		free((char *)(uintptr_t)x->xattrs[i].name);
		free((uint8_t *)(uintptr_t)x->xattrs[i].value);
	}
	x->n_xattrs = x->xattr_bytes = 0;
}

static void export_release(struct export *x)
{
	tar_archive_close(x->archive);
	tdestroy(x->names, first_name_free);
	forget_xattrs(x);
	free(x->xattrs);
	free(x->regions);
	buffer_release(&x->path);
	buffer_release(&x->link);
	free(x->chunk);
}

/* --- what is lost ----------------------------------------------------------------------------- */

static void PRINTF_LIKE(2, 3) note_lost(struct lost *l, const char *fmt, ...)
{
	va_list ap;

	if (l->n++)
		return;
	va_start(ap, fmt);
	vsnprintf(l->first, sizeof(l->first), fmt, ap);
	va_end(ap);
}

static void tell_lost(const struct lost *l, const char *what)
{
	if (l->n == 1)
		log_warning("%s: %s", l->first, what);
	if (l->n > 1)
		log_warning("%s and %" PRIu64 " more: %s", l->first, l->n - 1, what);
}

static void tell_all_lost(const struct export *x)
{
	tell_lost(&x->sockets, "a socket is not in the tar");
	tell_lost(&x->lost_xattrs, "the xattr is not in the tar, which cannot hold more of them");
	tell_lost(&x->whiteouts, "as a layer of an image, the tar would remove a file by this");
}

/* --- names of inodes -------------------------------------------------------------------------- */

static int compare_inodes(const void *pa, const void *pb)
{
	const struct first_name *a = pa, *b = pb;

	return a->inode < b->inode ? -1 : a->inode > b->inode;
}

/* The path of an earlier member with this inode, or NULL when this is the first. */
static const char *first_name(struct export *x, const struct ext4_stat *st)
{
	struct first_name key = {.inode = st->inode}, *name;
	void **found;

	if (S_ISDIR(st->meta.mode) || st->links < 2)
		return NULL;
	found = tfind(&key, &x->names, compare_inodes);
	if (found)
		return ((struct first_name *)*found)->path;
	name = xcalloc(1, sizeof(*name));
	name->inode = st->inode;
	name->path = xstrdup((const char *)x->path.data);
	if (!tsearch(name, &x->names, compare_inodes))
		abort();
	return NULL;
}

/* --- xattrs ----------------------------------------------------------------------------------- */

static bool has_room(const struct export *x, size_t bytes)
{
	return x->n_xattrs < TAR_ARCHIVE_XATTRS_MAX
	       && bytes <= TAR_ARCHIVE_XATTR_BYTES_MAX - x->xattr_bytes;
}

static int take_xattr(const struct ext4_xattr *xattr, void *arg, struct error *err)
{
	struct export *x = arg;
	size_t bytes = tar_archive_xattr_bytes(xattr->name, xattr->value_len);

	(void)err;
	if (!has_room(x, bytes)) {
		note_lost(&x->lost_xattrs, "%s: %s", (const char *)x->path.data, xattr->name);
		return 0;
	}
	ALLOC_GROW(x->xattrs, x->n_xattrs + 1, x->xattrs_room);
	x->xattrs[x->n_xattrs++] = (struct tar_xattr){
		.name = xstrdup(xattr->name),
		.value = xmemdup(xattr->value, xattr->value_len),
		.value_len = xattr->value_len,
	};
	x->xattr_bytes += bytes;
	return 0;
}

/* --- content ---------------------------------------------------------------------------------- */

/* Fewer regions: holes grow larger before they count, until those that are left are few enough. */
static void join_regions(struct export *x)
{
	size_t n = 1;

	x->gap_bytes = x->gap_bytes ? x->gap_bytes * 2 : 4096;
	for (size_t i = 1; i < x->n_regions; i++) {
		struct tar_region *last = &x->regions[n - 1];

		if (x->regions[i].offset - (last->offset + last->len) <= x->gap_bytes)
			last->len = x->regions[i].offset + x->regions[i].len - last->offset;
		else
			x->regions[n++] = x->regions[i];
	}
	x->n_regions = n;
}

static void add_region(struct export *x, uint64_t offset, uint64_t len)
{
	struct tar_region *last = x->n_regions ? &x->regions[x->n_regions - 1] : NULL;

	if (last && offset - (last->offset + last->len) <= x->gap_bytes) {
		last->len = offset + len - last->offset;
		return;
	}
	while (x->n_regions == TAR_ARCHIVE_REGIONS_MAX)
		join_regions(x);
	ALLOC_GROW(x->regions, x->n_regions + 1, x->regions_room);
	x->regions[x->n_regions++] = (struct tar_region){offset, len};
}

/*
 * The data itself the reader has counted. What joining added can be terabytes, when a few thousand
 * blocks are spread over a file of the largest size.
 */
static int count_regions(struct export *x, struct error *err)
{
	for (size_t i = 0; i < x->n_regions; i++) {
		if (x->regions[i].len > x->data_left)
			return error_set(err, ERR_UNSUPPORTED,
					 "more and larger holes than a tar can hold");
		x->data_left -= x->regions[i].len;
	}
	return 0;
}

/* Where the file has data. Regions are whole blocks: only the last one ends with the file. */
static int find_regions(struct export *x, const struct ext4_stat *st, struct error *err)
{
	uint64_t at = 0, offset, len;
	int rc;

	x->n_regions = 0;
	x->gap_bytes = 0;
	while ((rc = ext4_reader_next_data(x->fs, st->inode, at, &offset, &len, err)) == 0) {
		if (interrupt_check(err) < 0)
			return -1;
		add_region(x, offset, len);
		at = offset + len;
	}
	return rc < 0 ? -1 : count_regions(x, err);
}

static bool is_whole(const struct export *x, uint64_t size)
{
	return size == 0
	       || (x->n_regions == 1 && x->regions[0].offset == 0 && x->regions[0].len == size);
}

static int write_region(struct export *x, uint32_t inode, const struct tar_region *r,
			struct error *err)
{
	uint64_t at = r->offset, end = r->offset + r->len;

	while (at < end) {
		size_t n = end - at < CHUNK_BYTES ? (size_t)(end - at) : CHUNK_BYTES;

		if (interrupt_check(err) < 0
		    || ext4_reader_read(x->fs, inode, x->chunk, n, at, &n, err) < 0)
			return -1;
		if (n == 0)
			return error_set(err, ERR_INCONSISTENT, "shorter than it was");
		if (tar_archive_data(x->archive, x->chunk, n, at, err) < 0)
			return -1;
		at += n;
	}
	return 0;
}

static int write_file(struct export *x, struct tar_entry *entry, const struct ext4_stat *st,
		      struct error *err)
{
	static const struct tar_region none;
	const struct tar_region *regions;

	if (find_regions(x, st, err) < 0)
		return -1;
	entry->size_bytes = st->size_bytes;
	regions = x->n_regions ? x->regions : &none;
	if (tar_archive_entry(x->archive, entry, is_whole(x, st->size_bytes) ? NULL : regions,
			      x->n_regions, err)
	    < 0)
		return -1;
	for (size_t i = 0; i < x->n_regions; i++)
		if (write_region(x, st->inode, &regions[i], err) < 0)
			return -1;
	return 0;
}

/* --- members ---------------------------------------------------------------------------------- */

static enum tar_type type_of(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return TAR_DIRECTORY;
	case S_IFLNK:
		return TAR_SYMLINK;
	case S_IFCHR:
		return TAR_CHAR;
	case S_IFBLK:
		return TAR_BLOCK;
	case S_IFIFO:
		return TAR_FIFO;
	default:
		return TAR_REGULAR;
	}
}

static int set_link(struct export *x, struct tar_entry *entry, const struct ext4_stat *st,
		    const char *first, struct error *err)
{
	buffer_clear(&x->link);
	if (first) {
		entry->type = TAR_HARDLINK;
		buffer_add(&x->link, first, strlen(first));
	} else if (entry->type != TAR_SYMLINK) {
		return 0;
	} else if (ext4_reader_readlink(x->fs, st->inode, &x->link, err) < 0) {
		return -1;
	}
	entry->link = (const char *)x->link.data;
	entry->link_len = x->link.len;
	return 0;
}

/* A hard link carries the attributes too: some unpackers set them again on the shared inode. */
static int write_member(struct export *x, const struct ext4_stat *st, struct error *err)
{
	struct tar_entry entry = {
		.type = type_of(st->meta.mode),
		.path = (const char *)x->path.data,
		.path_len = x->path.len,
		.mode = st->meta.mode & 07777,
		.uid = st->meta.uid,
		.gid = st->meta.gid,
		.mtime = {st->meta.mtime.sec, st->meta.mtime.nsec},
		.rdev_major = st->meta.rdev_major,
		.rdev_minor = st->meta.rdev_minor,
	};

	forget_xattrs(x);
	if (ext4_reader_xattrs(x->fs, st->inode, take_xattr, x, err) < 0
	    || set_link(x, &entry, st, first_name(x, st), err) < 0)
		return -1;
	entry.xattrs = x->xattrs;
	entry.n_xattrs = x->n_xattrs;
	if (entry.type == TAR_REGULAR)
		return write_file(x, &entry, st, err);
	return tar_archive_entry(x->archive, &entry, NULL, 0, err);
}

static int visit(const char *path, const struct ext4_stat *st, void *arg, struct error *err)
{
	struct export *x = arg;
	const char *slash = strrchr(path, '/');

	buffer_clear(&x->path);
	buffer_printf(&x->path, "./%s", path);
	if (S_ISSOCK(st->meta.mode)) {
		note_lost(&x->sockets, "%s", (const char *)x->path.data);
		return 0;
	}
	if (strncmp(slash ? slash + 1 : path, ".wh.", 4) == 0)
		note_lost(&x->whiteouts, "%s", (const char *)x->path.data);
	if (write_member(x, st, err) < 0)
		return error_wrap(err, "%s", *path ? path : "/");
	return 0;
}

static int write_all(struct ext4_reader *fs, bool tell, tar_archive_write_fn *write, void *arg,
		     struct error *err)
{
	cleanup(export_release) struct export x = {
		.fs = fs,
		.data_left = ext4_reader_size(fs),
		.chunk = xmalloc(CHUNK_BYTES),
	};

	if (tar_archive_open(write, arg, &x.archive, err) < 0
	    || ext4_reader_walk(fs, visit, &x, err) < 0 || tar_archive_finish(x.archive, err) < 0)
		return -1;
	if (tell)
		tell_all_lost(&x);
	return 0;
}

int tree_tar_write(struct ext4_reader *fs, tar_archive_write_fn *write, void *arg,
		   struct error *err)
{
	return write_all(fs, true, write, arg, err);
}

struct measure {
	struct hash *hash;
	uint64_t bytes;
};

static int measure_bytes(const void *data, size_t len, void *arg, struct error *err)
{
	struct measure *m = arg;

	(void)err;
	hash_update(m->hash, data, len);
	m->bytes += len;
	return 0;
}

int tree_tar_measure(struct ext4_reader *fs, struct digest *ret, uint64_t *ret_bytes,
		     struct error *err)
{
	cleanup(hash_free_ptr) struct hash *hash = hash_new(DIGEST_SHA256);
	struct measure m = {.hash = hash};

	if (write_all(fs, false, measure_bytes, &m, err) < 0)
		return -1;
	hash_final(hash, ret);
	*ret_bytes = m.bytes;
	return 0;
}
