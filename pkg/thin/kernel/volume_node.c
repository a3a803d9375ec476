/* SPDX-License-Identifier: Apache-2.0 */
/* Whole transfers to and from a node. Knows no pool. */
#include "pkg/thin/kernel/volume_node.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"

static int open_error(const char *path, struct error *err)
{
	enum error_kind kind = errno == EBUSY			   ? ERR_BUSY
			       : errno == ENOENT || errno == ENXIO ? ERR_NOT_FOUND
								   : ERR_NONE;

	error_sys(err, "open %s", path);
	if (kind != ERR_NONE)
		err->kind = kind;
	return -1;
}

static int size_of(int fd, const char *path, uint64_t *ret, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_sys(err, "stat %s", path);
	*ret = (uint64_t)st.st_size;
	if (S_ISBLK(st.st_mode) && ioctl(fd, BLKGETSIZE64, ret) < 0)
		return error_sys(err, "size of %s", path);
	return 0;
}

int kernel_node_open(struct kernel_node *n, const char *path, bool writable, uint64_t least_bytes,
		     struct error *err)
{
	int flags = O_CLOEXEC | (writable ? O_RDWR | O_EXCL : O_RDONLY);
	cleanup_fd int fd = open(path, flags | O_DIRECT);
	bool direct = fd >= 0;
	uint64_t bytes;

	if (fd < 0 && errno == EINVAL)
		fd = open(path, flags);
	if (fd < 0)
		return open_error(path, err);
	if (size_of(fd, path, &bytes, err) < 0)
		return -1;
	if (bytes < least_bytes)
		return error_set(err, ERR_INCONSISTENT, "%s has %llu bytes, %llu are needed", path,
				 (unsigned long long)bytes, (unsigned long long)least_bytes);
	*n = (struct kernel_node){.fd = steal_fd(&fd), .path = xstrdup(path), .direct = direct};
	return 0;
}

void kernel_node_borrow(const struct kernel_node *n, struct kernel_node *ret)
{
	*ret = (struct kernel_node){.fd = n->fd,
				    .path = xstrdup(n->path),
				    .direct = n->direct,
				    .borrowed = true};
}

void kernel_node_close(struct kernel_node *n)
{
	if (!n->path)
		return;
	if (!n->borrowed)
		close(n->fd);
	free(n->path);
	*n = (struct kernel_node){.fd = -1};
}

/* ---- transfers ---- */

static void skip(struct iovec **pieces, int *n_pieces, size_t done)
{
	while (*n_pieces && done >= (*pieces)->iov_len) {
		done -= (*pieces)->iov_len;
		(*pieces)++;
		(*n_pieces)--;
	}
	if (done) {
		(*pieces)->iov_base = (uint8_t *)(*pieces)->iov_base + done;
		(*pieces)->iov_len -= done;
	}
}

/* Some devices refuse only when it comes to it. */
static bool without_direct(struct kernel_node *n)
{
	int flags = n->direct && errno == EINVAL ? fcntl(n->fd, F_GETFL) : -1;

	if (flags < 0 || fcntl(n->fd, F_SETFL, flags & ~O_DIRECT) < 0)
		return false;
	n->direct = false;
	return true;
}

int kernel_node_read(struct kernel_node *n, struct iovec *pieces, int n_pieces, uint64_t offset,
		     struct error *err)
{
	while (n_pieces) {
		ssize_t done = preadv(n->fd, pieces, n_pieces, (off_t)offset);

		if (done < 0 && (errno == EINTR || without_direct(n)))
			continue;
		if (done < 0)
			return error_sys(err, "read %s at byte %llu", n->path,
					 (unsigned long long)offset);
		if (done == 0)
			return error_set(err, ERR_INCONSISTENT, "%s ends at byte %llu", n->path,
					 (unsigned long long)offset);
		n->counts.reads++;
		n->counts.bytes_read += (uint64_t)done;
		offset += (uint64_t)done;
		skip(&pieces, &n_pieces, (size_t)done);
	}
	return 0;
}

int kernel_node_write(struct kernel_node *n, struct iovec *pieces, int n_pieces, uint64_t offset,
		      struct error *err)
{
	while (n_pieces) {
		ssize_t done = pwritev(n->fd, pieces, n_pieces, (off_t)offset);

		if (done < 0 && (errno == EINTR || without_direct(n)))
			continue;
		if (done < 0)
			return error_sys(err, "write %s at byte %llu", n->path,
					 (unsigned long long)offset);
		n->counts.writes++;
		n->counts.bytes_written += (uint64_t)done;
		offset += (uint64_t)done;
		skip(&pieces, &n_pieces, (size_t)done);
	}
	return 0;
}

int kernel_node_discard(struct kernel_node *n, uint64_t offset, uint64_t len, struct error *err)
{
	uint64_t range[2] = {offset, len};

	if (ioctl(n->fd, BLKDISCARD, range) < 0) {
		if (errno == EOPNOTSUPP || errno == ENOTTY)
			return 1;
		return error_sys(err, "discard on %s at byte %llu", n->path,
				 (unsigned long long)offset);
	}
	n->counts.discards++;
	return 0;
}

int kernel_node_flush(struct kernel_node *n, struct error *err)
{
	if (fdatasync(n->fd) < 0)
		return error_sys(err, "flush %s", n->path);
	n->counts.flushes++;
	return 0;
}
