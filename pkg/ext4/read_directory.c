/* SPDX-License-Identifier: Apache-2.0 */
/* Names of a directory, block by block; the hash index is not needed and not trusted. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/ext4/directory.h"
#include "pkg/ext4/read_internal.h"

enum { BATCH_BYTES = 64 * 1024 };

struct scan {
	struct ext4_reader *r;
	const struct read_inode *dir;
	ext4_dirent_fn *fn;
	void *arg;
	uint64_t *budget;
	uint64_t next; /* logical block */
	uint8_t *buf;
	uint32_t batch; /* blocks that fit into it */
};

static int damaged(const struct scan *s, struct error *err, const char *what)
{
	error_set(err, ERR_INCONSISTENT, "directory: %s at block %" PRIu64, what, s->next);
	return read_error(s->dir, err);
}

static int scan_block(struct scan *s, const uint8_t *block, struct error *err)
{
	struct ext4_dir_cursor c = {.block = block, .block_bytes = s->r->fs->blocksize};
	bool indexed = s->dir->flags & EXT2_INDEX_FL;
	uint32_t first = EXT2_FIRST_INODE(s->r->fs->super);
	uint32_t last = s->r->fs->super->s_inodes_count;
	struct ext4_dir_entry e;
	size_t dots = 0;
	int rc;

	if (!ext4_dir_checksum_holds(s->dir->seed, block, c.block_bytes, indexed, s->next))
		return damaged(s, err, "wrong checksum");
	while ((rc = ext4_dir_next(&c, &e, err)) == 0) {
		struct ext4_dirent found = {e.inode, e.name, e.name_len};

		if (ext4_dir_is_dot(&e)) {
			if (s->next > 0 || ++dots > 2)
				return damaged(s, err, "one more '.' or '..'");
			continue;
		}
		if (e.inode < first || e.inode > last)
			return damaged(s, err, "a name of an inode that no name may lead to");
		rc = s->fn(&found, s->arg, err);
		if (rc < 0)
			return rc;
	}
	if (rc < 0) {
		error_wrap(err, "block %" PRIu64, s->next);
		return read_error(s->dir, err);
	}
	return 0;
}

/* The blocks of one extent, as far as the directory reaches. */
static int scan_extent(struct scan *s, const struct ext4_extent *e, uint64_t end, struct error *err)
{
	uint32_t done = 0, size = s->r->fs->blocksize;

	while (done < e->len && s->next < end) {
		uint32_t n = e->len - done < s->batch ? e->len - done : s->batch;

		if (n > end - s->next)
			n = (uint32_t)(end - s->next);
		if (*s->budget < n)
			return damaged(s, err, "more blocks than there are");
		*s->budget -= n;
		if (ext4_io_read_blocks(s->r->fs, e->physical + done, n, s->buf, err) < 0)
			return read_error(s->dir, err);
		for (uint32_t i = 0; i < n; i++, s->next++) {
			int rc = scan_block(s, s->buf + (size_t)i * size, err);

			if (rc < 0)
				return rc;
		}
		done += n;
	}
	return 0;
}

int read_directory(struct ext4_reader *r, const struct read_inode *dir, ext4_dirent_fn *fn,
		   void *arg, uint64_t *budget, struct error *err)
{
	cleanup(ext4_extents_close_ptr) struct ext4_extents_walk *walk = NULL;
	uint64_t end = dir->stat.size_bytes / r->fs->blocksize;
	cleanup_free uint8_t *buf = xmalloc(BATCH_BYTES);
	struct scan s = {.r = r,
			 .dir = dir,
			 .fn = fn,
			 .arg = arg,
			 .budget = budget,
			 .buf = buf,
			 .batch = BATCH_BYTES / r->fs->blocksize};
	struct ext4_extent e;
	int rc = 0;

	if (read_extents(r, dir, 0, &walk, err) < 0)
		return -1;
	while (s.next < end && (rc = ext4_extents_next(walk, &e, err)) == 0) {
		if (e.unwritten || e.logical != s.next)
			return damaged(&s, err, "a hole");
		rc = scan_extent(&s, &e, end, err);
		if (rc < 0)
			return rc;
	}
	if (rc < 0)
		return read_error(dir, err);
	return s.next < end ? damaged(&s, err, "a hole") : 0;
}

static int open_directory(struct ext4_reader *r, uint32_t number, struct read_inode *ret,
			  struct error *err)
{
	if (read_inode(r, number, ret, err) < 0)
		return -1;
	if (!read_is(ret, LINUX_S_IFDIR))
		return error_set(err, ERR_INVALID, "inode %" PRIu32 " is not a directory", number);
	return 0;
}

int ext4_reader_dir(struct ext4_reader *r, uint32_t dir, ext4_dirent_fn *fn, void *arg,
		    struct error *err)
{
	uint64_t budget = r->blocks;
	struct read_inode in;

	if (open_directory(r, dir, &in, err) < 0)
		return -1;
	return read_directory(r, &in, fn, arg, &budget, err);
}

struct wanted {
	const char *name;
	size_t name_len;
	uint32_t inode;
};

static int compare_name(const struct ext4_dirent *entry, void *arg, struct error *err)
{
	struct wanted *w = arg;

	(void)err;
	if (entry->name_len == w->name_len && memcmp(entry->name, w->name, w->name_len) == 0)
		w->inode = entry->inode;
	return 0;
}

int read_lookup(struct ext4_reader *r, const struct read_inode *dir, const char *name,
		size_t name_len, uint64_t *budget, uint32_t *ret, struct error *err)
{
	struct wanted w = {.name = name, .name_len = name_len};

	if (read_directory(r, dir, compare_name, &w, budget, err) < 0)
		return -1;
	if (w.inode == 0)
		return error_set(err, ERR_NOT_FOUND, "no such file: %.*s",
				 name_len < 100 ? (int)name_len : 100, name);
	*ret = w.inode;
	return 0;
}

int ext4_reader_lookup(struct ext4_reader *r, uint32_t dir, const char *name, size_t name_len,
		       uint32_t *ret, struct error *err)
{
	uint64_t budget = r->blocks;
	struct read_inode in;

	if (open_directory(r, dir, &in, err) < 0)
		return -1;
	return read_lookup(r, &in, name, name_len, &budget, ret, err);
}
