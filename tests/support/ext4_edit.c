/* SPDX-License-Identifier: Apache-2.0 */
/* ext4_writer by path, with errors as failures of the test. */
#include "tests/support/ext4_edit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "pkg/ext4/base.h"
#include "pkg/ext4/io.h"
#include "tests/support/cmocka.h"
#include "tests/support/e2fsprogs.h"

struct memory_volume *edit_base(uint64_t size_bytes, uint64_t inodes)
{
	struct memory_volume *v = memory_volume_new(size_bytes, 0);
	struct ext4_base_params params = {.inodes = inodes};
	struct error err = {0};

	assert_ok(ext4_base_create(&v->volume, &params, &err), &err);
	return v;
}

struct ext4_writer *edit_open(struct memory_volume *v, struct ext4_tree *tree)
{
	static const uint8_t uuid[16] = {0xa1, 0xb2, 0xc3};
	struct ext4_writer *w;
	struct error err = {0};

	assert_ok(ext4_writer_open(&v->volume, tree, uuid, &w, &err), &err);
	return w;
}

void edit_finish(struct ext4_writer *w)
{
	struct error err = {0};

	assert_ok(ext4_writer_finish(&w, &err), &err);
	assert_null(w);
}

struct ext4_node *edit_find(struct ext4_writer *w, const char *path)
{
	cleanup_free char *copy = xstrdup(path);
	struct ext4_node *at = ext4_writer_root(w);
	char *rest = copy, *name;
	struct error err = {0};

	while (at && (name = strsep(&rest, "/")))
		if (*name)
			assert_ok(ext4_writer_lookup(w, at, name, strlen(name), &at, &err), &err);
	return at;
}

/* The folder of a path, and the last name in it. */
static struct ext4_node *parent_of(struct ext4_writer *w, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	cleanup_free char *above = xstrndup(path, slash ? (size_t)(slash - path) : 0);
	struct ext4_node *dir = edit_find(w, above);

	assert_non_null(dir);
	*ret_name = slash ? slash + 1 : path;
	return dir;
}

static struct ext4_node *make(struct ext4_writer *w, const char *path, uint32_t mode)
{
	struct ext4_meta meta = {.mode = mode};
	struct ext4_node *node;
	struct error err = {0};
	const char *name;
	struct ext4_node *dir = parent_of(w, path, &name);

	assert_ok(ext4_writer_make(w, dir, name, strlen(name), &meta, &node, &err), &err);
	return node;
}

struct ext4_node *edit_dir(struct ext4_writer *w, const char *path)
{
	return make(w, path, S_IFDIR | 0755);
}

static struct ext4_node *file(struct ext4_writer *w, const char *path, const void *data, size_t len)
{
	struct ext4_node *node = make(w, path, S_IFREG | 0644);
	struct error err = {0};

	assert_ok(ext4_writer_data(w, node, data, len, 0, &err), &err);
	assert_ok(ext4_writer_data_end(w, node, len, &err), &err);
	return node;
}

struct ext4_node *edit_file(struct ext4_writer *w, const char *path, const char *content)
{
	return file(w, path, content, strlen(content));
}

void edit_fill(uint8_t *data, size_t size, uint32_t seed)
{
	for (size_t i = 0; i < size; i++) {
		seed = seed * 1664525 + 1013904223;
		data[i] = (uint8_t)(seed >> 24 | 1);
	}
}

struct ext4_node *edit_bytes(struct ext4_writer *w, const char *path, size_t size, uint32_t seed)
{
	cleanup_free uint8_t *data = xmalloc(size + 1);

	edit_fill(data, size, seed);
	return file(w, path, data, size);
}

struct ext4_node *edit_symlink(struct ext4_writer *w, const char *path, const char *target)
{
	struct ext4_meta meta = {0};
	struct ext4_node *node;
	struct error err = {0};
	const char *name;
	struct ext4_node *dir = parent_of(w, path, &name);

	assert_ok(ext4_writer_symlink(w, dir, name, strlen(name), target, strlen(target), &meta,
				      &node, &err),
		  &err);
	return node;
}

struct ext4_node *edit_link(struct ext4_writer *w, const char *path, const char *target)
{
	struct ext4_node *to = edit_find(w, target), *node;
	struct error err = {0};
	const char *name;
	struct ext4_node *dir = parent_of(w, path, &name);

	assert_non_null(to);
	assert_ok(ext4_writer_link(w, dir, name, strlen(name), to, &node, &err), &err);
	return node;
}

void edit_remove(struct ext4_writer *w, const char *path)
{
	struct ext4_node *node = edit_find(w, path);
	struct error err = {0};

	assert_non_null(node);
	assert_ok(ext4_writer_remove(w, node, &err), &err);
}

void edit_xattr(struct ext4_writer *w, const char *path, const char *name, size_t len)
{
	cleanup_free uint8_t *value = xmalloc(len + 1);
	struct ext4_xattr xattr = {name, value, len};
	struct error err = {0};

	edit_fill(value, len, (uint32_t)len);
	assert_ok(ext4_writer_set_xattrs(w, edit_find(w, path), &xattr, 1, &err), &err);
}

uint64_t edit_free_blocks(struct memory_volume *v, uint32_t *ret_inodes)
{
	ext2_filsys fs;
	struct error err = {0};
	uint64_t n;

	assert_ok(ext4_io_open(&v->volume, EXT4_IO_READ, &fs, &err), &err);
	n = ext2fs_free_blocks_count(fs->super);
	*ret_inodes = fs->super->s_free_inodes_count;
	ext4_io_close(fs);
	return n;
}

struct ext4_stat edit_stat(struct memory_volume *v, uint32_t inode)
{
	cleanup(ext4_reader_close_ptr) struct ext4_reader *r = NULL;
	struct ext4_stat st;
	struct error err = {0};

	assert_ok(ext4_reader_open(&v->volume, &r, &err), &err);
	assert_ok(ext4_reader_stat(r, inode, &st, &err), &err);
	return st;
}

int edit_set_up(void **state)
{
	struct edit *f = xcalloc(1, sizeof(*f));

	f->v = edit_base(64 << 20, 0);
	f->tree = ext4_tree_new();
	f->w = edit_open(f->v, f->tree);
	*state = f;
	return 0;
}

int edit_tear_down(void **state)
{
	struct edit *f = *state;

	ext4_writer_abort(f->w);
	ext4_tree_free(f->tree);
	memory_volume_free(f->v);
	free(f);
	return 0;
}

void edit_next_session(struct edit *f)
{
	edit_finish(steal(&f->w));
	f->w = edit_open(f->v, f->tree);
}

void edit_next_layer(struct edit *f)
{
	struct memory_volume *parent = f->v;

	edit_finish(steal(&f->w));
	assert_true(e2fsck_is_clean(f->v));
	f->v = memory_volume_snapshot(parent);
	memory_volume_free(parent);
	ext4_tree_free(f->tree);
	f->tree = ext4_tree_new();
	f->w = edit_open(f->v, f->tree);
}
