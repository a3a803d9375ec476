/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One entry out of a header, the PAX records and GNU long names before it, and the sparse map
 * behind it. Where two of them name the same thing in ways that readers weigh differently, the
 * member is refused.
 */
#include <string.h>

#include "pkg/tar/tar_internal.h"

enum { OLD_SPARSE_AT = 386, OLD_SPARSE_ENTRIES = 4, OLD_EXTENDED_AT = 482, OLD_REALSIZE_AT = 483 };
enum { EXTENSION_ENTRIES = 21, EXTENSION_EXTENDED_AT = 504 };

static bool has(const struct tar_pending *pending, unsigned int what)
{
	return pending->have_pax && (pending->pax.have & what);
}

static int check_length(size_t len, const char *what, struct error *err)
{
	if (len > TAR_PATH_BYTES_MAX)
		return error_set(err, ERR_INVALID, "%s is longer than %d bytes", what,
				 TAR_PATH_BYTES_MAX);
	return 0;
}

static int set_path(struct tar_member *m, const struct tar_pending *p, struct error *err)
{
	struct tar_entry *e = &m->entry;

	e->path = m->header.name;
	e->path_len = m->header.name_len;
	if (p->have_name) {
		e->path = (const char *)p->name.data;
		e->path_len = strlen(e->path);
	}
	if (p->have_name && has(p, TAR_PAX_PATH | TAR_PAX_SPARSE_NAME))
		return error_set(err, ERR_INVALID,
				 "both a PAX path and a GNU long name, readers take either");
	if (has(p, TAR_PAX_PATH)) {
		e->path = p->pax.path.data;
		e->path_len = p->pax.path.len;
	}
	if (has(p, TAR_PAX_SPARSE_NAME)) {
		e->path = p->pax.sparse_name.data;
		e->path_len = p->pax.sparse_name.len;
	}
	return check_length(e->path_len, "name", err);
}

static int set_link(struct tar_member *m, const struct tar_pending *p, struct error *err)
{
	struct tar_entry *e = &m->entry;

	if (e->type != TAR_SYMLINK && e->type != TAR_HARDLINK)
		return 0;
	e->link = m->header.link;
	e->link_len = m->header.link_len;
	if (p->have_link) {
		e->link = (const char *)p->link.data;
		e->link_len = strlen(e->link);
	}
	if (p->have_link && has(p, TAR_PAX_LINK))
		return error_set(err, ERR_INVALID,
				 "both a PAX linkpath and a GNU long link, readers take either");
	if (has(p, TAR_PAX_LINK)) {
		e->link = p->pax.link.data;
		e->link_len = p->pax.link.len;
	}
	if (e->link_len == 0)
		return error_set(err, ERR_INVALID, "link without a target");
	return check_length(e->link_len, "link target", err);
}

static int type_of(char typeflag, enum tar_type *ret, struct error *err)
{
	switch (typeflag) {
	case '\0':
	case '0':
	case '7': /* contiguous: a matter of tapes */
	case 'S':
		*ret = TAR_REGULAR;
		return 0;
	case '1':
		*ret = TAR_HARDLINK;
		return 0;
	case '2':
		*ret = TAR_SYMLINK;
		return 0;
	case '3':
		*ret = TAR_CHAR;
		return 0;
	case '4':
		*ret = TAR_BLOCK;
		return 0;
	case '5':
		*ret = TAR_DIRECTORY;
		return 0;
	case '6':
		*ret = TAR_FIFO;
		return 0;
	default:
		return error_set(err, ERR_INVALID, "member type 0x%02x is not supported",
				 (unsigned char)typeflag);
	}
}

/* Before there was a type for directories they were files whose name ends in a slash. */
static int set_type(struct tar_member *m, struct error *err)
{
	const struct tar_entry *e = &m->entry;

	if (type_of(m->header.typeflag, &m->entry.type, err) < 0)
		return -1;
	if (e->type != TAR_REGULAR || e->path_len == 0 || e->path[e->path_len - 1] != '/')
		return 0;
	if (m->header.typeflag != '\0' && m->header.typeflag != '0')
		return error_set(err, ERR_INVALID, "file whose name ends in a slash");
	if (m->stored_bytes > 0)
		return error_set(err, ERR_INVALID,
				 "directory with data, which readers take differently");
	m->entry.type = TAR_DIRECTORY;
	return 0;
}

static void set_owner_and_times(struct tar_member *m, const struct tar_pending *p)
{
	struct tar_entry *e = &m->entry;

	e->mode = m->header.mode;
	e->uid = has(p, TAR_PAX_UID) ? (uint32_t)p->pax.uid : m->header.uid;
	e->gid = has(p, TAR_PAX_GID) ? (uint32_t)p->pax.gid : m->header.gid;
	e->mtime = (struct tar_time){.sec = m->header.mtime};
	if (has(p, TAR_PAX_MTIME))
		e->mtime = p->pax.mtime;
	e->atime = has(p, TAR_PAX_ATIME) ? p->pax.atime : e->mtime;
	if (p->have_pax) {
		e->xattrs = p->pax.xattrs;
		e->n_xattrs = p->pax.n_xattrs;
	}
}

static int set_device(struct tar_member *m, const struct tar_pending *p, struct error *err)
{
	m->entry.rdev_major = m->header.rdev_major;
	m->entry.rdev_minor = m->header.rdev_minor;
	if (m->entry.type != TAR_CHAR && m->entry.type != TAR_BLOCK)
		return 0;
	if ((has(p, TAR_PAX_DEVMAJOR) && p->pax.devmajor != m->header.rdev_major)
	    || (has(p, TAR_PAX_DEVMINOR) && p->pax.devminor != m->header.rdev_minor))
		return error_set(err, ERR_INVALID,
				 "two different device numbers, readers take either");
	return 0;
}

static int next_map_block(struct tar_input *in, uint8_t *block, struct error *err)
{
	size_t len;

	if (tar_input_block(in, block, &len, err) < 0)
		return -1;
	if (len < TAR_BLOCK_BYTES)
		return error_set(err, ERR_INVALID, "archive ends inside a sparse map");
	return 0;
}

/* Typeflag S: four entries in the header, then blocks of 21. */
static int read_old_map(struct tar_member *m, const uint8_t *block, struct tar_input *in,
			struct error *err)
{
	uint8_t extension[TAR_BLOCK_BYTES];
	int64_t realsize;
	bool more;

	if (m->header.format != TAR_GNU)
		return error_set(err, ERR_INVALID, "sparse file in a header that is not GNU's");
	if (tar_field_number(block + OLD_REALSIZE_AT, 12, &realsize) < 0 || realsize < 0)
		return error_set(err, ERR_INVALID, "header field 'realsize' is not a number");
	if (tar_sparse_take_old(&m->data, block + OLD_SPARSE_AT, OLD_SPARSE_ENTRIES,
				block[OLD_EXTENDED_AT] != 0, &more, err)
	    < 0)
		return -1;
	while (more) {
		if (next_map_block(in, extension, err) < 0
		    || tar_sparse_take_old(&m->data, extension, EXTENSION_ENTRIES,
					   extension[EXTENSION_EXTENDED_AT] != 0, &more, err)
			       < 0)
			return -1;
	}
	m->entry.size_bytes = (uint64_t)realsize;
	return 0;
}

/* PAX 1.0: the map is the first blocks of the data. */
static int read_map_in_data(struct tar_member *m, struct tar_input *in, struct error *err)
{
	struct tar_sparse_text text = {0};
	uint8_t block[TAR_BLOCK_BYTES];
	int rc = 0;

	while (rc == 0) {
		if (m->stored_bytes < TAR_BLOCK_BYTES)
			return error_set(err, ERR_INVALID, "sparse map is longer than the data");
		if (next_map_block(in, block, err) < 0)
			return -1;
		m->stored_bytes -= TAR_BLOCK_BYTES;
		rc = tar_sparse_feed(&m->data, &text, block, err);
	}
	return rc < 0 ? -1 : 0;
}

/* PAX 0.0 (pairs of records) and 0.1 (one record with a list). */
static int read_map_in_records(struct tar_member *m, const struct tar_pax *pax, struct error *err)
{
	bool list = pax->have & TAR_PAX_SPARSE_LIST;

	if (list && pax->sparse_pairs.n > 0)
		return error_set(err, ERR_INVALID, "sparse map in two formats at once");
	if (list
	    && tar_sparse_take_list(&m->data, pax->sparse_list.data, pax->sparse_list.len, err) < 0)
		return -1;
	for (size_t i = 0; i < pax->sparse_pairs.n; i++)
		if (tar_sparse_add(&m->data, pax->sparse_pairs.regions[i].offset,
				   pax->sparse_pairs.regions[i].len, err)
		    < 0)
			return -1;
	if (!(pax->have & TAR_PAX_SPARSE_BLOCKS) || pax->sparse_blocks != m->data.n)
		return error_set(err, ERR_INVALID,
				 "sparse map has %zu regions and another number is announced",
				 m->data.n);
	return 0;
}

static int pax_sparse_size(struct tar_member *m, const struct tar_pax *pax, struct error *err)
{
	bool size = pax->have & TAR_PAX_SPARSE_SIZE;
	bool realsize = pax->have & TAR_PAX_SPARSE_REALSIZE;

	if (!size && !realsize)
		return error_set(err, ERR_INVALID, "sparse file without its size");
	if (size && realsize && pax->sparse_size != pax->sparse_realsize)
		return error_set(err, ERR_INVALID, "sparse file with two different sizes");
	m->entry.size_bytes = size ? pax->sparse_size : pax->sparse_realsize;
	return 0;
}

static int read_pax_map(struct tar_member *m, const struct tar_pax *pax, struct tar_input *in,
			struct error *err)
{
	unsigned int versions = pax->have & (TAR_PAX_SPARSE_MAJOR | TAR_PAX_SPARSE_MINOR);

	if (pax_sparse_size(m, pax, err) < 0)
		return -1;
	if (versions == 0) {
		if (read_map_in_records(m, pax, err) < 0)
			return -1;
		/* Go then sees an ordinary file of the stored size. */
		return m->data.n > 0 ? 0
				     : error_set(err, ERR_INVALID,
						 "sparse file without a map or a version");
	}
	if (versions == (TAR_PAX_SPARSE_MAJOR | TAR_PAX_SPARSE_MINOR)) {
		if (pax->sparse_major == 0 && pax->sparse_minor <= 1)
			return read_map_in_records(m, pax, err);
		if (pax->sparse_major == 1 && pax->sparse_minor == 0)
			return read_map_in_data(m, in, err);
	}
	return error_set(err, ERR_INVALID, "sparse file in an unknown format");
}

static int set_data(struct tar_member *m, const uint8_t *block, const struct tar_pending *p,
		    struct tar_input *in, struct error *err)
{
	bool old = m->header.typeflag == 'S', pax = has(p, TAR_PAX_SPARSE);
	int rc;

	if (pax && (old || m->entry.type != TAR_REGULAR))
		return error_set(err, ERR_INVALID, "GNU.sparse records on another kind of member");
	if (m->entry.type != TAR_REGULAR) {
		m->size_ignored = m->stored_bytes > 0;
		m->stored_bytes = 0;
		return 0;
	}
	if (!old && !pax) {
		m->entry.size_bytes = m->stored_bytes;
		return tar_sparse_add(&m->data, 0, m->stored_bytes, err);
	}
	rc = old ? read_old_map(m, block, in, err) : read_pax_map(m, &p->pax, in, err);
	if (rc < 0)
		return -1;
	return tar_sparse_check(&m->data, m->entry.size_bytes, m->stored_bytes, err);
}

int tar_member_make(struct tar_member *m, const uint8_t *block, const struct tar_pending *pending,
		    struct tar_input *in, struct error *err)
{
	m->entry = (struct tar_entry){0};
	m->data.n = 0;
	m->size_ignored = false;
	if (tar_header_parse_rest(block, &m->header, err) < 0)
		return -1;
	/* A PAX size counts for the member itself, never for what stands between them. */
	m->stored_bytes = has(pending, TAR_PAX_SIZE) ? pending->pax.size : m->header.size;
	if (set_path(m, pending, err) < 0 || set_type(m, err) < 0 || set_link(m, pending, err) < 0
	    || set_device(m, pending, err) < 0)
		return -1;
	set_owner_and_times(m, pending);
	return set_data(m, block, pending, in, err);
}
