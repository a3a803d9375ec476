/* SPDX-License-Identifier: Apache-2.0 */
/* A stream from a file descriptor, read in large pieces. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "pkg/base/interrupt.h"
#include "pkg/stream/stage.h"

enum { FILE_PIECE_BYTES = 256 * 1024 };

struct file_stream {
	struct stream stream;
	int fd;
	char *name;
	uint8_t *buffer;
};

static int file_fill_into(struct stream *s, uint8_t *buf, size_t room, size_t *ret_n,
			  struct error *err)
{
	struct file_stream *f = (struct file_stream *)s;
	ssize_t n;

	while ((n = read(f->fd, buf, room)) < 0) {
		if (errno != EINTR)
			return error_sys(err, "read %s", f->name);
		if (interrupt_check(err) < 0)
			return -1;
	}
	*ret_n = (size_t)n;
	return n == 0;
}

static int file_fill(struct stream *s, const uint8_t **ret, size_t *ret_len, struct error *err)
{
	struct file_stream *f = (struct file_stream *)s;

	if (!f->buffer)
		f->buffer = xmalloc(FILE_PIECE_BYTES);
	*ret = f->buffer;
	return file_fill_into(s, f->buffer, FILE_PIECE_BYTES, ret_len, err);
}

static void file_release(struct stream *s)
{
	struct file_stream *f = (struct file_stream *)s;

	close(f->fd);
	free(f->name);
	free(f->buffer);
}

struct stream *stream_from_fd(int fd, const char *name)
{
	static const struct stream_ops ops = {
		.fill = file_fill,
		.fill_into = file_fill_into,
		.release = file_release,
	};
	struct file_stream *f = xcalloc(1, sizeof(*f));

	f->stream.ops = &ops;
	f->fd = fd;
	f->name = xstrdup(name);
	return &f->stream;
}

int stream_open_file(const char *path, struct stream **ret, struct error *err)
{
	cleanup_fd int fd = -1;
	uint64_t bytes;

	if (fdio_open_regular(path, &fd, &bytes, err) < 0)
		return -1;
	posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	*ret = stream_from_fd(steal_fd(&fd), path);
	return 0;
}
