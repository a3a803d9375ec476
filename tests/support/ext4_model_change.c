/* SPDX-License-Identifier: Apache-2.0 */
/* Random changes, the same to a model and to a file system. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "tests/support/ext4_model_internal.h"

enum { MAX_XATTRS = 100, ACL_USERS = 40 };

static const uint64_t FILE_BYTES_MAX = (uint64_t)UINT32_MAX * 4096;

/* A name in a folder that is free. */
struct place {
	int dir;
	char *name;
	struct ext4_node *node; /* of the folder */
};

static void place_release(struct place *p)
{
	free(p->name);
}

/* --- random --------------------------------------------------------------------------------------
 */

/* Some beyond what ext4 can hold, none of 2310 to 2378, which e2fsck takes for mistakes. */
static struct ext4_time random_time(struct ext4_model *m)
{
	int64_t sec = (int64_t)model_below(m, UINT32_MAX) - INT32_MAX;

	if (model_below(m, 4) == 0)
		sec = (int64_t)model_below(m, UINT32_MAX) * 2;
	if (model_below(m, 16) == 0)
		sec = (int64_t)model_random(&m->random);
	return (struct ext4_time){sec, model_below(m, 1000000000)};
}

/* What is left of it on disk. */
static struct ext4_time kept_time(struct ext4_time t)
{
	const int64_t first = -2147483648, last = 15032385535;

	if (t.sec <= first)
		return (struct ext4_time){first, 0};
	return t.sec < last ? t : (struct ext4_time){last, 0};
}

static struct ext4_meta random_meta(struct ext4_model *m, uint32_t type)
{
	return (struct ext4_meta){
		.mode = type | model_below(m, 010000),
		.uid = model_below(m, 4) ? model_below(m, 100) : model_below(m, UINT32_MAX),
		.gid = model_below(m, 4) ? model_below(m, 100) : model_below(m, UINT32_MAX),
		.mtime = random_time(m),
		.atime = random_time(m),
		.ctime = random_time(m),
	};
}

static struct ext4_meta kept_meta(const struct ext4_meta *meta)
{
	struct ext4_meta kept = *meta;

	kept.mtime = kept_time(meta->mtime);
	kept.atime = kept_time(meta->atime);
	kept.ctime = kept_time(meta->ctime);
	return kept;
}

/* Bytes with runs of zeros in them. */
static uint8_t *random_bytes(struct ext4_model *m, size_t len)
{
	uint8_t *data = xcalloc(len + 1, 1);
	size_t at = 0;

	while (at < len) {
		size_t piece = 1 + model_below(m, 20000);
		uint64_t state = model_random(&m->random);

		if (piece > len - at)
			piece = len - at;
		for (size_t i = 0; state % 4 && i < piece; i++)
			data[at + i] = (uint8_t)(model_random(&state) | 1);
		at += piece;
	}
	return data;
}

static size_t random_size(struct ext4_model *m)
{
	switch (model_below(m, 8)) {
	case 0:
		return 0;
	case 1:
		return 4096 * (size_t)model_below(m, 20);
	case 2:
		return model_below(m, 400000);
	default:
		return model_below(m, 6000);
	}
}

/* Holes before and behind the data, sometimes as large as they can be. */
static void random_holes(struct ext4_model *m, struct model_inode *inode)
{
	uint64_t most = FILE_BYTES_MAX - inode->size;
	uint64_t room = model_below(m, 2) ? most : 1 << 20;

	if (model_below(m, 6) == 0)
		inode->start = model_random(&m->random) % room;
	inode->end = inode->start + inode->size;
	if (model_below(m, 6) == 0)
		inode->end = model_below(m, 4) ? inode->end + (FILE_BYTES_MAX - inode->end) / 3
					       : FILE_BYTES_MAX;
}

static char *random_name(struct ext4_model *m)
{
	char *name = xasprintf("%x", model_below(m, 300));

	if (model_below(m, 8) == 0) {
		char *longer = xcalloc(256, 1);

		memset(longer, 'a' + (int)model_below(m, 26), 200 + model_below(m, 56));
		memcpy(longer, name, strlen(name));
		free(name);
		name = longer;
	}
	return name;
}

/* --- places --------------------------------------------------------------------------------------
 */

/* The node of the writer for one of ours, looked up from the root. */
static int resolve(const struct ext4_model *m, struct ext4_writer *w, int node,
		   struct ext4_node **ret, struct error *err)
{
	const char *name = m->nodes[node].name;
	struct ext4_node *dir;

	if (node == MODEL_ROOT) {
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
		int at = (int)model_below(m, (uint32_t)m->n);

		if (!m->nodes[at].gone && (!dir || model_is_dir(m, at)))
			return at;
	}
}

/* In a directory that is mostly the first one made, so that it gets large. */
static int pick_place(struct ext4_model *m, struct ext4_writer *w, struct place *ret,
		      struct error *err)
{
	int big = model_find(m, MODEL_ROOT, "big");

	ret->dir = big != MODEL_NONE && model_is_dir(m, big) && model_below(m, 2) ? big
										  : pick(m, true);
	ret->name = random_name(m);
	while (model_find(m, ret->dir, ret->name) != MODEL_NONE) {
		free(ret->name);
		ret->name = random_name(m);
		if (model_below(m, 50) == 0)
			ret->dir = pick(m, true);
	}
	return resolve(m, w, ret->dir, &ret->node, err);
}

/* --- making --------------------------------------------------------------------------------------
 */

static int write_data(struct ext4_model *m, struct ext4_writer *w, struct ext4_node *node,
		      const struct model_inode *inode, struct error *err)
{
	size_t at = 0;

	while (at < inode->size) {
		size_t piece = 1 + model_below(m, model_below(m, 3) ? 100000 : 5000);
		bool skip = true;

		if (piece > inode->size - at)
			piece = inode->size - at;
		for (size_t i = 0; i < piece; i++)
			skip &= inode->data[at + i] == 0;
		if (!skip
		    && ext4_writer_data(w, node, inode->data + at, piece, inode->start + at, err)
			       < 0)
			return -1;
		at += piece;
	}
	return ext4_writer_data_end(w, node, inode->end, err);
}

static int make_node(struct ext4_model *m, struct ext4_writer *w, const struct place *p,
		     struct error *err)
{
	static const uint32_t types[] = {S_IFREG, S_IFREG, S_IFREG, S_IFREG, S_IFREG, S_IFREG,
					 S_IFDIR, S_IFDIR, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK};
	struct ext4_meta meta = random_meta(m, types[model_below(m, ARRAY_SIZE(types))]), kept;
	struct model_inode *inode;
	struct ext4_node *node;

	if (S_ISCHR(meta.mode) || S_ISBLK(meta.mode)) {
		meta.rdev_major = model_below(m, 2) ? model_below(m, 256) : model_below(m, 4096);
		meta.rdev_minor = model_below(m, 2) ? model_below(m, 256) : model_below(m, 1 << 20);
	}
	if (ext4_writer_make(w, p->node, p->name, strlen(p->name), &meta, &node, err) < 0)
		return -1;
	kept = kept_meta(&meta);
	inode = model_inode_new(&kept);
	model_add(m, p->dir, p->name, inode);
	if (!S_ISREG(meta.mode))
		return 0;
	inode->size = random_size(m);
	inode->data = random_bytes(m, inode->size);
	random_holes(m, inode);
	return write_data(m, w, node, inode, err);
}

static int make_symlink(struct ext4_model *m, struct ext4_writer *w, const struct place *p,
			struct error *err)
{
	static const size_t lengths[] = {1, 59, 60, 4095};
	struct ext4_meta meta = random_meta(m, S_IFLNK), kept;
	size_t len = model_below(m, 4) ? 1 + model_below(m, 70)
				       : lengths[model_below(m, ARRAY_SIZE(lengths))];
	struct model_inode *inode;
	struct ext4_node *node;

	meta.mode = S_IFLNK | 0777;
	kept = kept_meta(&meta);
	inode = model_inode_new(&kept);
	inode->size = len;
	inode->data = xcalloc(len + 1, 1);
	memset(inode->data, 'a' + (int)model_below(m, 26), len);
	model_add(m, p->dir, p->name, inode);
	return ext4_writer_symlink(w, p->node, p->name, strlen(p->name), (char *)inode->data, len,
				   &meta, &node, err);
}

static int make_link(struct ext4_model *m, struct ext4_writer *w, const struct place *p,
		     struct error *err)
{
	struct ext4_node *target, *node;
	int of = pick(m, false);

	if (model_is_dir(m, of))
		return 0;
	if (resolve(m, w, of, &target, err) < 0
	    || ext4_writer_link(w, p->node, p->name, strlen(p->name), target, &node, err) < 0)
		return -1;
	model_add(m, p->dir, p->name, m->nodes[of].inode);
	return 0;
}

static int make_at(struct ext4_model *m, struct ext4_writer *w, const struct place *p,
		   struct error *err)
{
	switch (model_below(m, 7)) {
	case 0:
		return make_symlink(m, w, p, err);
	case 1:
		return make_link(m, w, p, err);
	default:
		return make_node(m, w, p, err);
	}
}

/* --- changes -------------------------------------------------------------------------------------
 */

static int make_some(struct ext4_model *m, struct ext4_writer *w, struct error *err)
{
	cleanup(place_release) struct place p = {0};

	return pick_place(m, w, &p, err) < 0 ? -1 : make_at(m, w, &p, err);
}

static size_t count_below(const struct ext4_model *m, int above)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		n += !m->nodes[i].gone && model_is_below(m, (int)i, above);
	return n;
}

/* Remove something, with all below it. MODEL_NONE when the choice fell on what is to stay. */
static int remove_one(struct ext4_model *m, struct ext4_writer *w, int *ret, struct error *err)
{
	struct ext4_node *node;
	int at = pick(m, false);

	*ret = MODEL_NONE;
	/* Large trees go, but rarely. */
	if (at == MODEL_ROOT || (count_below(m, at) > 20 && model_below(m, 10)))
		return 0;
	if (resolve(m, w, at, &node, err) < 0 || ext4_writer_remove(w, node, err) < 0)
		return -1;
	model_drop_tree(m, at);
	*ret = at;
	return 0;
}

static int remove_some(struct ext4_model *m, struct ext4_writer *w, struct error *err)
{
	int gone;

	return remove_one(m, w, &gone, err);
}

/* Something else under a name that was there: a file over a folder, a folder over a link. */
static int replace_some(struct ext4_model *m, struct ext4_writer *w, struct error *err)
{
	cleanup(place_release) struct place p = {0};
	int gone;

	if (remove_one(m, w, &gone, err) < 0)
		return -1;
	if (gone == MODEL_NONE)
		return 0;
	p.dir = m->nodes[gone].parent;
	p.name = xstrdup(m->nodes[gone].name);
	if (resolve(m, w, p.dir, &p.node, err) < 0)
		return -1;
	return make_at(m, w, &p, err);
}

static int change_meta(struct ext4_model *m, struct ext4_writer *w, struct error *err)
{
	struct ext4_meta meta = random_meta(m, 0);
	struct ext4_node *node;
	int at = pick(m, false);
	struct ext4_meta *old = &m->nodes[at].inode->meta;

	if (S_ISLNK(old->mode))
		meta.mode = 0777;
	if (resolve(m, w, at, &node, err) < 0 || ext4_writer_set_meta(w, node, &meta, err) < 0)
		return -1;
	meta.mode |= old->mode & S_IFMT;
	meta.rdev_major = old->rdev_major;
	meta.rdev_minor = old->rdev_minor;
	*old = kept_meta(&meta);
	return 0;
}

/* --- attributes ----------------------------------------------------------------------------------
 */

static uint8_t *put_acl_entry(uint8_t *at, unsigned tag, unsigned perm, uint32_t id)
{
	put_le16(at, (uint16_t)tag);
	put_le16(at + 2, (uint16_t)perm);
	put_le32(at + 4, id);
	return at + 8;
}

/* As system calls have it: owner, users, group, mask, others. */
static uint8_t *random_acl(struct ext4_model *m, size_t *ret_len)
{
	uint32_t users = model_below(m, model_below(m, 4) ? 4 : ACL_USERS);
	uint8_t *acl = xcalloc(4 + 8 * (users + 4) + 1, 1), *at = acl + 4;

	put_le32(acl, 2);
	at = put_acl_entry(at, 0x01, model_below(m, 8), UINT32_MAX);
	for (uint32_t i = 0; i < users; i++)
		at = put_acl_entry(at, 0x02, model_below(m, 8), 1000 + i);
	at = put_acl_entry(at, 0x04, model_below(m, 8), UINT32_MAX);
	at = put_acl_entry(at, 0x10, model_below(m, 8), UINT32_MAX);
	at = put_acl_entry(at, 0x20, model_below(m, 8), UINT32_MAX);
	*ret_len = (size_t)(at - acl);
	return acl;
}

static size_t random_value_size(struct ext4_model *m)
{
	switch (model_below(m, 12)) {
	case 0:
		return 0;
	case 1:
		return model_below(m, 3000);
	case 2:
		return 4000 + model_below(m, 80); /* about a block */
	case 3:
		return model_below(m, 4) ? model_below(m, 20000) : 65536;
	default:
		return model_below(m, 100);
	}
}

static void add_xattr(struct ext4_model *m, struct model_inode *inode, char *name)
{
	struct model_xattr *x = &inode->xattrs[inode->n_xattrs++];

	x->name = name;
	if (strncmp(name, "system.", 7) == 0) {
		x->value = random_acl(m, &x->len);
		return;
	}
	x->len = random_value_size(m);
	if (strcmp(name, "security.capability") == 0) {
		/* the kernel shows no others */
		x->len = 20;
		x->value = random_bytes(m, x->len);
		put_le32(x->value, 0x02000000 | model_below(m, 2));
		return;
	}
	x->value = random_bytes(m, x->len);
}

/* Those that an inode of its type can have. */
static void random_xattrs(struct ext4_model *m, struct model_inode *inode)
{
	static const char *const everywhere[] = {"security.capability", "trusted.test",
						 "security.ima"};
	bool plain = S_ISREG(inode->meta.mode) || S_ISDIR(inode->meta.mode);
	uint32_t users = model_below(m, model_below(m, 20) ? 4 : MAX_XATTRS);
	char longest[256] = "user.";

	model_clear_xattrs(inode);
	inode->xattrs = xcalloc(MAX_XATTRS + 8, sizeof(*inode->xattrs));
	for (size_t i = 0; i < ARRAY_SIZE(everywhere); i++)
		if (model_below(m, 3))
			add_xattr(m, inode, xstrdup(everywhere[i]));
	if (!S_ISLNK(inode->meta.mode) && model_below(m, 4) == 0)
		add_xattr(m, inode, xstrdup("system.posix_acl_access"));
	if (S_ISDIR(inode->meta.mode) && model_below(m, 4) == 0)
		add_xattr(m, inode, xstrdup("system.posix_acl_default"));
	for (uint32_t i = 0; plain && i < users; i++)
		add_xattr(m, inode, xasprintf("user.%u", i));
	memset(longest + 5, 'n', 250);
	if (plain && model_below(m, 8) == 0)
		add_xattr(m, inode, xstrdup(longest));
}

static int change_xattrs(struct ext4_model *m, struct ext4_writer *w, struct error *err)
{
	struct ext4_xattr list[MAX_XATTRS + 8];
	int at = pick(m, false);
	struct model_inode *inode = m->nodes[at].inode;
	struct ext4_node *node;

	random_xattrs(m, inode);
	for (size_t i = 0; i < inode->n_xattrs; i++) {
		const struct model_xattr *x = &inode->xattrs[i];

		list[i] = (struct ext4_xattr){x->name, x->value, x->len};
	}
	if (resolve(m, w, at, &node, err) < 0)
		return -1;
	return ext4_writer_set_xattrs(w, node, list, inode->n_xattrs, err);
}

int ext4_model_change(struct ext4_model *m, struct ext4_writer *w, unsigned n, struct error *err)
{
	static int (*const changes[])(struct ext4_model *, struct ext4_writer *, struct error *) = {
		make_some, make_some,	make_some,    make_some,   make_some,	  make_some,
		make_some, remove_some, replace_some, change_meta, change_xattrs,
	};

	for (unsigned i = 0; i < n; i++)
		if (changes[model_below(m, ARRAY_SIZE(changes))](m, w, err) < 0)
			return -1;
	return 0;
}
