/* SPDX-License-Identifier: Apache-2.0 */
/* Another try starts the blob, and its file, from the beginning. */
#include "oci/blob_copy.h"

#include <unistd.h>

#include "pkg/base/fdio.h"
#include "pkg/base/interrupt.h"
#include "pkg/base/log.h"

enum { COPY_TRIES = 3 };

struct copy {
	struct source *source;
	const struct oci_descriptor *blob;
	blob_copy_progress_fn *progress;
	void *arg;
};

static int copy_stream(const struct copy *c, struct stream *in, int fd, struct error *err)
{
	uint64_t bytes = 0;
	const uint8_t *data;
	size_t len;
	int status;

	while ((status = stream_peek(in, &data, &len, err)) == 0) {
		if (interrupt_check(err) < 0 || fdio_write(fd, data, len, "a blob", err) < 0)
			return -1;
		stream_advance(in, len);
		bytes += len;
		if (c->progress)
			c->progress(bytes, c->arg);
	}
	return status < 0 ? -1 : stream_finish(in, err);
}

/* 0, or -1; *ret_broken: the transfer had begun and the network cut it. */
static int try_copy(const struct copy *c, int fd, bool *ret_broken, struct error *err)
{
	cleanup(stream_close_ptr) struct stream *in = NULL;

	*ret_broken = false;
	if (source_fetch(c->source, c->blob, &in, err) < 0)
		return -1;
	if (stream_verify(&in, &c->blob->digest, c->blob->size_bytes, "blob", err) == 0
	    && copy_stream(c, in, fd, err) == 0)
		return 0;
	*ret_broken = err->kind == ERR_NETWORK;
	return -1;
}

static int copy_into(const struct copy *c, int fd, struct error *err)
{
	for (int tries = 1;; tries++) {
		bool broken;

		if (try_copy(c, fd, &broken, err) == 0)
			return 0;
		if (!broken || tries == COPY_TRIES)
			return -1;
		log_debug("copy: %s; trying again", err->cause);
		if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0)
			return error_sys(err, "empty a blob");
	}
}

int blob_copy(struct source *source, const struct oci_descriptor *blob, struct layout_writer *to,
	      blob_copy_progress_fn *progress, void *arg, bool *ret_copied, struct error *err)
{
	const struct copy c = {source, blob, progress, arg};
	int fd;

	*ret_copied = false;
	if (layout_writer_begin(to, blob, &fd, err) < 0)
		return -1;
	if (fd < 0)
		return 0;
	if (copy_into(&c, fd, err) < 0) {
		layout_writer_abort(to, blob, &fd);
		return -1;
	}
	if (layout_writer_commit(to, blob, &fd, err) < 0)
		return -1;
	*ret_copied = true;
	return 0;
}
