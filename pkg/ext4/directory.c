/* SPDX-License-Identifier: Apache-2.0 */
/* Builds all blocks of a directory in one go: names sorted by hash, leaves, then the index. */
#include "pkg/ext4/directory.h"

#include <ext2fs/ext2fs.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/ext4/directory_internal.h"

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

static int bad_name(const struct ext4_dir_entry *e, const char *why, struct error *err)
{
	return error_set(err, ERR_INVALID, "directory entry %.*s: %s", (int)e->name_len, e->name,
			 why);
}

static int sort(const struct ext4_dir_owner *owner, const struct ext4_dir_entry *entries, size_t n,
		struct dir_name **ret, struct error *err)
{
	cleanup_free struct dir_name *list = xcalloc(n + 1, sizeof(*list));

	for (size_t i = 0; i < n; i++) {
		if (entries[i].name_len == 0 || ext4_dir_is_dot(&entries[i]))
			return bad_name(&entries[i], "not a name", err);
		dir_name_set(&list[i], owner, &entries[i]);
	}
	qsort(list, n, sizeof(*list), dir_name_compare);
	for (size_t i = 1; i < n; i++)
		if (dir_name_compare(&list[i - 1], &list[i]) == 0)
			return bad_name(&list[i].entry, "there twice", err);
	*ret = steal(&list);
	return 0;
}

static uint8_t *add_blocks(struct buffer *b, size_t n)
{
	uint8_t *at = buffer_reserve(b, n * EXT4_BLOCK_BYTES);

	memset(at, 0, n * EXT4_BLOCK_BYTES);
	buffer_grew(b, n * EXT4_BLOCK_BYTES);
	return at;
}

/* --- leaves ----------------------------------------------------------------------------------- */

/* How many names the next leaf takes. */
static size_t leaf_names(const struct dir_name *list, size_t n)
{
	size_t used = 0, i;

	for (i = 0; i < n; i++) {
		used += dir_entry_bytes(list[i].entry.name_len);
		if (used > DIR_LEAF_ROOM - DIR_LEAF_SLACK)
			break;
	}
	return i;
}

/* Where each leaf starts; one more at the end. */
static size_t *plan_leaves(const struct dir_name *list, size_t n, size_t *ret_n)
{
	size_t *starts = NULL, count = 0, room = 0;

	for (size_t at = 0; at < n; at += leaf_names(list + at, n - at)) {
		ALLOC_GROW(starts, count + 2, room);
		starts[count++] = at;
	}
	starts[count] = n;
	*ret_n = count;
	return starts;
}

static void put_leaves(uint8_t *blocks, size_t first, const struct ext4_dir_owner *owner,
		       const struct dir_name *list, const size_t *starts, struct dir_pointer *ret,
		       size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t at = starts[i];
		uint32_t hash = list[at].hash;

		if (at > 0 && list[at - 1].hash == hash)
			hash |= 1;
		ret[i] = (struct dir_pointer){hash, (uint32_t)(first + i)};
		dir_put_leaf(blocks + (first + i) * EXT4_BLOCK_BYTES, owner, ret[i].block,
			     list + at, starts[i + 1] - at);
	}
}

/* --- index ------------------------------------------------------------------------------------ */

/* Nodes at each level above the leaves; the last one is the root alone. */
struct shape {
	size_t nodes[DIR_LEVELS_MAX];
	unsigned levels; /* between root and leaves */
};

static int choose_shape(size_t leaves, struct shape *ret, struct error *err)
{
	struct shape s = {0};
	size_t below = leaves;

	while (below > DIR_ROOT_LIMIT) {
		if (s.levels + 1 == DIR_LEVELS_MAX)
			return error_set(err, ERR_NO_SPACE,
					 "a directory of %zu blocks is more than an index holds",
					 leaves);
		below = (below + DIR_NODE_LIMIT - 1) / DIR_NODE_LIMIT;
		s.nodes[s.levels++] = below;
	}
	*ret = s;
	return 0;
}

/* Put the nodes of one level into blocks[first..]; the pointers become those to the nodes. */
static void put_level(uint8_t *blocks, size_t first, size_t nodes,
		      const struct ext4_dir_owner *owner, struct dir_pointer *pointers, size_t n)
{
	for (size_t i = 0; i < nodes; i++) {
		uint32_t block = (uint32_t)(first + i);
		size_t from = i * DIR_NODE_LIMIT;
		size_t count = n - from < DIR_NODE_LIMIT ? n - from : DIR_NODE_LIMIT;

		dir_put_node(blocks + block * (size_t)EXT4_BLOCK_BYTES, owner, block,
			     pointers + from, count);
		pointers[i] = (struct dir_pointer){pointers[from].hash, block};
	}
}

static int encode_htree(const struct ext4_dir_owner *owner, const struct dir_name *list, size_t n,
			struct buffer *ret, struct error *err)
{
	size_t leaves, at = 1, below;
	cleanup_free size_t *starts = plan_leaves(list, n, &leaves);
	cleanup_free struct dir_pointer *pointers = xcalloc(leaves, sizeof(*pointers));
	struct shape s = {0};
	uint8_t *blocks;

	if (choose_shape(leaves, &s, err) < 0)
		return -1;
	for (unsigned level = 0; level < s.levels; level++)
		at += s.nodes[level];
	blocks = add_blocks(ret, at + leaves);
	put_leaves(blocks, at, owner, list, starts, pointers, leaves);
	below = leaves;
	for (unsigned level = 0; level < s.levels; level++) {
		at -= s.nodes[level];
		put_level(blocks, at, s.nodes[level], owner, pointers, below);
		below = s.nodes[level];
	}
	dir_put_root(blocks, owner, s.levels, pointers, below);
	return 0;
}

int ext4_dir_encode(const struct ext4_dir_owner *owner, const struct ext4_dir_entry *entries,
		    size_t n, struct buffer *ret, bool *ret_indexed, struct error *err)
{
	cleanup_free struct dir_name *list = NULL;
	size_t dots = dir_entry_bytes(1) + dir_entry_bytes(2);

	if (sort(owner, entries, n, &list, err) < 0)
		return -1;
	*ret_indexed = dots + dir_names_bytes(list, n) > DIR_LEAF_ROOM;
	if (*ret_indexed)
		return encode_htree(owner, list, n, ret, err);
	dir_put_linear(add_blocks(ret, 1), owner, list, n);
	return 0;
}
