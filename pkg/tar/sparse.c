/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The maps of files with holes, in their four notations. Each says where the stored bytes, one
 * region after another, belong in the file.
 */
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/tar/tar_internal.h"

enum { OLD_ENTRY_BYTES = 24, OLD_NUMBER_BYTES = 12 };

int tar_sparse_add(struct tar_sparse *map, uint64_t offset, uint64_t len, struct error *err)
{
	if (map->n == TAR_REGIONS_MAX)
		return error_set(err, ERR_INVALID, "sparse map has more than %d regions",
				 TAR_REGIONS_MAX);
	ALLOC_GROW(map->regions, map->n + 1, map->room);
	map->regions[map->n++] = (struct tar_region){offset, len};
	return 0;
}

void tar_sparse_release(struct tar_sparse *map)
{
	free(map->regions);
	*map = (struct tar_sparse){0};
}

/* What is behind the last stored byte: only empty regions, which mark the file's size. */
static bool is_last(const struct tar_sparse *map, size_t i)
{
	while (++i < map->n)
		if (map->regions[i].len > 0)
			return false;
	return true;
}

int tar_sparse_check(const struct tar_sparse *map, uint64_t file_bytes, uint64_t stored_bytes,
		     struct error *err)
{
	uint64_t end = 0, total = 0;

	for (size_t i = 0; i < map->n; i++) {
		const struct tar_region *r = &map->regions[i];

		if (r->offset < end)
			return error_set(err, ERR_INVALID,
					 "sparse map is not in ascending order at region %zu", i);
		if (r->offset > file_bytes || r->len > file_bytes - r->offset)
			return error_set(err, ERR_INVALID,
					 "sparse map goes beyond the size of %llu bytes",
					 (unsigned long long)file_bytes);
		/* GNU tar starts each region at a new block, all others do not. */
		if (r->len % TAR_BLOCK_BYTES != 0 && !is_last(map, i))
			return error_set(err, ERR_INVALID,
					 "sparse map has region %zu of %llu bytes, not whole "
					 "blocks, which readers take differently",
					 i, (unsigned long long)r->len);
		end = r->offset + r->len;
		total += r->len; /* cannot overflow: the regions do not overlap */
	}
	if (total != stored_bytes)
		return error_set(err, ERR_INVALID, "sparse map is of %llu bytes, %llu are stored",
				 (unsigned long long)total, (unsigned long long)stored_bytes);
	return 0;
}

static int add_old_entry(struct tar_sparse *map, const uint8_t *entry, struct error *err)
{
	int64_t offset, len;

	if (tar_field_number(entry, OLD_NUMBER_BYTES, &offset) < 0
	    || tar_field_number(entry + OLD_NUMBER_BYTES, OLD_NUMBER_BYTES, &len) < 0 || offset < 0
	    || len < 0)
		return error_set(err, ERR_INVALID, "sparse map has an entry that is not a number");
	return tar_sparse_add(map, (uint64_t)offset, (uint64_t)len, err);
}

int tar_sparse_take_old(struct tar_sparse *map, const uint8_t *entries, size_t count, bool extended,
			bool *ret_more, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		const uint8_t *entry = entries + i * OLD_ENTRY_BYTES;
		bool no_offset = entry[0] == 0, no_len = entry[OLD_NUMBER_BYTES] == 0;

		/* Readers look at one or the other to find the end, and go on behind it or not. */
		if (no_offset != no_len || (no_offset && extended))
			return error_set(err, ERR_INVALID,
					 "sparse map has a gap, which readers take differently");
		if (no_offset)
			break;
		if (add_old_entry(map, entry, err) < 0)
			return -1;
	}
	*ret_more = extended;
	return 0;
}

/* The number up to a comma or the end; *p moves behind it. */
static int list_number(const char **p, const char *end, uint64_t *ret)
{
	const char *comma = memchr(*p, ',', (size_t)(end - *p));
	const char *stop = comma ? comma : end;

	if (comma && comma + 1 == end)
		return -1;
	if (tar_decimal(*p, (size_t)(stop - *p), INT64_MAX, ret) < 0)
		return -1;
	*p = comma ? comma + 1 : end;
	return 0;
}

int tar_sparse_take_list(struct tar_sparse *map, const char *text, size_t len, struct error *err)
{
	const char *p = text, *end = text + len;

	while (p < end) {
		uint64_t offset, bytes;

		if (list_number(&p, end, &offset) < 0 || list_number(&p, end, &bytes) < 0)
			return error_set(err, ERR_INVALID,
					 "GNU.sparse.map is not a list of number pairs");
		if (tar_sparse_add(map, offset, bytes, err) < 0)
			return -1;
	}
	return 0;
}

static int feed_number(struct tar_sparse *map, struct tar_sparse_text *text, uint64_t v,
		       struct error *err)
{
	if (!text->have_count) {
		if (v > TAR_REGIONS_MAX)
			return error_set(err, ERR_INVALID,
					 "sparse map has %llu regions, at most %d are supported",
					 (unsigned long long)v, TAR_REGIONS_MAX);
		text->have_count = true;
		text->left = v;
		return 0;
	}
	text->have_offset = !text->have_offset;
	if (text->have_offset) {
		text->offset = v;
		return 0;
	}
	text->left--;
	return tar_sparse_add(map, text->offset, v, err);
}

int tar_sparse_feed(struct tar_sparse *map, struct tar_sparse_text *text, const uint8_t *block,
		    struct error *err)
{
	for (size_t i = 0; i < TAR_BLOCK_BYTES; i++) {
		uint64_t v;

		if (text->have_count && text->left == 0)
			return 1;
		if (block[i] != '\n' && text->n_digits < sizeof(text->digits)) {
			text->digits[text->n_digits++] = (char)block[i];
			continue;
		}
		if (tar_decimal(text->digits, text->n_digits, INT64_MAX, &v) < 0
		    || block[i] != '\n')
			return error_set(err, ERR_INVALID,
					 "sparse map has an entry that is not a number");
		text->n_digits = 0;
		if (feed_number(map, text, v, err) < 0)
			return -1;
	}
	return text->have_count && text->left == 0;
}
