/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes of an inode, from all three places, sorted by name. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/ext4/read_internal.h"
#include "pkg/ext4/xattr.h"

/* A list that owns names and values. */
struct collected {
	struct ext4_xattr *items;
	size_t n, room;
};

static void collected_release(struct collected *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free((char *)(uintptr_t)c->items[i].name);
		free((void *)(uintptr_t)c->items[i].value);
	}
	free(c->items);
}

/*
 * A value in an inode may belong to many files; but all the files of a walk do not get more of them
 * than the file system has blocks, or each could be made to cost hundreds of inodes.
 */
static int count_value(struct ext4_reader *r, uint64_t len, struct error *err)
{
	uint64_t blocks = 1 + len / r->fs->blocksize;

	if (blocks > r->values_left)
		return error_set(err, ERR_UNSUPPORTED,
				 "files share attributes: together they have more than the file "
				 "system");
	r->values_left -= blocks;
	return 0;
}

/* The value of an entry that keeps it in an inode of its own. */
static int read_separate(struct ext4_reader *r, const struct ext4_xattr_found *found,
			 struct buffer *ret, struct error *err)
{
	struct read_inode in;
	uint8_t *to;

	if (count_value(r, found->value_len, err) < 0
	    || read_inode(r, found->value_inode, &in, err) < 0)
		return -1;
	if (!(in.flags & EXT4_EA_INODE_FL) || !read_is(&in, LINUX_S_IFREG)
	    || in.stat.size_bytes != found->value_len) {
		error_set(err, ERR_INCONSISTENT, "does not hold the attribute it should");
		return read_error(&in, err);
	}
	to = buffer_reserve(ret, found->value_len);
	if (read_bytes(r, &in, to, found->value_len, 0, err) < 0)
		return -1;
	if (!ext4_xattr_separate_holds(found, to, found->value_len, r->fs->csum_seed)) {
		error_set(err, ERR_INCONSISTENT, "attribute value with a wrong hash");
		return read_error(&in, err);
	}
	buffer_grew(ret, found->value_len);
	return 0;
}

static int collect(struct ext4_reader *r, const struct ext4_xattr_found *found,
		   struct collected *list, struct error *err)
{
	cleanup_buffer struct buffer separate = {0}, name = {0}, value = {0};
	const uint8_t *raw = found->value;
	size_t value_len;
	int rc;

	if (found->value_inode) {
		if (read_separate(r, found, &separate, err) < 0)
			return -1;
		raw = separate.data;
	}
	rc = ext4_xattr_decode(found, raw, found->value_len, &name, &value, err);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	ALLOC_GROW(list->items, list->n + 1, list->room);
	value_len = value.len;
	list->items[list->n++] = (struct ext4_xattr){
		.name = buffer_detach(&name),
		.value = buffer_detach(&value),
		.value_len = value_len,
	};
	return 0;
}

static int collect_all(struct ext4_reader *r, struct ext4_xattr_cursor *cursor,
		       struct collected *list, struct error *err)
{
	struct ext4_xattr_found found;
	int rc;

	while ((rc = ext4_xattr_next(cursor, &found, err)) == 0)
		if (collect(r, &found, list, err) < 0)
			return -1;
	return rc < 0 ? -1 : 0;
}

/* The rest of the inode behind its fields; copied, for other inodes are read meanwhile. */
static int collect_from_inode(struct ext4_reader *r, struct collected *list, struct error *err)
{
	const struct ext2_inode_large *inode = (const struct ext2_inode_large *)r->raw;
	struct ext4_xattr_cursor cursor;
	cleanup_free uint8_t *area = NULL;
	size_t start;

	if (r->raw_bytes <= EXT2_GOOD_OLD_INODE_SIZE)
		return 0;
	start = EXT2_GOOD_OLD_INODE_SIZE + (size_t)inode->i_extra_isize; /* checked */
	area = xmemdup(r->raw + start, r->raw_bytes - start);
	ext4_xattr_start_inode(&cursor, area, r->raw_bytes - start);
	return collect_all(r, &cursor, list, err);
}

static int collect_from_block(struct ext4_reader *r, uint64_t number, struct collected *list,
			      struct error *err)
{
	uint32_t size = r->fs->blocksize;
	cleanup_free uint8_t *block = xmalloc(size);
	struct ext4_xattr_cursor cursor;

	if (number >= r->blocks)
		return error_set(err, ERR_INCONSISTENT,
				 "attribute block %" PRIu64 " does not exist", number);
	if (ext4_io_read_blocks(r->fs, number, 1, block, err) < 0)
		return -1;
	if (ext4_xattr_start_block(&cursor, block, size, r->fs->csum_seed, number, err) < 0)
		return -1;
	return collect_all(r, &cursor, list, err);
}

static int compare(const void *pa, const void *pb)
{
	const struct ext4_xattr *a = pa, *b = pb;

	return strcmp(a->name, b->name);
}

static int sort(struct collected *list, struct error *err)
{
	if (list->n == 0)
		return 0;
	qsort(list->items, list->n, sizeof(list->items[0]), compare);
	for (size_t i = 1; i < list->n; i++)
		if (compare(&list->items[i - 1], &list->items[i]) == 0)
			return error_set(err, ERR_INCONSISTENT, "attribute %.100s is there twice",
					 list->items[i].name);
	return 0;
}

int ext4_reader_xattrs(struct ext4_reader *r, uint32_t inode, ext4_xattr_fn *fn, void *arg,
		       struct error *err)
{
	cleanup(collected_release) struct collected list = {0};
	struct read_inode in;
	int rc = 0;

	if (read_inode(r, inode, &in, err) < 0)
		return -1;
	if (collect_from_inode(r, &list, err) < 0)
		return read_error(&in, err);
	if (in.xattr_block && collect_from_block(r, in.xattr_block, &list, err) < 0)
		return read_error(&in, err);
	if (sort(&list, err) < 0)
		return read_error(&in, err);
	for (size_t i = 0; i < list.n && rc >= 0; i++)
		rc = fn(&list.items[i], arg, err);
	return rc < 0 ? rc : 0;
}
