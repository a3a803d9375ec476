/* SPDX-License-Identifier: Apache-2.0 */
/* Names and inodes in plain arrays: slow, simple, with nothing in common with the real thing. */
#include "tests/support/ext4_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"
#include "pkg/ext4/read.h"

enum { XATTRS = 3, NO_NODE = -1, ROOT = 0 };

struct model_xattr {
	const char *name;
	uint8_t *value; /* NULL: not set */
	size_t len;
};

struct model_inode {
	struct ext4_meta meta;
	unsigned names;
	uint8_t *data; /* of a file, or target of a symlink */
	size_t size;
	struct model_xattr xattrs[XATTRS];
};

struct model_node {
	bool gone;
	int parent;
	char *name;
	struct model_inode *inode;
};

struct ext4_model {
	uint64_t random;
	struct model_node *nodes;
	size_t n, room;
};

/* --- random --------------------------------------------------------------------------------------
 */

static uint64_t next_random(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static uint32_t below(struct ext4_model *m, uint32_t n)
{
	return (uint32_t)(next_random(&m->random) % n);
}

static struct ext4_meta random_meta(struct ext4_model *m, uint32_t type)
{
	return (struct ext4_meta){
		.mode = type | below(m, 010000),
		.uid = below(m, 4) ? below(m, 100) : below(m, UINT32_MAX),
		.gid = below(m, 4) ? below(m, 100) : below(m, UINT32_MAX),
		.mtime = {(int64_t)below(m, UINT32_MAX) - INT32_MAX, below(m, 1000000000)},
		.atime = {below(m, UINT32_MAX), 0},
		/* e2fsck takes 2310 to 2378 for mistakes */
		.ctime = {(int64_t)below(m, UINT32_MAX) * 2, below(m, 1000000000)},
	};
}

/* Bytes with runs of zeros in them. */
static uint8_t *random_bytes(struct ext4_model *m, size_t len)
{
	uint8_t *data = xcalloc(len + 1, 1);
	size_t at = 0;

	while (at < len) {
		size_t piece = 1 + below(m, 20000);
		uint64_t state = next_random(&m->random);

		if (piece > len - at)
			piece = len - at;
		for (size_t i = 0; state % 4 && i < piece; i++)
			data[at + i] = (uint8_t)(next_random(&state) | 1);
		at += piece;
	}
	return data;
}

static size_t random_size(struct ext4_model *m)
{
	switch (below(m, 8)) {
	case 0:
		return 0;
	case 1:
		return 4096 * (size_t)below(m, 20);
	case 2:
		return below(m, 400000);
	default:
		return below(m, 6000);
	}
}

static char *random_name(struct ext4_model *m)
{
	char *name = xasprintf("%x", below(m, 300));

	if (below(m, 8) == 0) {
		char *longer = xcalloc(256, 1);

		memset(longer, 'a' + (int)below(m, 26), 200 + below(m, 56));
		memcpy(longer, name, strlen(name));
		free(name);
		name = longer;
	}
	return name;
}

/* --- tree ----------------------------------------------------------------------------------------
 */

static int find_child(const struct ext4_model *m, int dir, const char *name)
{
	for (size_t i = 1; i < m->n; i++)
		if (!m->nodes[i].gone && m->nodes[i].parent == dir
		    && strcmp(m->nodes[i].name, name) == 0)
			return (int)i;
	return NO_NODE;
}

static bool is_dir(const struct ext4_model *m, int node)
{
	return S_ISDIR(m->nodes[node].inode->meta.mode);
}

static int add_node(struct ext4_model *m, int parent, const char *name, struct model_inode *inode)
{
	ALLOC_GROW(m->nodes, m->n + 1, m->room);
	m->nodes[m->n] =
		(struct model_node){.parent = parent, .name = xstrdup(name), .inode = inode};
	inode->names++;
	return (int)m->n++;
}

static struct model_inode *new_inode(const struct ext4_meta *meta)
{
	struct model_inode *inode = xcalloc(1, sizeof(*inode));

	inode->meta = *meta;
	return inode;
}

static void clear_xattrs(struct model_inode *inode)
{
	for (size_t i = 0; i < XATTRS; i++) {
		free(inode->xattrs[i].value);
		inode->xattrs[i] = (struct model_xattr){0};
	}
}

static void drop_node(struct ext4_model *m, int at)
{
	struct model_node *node = &m->nodes[at];

	node->gone = true;
	if (--node->inode->names == 0) {
		clear_xattrs(node->inode);
		free(node->inode->data);
		free(node->inode);
	}
	node->inode = NULL;
}

static bool is_below(const struct ext4_model *m, int node, int above)
{
	for (; node != NO_NODE; node = m->nodes[node].parent)
		if (node == above)
			return true;
	return false;
}

static void drop_tree(struct ext4_model *m, int above)
{
	/* Children always come after their parents. */
	for (size_t i = m->n; i-- > 1;)
		if (!m->nodes[i].gone && is_below(m, (int)i, above))
			drop_node(m, (int)i);
}

struct ext4_model *ext4_model_new(uint64_t seed)
{
	static const struct ext4_meta root = {.mode = S_IFDIR | 0755};
	struct ext4_model *m = xcalloc(1, sizeof(*m));

	m->random = seed;
	add_node(m, NO_NODE, "", new_inode(&root));
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
	for (size_t i = 0; i < XATTRS; i++)
		if (from->xattrs[i].value)
			inode->xattrs[i].value =
				xmemdup(from->xattrs[i].value, from->xattrs[i].len + 1);
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
			inode = node->gone ? new_inode(&none) : copy_inode(node->inode);
		add_node(copy, node->parent, node->name, inode);
		if (node->gone)
			drop_node(copy, (int)i);
	}
	return copy;
}

/* --- changes -------------------------------------------------------------------------------------
 */

/* The node of the writer for one of ours, looked up from the root. */
static int resolve(const struct ext4_model *m, struct ext4_writer *w, int node,
		   struct ext4_node **ret, struct error *err)
{
	const char *name = m->nodes[node].name;
	struct ext4_node *dir;

	if (node == ROOT) {
		*ret = ext4_writer_root(w);
		return 0;
	}
	if (resolve(m, w, m->nodes[node].parent, &dir, err) < 0
	    || ext4_writer_lookup(w, dir, name, strlen(name), ret, err) < 0)
		return -1;
	return *ret ? 0 : error_set(err, ERR_NOT_FOUND, "the writer lost %s", name);
}

/* A random node; a directory if dir is set. */
static int pick(struct ext4_model *m, bool dir)
{
	for (;;) {
		int at = (int)below(m, (uint32_t)m->n);

		if (!m->nodes[at].gone && (!dir || is_dir(m, at)))
			return at;
	}
}

/* A directory, mostly the first one made, so that it gets large; and a name in it that is free. */
static int pick_place(struct ext4_model *m, struct ext4_writer *w, int *ret_dir, char **ret_name,
		      struct ext4_node **ret, struct error *err)
{
	int big = find_child(m, ROOT, "big");

	*ret_dir = big != NO_NODE && is_dir(m, big) && below(m, 2) ? big : pick(m, true);
	*ret_name = random_name(m);
	while (find_child(m, *ret_dir, *ret_name) != NO_NODE) {
		free(*ret_name);
		*ret_name = random_name(m);
		if (below(m, 50) == 0)
			*ret_dir = pick(m, true);
	}
	return resolve(m, w, *ret_dir, ret, err);
}

static int write_data(struct ext4_model *m, struct ext4_writer *w, struct ext4_node *node,
		      const struct model_inode *inode, struct error *err)
{
	size_t at = 0;

	while (at < inode->size) {
		size_t piece = 1 + below(m, below(m, 3) ? 100000 : 5000);
		bool skip = true;

		if (piece > inode->size - at)
			piece = inode->size - at;
		for (size_t i = 0; i < piece; i++)
			skip &= inode->data[at + i] == 0;
		if (!skip && ext4_writer_data(w, node, inode->data + at, piece, at, err) < 0)
			return -1;
		at += piece;
	}
	return ext4_writer_data_end(w, node, inode->size, err);
}

static int make_some(struct ext4_model *m, struct ext4_writer *w, struct error *err)
{
	static const uint32_t types[] = {S_IFREG, S_IFREG, S_IFREG, S_IFREG, S_IFREG,
					 S_IFDIR, S_IFDIR, S_IFCHR, S_IFIFO, S_IFSOCK};
	struct ext4_meta meta = random_meta(m, types[below(m, ARRAY_SIZE(types))]);
	cleanup_free char *name = NULL;
	struct ext4_node *dir, *node;
	struct model_inode *inode;
	int parent;

	if (S_ISCHR(meta.mode)) {
		meta.rdev_major = below(m, 2) ? below(m, 256) : below(m, 4096);
		meta.rdev_minor = below(m, 2) ? below(m, 256) : below(m, 1 << 20);
	}
	if (pick_place(m, w, &parent, &name, &dir, err) < 0
	    || ext4_writer_make(w, dir, name, strlen(name), &meta, &node, err) < 0)
		return -1;
	inode = new_inode(&meta);
	add_node(m, parent, name, inode);
	if (!S_ISREG(meta.mode))
		return 0;
	inode->size = random_size(m);
	inode->data = random_bytes(m, inode->size);
	return write_data(m, w, node, inode, err);
}

static int make_symlink(struct ext4_model *m, struct ext4_writer *w, struct error *err)
{
	struct ext4_meta meta = random_meta(m, S_IFLNK);
	size_t len = below(m, 4) ? 1 + below(m, 70) : 1 + below(m, 4095);
	cleanup_free char *name = NULL;
	struct ext4_node *dir, *node;
	struct model_inode *inode;
	int parent;

	meta.mode = S_IFLNK | 0777;
	if (pick_place(m, w, &parent, &name, &dir, err) < 0)
		return -1;
	inode = new_inode(&meta);
	inode->size = len;
	inode->data = xcalloc(len + 1, 1);
	memset(inode->data, 'a' + (int)below(m, 26), len);
	add_node(m, parent, name, inode);
	return ext4_writer_symlink(w, dir, name, strlen(name), (char *)inode->data, len, &meta,
				   &node, err);
}

static int make_link(struct ext4_model *m, struct ext4_writer *w, struct error *err)
{
	cleanup_free char *name = NULL;
	struct ext4_node *dir, *target, *node;
	int parent, of = pick(m, false);

	if (is_dir(m, of))
		return 0;
	if (pick_place(m, w, &parent, &name, &dir, err) < 0 || resolve(m, w, of, &target, err) < 0
	    || ext4_writer_link(w, dir, name, strlen(name), target, &node, err) < 0)
		return -1;
	add_node(m, parent, name, m->nodes[of].inode);
	return 0;
}

static size_t count_below(const struct ext4_model *m, int above)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		n += !m->nodes[i].gone && is_below(m, (int)i, above);
	return n;
}

static int remove_some(struct ext4_model *m, struct ext4_writer *w, struct error *err)
{
	struct ext4_node *node;
	int at = pick(m, false);

	/* Large trees go, but rarely. */
	if (at == ROOT || (count_below(m, at) > 20 && below(m, 10)))
		return 0;
	if (resolve(m, w, at, &node, err) < 0 || ext4_writer_remove(w, node, err) < 0)
		return -1;
	drop_tree(m, at);
	return 0;
}

static int change_meta(struct ext4_model *m, struct ext4_writer *w, struct error *err)
{
	struct ext4_meta meta = random_meta(m, 0);
	struct ext4_node *node;
	int at = pick(m, false);
	struct ext4_meta *old = &m->nodes[at].inode->meta;

	if (resolve(m, w, at, &node, err) < 0 || ext4_writer_set_meta(w, node, &meta, err) < 0)
		return -1;
	meta.mode |= old->mode & S_IFMT;
	meta.rdev_major = old->rdev_major;
	meta.rdev_minor = old->rdev_minor;
	*old = meta;
	return 0;
}

static int change_xattrs(struct ext4_model *m, struct ext4_writer *w, struct error *err)
{
	static const char *const names[XATTRS] = {"security.capability", "trusted.test",
						  "user.some-longer-name"};
	struct ext4_xattr list[XATTRS];
	struct ext4_node *node;
	int at = pick(m, false);
	struct model_inode *inode = m->nodes[at].inode;
	size_t n = 0;

	clear_xattrs(inode);
	for (size_t i = 0; i < XATTRS; i++) {
		struct model_xattr *xattr = &inode->xattrs[i];

		if (below(m, 3) == 0)
			continue;
		xattr->name = names[i];
		xattr->len = below(m, 4) ? below(m, 40) : below(m, below(m, 3) ? 3000 : 20000);
		xattr->value = random_bytes(m, xattr->len);
		list[n++] = (struct ext4_xattr){xattr->name, xattr->value, xattr->len};
	}
	if (resolve(m, w, at, &node, err) < 0)
		return -1;
	return ext4_writer_set_xattrs(w, node, list, n, err);
}

int ext4_model_change(struct ext4_model *m, struct ext4_writer *w, unsigned n, struct error *err)
{
	static int (*const changes[])(struct ext4_model *, struct ext4_writer *, struct error *) = {
		make_some, make_some,	make_some,   make_some,	  make_some,	 make_symlink,
		make_link, remove_some, remove_some, change_meta, change_xattrs,
	};

	for (unsigned i = 0; i < n; i++)
		if (changes[below(m, ARRAY_SIZE(changes))](m, w, err) < 0)
			return -1;
	return 0;
}

/* --- comparing -----------------------------------------------------------------------------------
 */

struct comparison {
	const struct ext4_model *m;
	struct ext4_reader *r;
	uint32_t *inode_of; /* for each node, what the volume says */
	size_t n_seen;
};

static int differs(struct error *err, const char *path, const char *what)
{
	return error_set(err, ERR_VERIFICATION, "%s: %s", path, what);
}

static bool same_time(const struct ext4_time *a, const struct ext4_time *b)
{
	return a->sec == b->sec && a->nsec == b->nsec;
}

static bool same_meta(const struct ext4_meta *a, const struct ext4_meta *b)
{
	return a->mode == b->mode && a->uid == b->uid && a->gid == b->gid
	       && same_time(&a->mtime, &b->mtime) && same_time(&a->atime, &b->atime)
	       && same_time(&a->ctime, &b->ctime) && a->rdev_major == b->rdev_major
	       && a->rdev_minor == b->rdev_minor;
}

static int compare_data(const struct comparison *c, const struct model_inode *inode,
			const struct ext4_stat *st, const char *path, struct error *err)
{
	cleanup_free uint8_t *data = xcalloc(inode->size + 2, 1);
	size_t at = 0;

	if (st->size_bytes != inode->size)
		return differs(err, path, "size");
	for (;;) {
		size_t n;

		if (ext4_reader_read(c->r, st->inode, data + at, inode->size + 1 - at, at, &n, err)
		    < 0)
			return -1;
		if (n == 0)
			break;
		at += n;
	}
	if (at != inode->size || memcmp(data, inode->data, at) != 0)
		return differs(err, path, "content");
	return 0;
}

static int compare_target(const struct comparison *c, const struct model_inode *inode,
			  const struct ext4_stat *st, const char *path, struct error *err)
{
	cleanup_buffer struct buffer target = {0};

	if (ext4_reader_readlink(c->r, st->inode, &target, err) < 0)
		return -1;
	if (target.len != inode->size || memcmp(target.data, inode->data, target.len) != 0)
		return differs(err, path, "target");
	return 0;
}

struct xattr_check {
	const struct model_inode *inode;
	size_t n;
};

static int compare_xattr(const struct ext4_xattr *xattr, void *arg, struct error *err)
{
	struct xattr_check *check = arg;

	check->n++;
	for (size_t i = 0; i < XATTRS; i++) {
		const struct model_xattr *own = &check->inode->xattrs[i];

		if (own->value && strcmp(own->name, xattr->name) == 0
		    && own->len == xattr->value_len
		    && memcmp(own->value, xattr->value, own->len) == 0)
			return 0;
	}
	return differs(err, xattr->name, "xattr");
}

static int compare_xattrs(const struct comparison *c, const struct model_inode *inode,
			  const struct ext4_stat *st, const char *path, struct error *err)
{
	struct xattr_check check = {.inode = inode};
	size_t want = 0;

	if (ext4_reader_xattrs(c->r, st->inode, compare_xattr, &check, err) < 0)
		return error_wrap(err, "%s", path);
	for (size_t i = 0; i < XATTRS; i++)
		want += inode->xattrs[i].value != NULL;
	return check.n == want ? 0 : differs(err, path, "number of xattrs");
}

static int find_path(const struct ext4_model *m, const char *path)
{
	cleanup_free char *copy = xstrdup(path);
	char *rest = copy, *name;
	int at = ROOT;

	while (at != NO_NODE && (name = strsep(&rest, "/")))
		if (*name)
			at = find_child(m, at, name);
	return at;
}

static unsigned count_subdirs(const struct ext4_model *m, int dir)
{
	unsigned n = 0;

	for (size_t i = 1; i < m->n; i++)
		n += !m->nodes[i].gone && m->nodes[i].parent == dir && is_dir(m, (int)i);
	return n;
}

static int compare_one(const char *path, const struct ext4_stat *st, void *arg, struct error *err)
{
	struct comparison *c = arg;
	int at = find_path(c->m, path);
	const struct model_inode *inode;
	unsigned links;

	if (at == NO_NODE)
		return differs(err, path, "should not be there");
	c->n_seen++;
	c->inode_of[at] = st->inode;
	inode = c->m->nodes[at].inode;
	links = inode->names;
	if (S_ISDIR(inode->meta.mode))
		links = 2 + count_subdirs(c->m, at);
	if (st->links != links)
		return differs(err, path, "links");
	if (!same_meta(&inode->meta, &st->meta))
		return differs(err, path, "mode, owner, times or device");
	if (compare_xattrs(c, inode, st, path, err) < 0)
		return -1;
	if (S_ISREG(inode->meta.mode))
		return compare_data(c, inode, st, path, err);
	if (S_ISLNK(inode->meta.mode))
		return compare_target(c, inode, st, path, err);
	return 0;
}

/* Names share an inode there if they do here. */
static int compare_links(const struct comparison *c, struct error *err)
{
	const struct ext4_model *m = c->m;

	for (size_t i = 0; i < m->n; i++)
		for (size_t k = 0; k < i; k++)
			if (!m->nodes[i].gone && !m->nodes[k].gone
			    && (m->nodes[i].inode == m->nodes[k].inode)
				       != (c->inode_of[i] == c->inode_of[k]))
				return differs(err, m->nodes[i].name, "hard links");
	return 0;
}

static int compare(struct comparison *c, struct thin_volume *volume, struct error *err)
{
	cleanup(ext4_reader_close_ptr) struct ext4_reader *r = NULL;
	size_t want = 0;

	if (ext4_reader_open(volume, &r, err) < 0)
		return -1;
	c->r = r;
	if (ext4_reader_walk(r, compare_one, c, err) < 0)
		return -1;
	for (size_t i = 0; i < c->m->n; i++)
		want += !c->m->nodes[i].gone;
	if (c->n_seen != want)
		return error_set(err, ERR_VERIFICATION, "%zu names instead of %zu", c->n_seen,
				 want);
	return compare_links(c, err);
}

bool ext4_model_matches(const struct ext4_model *m, struct thin_volume *volume)
{
	cleanup_free uint32_t *inode_of = xcalloc(m->n, sizeof(*inode_of));
	struct comparison c = {.m = m, .inode_of = inode_of};
	struct error err = {0};
	char text[1024];

	if (compare(&c, volume, &err) == 0)
		return true;
	error_text(&err, text, sizeof(text));
	fprintf(stderr, "the file system is not like the model: %s\n", text);
	return false;
}
