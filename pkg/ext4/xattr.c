/* SPDX-License-Identifier: Apache-2.0 */
/* Decides where the attributes of an inode go, and writes them there. */
#include "pkg/ext4/xattr.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "pkg/ext4/checksum.h"
#include "pkg/ext4/xattr_internal.h"

enum {
	NAME_MAX_BYTES = 255, /* of a full name, for every system call */
	INODE_ROOM = EXT4_XATTR_INODE_AREA - XATTR_MAGIC_BYTES - XATTR_END_BYTES,
	BLOCK_ROOM = EXT4_BLOCK_BYTES - XATTR_HEADER_BYTES - XATTR_END_BYTES,
};

static const struct xattr_space spaces[] = {
	{"user.", XATTR_USER, false},
	{"system.posix_acl_access", XATTR_ACL_ACCESS, true},
	{"system.posix_acl_default", XATTR_ACL_DEFAULT, true},
	{"trusted.", XATTR_TRUSTED, false},
	{"security.", XATTR_SECURITY, false},
};

const struct xattr_space *xattr_space_of_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(spaces); i++) {
		const struct xattr_space *s = &spaces[i];
		bool same = s->exact ? strcmp(name, s->prefix) == 0
				     : strncmp(name, s->prefix, strlen(s->prefix)) == 0;

		if (same)
			return s;
	}
	return NULL;
}

const struct xattr_space *xattr_space_of_index(uint8_t index)
{
	for (size_t i = 0; i < ARRAY_SIZE(spaces); i++)
		if (spaces[i].index == index)
			return &spaces[i];
	return NULL;
}

/* --- hashes ----------------------------------------------------------------------------------- */

uint32_t xattr_entry_hash(const char *suffix, size_t suffix_len, const uint8_t *value,
			  size_t value_len)
{
	uint32_t hash = 0;

	/* characters count without sign, as in kernels since 6.2 (which accept both) */
	for (size_t i = 0; i < suffix_len; i++)
		hash = (hash << 5) ^ (hash >> 27) ^ (uint8_t)suffix[i];
	for (size_t at = 0; at < value_len; at += 4) {
		uint8_t word[4] = {0};

		memcpy(word, value + at, value_len - at < 4 ? value_len - at : 4);
		hash = (hash << 16) ^ (hash >> 16) ^ get_le32(word);
	}
	return hash;
}

uint32_t xattr_block_checksum(uint32_t fs_seed, uint64_t number, const uint8_t *block, size_t len)
{
	static const uint8_t zeros[4];
	uint8_t le_number[8];
	uint32_t crc;
	size_t behind = XATTR_CHECKSUM_AT + sizeof(zeros);

	put_le64(le_number, number);
	crc = ext4_crc32c(fs_seed, le_number, sizeof(le_number));
	crc = ext4_crc32c(crc, block, XATTR_CHECKSUM_AT);
	crc = ext4_crc32c(crc, zeros, sizeof(zeros));
	return ext4_crc32c(crc, block + behind, len - behind);
}

/* --- planning --------------------------------------------------------------------------------- */

static int name_error(const char *name, struct error *err, enum error_kind kind, const char *why)
{
	return error_set(err, kind, "extended attribute %.128s: %s", name, why);
}

/* 0, 1 = stands for nothing, -1. */
static int convert(const struct ext4_xattr *x, struct ext4_xattr_plan *plan,
		   struct ext4_xattr_item *item, struct error *err)
{
	size_t before = plan->converted.len;
	int rc;

	item->value = x->value;
	item->value_len = x->value_len;
	if (item->index != XATTR_ACL_ACCESS && item->index != XATTR_ACL_DEFAULT)
		return 0;
	rc = xattr_acl_to_disk(x->value, x->value_len, &plan->converted, err);
	if (rc < 0)
		return error_wrap(err, "extended attribute %.128s", x->name);
	/* room was reserved for all, so that the bytes do not move */
	item->value = plan->converted.data + before;
	item->value_len = plan->converted.len - before;
	return rc;
}

static int add_item(const struct ext4_xattr *x, struct ext4_xattr_plan *plan, struct error *err)
{
	const struct xattr_space *space = xattr_space_of_name(x->name);
	struct ext4_xattr_item *item = &plan->items[plan->n];
	size_t suffix_len;
	int rc;

	if (!space)
		return name_error(x->name, err, ERR_UNSUPPORTED,
				  "ext4 does not store this name space");
	item->suffix = x->name + strlen(space->prefix);
	suffix_len = strlen(item->suffix);
	if (strlen(x->name) > NAME_MAX_BYTES || (suffix_len == 0 && !space->exact))
		return name_error(x->name, err, ERR_INVALID, "name empty or longer than 255 bytes");
	if (x->value_len > EXT4_XATTR_VALUE_MAX)
		return name_error(x->name, err, ERR_NO_SPACE, "value larger than 65536 bytes");
	item->name = x->name;
	item->suffix_len = (uint8_t)suffix_len;
	item->index = space->index;
	rc = convert(x, plan, item, err);
	if (rc < 0)
		return -1;
	plan->n += rc == 0;
	return 0;
}

/* The order the kernel searches a block by. */
static int compare(const void *pa, const void *pb)
{
	const struct ext4_xattr_item *a = pa, *b = pb;

	if (a->index != b->index)
		return (int)a->index - (int)b->index;
	if (a->suffix_len != b->suffix_len)
		return (int)a->suffix_len - (int)b->suffix_len;
	return memcmp(a->suffix, b->suffix, a->suffix_len);
}

static int sort(struct ext4_xattr_plan *plan, struct error *err)
{
	qsort(plan->items, plan->n, sizeof(plan->items[0]), compare);
	for (size_t i = 1; i < plan->n; i++)
		if (compare(&plan->items[i - 1], &plan->items[i]) == 0)
			return name_error(plan->items[i].name, err, ERR_INVALID, "there twice");
	return 0;
}

static size_t entry_bytes(const struct ext4_xattr_item *item)
{
	return xattr_padded(XATTR_ENTRY_BYTES + item->suffix_len);
}

/* What an item takes of the area it is placed in. */
static size_t item_bytes(const struct ext4_xattr_item *item)
{
	return entry_bytes(item) + (item->separate ? 0 : xattr_padded(item->value_len));
}

static struct ext4_xattr_item *largest_in_block(struct ext4_xattr_plan *plan)
{
	struct ext4_xattr_item *best = NULL;

	for (size_t i = 0; i < plan->n; i++) {
		struct ext4_xattr_item *item = &plan->items[i];

		if (item->place != EXT4_XATTR_IN_BLOCK || item->separate || !item->value_len)
			continue;
		if (!best || item->value_len > best->value_len)
			best = item;
	}
	return best;
}

static int place(struct ext4_xattr_plan *plan, uint32_t fs_seed, struct error *err)
{
	size_t in_inode = 0, in_block = 0, names = 0;

	for (size_t i = 0; i < plan->n; i++) {
		struct ext4_xattr_item *item = &plan->items[i];
		size_t bytes = item_bytes(item);

		if (in_inode + bytes <= INODE_ROOM) {
			item->place = EXT4_XATTR_IN_INODE;
			in_inode += bytes;
			continue;
		}
		item->place = EXT4_XATTR_IN_BLOCK;
		in_block += bytes;
		names += entry_bytes(item);
		if (names > BLOCK_ROOM)
			return name_error(item->name, err, ERR_NO_SPACE,
					  "more names than one block holds");
	}
	while (in_block > BLOCK_ROOM) {
		struct ext4_xattr_item *item = largest_in_block(plan);

		assert(item); /* the names alone fit */
		in_block -= xattr_padded(item->value_len);
		item->separate = true;
		item->value_hash = ext4_crc32c(fs_seed, item->value, item->value_len);
	}
	plan->needs_inode_area = in_inode > 0;
	plan->needs_block = in_block > 0;
	return 0;
}

int ext4_xattr_plan(const struct ext4_xattr *xattrs, size_t n, uint32_t fs_seed,
		    struct ext4_xattr_plan *ret, struct error *err)
{
	cleanup(ext4_xattr_plan_release) struct ext4_xattr_plan plan = {0};
	size_t acl_bytes = 0;

	plan.items = xcalloc(n + 1, sizeof(plan.items[0]));
	for (size_t i = 0; i < n; i++)
		if (strncmp(xattrs[i].name, "system.", 7) == 0
		    && xattrs[i].value_len <= EXT4_XATTR_VALUE_MAX)
			acl_bytes += xattrs[i].value_len;
	buffer_reserve(&plan.converted, acl_bytes);
	for (size_t i = 0; i < n; i++)
		if (add_item(&xattrs[i], &plan, err) < 0)
			return -1;
	if (sort(&plan, err) < 0 || place(&plan, fs_seed, err) < 0)
		return -1;
	*ret = plan;
	plan = (struct ext4_xattr_plan){0};
	return 0;
}

void ext4_xattr_plan_release(struct ext4_xattr_plan *plan)
{
	free(plan->items);
	buffer_release(&plan->converted);
	*plan = (struct ext4_xattr_plan){0};
}

/* --- encoding --------------------------------------------------------------------------------- */

static uint32_t hash_of(const struct ext4_xattr_item *item)
{
	uint8_t le_hash[4];

	if (item->separate) {
		put_le32(le_hash, item->value_hash);
		return xattr_entry_hash(item->suffix, item->suffix_len, le_hash, sizeof(le_hash));
	}
	/* the kernel hashes entries of an inode only when their value is elsewhere */
	if (item->place == EXT4_XATTR_IN_INODE)
		return 0;
	return xattr_entry_hash(item->suffix, item->suffix_len, item->value, item->value_len);
}

/*
 * Entries grow from `at` up, values from the end down.
 * @base: what value offsets count from; `bytes` of it are there and zero.
 */
static uint32_t put_entries(const struct ext4_xattr_plan *plan, enum ext4_xattr_place where,
			    uint8_t *base, size_t bytes, size_t at)
{
	size_t end = bytes;
	uint32_t all = 0;
	bool shareable = true;

	for (size_t i = 0; i < plan->n; i++) {
		const struct ext4_xattr_item *item = &plan->items[i];
		uint8_t *entry = base + at;
		uint32_t hash = hash_of(item);

		if (item->place != where)
			continue;
		entry[0] = item->suffix_len;
		entry[1] = item->index;
		put_le32(entry + 8, (uint32_t)item->value_len);
		put_le32(entry + 12, hash);
		memcpy(entry + XATTR_ENTRY_BYTES, item->suffix, item->suffix_len);
		if (item->separate) {
			put_le32(entry + 4, item->value_inode);
		} else if (item->value_len) {
			end -= xattr_padded(item->value_len);
			put_le16(entry + 2, (uint16_t)end);
			memcpy(base + end, item->value, item->value_len);
		}
		at += entry_bytes(item);
		all = (all << 16) ^ (all >> 16) ^ hash;
		shareable &= hash != 0;
	}
	return shareable ? all : 0; /* 0: not to be shared by hash */
}

void ext4_xattr_encode_inode(const struct ext4_xattr_plan *plan,
			     uint8_t area[EXT4_XATTR_INODE_AREA])
{
	memset(area, 0, EXT4_XATTR_INODE_AREA);
	if (!plan->needs_inode_area)
		return;
	put_le32(area, XATTR_MAGIC);
	put_entries(plan, EXT4_XATTR_IN_INODE, area + XATTR_MAGIC_BYTES,
		    EXT4_XATTR_INODE_AREA - XATTR_MAGIC_BYTES, 0);
}

void ext4_xattr_encode_block(const struct ext4_xattr_plan *plan, uint32_t fs_seed, uint64_t number,
			     uint8_t *block)
{
	uint32_t hash;

	memset(block, 0, EXT4_BLOCK_BYTES);
	hash = put_entries(plan, EXT4_XATTR_IN_BLOCK, block, EXT4_BLOCK_BYTES, XATTR_HEADER_BYTES);
	put_le32(block, XATTR_MAGIC);
	put_le32(block + 4, 1);
	put_le32(block + 8, 1);
	put_le32(block + 12, hash);
	put_le32(block + XATTR_CHECKSUM_AT,
		 xattr_block_checksum(fs_seed, number, block, EXT4_BLOCK_BYTES));
}
