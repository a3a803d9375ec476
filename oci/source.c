/* SPDX-License-Identifier: Apache-2.0 */
/* Calls through to the implementation, and fetching a small document as a whole. */
#include "oci/source.h"

#include <stdlib.h>

#include "oci/manifest.h"

int source_resolve(struct source *s, struct oci_descriptor *ret, struct buffer *ret_bytes,
		   struct error *err)
{
	return s->ops->resolve(s, ret, ret_bytes, err);
}

static bool is_foreign(const struct oci_descriptor *d)
{
	return d->media_type == MEDIA_LAYER_FOREIGN || (d->urls && d->urls->n > 0);
}

int source_fetch(struct source *s, const struct oci_descriptor *d, struct stream **ret,
		 struct error *err)
{
	struct byte_range all = {0, d->size_bytes};

	return source_fetch_range(s, d, &all, ret, err);
}

static int fetch(struct source *s, const struct oci_descriptor *d, struct byte_range *range,
		 struct stream **ret, struct error *err)
{
	if (range->bytes < d->size_bytes && s->ops->fetch_range)
		return s->ops->fetch_range(s, d, range, ret, err);
	*range = (struct byte_range){0, d->size_bytes};
	return s->ops->fetch(s, d, ret, err);
}

int source_fetch_range(struct source *s, const struct oci_descriptor *d, struct byte_range *range,
		       struct stream **ret, struct error *err)
{
	if (d->digest.algorithm == DIGEST_NONE)
		return error_set(err, ERR_UNSUPPORTED,
				 "its digest is of an unknown algorithm and cannot be verified");
	if (fetch(s, d, range, ret, err) == 0)
		return 0;
	/* Its urls are not asked unless somebody says so (CVE-2020-15157, rule B19). */
	if (err->kind == ERR_NOT_FOUND && !s->asks_urls && is_foreign(d)) {
		error_wrap(err, "a foreign layer, whose urls are not followed");
		error_set_detail(err, ERR_DETAIL_FOREIGN);
	}
	return -1;
}

static int fetch_once(struct source *s, const struct oci_descriptor *d, struct buffer *ret,
		      struct error *err)
{
	cleanup(stream_close_ptr) struct stream *in = NULL;

	if (source_fetch(s, d, &in, err) < 0
	    || stream_verify(&in, &d->digest, d->size_bytes, "document", err) < 0
	    || stream_read_all(in, OCI_DOCUMENT_MAX_BYTES, ret, err) < 0)
		return -1;
	return stream_finish(in, err);
}

int source_fetch_document(struct source *s, const struct oci_descriptor *d, struct buffer *ret,
			  struct error *err)
{
	enum { TRIES = 3 };
	char text[DIGEST_TEXT_BYTES];

	if (d->size_bytes > OCI_DOCUMENT_MAX_BYTES)
		return error_set(err, ERR_INVALID, "%s has %llu bytes, at most %d are allowed",
				 digest_format(&d->digest, text), (unsigned long long)d->size_bytes,
				 OCI_DOCUMENT_MAX_BYTES);
	for (int i = 1;; i++) {
		buffer_clear(ret);
		if (fetch_once(s, d, ret, err) == 0)
			return 0;
		/* A connection that broke in the middle: the source itself retries all else. */
		if (err->kind != ERR_NETWORK || i == TRIES)
			return error_wrap(err, "%s", digest_format(&d->digest, text));
	}
}

void source_close(struct source *s)
{
	s->ops->close(s);
}
