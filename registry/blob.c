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
 * "bytes 5-99/100" from this offset to the end of this blob, and nothing else; whoever does not say
 * how long the whole is ("*") is believed. Several ranges at once have no such header.
 */
static bool is_the_rest(const struct http_response *r, const struct oci_descriptor *d,
			uint64_t offset)
{
	cleanup_free char *range = xasprintf("bytes %llu-%llu/", (unsigned long long)offset,
					     (unsigned long long)d->size_bytes - 1);
	cleanup_free char *total = xasprintf("%llu", (unsigned long long)d->size_bytes);
	const char *said = r->content_range;

	if (r->status != 206 || !said || strncasecmp(said, range, strlen(range)) != 0)
		return false;
	said += strlen(range);
	return (!strcmp(said, total) || !strcmp(said, "*"))
	       && (r->content_length == HTTP_LENGTH_UNKNOWN
		   || r->content_length == d->size_bytes - offset);
}

int blob_fetch_from(struct session *s, const struct oci_descriptor *d, uint64_t *offset,
		    struct stream **ret, struct error *err)
{
	cleanup(http_response_release) struct http_response r = {0};
	char digest[DIGEST_TEXT_BYTES];

	digest_format(&d->digest, digest);
	if (session_get_from(s, "blobs", digest, *offset, &r, err) < 0)
		return -1;
	if (is_the_rest(&r, d, *offset)) {
		*ret = steal(&r.body);
		return 0;
	}
	log_debug("%s: from byte %llu on is answered by %d, %.100s: asking for all of it", r.url,
		  (unsigned long long)*offset, r.status,
		  r.content_range ? r.content_range : "without a range");
	*offset = 0;
	if (r.status == 200)
		return take_whole(s, d, &r, ret, err);
	http_response_release(&r);
	return blob_fetch(s, d, ret, err);
}
