/* SPDX-License-Identifier: Apache-2.0 */
/* A stream from a part of a file that others read at the same time. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/interrupt.h"
#include "pkg/stream/stage.h"

enum { RANGE_PIECE_BYTES = 256 * 1024 };

struct range_stream {
	struct stream stream;
	int fd;
	char *name;
	uint64_t at, left;
	uint8_t *buffer;
};

static int range_fill_into(struct stream *s, uint8_t *buf, size_t room, size_t *ret_n,
			   struct error *err)
{
	struct range_stream *r = (struct range_stream *)s;
	ssize_t n;

	if (room > r->left)
		room = (size_t)r->left;
	if (room == 0)
		return 1;
	while ((n = pread(r->fd, buf, room, (off_t)r->at)) < 0) {
		if (errno != EINTR)
			return error_sys(err, "read %s", r->name);
		if (interrupt_check(err) < 0)
			return -1;
	}
	if (n == 0)
		return error_set(err, ERR_INVALID, "%s ends at byte %llu, %llu are missing",
				 r->name, (unsigned long long)r->at, (unsigned long long)r->left);
	r->at += (uint64_t)n;
	r->left -= (uint64_t)n;
	*ret_n = (size_t)n;
	return 0;
}

static int range_fill(struct stream *s, const uint8_t **ret, size_t *ret_len, struct error *err)
{
	struct range_stream *r = (struct range_stream *)s;

	if (!r->buffer)
		r->buffer = xmalloc(RANGE_PIECE_BYTES);
	*ret = r->buffer;
	return range_fill_into(s, r->buffer, RANGE_PIECE_BYTES, ret_len, err);
}

static void range_release(struct stream *s)
{
	struct range_stream *r = (struct range_stream *)s;

	free(r->name);
	free(r->buffer);
}

struct stream *stream_from_range(int fd, uint64_t offset, uint64_t len, const char *name)
{
	static const struct stream_ops ops = {
		.fill = range_fill,
		.fill_into = range_fill_into,
		.release = range_release,
	};
	struct range_stream *r = xcalloc(1, sizeof(*r));

	r->stream.ops = &ops;
	r->fd = fd;
	r->name = xstrdup(name);
	r->at = offset;
	r->left = len;
	return &r->stream;
}
