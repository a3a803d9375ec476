/* SPDX-License-Identifier: Apache-2.0 */
/* Fetches a blob by its digest, or what is missing of it. */
#include "registry/blob.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "registry/http.h"

/* The response as the whole blob. */
static int take_whole(const struct session *s, const struct oci_descriptor *d,
		      struct http_response *r, struct stream **ret, struct error *err)
{
	char digest[DIGEST_TEXT_BYTES];

	if (r->content_length != HTTP_LENGTH_UNKNOWN && r->content_length != d->size_bytes)
		return error_set(err, ERR_VERIFICATION,
				 "%s offers %llu bytes for blob %s, its descriptor says %llu",
				 session_host(s), (unsigned long long)r->content_length,
				 digest_format(&d->digest, digest),
				 (unsigned long long)d->size_bytes);
	*ret = steal(&r->body);
	return 0;
}

int blob_fetch(struct session *s, const struct oci_descriptor *d, struct stream **ret,
	       struct error *err)
{
	cleanup(http_response_release) struct http_response r = {0};
	char digest[DIGEST_TEXT_BYTES];

	if (session_get(s, "blobs", digest_format(&d->digest, digest), NULL, &r, err) < 0)
		return -1;
	return take_whole(s, d, &r, ret, err);
}

/*
 * "bytes 5-99/100", with the size of this blob, and nothing else; whoever does not say how long the
 * whole is ("*") is believed. Several ranges at once have no such header.
 */
static bool is_range(const struct http_response *r, const struct oci_descriptor *d,
		     const struct byte_range *range)
{
	cleanup_free char *want = xasprintf("bytes %llu-%llu/", (unsigned long long)range->offset,
					    (unsigned long long)(range->offset + range->bytes - 1));
	cleanup_free char *total = xasprintf("%llu", (unsigned long long)d->size_bytes);
	const char *said = r->content_range;

	if (r->status != 206 || !said || strncasecmp(said, want, strlen(want)) != 0)
		return false;
	said += strlen(want);
	return (!strcmp(said, total) || !strcmp(said, "*"))
	       && (r->content_length == HTTP_LENGTH_UNKNOWN || r->content_length == range->bytes);
}

/* "bytes=5-", or "bytes=5-99" when there is more behind it. */
static char *header_of(const struct oci_descriptor *d, const struct byte_range *range)
{
	uint64_t end = range->offset + range->bytes;

	return end == d->size_bytes
		       ? xasprintf("bytes=%llu-", (unsigned long long)range->offset)
		       : xasprintf("bytes=%llu-%llu", (unsigned long long)range->offset,
				   (unsigned long long)end - 1);
}

int blob_fetch_range(struct session *s, const struct oci_descriptor *d, struct byte_range *range,
		     struct stream **ret, struct error *err)
{
	cleanup(http_response_release) struct http_response r = {0};
	cleanup_free char *header = header_of(d, range);
	char digest[DIGEST_TEXT_BYTES];

	digest_format(&d->digest, digest);
	if (session_get_range(s, "blobs", digest, header, &r, err) < 0)
		return -1;
	if (is_range(&r, d, range)) {
		*ret = steal(&r.body);
		return 0;
	}
	log_debug("%s: %s is answered by %d, %.100s: asking for all of it", r.url, header, r.status,
		  r.content_range ? r.content_range : "without a range");
	*range = (struct byte_range){0, d->size_bytes};
	if (r.status == 200)
		return take_whole(s, d, &r, ret, err);
	http_response_release(&r);
	return blob_fetch(s, d, ret, err);
}
