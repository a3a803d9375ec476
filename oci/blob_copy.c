/* SPDX-License-Identifier: Apache-2.0 */
/* What is missing is fetched into the spool, and moved from there. */
#include "oci/blob_copy.h"

#include <stdlib.h>

#include "oci/spool.h"
#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/base/interrupt.h"

struct missing {
	const struct blob_copy *copy;
	struct oci_descriptor *blobs; /* what they point to is the caller's */
	size_t *which;		      /* of the caller's */
	size_t n;
};

static void missing_release(struct missing *m)
{
	free(m->blobs);
	free(m->which);
}

static void tell(const struct blob_copy *c, size_t i, enum blob_copy_step step, uint64_t bytes)
{
	if (c->progress)
		c->progress(i, step, bytes, c->arg);
}

static void told(size_t i, uint64_t bytes, void *arg)
{
	const struct missing *m = arg;

	tell(m->copy, m->which[i], BLOB_COPY_COMES, bytes);
}

static int find_missing(struct missing *m, const struct oci_descriptor *const *blobs, size_t n,
			struct error *err)
{
	m->blobs = xcalloc(n + 1, sizeof(*m->blobs));
	m->which = xcalloc(n + 1, sizeof(*m->which));
	for (size_t i = 0; i < n; i++) {
		if (interrupt_check(err) < 0)
			return -1;
		if (layout_writer_has(m->copy->to, blobs[i])) {
			tell(m->copy, i, BLOB_COPY_HERE, 0);
			continue;
		}
		m->blobs[m->n] = *blobs[i];
		m->which[m->n++] = i;
	}
	return 0;
}

/* It is verified: its file becomes the blob, or else its bytes do. */
static int take(const struct blob_copy *c, struct spool *s, const struct oci_descriptor *blob,
		uint64_t *ret_fetched, struct error *err)
{
	cleanup(stream_close_ptr) struct stream *in = NULL;
	cleanup_free char *path = NULL;
	int fd, rc;

	if (spool_take_file(s, &fd, ret_fetched, err) < 0)
		return -1;
	in = stream_from_fd(fd, "spooled blob");
	path = spool_path(s);
	rc = layout_writer_adopt(c->to, blob, fd, path, err);
	if (rc > 0)
		rc = layout_writer_copy(c->to, blob, &in, err);
	stream_close(in); /* and with it the lock */
	in = NULL;
	spool_drop(s);
	return rc < 0 ? -1 : 0;
}

int blob_copy(const struct blob_copy *c, const struct oci_descriptor *const *blobs, size_t n,
	      struct blob_copied *ret, struct error *err)
{
	cleanup(missing_release) struct missing m = {.copy = c};
	cleanup(spool_close_ptr) struct spool *s = NULL;
	char text[DIGEST_TEXT_BYTES];

	*ret = (struct blob_copied){0};
	if (find_missing(&m, blobs, n, err) < 0)
		return -1;
	if (m.n == 0)
		return 0;
	if (fdio_mkdirs(c->spool_dir, err) < 0)
		return -1;
	s = spool_open(c->spool_dir, c->source, m.blobs, m.n, c->at_once, told, &m);
	for (size_t i = 0; i < m.n; i++) {
		uint64_t fetched = 0;

		if (take(c, s, &m.blobs[i], &fetched, err) < 0)
			return error_wrap(err, "%s %zu/%zu %s", c->what, m.which[i] + 1, n,
					  digest_format(&m.blobs[i].digest, text));
		ret->n++;
		ret->fetched_bytes += fetched;
		tell(c, m.which[i], BLOB_COPY_DONE, m.blobs[i].size_bytes);
	}
	return 0;
}
