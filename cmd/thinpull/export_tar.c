/* SPDX-License-Identifier: Apache-2.0 */
/* Gathers the small pieces that a tar comes in. */
#include "cmd/thinpull/export_tar.h"

#include <string.h>

#include "oci/tree_tar.h"
#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"

enum { EXPORT_GATHER_BYTES = 1 << 20 };

struct gather {
	struct outfile *out;
	uint64_t written;
	uint8_t *data;
	size_t len;
};

static void gather_release(struct gather *g)
{
	free(g->data);
}

static int flush(struct gather *g, struct error *err)
{
	if (g->len && outfile_write(g->out, g->data, g->len, g->written, err) < 0)
		return -1;
	g->written += g->len;
	g->len = 0;
	return 0;
}

static int gather_write(const void *data, size_t len, void *arg, struct error *err)
{
	struct gather *g = arg;

	while (len) {
		size_t room = EXPORT_GATHER_BYTES - g->len, n = len < room ? len : room;

		memcpy(g->data + g->len, data, n);
		g->len += n;
		data = (const uint8_t *)data + n;
		len -= n;
		if (g->len == EXPORT_GATHER_BYTES && flush(g, err) < 0)
			return -1;
	}
	return 0;
}

int export_tar(struct thin_volume *volume, struct outfile *out, uint64_t *ret_size,
	       struct error *err)
{
	cleanup(ext4_reader_close_ptr) struct ext4_reader *fs = NULL;
	cleanup(gather_release) struct gather g = {.out = out,
						   .data = xmalloc(EXPORT_GATHER_BYTES)};

	if (ext4_reader_open(volume, &fs, err) < 0 || tree_tar_write(fs, gather_write, &g, err) < 0
	    || flush(&g, err) < 0)
		return -1;
	*ret_size = g.written;
	return 0;
}
