/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names to inodes. Names come from images, so the hash is keyed with random bits: nobody can make
 * an image whose names all fall into one bucket. Nothing that is written depends on its order.
 */
#include "pkg/ext4/nodes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "pkg/base/alloc.h"

enum { FIRST_BUCKETS = 256 };

struct ext4_tree *ext4_tree_new(void)
{
	struct ext4_tree *tree = xcalloc(1, sizeof(*tree));

	tree->n_buckets = FIRST_BUCKETS;
	tree->buckets = xcalloc(tree->n_buckets, sizeof(struct ext4_node *));
	/* Without random bits (a very early boot) it still works, only the attack is open. */
	if (getrandom(tree->key, sizeof(tree->key), GRND_NONBLOCK) < 0)
		tree->key[0] = (uint64_t)(uintptr_t)tree;
	return tree;
}

static void free_removed(struct ext4_node_dir *dir)
{
	struct ext4_node *next;

	for (struct ext4_node *node = steal(&dir->removed); node; node = next) {
		next = node->next;
		free(node);
	}
}

static void free_dir(struct ext4_node *node)
{
	struct ext4_node_dir *dir = steal(&node->dir);

	if (!dir)
		return;
	free_removed(dir);
	hash_ranges_release(&dir->known);
	free(dir);
}

static void free_node(struct ext4_node *node)
{
	free_dir(node);
	free(node);
}

void ext4_tree_free(struct ext4_tree *tree)
{
	if (!tree)
		return;
	for (size_t i = 0; i < tree->n_buckets; i++) {
		struct ext4_node *next;

		for (struct ext4_node *node = tree->buckets[i]; node; node = next) {
			next = node->hash_next;
			free_node(node);
		}
	}
	if (tree->root)
		free_node(tree->root);
	free(tree->buckets);
	free(tree);
}

static uint64_t rotate(uint64_t v, unsigned bits)
{
	return v << bits | v >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
}

/* SipHash with one round a word and three at the end, over directory and name. */
static uint32_t hash_name(const struct ext4_tree *tree, uint32_t dir, const char *name, size_t len)
{
	uint64_t v[4] = {
		tree->key[0] ^ 0x736f6d6570736575,
		tree->key[1] ^ 0x646f72616e646f6d,
		tree->key[0] ^ 0x6c7967656e657261,
		tree->key[1] ^ 0x7465646279746573,
	};
	uint64_t word = (uint64_t)dir << 32 | len;

	sip_word(v, word);
	for (; len >= sizeof(word); name += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, name, sizeof(word));
		sip_word(v, word);
	}
	word = 0;
	memcpy(&word, name, len);
	sip_word(v, word);
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return (uint32_t)(v[0] ^ v[1] ^ v[2] ^ v[3]);
}

static struct ext4_node **bucket_of(const struct ext4_tree *tree, uint32_t hash)
{
	return &tree->buckets[hash & (tree->n_buckets - 1)];
}

static void grow_buckets(struct ext4_tree *tree)
{
	struct ext4_node **old = tree->buckets;
	size_t n_old = tree->n_buckets;

	tree->n_buckets *= 2;
	tree->buckets = xcalloc(tree->n_buckets, sizeof(struct ext4_node *));
	for (size_t i = 0; i < n_old; i++) {
		struct ext4_node *next;

		for (struct ext4_node *node = old[i]; node; node = next) {
			struct ext4_node **bucket = bucket_of(tree, node->hash);

			next = node->hash_next;
			node->hash_next = *bucket;
			*bucket = node;
		}
	}
	free(old);
}

static void insert(struct ext4_tree *tree, struct ext4_node *node)
{
	struct ext4_node_dir *dir = node->parent->dir;
	struct ext4_node **bucket;

	if (tree->n_nodes >= tree->n_buckets)
		grow_buckets(tree);
	bucket = bucket_of(tree, node->hash);
	node->hash_next = *bucket;
	*bucket = node;
	tree->n_nodes++;

	node->next = dir->first;
	if (node->next)
		node->next->prev = node;
	dir->first = node;
	dir->entries++;
	if (node->dir)
		dir->subdirs++;
}

struct ext4_node *ext4_tree_add(struct ext4_tree *tree, struct ext4_node *dir, const char *name,
				size_t name_len, uint32_t inode, uint8_t type)
{
	struct ext4_node *node = xmalloc(sizeof(*node) + name_len + 1);

	assert(name_len <= EXT4_NAME_MAX);
	*node = (struct ext4_node){.parent = dir,
				   .inode = inode,
				   .type = type,
				   .name_len = (uint8_t)name_len};
	memcpy(node->name, name, name_len);
	node->name[name_len] = 0;
	if (type == EXT4_DIR_DIRECTORY)
		node->dir = xcalloc(1, sizeof(*node->dir));
	if (dir) {
		node->hash = hash_name(tree, dir->inode, name, name_len);
		insert(tree, node);
	} else {
		assert(!tree->root);
		tree->root = node;
	}
	return node;
}

struct ext4_node *ext4_tree_find(const struct ext4_tree *tree, const struct ext4_node *dir,
				 const char *name, size_t name_len)
{
	uint32_t hash = hash_name(tree, dir->inode, name, name_len);

	for (struct ext4_node *node = *bucket_of(tree, hash); node; node = node->hash_next)
		if (node->hash == hash && node->parent == dir && node->name_len == name_len
		    && memcmp(node->name, name, name_len) == 0)
			return node;
	return NULL;
}

void ext4_tree_remove(struct ext4_tree *tree, struct ext4_node *node)
{
	struct ext4_node_dir *dir = node->parent->dir;
	struct ext4_node **at = bucket_of(tree, node->hash);

	assert(!node->dir || !node->dir->first);
	while (*at != node)
		at = &(*at)->hash_next;
	*at = node->hash_next;
	tree->n_nodes--;

	if (node->prev)
		node->prev->next = node->next;
	else
		dir->first = node->next;
	if (node->next)
		node->next->prev = node->prev;
	dir->entries--;
	if (node->dir)
		dir->subdirs--;
	free_dir(node);
	if (node->made) {
		free(node);
		return;
	}
	node->next = dir->removed;
	dir->removed = node;
}

void ext4_tree_settle(struct ext4_node *dir)
{
	for (struct ext4_node *node = dir->dir->first; node; node = node->next)
		node->made = false;
	free_removed(dir->dir);
}

void ext4_tree_loaded(struct ext4_node *dir)
{
	dir->dir->loaded = true;
	hash_ranges_release(&dir->dir->known);
}

struct ext4_node *ext4_node_parent(const struct ext4_node *node)
{
	return node->parent;
}

const char *ext4_node_name(const struct ext4_node *node, size_t *ret_len)
{
	*ret_len = node->name_len;
	return node->name;
}

uint32_t ext4_node_inode(const struct ext4_node *node)
{
	return node->inode;
}

char *ext4_node_path(const struct ext4_node *node)
{
	size_t len = 0;
	char *path, *at;

	if (!node->parent)
		return xstrdup("/");
	for (const struct ext4_node *n = node; n->parent; n = n->parent)
		len += n->name_len + 1U;
	path = xcalloc(len + 1, 1);
	at = path + len;
	for (const struct ext4_node *n = node; n->parent; n = n->parent) {
		at -= n->name_len;
		memcpy(at, n->name, n->name_len);
		*--at = '/';
	}
	return path;
}
