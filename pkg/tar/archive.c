/* SPDX-License-Identifier: Apache-2.0 */
/* The one file that knows libarchive, its errors and its moods. */
#include "pkg/tar/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "pkg/tar/archive_internal.h"

/* Fed for holes, which libarchive counts but does not look at: its pages are never touched. */
static uint8_t archive_zeros[1 << 20];

struct tar_archive {
	struct archive *archive;
	tar_archive_write_fn *write;
	void *arg;
	bool in_head; /* the header is being made: what comes goes to head */
	bool discard; /* it is over: what comes is thrown away */
	struct buffer head, corrected;
	/* of the present member */
	uint64_t position, size_bytes;
	const struct tar_region *regions, *regions_end;
	struct error failure; /* of write */
};

static int fail(struct tar_archive *a, const char *what, struct error *err)
{
	const char *text = archive_error_string(a->archive);

	if (a->failure.kind != ERR_NONE) {
		*err = a->failure;
		return -1;
	}
	return error_set(err, ERR_SYSTEM, "libarchive: %s: %s", what, text ? text : "failed");
}

/* --- output ----------------------------------------------------------------------------------- */

static la_ssize_t take_output(struct archive *archive, void *arg, const void *data, size_t len)
{
	struct tar_archive *a = arg;

	(void)archive;
	if (a->in_head)
		buffer_add(&a->head, data, len);
	else if (!a->discard && a->write(data, len, a->arg, &a->failure) < 0)
		return -1;
	return (la_ssize_t)len;
}

/* Members and their blocks as they come, nothing held back; nothing added behind the two zero
 * blocks; names as bytes; attributes in the one form that everybody reads. */
static int configure(struct archive *a)
{
	if (archive_write_set_format_pax(a) != ARCHIVE_OK
	    || archive_write_set_format_option(a, "pax", "hdrcharset", "BINARY") != ARCHIVE_OK
	    || archive_write_set_format_option(a, "pax", "xattrheader", "SCHILY") != ARCHIVE_OK
	    || archive_write_set_bytes_per_block(a, 0) != ARCHIVE_OK)
		return -1;
	return 0;
}

int tar_archive_open(tar_archive_write_fn *write, void *arg, struct tar_archive **ret,
		     struct error *err)
{
	cleanup(tar_archive_close_ptr) struct tar_archive *a = xcalloc(1, sizeof(*a));

	a->write = write;
	a->arg = arg;
	a->archive = archive_write_new();
	if (!a->archive)
		abort();
	if (configure(a->archive) < 0) {
		fail(a, "set up", err);
		err->kind = ERR_UNSUPPORTED;
		return -1;
	}
	if (archive_write_open(a->archive, a, NULL, take_output, NULL) != ARCHIVE_OK)
		return fail(a, "open", err);
	*ret = steal(&a);
	return 0;
}

/* --- members ---------------------------------------------------------------------------------- */

size_t tar_archive_xattr_bytes(const char *name, size_t value_len)
{
	/* A '=' in the name has it escaped, and the value in base64. */
	if (strchr(name, '='))
		return 3 * strlen(name) + value_len / 3 * 4 + 4;
	return strlen(name) + value_len;
}

static int check_xattrs(const struct tar_entry *e, struct error *err)
{
	size_t bytes = 0;

	if (e->n_xattrs > TAR_ARCHIVE_XATTRS_MAX)
		return error_set(err, ERR_UNSUPPORTED, "%zu xattrs are more than a tar can hold",
				 e->n_xattrs);
	for (size_t i = 0; i < e->n_xattrs; i++) {
		size_t name_len = strlen(e->xattrs[i].name);

		if (name_len == 0 || name_len > TAR_ARCHIVE_XATTR_NAME_BYTES_MAX)
			return error_set(err, ERR_UNSUPPORTED, "an xattr has a name of %zu bytes",
					 name_len);
		bytes += tar_archive_xattr_bytes(e->xattrs[i].name, e->xattrs[i].value_len);
	}
	if (bytes > TAR_ARCHIVE_XATTR_BYTES_MAX)
		return error_set(err, ERR_UNSUPPORTED,
				 "xattrs of %zu bytes are more than a tar can hold", bytes);
	return 0;
}

static int check_entry(const struct tar_entry *e, struct error *err)
{
	/* The slash that libarchive puts behind a folder's. */
	size_t path_len = e->path_len + (e->type == TAR_DIRECTORY);

	if (path_len > TAR_ARCHIVE_PATH_BYTES_MAX || e->link_len > TAR_ARCHIVE_PATH_BYTES_MAX)
		return error_set(err, ERR_UNSUPPORTED, "a path of %zu bytes is too long for a tar",
				 path_len > e->link_len ? path_len : e->link_len);
	if (e->uid == UINT32_MAX || e->gid == UINT32_MAX)
		return error_set(err, ERR_UNSUPPORTED, "nobody can own a file as %u:%u", e->uid,
				 e->gid);
	if (e->size_bytes > INT64_MAX / 2)
		return error_set(err, ERR_UNSUPPORTED, "%" PRIu64 " bytes are too many for a tar",
				 e->size_bytes);
	return check_xattrs(e, err);
}

static void set_type(struct archive_entry *to, const struct tar_entry *e)
{
	static const mode_t types[] = {
		[TAR_REGULAR] = AE_IFREG,  [TAR_DIRECTORY] = AE_IFDIR, [TAR_SYMLINK] = AE_IFLNK,
		[TAR_HARDLINK] = AE_IFREG, [TAR_CHAR] = AE_IFCHR,      [TAR_BLOCK] = AE_IFBLK,
		[TAR_FIFO] = AE_IFIFO,
	};

	archive_entry_set_filetype(to, types[e->type]);
	if (e->type == TAR_SYMLINK)
		archive_entry_set_symlink(to, e->link);
	if (e->type == TAR_HARDLINK)
		archive_entry_set_hardlink(to, e->link);
	if (e->type == TAR_CHAR || e->type == TAR_BLOCK) {
		archive_entry_set_rdevmajor(to, e->rdev_major);
		archive_entry_set_rdevminor(to, e->rdev_minor);
	}
}

static void set_holes(struct archive_entry *to, const struct tar_entry *e,
		      const struct tar_region *regions, size_t n)
{
	for (size_t i = 0; i < n; i++)
		archive_entry_sparse_add_entry(to, (la_int64_t)regions[i].offset,
					       (la_int64_t)regions[i].len);
	/* It takes a file without any entry for one without holes. */
	if (n == 0)
		archive_entry_sparse_add_entry(to, (la_int64_t)e->size_bytes, 0);
}

static struct archive_entry *make_entry(const struct tar_entry *e)
{
	struct archive_entry *to = archive_entry_new();

	if (!to)
		abort();
	set_type(to, e);
	archive_entry_set_pathname(to, e->path);
	archive_entry_set_perm(to, e->mode);
	archive_entry_set_uid(to, e->uid);
	archive_entry_set_gid(to, e->gid);
	archive_entry_set_mtime(to, e->mtime.sec, (long)e->mtime.nsec);
	archive_entry_set_size(to, e->type == TAR_REGULAR ? (la_int64_t)e->size_bytes : 0);
	/* The first one added is the last one written. */
	for (size_t i = e->n_xattrs; i-- > 0;)
		archive_entry_xattr_add_entry(to, e->xattrs[i].name, e->xattrs[i].value,
					      e->xattrs[i].value_len);
	return to;
}

static int write_head(struct tar_archive *a, struct archive_entry *made,
		      const struct tar_entry *entry, struct error *err)
{
	int rc;

	buffer_clear(&a->head);
	buffer_clear(&a->corrected);
	a->in_head = true;
	rc = archive_write_header(a->archive, made);
	a->in_head = false;
	/* A warning says that something was written otherwise than it was given. */
	if (rc != ARCHIVE_OK)
		return fail(a, "header", err);
	if (tar_archive_correct(&a->head, entry, &a->corrected, err) < 0)
		return -1;
	return a->write(a->corrected.data, a->corrected.len, a->arg, err);
}

static int feed(struct tar_archive *a, const uint8_t *data, size_t len, struct error *err)
{
	while (len) {
		la_ssize_t n = archive_write_data(a->archive, data, len);

		if (n <= 0)
			return fail(a, "data", err);
		data += n;
		len -= (size_t)n;
		a->position += (uint64_t)n;
	}
	return 0;
}

static int skip_to(struct tar_archive *a, uint64_t offset, struct error *err)
{
	while (a->position < offset) {
		uint64_t len = offset - a->position;

		if (len > sizeof(archive_zeros))
			len = sizeof(archive_zeros);
		if (feed(a, archive_zeros, (size_t)len, err) < 0)
			return -1;
	}
	return 0;
}

static int end_member(struct tar_archive *a, struct error *err)
{
	if (skip_to(a, a->size_bytes, err) < 0)
		return -1;
	if (archive_write_finish_entry(a->archive) != ARCHIVE_OK)
		return fail(a, "end of a member", err);
	a->position = a->size_bytes = 0;
	return 0;
}

int tar_archive_entry(struct tar_archive *a, const struct tar_entry *entry,
		      const struct tar_region *regions, size_t n, struct error *err)
{
	struct archive_entry *made;
	bool sparse = entry->type == TAR_REGULAR && regions && entry->size_bytes;
	int rc;

	if (check_entry(entry, err) < 0 || end_member(a, err) < 0)
		return -1;
	assert(!sparse || n <= TAR_ARCHIVE_REGIONS_MAX);
	made = make_entry(entry);
	if (sparse)
		set_holes(made, entry, regions, n);
	rc = write_head(a, made, entry, err);
	archive_entry_free(made);
	if (rc < 0)
		return -1;
	a->size_bytes = entry->type == TAR_REGULAR ? entry->size_bytes : 0;
	a->regions = sparse ? regions : NULL;
	a->regions_end = sparse ? regions + n : NULL;
	return 0;
}

/* libarchive drops what is given for a hole. */
static bool is_in_region(struct tar_archive *a, size_t len, uint64_t offset)
{
	const struct tar_region *r;

	if (!a->regions)
		return true;
	while (a->regions < a->regions_end && a->regions->offset + a->regions->len <= offset)
		a->regions++;
	r = a->regions;
	return r < a->regions_end && r->offset <= offset && offset + len <= r->offset + r->len;
}

int tar_archive_data(struct tar_archive *a, const void *data, size_t len, uint64_t offset,
		     struct error *err)
{
	assert(offset >= a->position && offset + len <= a->size_bytes);
	assert(len == 0 || is_in_region(a, len, offset));
	if (skip_to(a, offset, err) < 0)
		return -1;
	return feed(a, data, len, err);
}

int tar_archive_finish(struct tar_archive *a, struct error *err)
{
	if (end_member(a, err) < 0)
		return -1;
	if (archive_write_close(a->archive) != ARCHIVE_OK)
		return fail(a, "end", err);
	return 0;
}

void tar_archive_close(struct tar_archive *a)
{
	if (!a)
		return;
	/* Freeing also writes what belongs at the end. */
	a->discard = true;
	archive_write_free(a->archive);
	buffer_release(&a->head);
	buffer_release(&a->corrected);
	free(a);
}
