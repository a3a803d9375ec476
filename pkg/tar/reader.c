/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of things: header, its data, padding, the next header; the x, L, K and g members
 * before one; the end of the archive, and what may follow it.
 */
#include "pkg/tar/reader.h"

#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/tar/tar_internal.h"

struct tar_reader {
	struct tar_input in;
	struct tar_pending pending;
	struct tar_member member;
	uint8_t block[TAR_BLOCK_BYTES];
	uint64_t header_at;  /* of the block that is looked at, for errors */
	bool named;	     /* member.entry.path is that of this header */
	bool must_be_header; /* the last member claimed data that its type has not */
	bool at_end;
	size_t region;	      /* of the data that is next */
	uint64_t region_done; /* bytes of it that were lent */
	uint64_t data_left, padding;
	struct error failure; /* repeated, when its kind is not ERR_NONE */
};

int tar_reader_open(struct stream **in, struct tar_reader **ret, struct error *err)
{
	struct tar_reader *r = xcalloc(1, sizeof(*r));

	(void)err;
	r->in.stream = steal(in);
	*ret = r;
	return 0;
}

void tar_reader_close(struct tar_reader *r)
{
	stream_close(r->in.stream);
	buffer_release(&r->pending.pax_body);
	buffer_release(&r->pending.name);
	buffer_release(&r->pending.link);
	tar_pax_release(&r->pending.pax);
	tar_sparse_release(&r->member.data);
	free(r);
}

/* Say where it happened, unless the stream below failed, and keep it. */
static int fail(struct tar_reader *r, struct error *err)
{
	unsigned long long at = r->header_at;

	if (!r->in.failed && r->named)
		error_wrap(err, "tar member %.300s at byte %llu", r->member.entry.path, at);
	else if (!r->in.failed)
		error_wrap(err, "tar header at byte %llu", at);
	r->failure = *err;
	return -1;
}

/* --- between members -------------------------------------------------------------------------- */

/* Pass over what nobody read. Only padding may be missing at the end of the stream. */
static int finish_member(struct tar_reader *r, struct error *err)
{
	uint64_t skipped;

	tar_input_take(&r->in);
	if (tar_input_skip(&r->in, r->data_left, &skipped, err) < 0)
		return -1;
	if (skipped < r->data_left)
		return error_set(err, ERR_INVALID, "archive ends %llu bytes before the data does",
				 (unsigned long long)(r->data_left - skipped));
	if (tar_input_skip(&r->in, r->padding, &skipped, err) < 0)
		return -1;
	r->data_left = r->padding = 0;
	r->member.data.n = 0;
	r->named = false;
	return 0;
}

static bool is_pending(const struct tar_pending *p)
{
	return p->have_pax || p->have_name || p->have_link;
}

static void clear_pending(struct tar_pending *p)
{
	p->have_pax = p->have_name = p->have_link = false;
}

/*
 * A member without data that claims some is followed by a header here, by data elsewhere. Zeros up
 * to the end are the same for both; anything else behind the end mark would be members to some.
 */
static int check_rest_is_zero(struct tar_reader *r, struct error *err)
{
	const uint8_t *piece;
	size_t n;
	int rc;

	while ((rc = tar_input_peek(&r->in, UINT64_MAX, &piece, &n, err)) == 0)
		if (!tar_is_zero(piece, n))
			return error_set(err, ERR_INVALID,
					 "data behind the end of the archive, and its last member "
					 "claims to have some");
	return rc < 0 ? -1 : 0;
}

/* After a zero block: another one, or the end of the stream. */
static int read_end_mark(struct tar_reader *r, struct error *err)
{
	size_t len;

	if (tar_input_block(&r->in, r->block, &len, err) < 0)
		return -1;
	if (!tar_is_zero(r->block, len))
		return error_set(err, ERR_INVALID,
				 "a single zero block, then more: readers stop or go on");
	return r->must_be_header ? check_rest_is_zero(r, err) : 0;
}

/* 0 = a header with a correct checksum, 1 = end of the archive, -1. */
static int read_header(struct tar_reader *r, struct error *err)
{
	size_t len;

	r->header_at = r->in.offset;
	if (tar_input_block(&r->in, r->block, &len, err) < 0)
		return -1;
	if (tar_is_zero(r->block, len)) {
		if (is_pending(&r->pending))
			return error_set(err, ERR_INVALID,
					 "archive ends after a PAX or long name header");
		return len == TAR_BLOCK_BYTES && read_end_mark(r, err) < 0 ? -1 : 1;
	}
	if (len < TAR_BLOCK_BYTES)
		return error_set(err, ERR_INVALID, "archive ends inside a header");
	if (tar_header_check(r->block, err) < 0) {
		if (r->must_be_header)
			return error_set(err, ERR_INVALID,
					 "not a header, and the member before, of a type "
					 "without data, claims to have some");
		return -1;
	}
	r->must_be_header = false;
	return 0;
}

/* --- x, L, K, g ------------------------------------------------------------------------------- */

static int check_body_size(const struct tar_reader *r, struct error *err)
{
	if (r->member.header.size > TAR_META_BYTES_MAX)
		return error_set(err, ERR_INVALID,
				 "header of type '%c' with %llu bytes, at most %d are allowed",
				 r->member.header.typeflag,
				 (unsigned long long)r->member.header.size, TAR_META_BYTES_MAX);
	return 0;
}

static int read_body(struct tar_reader *r, struct buffer *body, struct error *err)
{
	size_t size = (size_t)r->member.header.size;

	if (check_body_size(r, err) < 0)
		return -1;
	buffer_clear(body);
	while (body->len < size) {
		const uint8_t *piece;
		size_t n;
		int rc = tar_input_peek(&r->in, size - body->len, &piece, &n, err);

		if (rc < 0)
			return -1;
		if (rc == 1)
			return error_set(err, ERR_INVALID,
					 "archive ends inside a PAX or long name header");
		buffer_add(body, piece, n);
	}
	buffer_add(body, "", 0); /* terminated, also when empty */
	r->padding = tar_padding(size);
	return finish_member(r, err);
}

static int read_pax(struct tar_reader *r, struct error *err)
{
	struct tar_pending *p = &r->pending;

	if (read_body(r, &p->pax_body, err) < 0)
		return -1;
	p->have_pax = true; /* the last one counts */
	return tar_pax_parse(&p->pax, (char *)p->pax_body.data, p->pax_body.len, err);
}

static int read_long(struct tar_reader *r, struct buffer *body, bool *ret_have, struct error *err)
{
	if (read_body(r, body, err) < 0)
		return -1;
	if (body->data[0] == '\0')
		return error_set(err, ERR_INVALID, "empty GNU long name");
	*ret_have = true;
	return 0;
}

/* Global records are for others: the tools that unpack layers ignore them. */
static int skip_global(struct tar_reader *r, struct error *err)
{
	uint64_t size = r->member.header.size;

	/* Some forget the x, L or K before it, some do not. */
	if (is_pending(&r->pending))
		return error_set(err, ERR_INVALID,
				 "global header between a PAX or long name header and its member");
	if (check_body_size(r, err) < 0)
		return -1;
	log_debug("tar: global header at byte %llu ignored", (unsigned long long)r->header_at);
	r->data_left = size;
	r->padding = tar_padding(size);
	return finish_member(r, err);
}

/* 0 = that was one of them, 1 = it is a member. */
static int read_meta(struct tar_reader *r, struct error *err)
{
	switch (r->member.header.typeflag) {
	case 'x':
		return read_pax(r, err);
	case 'L':
		return read_long(r, &r->pending.name, &r->pending.have_name, err);
	case 'K':
		return read_long(r, &r->pending.link, &r->pending.have_link, err);
	case 'g':
		return skip_global(r, err);
	default:
		return 1;
	}
}

/* --- members and their data ------------------------------------------------------------------- */

static int make_member(struct tar_reader *r, struct error *err)
{
	struct tar_member *m = &r->member;
	int rc = tar_member_make(m, r->block, &r->pending, &r->in, err);

	r->named = m->entry.path != NULL;
	if (rc < 0)
		return -1;
	r->region = 0;
	r->region_done = 0;
	r->data_left = m->stored_bytes;
	r->padding = tar_padding(m->stored_bytes);
	r->must_be_header = m->size_ignored;
	return 0;
}

static int next_member(struct tar_reader *r, struct error *err)
{
	int rc;

	if (finish_member(r, err) < 0)
		return -1;
	clear_pending(&r->pending);
	do {
		rc = read_header(r, err);
		if (rc != 0)
			return rc;
		if (tar_header_parse_type(r->block, &r->member.header, err) < 0)
			return -1;
		rc = read_meta(r, err);
	} while (rc == 0);
	return rc < 0 ? -1 : make_member(r, err);
}

int tar_reader_next(struct tar_reader *r, const struct tar_entry **ret, struct error *err)
{
	int rc;

	if (r->failure.kind != ERR_NONE) {
		*err = r->failure;
		return -1;
	}
	if (r->at_end)
		return 1;
	rc = next_member(r, err);
	if (rc < 0)
		return fail(r, err);
	r->at_end = rc == 1;
	*ret = &r->member.entry;
	return rc;
}

void tar_reader_extent(const struct tar_reader *r, struct tar_extent *ret)
{
	ret->data = r->in.offset + r->in.lent;
	ret->next = ret->data + r->data_left + r->padding;
	ret->has_holes = r->member.stored_bytes != r->member.entry.size_bytes;
}

int tar_reader_data(struct tar_reader *r, const uint8_t **ret, size_t *ret_len,
		    uint64_t *ret_offset, struct error *err)
{
	const struct tar_sparse *map = &r->member.data;
	const struct tar_region *region;
	int rc;

	if (r->failure.kind != ERR_NONE) {
		*err = r->failure;
		return -1;
	}
	while (r->region < map->n && r->region_done == map->regions[r->region].len) {
		r->region++;
		r->region_done = 0;
	}
	if (r->region >= map->n)
		return 1;
	region = &map->regions[r->region];
	rc = tar_input_peek(&r->in, region->len - r->region_done, ret, ret_len, err);
	if (rc == 1)
		rc = error_set(err, ERR_INVALID, "archive ends %llu bytes before the data does",
			       (unsigned long long)r->data_left);
	if (rc < 0)
		return fail(r, err);
	*ret_offset = region->offset + r->region_done;
	r->region_done += *ret_len;
	r->data_left -= *ret_len;
	return 0;
}

int tar_reader_finish(struct tar_reader *r, struct error *err)
{
	const struct tar_entry *unused;
	int rc;

	/* What was not looked at must be sound all the same. */
	while ((rc = tar_reader_next(r, &unused, err)) == 0)
		;
	if (rc < 0)
		return -1;
	tar_input_take(&r->in);
	return stream_finish(r->in.stream, err);
}
