/* SPDX-License-Identifier: Apache-2.0 */
/* Fetches a blob by its digest. */
#include "registry/blob.h"

#include "registry/http.h"

int blob_fetch(struct session *s, const struct oci_descriptor *d, struct stream **ret,
	       struct error *err)
{
	cleanup(http_response_release) struct http_response r = {0};
	char digest[DIGEST_TEXT_BYTES];

	digest_format(&d->digest, digest);
	if (session_get(s, "blobs", digest, NULL, &r, err) < 0)
		return -1;
	if (r.content_length != HTTP_LENGTH_UNKNOWN && r.content_length != d->size_bytes)
		return error_set(err, ERR_VERIFICATION,
				 "%s offers %llu bytes for blob %s, its descriptor says %llu",
				 session_host(s), (unsigned long long)r.content_length, digest,
				 (unsigned long long)d->size_bytes);
	*ret = steal(&r.body);
	return 0;
}
