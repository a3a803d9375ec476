/* SPDX-License-Identifier: Apache-2.0 */
/* The content of a file, extent by extent; what no extent maps stays a hole. */
#include <inttypes.h>
#include <unistd.h>

#include "pkg/base/fdio.h"
#include "pkg/base/interrupt.h"
#include "pkg/ext4/extract_internal.h"

/* @from: where on the volume.   @to: where in the file. */
static int copy_run(struct extract *x, uint64_t from, uint64_t len, int fd, uint64_t to,
		    struct error *err)
{
	while (len > 0) {
		size_t n = len < EXTRACT_BUF_BYTES ? (size_t)len : EXTRACT_BUF_BYTES;

		if (interrupt_check(err) < 0
		    || ext4_io_read_bytes(x->r->fs, x->buf, n, from, err) < 0
		    || fdio_pwrite(fd, x->buf, n, to, "the file", err) < 0)
			return -1;
		from += n;
		to += n;
		len -= n;
	}
	return 0;
}

int extract_file_content(struct extract *x, uint32_t inode, int fd, struct error *err)
{
	cleanup(ext4_extents_close_ptr) struct ext4_extents_walk *walk = NULL;
	uint64_t block = x->r->fs->blocksize, size, end = 0;
	struct read_inode in;
	struct ext4_extent e;
	int rc;

	if (read_inode(x->r, inode, &in, err) < 0)
		return -1;
	size = in.stat.size_bytes;
	if (size == 0)
		return 0;
	if (read_extents(x->r, &in, 0, &walk, err) < 0)
		return -1;
	/* what is preallocated behind the end is not content */
	while ((rc = ext4_extents_next(walk, &e, err)) == 0 && e.logical * block < size) {
		uint64_t start = e.logical * block, len = e.len * block;

		if (read_count_mapped(x->r, &in, e.len, err) < 0)
			return -1;
		if (e.unwritten)
			continue;
		if (len > size - start)
			len = size - start;
		if (copy_run(x, e.physical * block, len, fd, start, err) < 0)
			return -1;
		end = start + len;
	}
	if (rc < 0)
		return read_error(&in, err);
	if (end < size && ftruncate(fd, (off_t)size) < 0)
		return error_sys(err, "make a file of %" PRIu64 " bytes", size);
	return 0;
}
