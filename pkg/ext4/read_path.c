/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A path walked component by component. The folders on the way are a stack, so that ".." needs
 * nothing from the volume; a symlink replaces its name in the text that is still to be walked.
 */
#include "pkg/ext4/read_path.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/interrupt.h"
#include "pkg/ext4/read_internal.h"

enum { LINKS_MAX = 40 };

struct resolver {
	struct ext4_reader *r;
	uint32_t *stack; /* from the root to where we are; only the last may be no folder */
	size_t n, room;
	struct buffer rest; /* still to be walked, from `at` */
	size_t at;
	unsigned links;
	uint64_t budget; /* directory blocks, or many links through a large folder take for ever */
};

static void resolver_release(struct resolver *s)
{
	free(s->stack);
	buffer_release(&s->rest);
}

static void push(struct resolver *s, uint32_t inode)
{
	ALLOC_GROW(s->stack, s->n + 1, s->room);
	s->stack[s->n++] = inode;
}

static int load_folder(struct resolver *s, struct read_inode *ret, struct error *err)
{
	if (read_inode(s->r, s->stack[s->n - 1], ret, err) < 0)
		return -1;
	if (!read_is(ret, LINUX_S_IFDIR))
		return error_set(err, ERR_INVALID, "a file where a folder should be");
	return 0;
}

/* Go on with the target of a link, and after it what was still to come. */
static int follow(struct resolver *s, uint32_t link, struct error *err)
{
	struct buffer rest = {0};

	if (++s->links > LINKS_MAX)
		return error_set(err, ERR_INVALID, "more than %d symlinks", LINKS_MAX);
	if (ext4_reader_readlink(s->r, link, &rest, err) < 0) {
		buffer_release(&rest);
		return -1;
	}
	if (rest.data[0] == '/')
		s->n = 1;
	buffer_add(&rest, s->rest.data + s->at, s->rest.len - s->at);
	buffer_release(&s->rest);
	s->rest = rest;
	s->at = 0;
	return 0;
}

static int enter(struct resolver *s, const char *name, size_t len, struct error *err)
{
	struct read_inode in;
	uint32_t found;

	if (interrupt_check(err) < 0 || load_folder(s, &in, err) < 0)
		return -1;
	if (len == 1 && name[0] == '.')
		return 0;
	if (len == 2 && name[0] == '.' && name[1] == '.') {
		s->n -= s->n > 1;
		return 0;
	}
	if (read_lookup(s->r, &in, name, len, &s->budget, &found, err) < 0
	    || read_inode(s->r, found, &in, err) < 0)
		return -1;
	if (read_is(&in, LINUX_S_IFLNK))
		return follow(s, found, err);
	push(s, found);
	return 0;
}

static int step(struct resolver *s, struct error *err)
{
	const char *text = (const char *)s->rest.data + s->at;
	size_t len = strcspn(text, "/");
	struct read_inode in;

	if (len > 0) {
		s->at += len;
		return enter(s, text, len, err);
	}
	/* also at the end: "file/" is an error */
	s->at += strspn(text, "/");
	return load_folder(s, &in, err);
}

int ext4_reader_resolve(struct ext4_reader *r, const char *path, uint32_t *ret, struct error *err)
{
	cleanup(resolver_release) struct resolver s = {.r = r, .budget = r->blocks};

	push(&s, EXT4_ROOT_INODE);
	buffer_add(&s.rest, path, strlen(path));
	while (s.at < s.rest.len)
		if (step(&s, err) < 0) {
			read_failed(err);
			return error_wrap(err, "%s", path);
		}
	*ret = s.stack[s.n - 1];
	return 0;
}

static int read_whole(struct ext4_reader *r, uint32_t inode, size_t max, struct buffer *ret,
		      struct error *err)
{
	struct read_inode in;
	size_t len;

	if (read_inode(r, inode, &in, err) < 0)
		return -1;
	if (!read_is(&in, LINUX_S_IFREG))
		return error_set(err, ERR_INVALID, "not a regular file");
	if (in.stat.size_bytes > max)
		return error_set(err, ERR_INVALID, "%" PRIu64 " bytes, at most %zu are read",
				 in.stat.size_bytes, max);
	len = (size_t)in.stat.size_bytes;
	if (read_bytes(r, &in, buffer_reserve(ret, len), len, 0, err) < 0)
		return -1;
	buffer_grew(ret, len);
	return 0;
}

int ext4_reader_read_file(struct ext4_reader *r, const char *path, size_t max, struct buffer *ret,
			  struct error *err)
{
	uint32_t inode;

	if (ext4_reader_resolve(r, path, &inode, err) < 0)
		return -1;
	if (read_whole(r, inode, max, ret, err) == 0)
		return 0;
	read_failed(err);
	return error_wrap(err, "%s", path);
}
