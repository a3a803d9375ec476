/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hashes and counts what passes. The end is only passed on when size and digest hold, so nobody
 * above ever sees a clean end of a stream that is not what was asked for.
 */
#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/stream/stage.h"

struct verify_stream {
	struct stream stream;
	struct stream *inner;
	size_t lent; /* of the inner stream's piece, to be taken */
	struct hash *hash;
	struct digest expected;
	uint64_t size, seen;
	char *what;
};

static int verify_end(struct verify_stream *v, struct error *err)
{
	char got_text[DIGEST_TEXT_BYTES], want_text[DIGEST_TEXT_BYTES];
	struct digest got;

	if (v->size != STREAM_SIZE_UNKNOWN && v->seen != v->size)
		return error_set(err, ERR_VERIFICATION, "%s has only %llu bytes, %llu are expected",
				 v->what, (unsigned long long)v->seen, (unsigned long long)v->size);
	hash_final(v->hash, &got);
	if (!digest_equal(&got, &v->expected))
		return error_set(err, ERR_VERIFICATION, "%s is %.79s, %.79s is expected", v->what,
				 digest_format(&got, got_text),
				 digest_format(&v->expected, want_text));
	return 1;
}

static int verify_fill(struct stream *s, const uint8_t **ret, size_t *ret_len, struct error *err)
{
	struct verify_stream *v = (struct verify_stream *)s;
	const uint8_t *piece;
	size_t n;
	int rc;

	stream_advance(v->inner, v->lent);
	v->lent = 0;
	rc = stream_peek(v->inner, &piece, &n, err);
	if (rc < 0)
		return -1;
	if (rc == 1)
		return verify_end(v, err);
	if (v->size != STREAM_SIZE_UNKNOWN && n > v->size - v->seen)
		return error_set(err, ERR_VERIFICATION, "%s has more than the expected %llu bytes",
				 v->what, (unsigned long long)v->size);
	hash_update(v->hash, piece, n);
	v->seen += n;
	v->lent = n;
	*ret = piece;
	*ret_len = n;
	return 0;
}

static int verify_finish(struct stream *s, struct error *err)
{
	return stream_finish(((struct verify_stream *)s)->inner, err);
}

static void verify_release(struct stream *s)
{
	struct verify_stream *v = (struct verify_stream *)s;

	stream_close(v->inner);
	hash_free(v->hash);
	free(v->what);
}

int stream_verify(struct stream **s, const struct digest *digest, uint64_t size, const char *what,
		  struct error *err)
{
	static const struct stream_ops ops = {
		.fill = verify_fill,
		.finish = verify_finish,
		.release = verify_release,
	};
	cleanup(stream_close_ptr) struct stream *inner = steal(s);
	struct verify_stream *v;

	/* An absent digest must never pass for a verified one. */
	if (digest->algorithm == DIGEST_NONE)
		return error_set(err, ERR_VERIFICATION, "%s has no digest to verify", what);
	v = xcalloc(1, sizeof(*v));
	v->stream.ops = &ops;
	v->inner = steal(&inner);
	v->hash = hash_new(digest->algorithm);
	v->expected = *digest;
	v->size = size;
	v->what = xstrdup(what);
	*s = &v->stream;
	return 0;
}
