/* SPDX-License-Identifier: Apache-2.0 */
/* Builds all blocks of a directory in one go: names sorted by hash, leaves, then the index. */
#include "pkg/ext4/directory.h"

#include <assert.h>
#include <ext2fs/ext2fs.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/ext4/checksum.h"
#include "pkg/ext4/directory_internal.h"

enum {
	LEAF_ROOM = EXT4_BLOCK_BYTES - DIR_TAIL_BYTES,
	/* What the first leaf of a bulk build leaves free, see directory.h */
	LEAF_SLACK = EXT4_BLOCK_BYTES / 8,
	LEVELS_MAX = 3, /* with large_dir: the root and two levels of nodes */
	/* The largest hash that is not the end of a directory, to the kernel. */
	HASH_LAST = 0xfffffffc,
	HASH_END = 0xfffffffe,
};

/* A name with its place in the order of the index. */
struct hashed {
	uint32_t hash, minor;
	const struct ext4_dir_entry *entry;
};

uint32_t ext4_dir_hash(const struct ext4_dir_owner *owner, const char *name, size_t name_len,
		       uint32_t *ret_minor)
{
	uint32_t hash = 0, minor = 0;

	/* fails only for an unknown version */
	if (ext2fs_dirhash2(EXT2_HASH_HALF_MD4, name, (int)name_len, NULL, 0, owner->hash_seed,
			    &hash, &minor))
		abort();
	hash &= ~1U;
	if (ret_minor)
		*ret_minor = minor;
	return hash == (uint32_t)HASH_END ? (uint32_t)HASH_LAST : hash;
}

enum ext4_dir_type ext4_dir_type_of_mode(uint32_t mode)
{
	static const uint8_t types[16] = {
		[LINUX_S_IFREG >> 12] = EXT4_DIR_REGULAR,
		[LINUX_S_IFDIR >> 12] = EXT4_DIR_DIRECTORY,
		[LINUX_S_IFCHR >> 12] = EXT4_DIR_CHAR,
		[LINUX_S_IFBLK >> 12] = EXT4_DIR_BLOCK,
		[LINUX_S_IFIFO >> 12] = EXT4_DIR_FIFO,
		[LINUX_S_IFSOCK >> 12] = EXT4_DIR_SOCKET,
		[LINUX_S_IFLNK >> 12] = EXT4_DIR_SYMLINK,
	};

	return types[mode >> 12 & 15];
}

bool ext4_dir_is_dot(const struct ext4_dir_entry *e)
{
	return (e->name_len == 1 && e->name[0] == '.')
	       || (e->name_len == 2 && e->name[0] == '.' && e->name[1] == '.');
}

/* --- sorting ---------------------------------------------------------------------------------- */

static int compare(const void *pa, const void *pb)
{
	const struct hashed *a = pa, *b = pb;
	const struct ext4_dir_entry *x = a->entry, *y = b->entry;
	size_t shorter = x->name_len < y->name_len ? x->name_len : y->name_len;
	int rc;

	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	if (a->minor != b->minor)
		return a->minor < b->minor ? -1 : 1;
	rc = memcmp(x->name, y->name, shorter);
	return rc ? rc : (int)x->name_len - (int)y->name_len;
}

static int bad_name(const struct ext4_dir_entry *e, const char *why, struct error *err)
{
	return error_set(err, ERR_INVALID, "directory entry %.*s: %s", (int)e->name_len, e->name,
			 why);
}

static int sort(const struct ext4_dir_owner *owner, const struct ext4_dir_entry *entries, size_t n,
		struct hashed **ret, struct error *err)
{
	cleanup_free struct hashed *list = xcalloc(n + 1, sizeof(*list));
	size_t i;

	for (i = 0; i < n; i++) {
		const struct ext4_dir_entry *e = &entries[i];

		if (e->name_len == 0 || ext4_dir_is_dot(e))
			return bad_name(e, "not a name", err);
		list[i].entry = e;
		list[i].hash = ext4_dir_hash(owner, e->name, e->name_len, &list[i].minor);
	}
	qsort(list, n, sizeof(*list), compare);
	for (i = 1; i < n; i++)
		if (compare(&list[i - 1], &list[i]) == 0)
			return bad_name(list[i].entry, "there twice", err);
	*ret = steal(&list);
	return 0;
}

/* --- entries ---------------------------------------------------------------------------------- */

static void put_entry(uint8_t *at, uint32_t inode, size_t rec_len, enum ext4_dir_type type,
		      const char *name, size_t name_len)
{
	put_le32(at, inode);
	put_le16(at + 4, (uint16_t)rec_len);
	at[6] = (uint8_t)name_len;
	at[7] = (uint8_t)type;
	memcpy(at + DIR_ENTRY_HEADER, name, name_len);
}

/* Entries from `at` on, the last one reaching to the tail. At least one. */
static void put_entries(uint8_t *block, size_t at, const struct hashed *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct ext4_dir_entry *e = list[i].entry;
		size_t len = i + 1 < n ? dir_entry_bytes(e->name_len) : LEAF_ROOM - at;

		put_entry(block + at, e->inode, len, e->type, e->name, e->name_len);
		at += len;
	}
}

static void put_dots(uint8_t *block, const struct ext4_dir_owner *owner, size_t dotdot_len)
{
	size_t dot_len = dir_entry_bytes(1);

	put_entry(block, owner->inode, dot_len, EXT4_DIR_DIRECTORY, ".", 1);
	put_entry(block + dot_len, owner->parent, dotdot_len, EXT4_DIR_DIRECTORY, "..", 2);
}

static uint8_t *add_blocks(struct buffer *b, size_t n)
{
	uint8_t *at = buffer_reserve(b, n * EXT4_BLOCK_BYTES);

	memset(at, 0, n * EXT4_BLOCK_BYTES);
	buffer_grew(b, n * EXT4_BLOCK_BYTES);
	return at;
}

/* --- one block -------------------------------------------------------------------------------- */

static bool fits_one_block(const struct hashed *list, size_t n)
{
	size_t used = dir_entry_bytes(1) + dir_entry_bytes(2);

	for (size_t i = 0; i < n && used <= LEAF_ROOM; i++)
		used += dir_entry_bytes(list[i].entry->name_len);
	return used <= LEAF_ROOM;
}

static void encode_linear(const struct ext4_dir_owner *owner, const struct hashed *list, size_t n,
			  struct buffer *ret)
{
	uint8_t *block = add_blocks(ret, 1);
	size_t dots = dir_entry_bytes(1) + dir_entry_bytes(2);

	put_dots(block, owner, n ? dir_entry_bytes(2) : LEAF_ROOM - dir_entry_bytes(1));
	if (n)
		put_entries(block, dots, list, n);
	ext4_dir_set_checksum(owner->seed, block, false, 0);
}

/* --- htree ------------------------------------------------------------------------------------ */

/* A block of the level below, as a node above sees it. */
struct child {
	uint32_t hash; /* of its first name; lowest bit: the block before ends with the same hash */
	uint32_t block;
	size_t first, n; /* leaves: which names */
};

/* How many names the next leaf takes. */
static size_t leaf_names(const struct hashed *list, size_t n)
{
	size_t used = 0, i;

	for (i = 0; i < n; i++) {
		used += dir_entry_bytes(list[i].entry->name_len);
		if (used > LEAF_ROOM - LEAF_SLACK)
			break;
	}
	return i;
}

static struct child *plan_leaves(const struct hashed *list, size_t n, size_t *ret_n)
{
	struct child *leaves = NULL;
	size_t count = 0, room = 0, at = 0;

	while (at < n) {
		size_t take = leaf_names(list + at, n - at);
		uint32_t hash = list[at].hash;

		ALLOC_GROW(leaves, count + 1, room);
		if (at > 0 && list[at - 1].hash == hash)
			hash |= 1;
		leaves[count++] = (struct child){.hash = hash, .first = at, .n = take};
		at += take;
	}
	*ret_n = count;
	return leaves;
}

/* Nodes at each level above the leaves; the last one is the root alone. */
struct shape {
	size_t nodes[LEVELS_MAX];
	unsigned levels; /* between root and leaves */
};

static int choose_shape(size_t leaves, struct shape *ret, struct error *err)
{
	struct shape s = {0};
	size_t below = leaves;

	while (below > DIR_ROOT_LIMIT) {
		if (s.levels + 1 == LEVELS_MAX)
			return error_set(err, ERR_NO_SPACE,
					 "a directory of %zu blocks is more than an index holds",
					 leaves);
		below = (below + DIR_NODE_LIMIT - 1) / DIR_NODE_LIMIT;
		s.nodes[s.levels++] = below;
	}
	*ret = s;
	return 0;
}

static void put_index(uint8_t *block, size_t offset, size_t limit, const struct child *children,
		      size_t n)
{
	assert(n <= limit);
	for (size_t i = 0; i < n; i++) {
		put_le32(block + offset + i * DIR_INDEX_BYTES, children[i].hash);
		put_le32(block + offset + i * DIR_INDEX_BYTES + 4, children[i].block);
	}
	/* in place of the first hash, which is what the node above says */
	put_le16(block + offset, (uint16_t)limit);
	put_le16(block + offset + 2, (uint16_t)n);
}

static void put_root(uint8_t *block, const struct ext4_dir_owner *owner, const struct shape *s,
		     const struct child *children, size_t n)
{
	uint8_t *info = block + DIR_ROOT_INFO;

	put_dots(block, owner, EXT4_BLOCK_BYTES - dir_entry_bytes(1));
	info[4] = EXT2_HASH_HALF_MD4;
	info[5] = DIR_ROOT_INFO_BYTES;
	info[6] = (uint8_t)s->levels;
	put_index(block, DIR_ROOT_INDEX, DIR_ROOT_LIMIT, children, n);
	ext4_dir_set_checksum(owner->seed, block, true, 0);
}

/* Put the nodes of one level into blocks[first..]; the children become those nodes. */
static void put_level(uint8_t *blocks, size_t first, size_t nodes,
		      const struct ext4_dir_owner *owner, struct child *children, size_t n)
{
	for (size_t i = 0; i < nodes; i++) {
		uint8_t *block = blocks + (first + i) * EXT4_BLOCK_BYTES;
		size_t from = i * DIR_NODE_LIMIT;
		size_t count = n - from < DIR_NODE_LIMIT ? n - from : DIR_NODE_LIMIT;

		put_le16(block + 4, EXT4_BLOCK_BYTES); /* one unused entry */
		put_index(block, DIR_NODE_INDEX, DIR_NODE_LIMIT, children + from, count);
		ext4_dir_set_checksum(owner->seed, block, true, first + i);
		children[i] =
			(struct child){.hash = children[from].hash, .block = (uint32_t)(first + i)};
	}
}

static void put_leaves(uint8_t *blocks, size_t first, const struct ext4_dir_owner *owner,
		       const struct hashed *list, struct child *leaves, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t *block = blocks + (first + i) * EXT4_BLOCK_BYTES;

		put_entries(block, 0, list + leaves[i].first, leaves[i].n);
		ext4_dir_set_checksum(owner->seed, block, false, first + i);
		leaves[i].block = (uint32_t)(first + i);
	}
}

static int encode_htree(const struct ext4_dir_owner *owner, const struct hashed *list, size_t n,
			struct buffer *ret, struct error *err)
{
	cleanup_free struct child *children = NULL;
	size_t leaves, at = 1, below;
	struct shape s = {0};
	uint8_t *blocks;

	children = plan_leaves(list, n, &leaves);
	if (choose_shape(leaves, &s, err) < 0)
		return -1;
	for (unsigned level = 0; level < s.levels; level++)
		at += s.nodes[level];
	blocks = add_blocks(ret, at + leaves);
	put_leaves(blocks, at, owner, list, children, leaves);
	below = leaves;
	for (unsigned level = 0; level < s.levels; level++) {
		at -= s.nodes[level];
		put_level(blocks, at, s.nodes[level], owner, children, below);
		below = s.nodes[level];
	}
	put_root(blocks, owner, &s, children, below);
	return 0;
}

int ext4_dir_encode(const struct ext4_dir_owner *owner, const struct ext4_dir_entry *entries,
		    size_t n, struct buffer *ret, bool *ret_indexed, struct error *err)
{
	cleanup_free struct hashed *list = NULL;

	if (sort(owner, entries, n, &list, err) < 0)
		return -1;
	*ret_indexed = !fits_one_block(list, n);
	if (*ret_indexed)
		return encode_htree(owner, list, n, ret, err);
	encode_linear(owner, list, n, ret);
	return 0;
}
