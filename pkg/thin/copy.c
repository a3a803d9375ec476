/* SPDX-License-Identifier: Apache-2.0 */
/* Sharing and copying of runs of bytes. Knows files and volumes, not engines. */
#include "pkg/thin/copy.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "pkg/thin/volume.h"

enum {
	PIECE_BYTES = 4096, /* the block of the file system inside, and of the hosts that matter */
	CHUNK_BYTES = 1 << 20,
};

/* What the kernel says when it cannot share, rather than when something went wrong. */
static bool cannot_share(int sys)
{
	return sys == EOPNOTSUPP || sys == ENOTTY || sys == EXDEV || sys == EINVAL || sys == ENOSYS
	       || sys == EPERM || sys == ETXTBSY;
}

int thin_clone_range(int from_fd, uint64_t from, int to_fd, uint64_t to, uint64_t len,
		     const char *to_name, struct error *err)
{
	struct file_clone_range range = {
		.src_fd = from_fd,
		.src_offset = from,
		.src_length = len,
		.dest_offset = to,
	};

	/* A length of 0 would mean: to the end. */
	if (!len)
		return 0;
	if (ioctl(to_fd, FICLONERANGE, &range) == 0)
		return 0;
	if (cannot_share(errno))
		return 1;
	return error_sys(err, "share blocks with %s", to_name);
}

static bool is_zero(const uint8_t *data, size_t len)
{
	return data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

/* Neighbours that are not zero go out together. */
static int write_pieces(int fd, const uint8_t *data, size_t len, uint64_t offset, const char *name,
			struct error *err)
{
	size_t start = 0, end = 0;

	while (start < len) {
		size_t piece = len - end < PIECE_BYTES ? len - end : PIECE_BYTES;

		if (piece && !is_zero(data + end, piece)) {
			end += piece;
			continue;
		}
		if (end > start
		    && fdio_pwrite(fd, data + start, end - start, offset + start, name, err) < 0)
			return -1;
		start = end += piece;
	}
	return 0;
}

int thin_copy_bytes(struct thin_volume *v, uint64_t offset, uint64_t len, int fd, const char *name,
		    struct error *err)
{
	cleanup_free uint8_t *chunk = xaligned(PIECE_BYTES, CHUNK_BYTES);

	while (len) {
		size_t n = len < CHUNK_BYTES ? (size_t)len : CHUNK_BYTES;

		if (thin_volume_read(v, chunk, n, offset, err) < 0
		    || write_pieces(fd, chunk, n, offset, name, err) < 0)
			return -1;
		offset += n;
		len -= n;
	}
	return 0;
}
