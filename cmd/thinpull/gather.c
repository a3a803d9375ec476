/* SPDX-License-Identifier: Apache-2.0 */
/* One buffer, written when it is full. */
#include "cmd/thinpull/gather.h"

#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"

enum { GATHER_BYTES = 1 << 20 };

void gather_init(struct gather *g, struct outfile *out)
{
	*g = (struct gather){.out = out, .data = xmalloc(GATHER_BYTES)};
}

void gather_release(struct gather *g)
{
	free(g->data);
}

int gather_flush(struct gather *g, struct error *err)
{
	if (g->len && outfile_write(g->out, g->data, g->len, g->written, err) < 0)
		return -1;
	g->written += g->len;
	g->len = 0;
	return 0;
}

int gather_write(const void *data, size_t len, void *arg, struct error *err)
{
	struct gather *g = arg;

	while (len) {
		size_t room = GATHER_BYTES - g->len, n = len < room ? len : room;

		memcpy(g->data + g->len, data, n);
		g->len += n;
		data = (const uint8_t *)data + n;
		len -= n;
		if (g->len == GATHER_BYTES && gather_flush(g, err) < 0)
			return -1;
	}
	return 0;
}
