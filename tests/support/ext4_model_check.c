/* SPDX-License-Identifier: Apache-2.0 */
/* What our reader finds on a volume against a model. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"
#include "pkg/ext4/read.h"
#include "tests/support/ext4_model_internal.h"

enum { BLOCK = 4096 };

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

/* There are no blocks but those that the data is in. */
static int compare_holes(const struct comparison *c, const struct model_inode *inode,
			 const struct ext4_stat *st, const char *path, struct error *err)
{
	uint64_t first = inode->start / BLOCK * BLOCK, at = 0, data, len;
	uint64_t last = (inode->start + inode->size + BLOCK - 1) / BLOCK * BLOCK;
	int rc;

	while ((rc = ext4_reader_next_data(c->r, st->inode, at, &data, &len, err)) == 0) {
		if (data < first || data + len > last)
			return differs(err, path, "a hole is filled");
		at = data + len;
	}
	return rc < 0 ? -1 : 0;
}

static int compare_data(const struct comparison *c, const struct model_inode *inode,
			const struct ext4_stat *st, const char *path, struct error *err)
{
	cleanup_free uint8_t *data = xcalloc(inode->size + 1, 1);
	size_t at = 0, n = 1;

	if (st->size_bytes != inode->end)
		return differs(err, path, "size");
	while (at < inode->size && n > 0) {
		if (ext4_reader_read(c->r, st->inode, data + at, inode->size - at,
				     inode->start + at, &n, err)
		    < 0)
			return -1;
		at += n;
	}
	if (at != inode->size || memcmp(data, inode->data, at) != 0)
		return differs(err, path, "content");
	if (ext4_reader_read(c->r, st->inode, data, 1, inode->end, &n, err) < 0)
		return -1;
	return n ? differs(err, path, "more than its size")
		 : compare_holes(c, inode, st, path, err);
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
	for (size_t i = 0; i < check->inode->n_xattrs; i++) {
		const struct model_xattr *own = &check->inode->xattrs[i];

		if (strcmp(own->name, xattr->name) == 0 && own->len == xattr->value_len
		    && memcmp(own->value, xattr->value, own->len) == 0)
			return 0;
	}
	return differs(err, xattr->name, "xattr");
}

static int compare_xattrs(const struct comparison *c, const struct model_inode *inode,
			  const struct ext4_stat *st, const char *path, struct error *err)
{
	struct xattr_check check = {.inode = inode};

	if (ext4_reader_xattrs(c->r, st->inode, compare_xattr, &check, err) < 0)
		return error_wrap(err, "%s", path);
	return check.n == inode->n_xattrs ? 0 : differs(err, path, "number of xattrs");
}

static int find_path(const struct ext4_model *m, const char *path)
{
	cleanup_free char *copy = xstrdup(path);
	char *rest = copy, *name;
	int at = MODEL_ROOT;

	while (at != MODEL_NONE && (name = strsep(&rest, "/")))
		if (*name)
			at = model_find(m, at, name);
	return at;
}

static int compare_one(const char *path, const struct ext4_stat *st, void *arg, struct error *err)
{
	struct comparison *c = arg;
	const struct model_inode *inode;
	int at;

	if (strncmp(path, EXT4_MODEL_IGNORED, strlen(EXT4_MODEL_IGNORED)) == 0)
		return 0;
	at = find_path(c->m, path);
	if (at == MODEL_NONE)
		return differs(err, path, "should not be there");
	c->n_seen++;
	c->inode_of[at] = st->inode;
	inode = c->m->nodes[at].inode;
	if (st->links != model_links(c->m, at))
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
