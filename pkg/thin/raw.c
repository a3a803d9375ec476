/* SPDX-License-Identifier: Apache-2.0 */
/* A volume in a plain sparse file; the holes are found by lseek(2). Knows no pool. */
#include "pkg/thin/raw.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/thin/copy.h"
#include "pkg/thin/engine.h"

enum { SECTOR_BYTES = 512, BLOCK_BYTES = 4096 };

struct raw_volume {
	struct thin_volume base; /* first */
	int fd;
	char *path;
};

static struct raw_volume *raw_of(struct thin_volume *v)
{
	return (struct raw_volume *)v;
}

static int raw_read(struct thin_volume *v, void *buf, size_t len, uint64_t offset,
		    struct error *err)
{
	return fdio_pread(raw_of(v)->fd, buf, len, offset, raw_of(v)->path, err);
}

static int raw_write(struct thin_volume *v, const void *buf, size_t len, uint64_t offset,
		     struct error *err)
{
	return fdio_pwrite(raw_of(v)->fd, buf, len, offset, raw_of(v)->path, err);
}

static int raw_discard(struct thin_volume *v, uint64_t offset, uint64_t len, struct error *err)
{
	if (fallocate(raw_of(v)->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
		      (off_t)len)
	    < 0)
		return error_sys(err, "punch a hole into %s", raw_of(v)->path);
	return 0;
}

static int raw_next_mapped(struct thin_volume *v, uint64_t offset, uint64_t *ret_offset,
			   uint64_t *ret_len, struct error *err)
{
	struct raw_volume *r = raw_of(v);
	off_t from = lseek(r->fd, (off_t)offset, SEEK_DATA), to;

	if (from < 0 && errno == ENXIO)
		return 1;
	to = from < 0 ? -1 : lseek(r->fd, from, SEEK_HOLE);
	if (to < 0)
		return error_sys(err, "find data in %s", r->path);
	if ((uint64_t)from >= v->size_bytes)
		return 1; /* the file grew after it was opened */
	*ret_offset = (uint64_t)from;
	*ret_len = ((uint64_t)to < v->size_bytes ? (uint64_t)to : v->size_bytes) - *ret_offset;
	return 0;
}

static int raw_copy_to(struct thin_volume *v, uint64_t offset, uint64_t len, int fd,
		       const char *name, uint64_t *ret_shared, struct error *err)
{
	int status = thin_clone_range(raw_of(v)->fd, offset, fd, offset, len, name, err);

	if (status < 0)
		return -1;
	if (status == 0) {
		*ret_shared = len;
		return 0;
	}
	return thin_copy_bytes(v, offset, len, fd, name, err);
}

static void raw_close(struct thin_volume *v)
{
	close(raw_of(v)->fd);
	free(raw_of(v)->path);
	free(raw_of(v));
}

static const struct thin_volume_ops raw_ops = {
	.read = raw_read,
	.write = raw_write,
	.discard = raw_discard,
	.next_mapped = raw_next_mapped,
	.copy_to = raw_copy_to,
	.close = raw_close,
};

/* For writing: a second descriptor of the file that was checked, not of one put in its place. */
static int open_writable(int checked_fd, const char *path, int *ret_fd, struct error *err)
{
	cleanup_free char *self = xasprintf("/proc/self/fd/%d", checked_fd);

	*ret_fd = open(self, O_RDWR | O_CLOEXEC);
	return *ret_fd < 0 ? error_sys(err, "open %s for writing", path) : 0;
}

int thin_raw_open(const char *path, bool writable, struct thin_volume **ret, struct error *err)
{
	cleanup_fd int fd = -1, writable_fd = -1;
	struct raw_volume *r;
	uint64_t bytes;

	if (fdio_open_regular(path, &fd, &bytes, err) < 0
	    || (writable && open_writable(fd, path, &writable_fd, err) < 0))
		return -1;
	if (!bytes || bytes % SECTOR_BYTES)
		return error_set(err, ERR_INVALID,
				 "%s has %llu bytes, a file system has whole sectors", path,
				 (unsigned long long)bytes);
	r = xcalloc(1, sizeof(*r));
	r->base.ops = &raw_ops;
	r->base.size_bytes = bytes;
	r->base.block_bytes = BLOCK_BYTES;
	r->base.writable = writable;
	r->fd = writable ? steal_fd(&writable_fd) : steal_fd(&fd);
	r->path = xstrdup(path);
	*ret = &r->base;
	return 0;
}
