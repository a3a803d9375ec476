/* SPDX-License-Identifier: Apache-2.0 */
/* A table of the members, sorted by name; big ones are jumped over. */
#include "oci/archive_members.h"

#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/tar/reader.h"

enum {
	/* Less than that is read through faster than jumped over. */
	JUMP_BYTES = 1 << 20,
	LINKS_MAX = 40, /* as Linux has it */
};

struct oci_members {
	int fd; /* borrowed */
	uint64_t bytes;
	char *name;
	struct oci_member *items; /* sorted by name, then by place */
	size_t n, room;
	uint64_t count; /* of all, also of those that are no items */
	size_t names_bytes;
	bool too_many;
	char *unsafe; /* the first name that leads outside, or NULL */
};

/* --- names ------------------------------------------------------------------------------------ */

/* Take what "." and empty parts add out of a path, in place. False: it leads outside. */
static bool tidy(char *path)
{
	bool is_safe = *path != '/';
	char *to = path;

	for (const char *p = path; *p;) {
		size_t len;

		p += strspn(p, "/");
		len = strcspn(p, "/");
		if (len == 2 && p[0] == '.' && p[1] == '.')
			is_safe = false;
		if (len > 0 && !(len == 1 && *p == '.')) {
			if (to > path)
				*to++ = '/';
			memmove(to, p, len);
			to += len;
		}
		p += len;
	}
	*to = '\0';
	return is_safe;
}

/* Where a symlink leads, seen from the top. NULL: outside. Owned. */
static char *symlink_target(const char *from, const char *target)
{
	const char *slash = strrchr(from, '/');
	cleanup_free char *path =
		xasprintf("%.*s%s", slash ? (int)(slash + 1 - from) : 0, from, target);
	char *to = path;

	if (*target == '/')
		return NULL;
	for (const char *p = path; *p;) {
		size_t len;

		p += strspn(p, "/");
		len = strcspn(p, "/");
		if (len == 2 && p[0] == '.' && p[1] == '.') {
			if (to == path)
				return NULL;
			while (to > path && *--to != '/')
				;
		} else if (len > 0 && !(len == 1 && *p == '.')) {
			if (to > path)
				*to++ = '/';
			memmove(to, p, len);
			to += len;
		}
		p += len;
	}
	*to = '\0';
	return steal(&path);
}

/* --- the scan --------------------------------------------------------------------------------- */

static bool is_full(const struct oci_members *m, size_t more)
{
	return m->n == OCI_MEMBERS_MAX || m->names_bytes + more > OCI_MEMBERS_NAMES_MAX_BYTES;
}

static void free_item(struct oci_member *item)
{
	free((char *)item->name);
	free((char *)item->link);
}

/* Once there are too many, only what is at the top can say what all of it is. */
static void forget_deep_ones(struct oci_members *m)
{
	size_t kept = 0;

	m->names_bytes = 0;
	for (size_t i = 0; i < m->n; i++) {
		if (strchr(m->items[i].name, '/')) {
			free_item(&m->items[i]);
			continue;
		}
		m->names_bytes += strlen(m->items[i].name);
		m->items[kept++] = m->items[i];
	}
	m->n = kept;
}

static void add(struct oci_members *m, const struct tar_entry *entry,
		const struct tar_extent *extent, uint64_t base)
{
	cleanup_free char *name = xstrdup(entry->path);
	size_t len = entry->path_len + entry->link_len;

	m->count++;
	if (!tidy(name)) {
		if (!m->unsafe)
			m->unsafe = xstrdup(entry->path);
		return;
	}
	if (!m->too_many && is_full(m, len)) {
		m->too_many = true;
		forget_deep_ones(m);
	}
	if (m->too_many && (strchr(name, '/') || is_full(m, len)))
		return;
	ALLOC_GROW(m->items, m->n + 1, m->room);
	m->names_bytes += len;
	m->items[m->n++] = (struct oci_member){
		.name = steal(&name),
		.type = entry->type,
		.link = entry->link ? xstrdup(entry->link) : NULL,
		.offset = base + extent->data,
		.size_bytes = entry->size_bytes,
		.has_holes = extent->has_holes,
	};
}

/* 0 = one reader went up to *base, from where another one goes on, 1 = the end. */
static int scan_some(struct oci_members *m, uint64_t *base, struct error *err)
{
	struct stream *in = stream_from_range(m->fd, *base, m->bytes - *base, m->name);
	cleanup(tar_reader_close_ptr) struct tar_reader *tar = NULL;
	const struct tar_entry *entry;
	int rc;

	if (tar_reader_open(&in, &tar, err) < 0)
		return -1;
	while ((rc = tar_reader_next(tar, &entry, err)) == 0) {
		struct tar_extent extent;

		tar_reader_extent(tar, &extent);
		add(m, entry, &extent, *base);
		if (extent.next - extent.data >= JUMP_BYTES && extent.next <= m->bytes - *base) {
			*base += extent.next;
			return 0;
		}
	}
	return rc;
}

static int by_name(const void *a, const void *b)
{
	const struct oci_member *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : x->offset < y->offset ? -1 : x->offset > y->offset;
}

static void sort(struct oci_members *m)
{
	if (m->n)
		qsort(m->items, m->n, sizeof(*m->items), by_name);
	for (size_t i = 1; i < m->n; i++)
		if (strcmp(m->items[i - 1].name, m->items[i].name) == 0)
			m->items[i - 1].is_double = m->items[i].is_double = true;
}

int oci_members_scan(int fd, uint64_t bytes, const char *name, struct oci_members **ret,
		     struct error *err)
{
	cleanup(oci_members_free_ptr) struct oci_members *m = xcalloc(1, sizeof(*m));
	uint64_t base = 0;
	int rc;

	m->fd = fd;
	m->bytes = bytes;
	m->name = xstrdup(name);
	do
		rc = scan_some(m, &base, err);
	while (rc == 0);
	if (rc < 0)
		return error_wrap(err, "%s%s", name, m->count ? "" : ": not a tar archive");
	sort(m);
	*ret = steal(&m);
	return 0;
}

void oci_members_free(struct oci_members *m)
{
	for (size_t i = 0; i < m->n; i++)
		free_item(&m->items[i]);
	free(m->items);
	free(m->name);
	free(m->unsafe);
	free(m);
}

uint64_t oci_members_count(const struct oci_members *m)
{
	return m->count;
}

int oci_members_check(const struct oci_members *m, struct error *err)
{
	if (m->unsafe)
		return error_set(err, ERR_INVALID,
				 "member %.120s: names in an archive of images are relative, "
				 "without '..'",
				 m->unsafe);
	if (m->too_many)
		return error_set(err, ERR_INVALID,
				 "%llu members: no archive of images has more than %d",
				 (unsigned long long)m->count, OCI_MEMBERS_MAX);
	return 0;
}

/* --- finding ---------------------------------------------------------------------------------- */

const struct oci_member *oci_members_find(const struct oci_members *m, const char *name)
{
	size_t low = 0, high = m->n;

	/* The first one behind all of that name. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(m->items[middle].name, name) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && strcmp(m->items[low - 1].name, name) == 0 ? &m->items[low - 1] : NULL;
}

/* The member that a link leads to. */
static int follow(const struct oci_members *m, const struct oci_member *link,
		  const struct oci_member **ret, struct error *err)
{
	cleanup_free char *to = link->type == TAR_SYMLINK ? symlink_target(link->name, link->link)
							  : xstrdup(link->link);

	if (!to || (link->type == TAR_HARDLINK && !tidy(to)))
		return error_set(err, ERR_INVALID, "%.120s: a link out of the archive, to %.120s",
				 link->name, link->link);
	*ret = oci_members_find(m, to);
	if (*ret)
		return 0;
	return error_set(err, ERR_INVALID, "%.120s: a link to %.120s, which is not in the archive",
			 link->name, link->link);
}

static int check_file(const struct oci_member *file, struct error *err)
{
	if (file->type != TAR_REGULAR)
		return error_set(err, ERR_INVALID, "%.120s: no regular file", file->name);
	if (file->has_holes)
		return error_set(err, ERR_INVALID, "%.120s: stored as a file with holes",
				 file->name);
	return 0;
}

int oci_members_file(const struct oci_members *m, const char *name, enum oci_members_links links,
		     const struct oci_member **ret, struct error *err)
{
	cleanup_free char *tidied = xstrdup(name);
	const struct oci_member *file;

	if (!tidy(tidied))
		return error_set(err, ERR_INVALID, "%.120s: a path out of the archive", name);
	file = oci_members_find(m, tidied);
	if (!file)
		return error_set(err, ERR_NOT_FOUND, "%.160s is not in the archive", name);
	for (int i = 0; file->type == TAR_HARDLINK
			|| (links == OCI_MEMBERS_ALL_LINKS && file->type == TAR_SYMLINK);
	     i++) {
		if (i == LINKS_MAX)
			return error_set(err, ERR_INVALID, "%.160s: links in a circle", name);
		if (follow(m, file, &file, err) < 0)
			return -1;
	}
	if (check_file(file, err) < 0)
		return -1;
	*ret = file;
	return 0;
}

struct stream *oci_members_open(const struct oci_members *m, const struct oci_member *file)
{
	return stream_from_range(m->fd, file->offset, file->size_bytes, m->name);
}

int oci_members_read(const struct oci_members *m, const char *name, size_t max, struct buffer *ret,
		     struct error *err)
{
	cleanup(stream_close_ptr) struct stream *in = NULL;
	const struct oci_member *file;

	if (oci_members_file(m, name, OCI_MEMBERS_HARD_LINKS, &file, err) < 0)
		return -1;
	if (file->is_double || oci_members_find(m, name)->is_double)
		return error_set(err, ERR_INVALID, "%.120s is there more than once", name);
	if (file->size_bytes > max)
		return error_set(err, ERR_INVALID, "%.120s has %llu bytes, at most %zu are allowed",
				 name, (unsigned long long)file->size_bytes, max);
	in = oci_members_open(m, file);
	if (stream_read_all(in, max, ret, err) < 0)
		return error_wrap(err, "%.120s", name);
	return stream_finish(in, err);
}
