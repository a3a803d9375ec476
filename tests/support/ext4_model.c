/* SPDX-License-Identifier: Apache-2.0 */
/* Names and inodes in plain arrays: slow, simple, with nothing in common with the real thing. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "tests/support/ext4_model_internal.h"

uint64_t model_random(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

uint32_t model_below(struct ext4_model *m, uint32_t n)
{
	return (uint32_t)(model_random(&m->random) % n);
}

int model_find(const struct ext4_model *m, int dir, const char *name)
{
	for (size_t i = 1; i < m->n; i++)
		if (!m->nodes[i].gone && m->nodes[i].parent == dir
		    && strcmp(m->nodes[i].name, name) == 0)
			return (int)i;
	return MODEL_NONE;
}

bool model_is_dir(const struct ext4_model *m, int node)
{
	return S_ISDIR(m->nodes[node].inode->meta.mode);
}

int model_add(struct ext4_model *m, int parent, const char *name, struct model_inode *inode)
{
	ALLOC_GROW(m->nodes, m->n + 1, m->room);
	m->nodes[m->n] =
		(struct model_node){.parent = parent, .name = xstrdup(name), .inode = inode};
	inode->names++;
	return (int)m->n++;
}

struct model_inode *model_inode_new(const struct ext4_meta *meta)
{
	struct model_inode *inode = xcalloc(1, sizeof(*inode));

	inode->meta = *meta;
	return inode;
}

void model_clear_xattrs(struct model_inode *inode)
{
	for (size_t i = 0; i < inode->n_xattrs; i++) {
		free(inode->xattrs[i].name);
		free(inode->xattrs[i].value);
	}
	free(inode->xattrs);
	inode->xattrs = NULL;
	inode->n_xattrs = 0;
}

unsigned model_links(const struct ext4_model *m, int node)
{
	unsigned n = 2;

	if (!model_is_dir(m, node))
		return m->nodes[node].inode->names;
	for (size_t i = 1; i < m->n; i++)
		n += !m->nodes[i].gone && m->nodes[i].parent == node && model_is_dir(m, (int)i);
	return n;
}

static void drop_node(struct ext4_model *m, int at)
{
	struct model_node *node = &m->nodes[at];

	node->gone = true;
	if (--node->inode->names == 0) {
		model_clear_xattrs(node->inode);
		free(node->inode->data);
		free(node->inode);
	}
	node->inode = NULL;
}

bool model_is_below(const struct ext4_model *m, int node, int above)
{
	for (; node != MODEL_NONE; node = m->nodes[node].parent)
		if (node == above)
			return true;
	return false;
}

void model_drop_tree(struct ext4_model *m, int above)
{
	for (size_t i = m->n; i-- > 1;)
		if (!m->nodes[i].gone && model_is_below(m, (int)i, above))
			drop_node(m, (int)i);
}

struct ext4_model *ext4_model_new(uint64_t seed)
{
	static const struct ext4_meta root = {.mode = S_IFDIR | 0755};
	struct ext4_model *m = xcalloc(1, sizeof(*m));

	m->random = seed;
	model_add(m, MODEL_NONE, "", model_inode_new(&root));
	return m;
}

void ext4_model_free(struct ext4_model *m)
{
	for (size_t i = m->n; i-- > 0;) {
		if (!m->nodes[i].gone)
			drop_node(m, (int)i);
		free(m->nodes[i].name);
	}
	free(m->nodes);
	free(m);
}

static struct model_inode *copy_inode(const struct model_inode *from)
{
	struct model_inode *inode = xmemdup(from, sizeof(*from));

	inode->names = 0;
	if (from->data)
		inode->data = xmemdup(from->data, from->size + 1);
	inode->xattrs = xcalloc(from->n_xattrs + 1, sizeof(*inode->xattrs));
	for (size_t i = 0; i < from->n_xattrs; i++) {
		const struct model_xattr *x = &from->xattrs[i];

		inode->xattrs[i] = (struct model_xattr){xstrdup(x->name),
							xmemdup(x->value, x->len + 1), x->len};
	}
	return inode;
}

struct ext4_model *ext4_model_copy(const struct ext4_model *m)
{
	struct ext4_model *copy = xcalloc(1, sizeof(*copy));

	copy->random = m->random;
	for (size_t i = 0; i < m->n; i++) {
		const struct model_node *node = &m->nodes[i];
		struct model_inode *inode = NULL;
		static const struct ext4_meta none;

		for (size_t k = 0; k < i && !node->gone; k++)
			if (m->nodes[k].inode == node->inode)
				inode = copy->nodes[k].inode;
		if (!inode)
			inode = node->gone ? model_inode_new(&none) : copy_inode(node->inode);
		model_add(copy, node->parent, node->name, inode);
		if (node->gone)
			drop_node(copy, (int)i);
	}
	return copy;
}
