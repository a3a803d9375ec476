/* SPDX-License-Identifier: Apache-2.0 */
/* ext4_writer by path, with errors as failures of the test. */
#include "tests/support/ext4_edit.h"

#include <string.h>
#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "pkg/ext4/base.h"
#include "tests/support/cmocka.h"

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
