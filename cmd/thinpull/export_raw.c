/* SPDX-License-Identifier: Apache-2.0 */
/* A new file shares its blocks with the pool where the host can; all else gets bytes. */
#include "cmd/thinpull/export_raw.h"

#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/interrupt.h"

enum {
	EXPORT_CHUNK_BYTES = 1 << 20,
	EXPORT_SHARE_BYTES = 64 << 20, /* between two looks for a signal */
	/* The block size of the file system, and of the hosts that matter. */
	EXPORT_HOLE_BYTES = 4096,
};

static bool is_zero(const uint8_t *data, size_t len)
{
	return data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

/* Write the parts of a chunk that are not zero; neighbours go out together. */
static int write_chunk(struct outfile *out, const uint8_t *data, size_t len, uint64_t offset,
		       struct error *err)
{
	size_t start = 0, end = 0;

	while (start < len) {
		size_t piece = len - end < EXPORT_HOLE_BYTES ? len - end : EXPORT_HOLE_BYTES;

		if (piece && !is_zero(data + end, piece)) {
			end += piece;
			continue;
		}
		if (end > start
		    && outfile_write(out, data + start, end - start, offset + start, err) < 0)
			return -1;
		start = end += piece;
	}
	return 0;
}

static int write_range(struct thin_volume *volume, struct outfile *out, uint64_t offset,
		       uint64_t len, uint8_t *chunk, struct error *err)
{
	while (len) {
		size_t n = len < EXPORT_CHUNK_BYTES ? (size_t)len : EXPORT_CHUNK_BYTES;

		if (interrupt_check(err) < 0 || thin_volume_read(volume, chunk, n, offset, err) < 0
		    || write_chunk(out, chunk, n, offset, err) < 0)
			return -1;
		offset += n;
		len -= n;
	}
	return 0;
}

static int share_range(struct thin_volume *volume, struct outfile *out, uint64_t offset,
		       uint64_t len, struct error *err)
{
	uint64_t shared;

	while (len) {
		uint64_t n = len < EXPORT_SHARE_BYTES ? len : EXPORT_SHARE_BYTES;

		if (interrupt_check(err) < 0
		    || thin_volume_copy_to(volume, offset, n, out->fd, out->name, &shared, err) < 0)
			return -1;
		offset += n;
		len -= n;
	}
	return 0;
}

int export_raw(struct thin_volume *volume, struct outfile *out, uint64_t *ret_size,
	       struct error *err)
{
	cleanup_free uint8_t *chunk = xaligned(4096, EXPORT_CHUNK_BYTES);
	bool share = out->sparse && out->start == 0;
	uint64_t offset = 0, len = 0;
	int more;

	while ((more = thin_volume_next_mapped(volume, offset, &offset, &len, err)) == 0) {
		if ((share ? share_range(volume, out, offset, len, err)
			   : write_range(volume, out, offset, len, chunk, err))
		    < 0)
			return -1;
		offset += len;
	}
	if (more < 0)
		return -1;
	*ret_size = thin_volume_size(volume);
	return 0;
}
