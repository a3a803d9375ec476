/* SPDX-License-Identifier: Apache-2.0 */
/* Turns a tag into a descriptor, believing only the bytes (rules B4, B18, C2). */
#include "registry/manifest.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "oci/document.h"
#include "oci/manifest.h"
#include "pkg/base/alloc.h"

/* --- digest --------------------------------------------------------------------------------------
 */

/* Compare with what the registry says of itself; it may use an algorithm that we do not know. */
static int check_header(const char *header, const struct buffer *bytes, struct error *err)
{
	char got_text[DIGEST_TEXT_BYTES], said_text[DIGEST_TEXT_BYTES];
	struct digest said, got;

	if (digest_parse(header, &said, err) < 0) {
		if (err->kind != ERR_UNSUPPORTED)
			return error_wrap(err, "Docker-Content-Digest");
		error_clear(err);
		return 0;
	}
	digest_of(said.algorithm, bytes->data, bytes->len, &got);
	if (!digest_equal(&said, &got))
		return error_set(err, ERR_VERIFICATION,
				 "manifest is %.79s, Docker-Content-Digest says %.79s",
				 digest_format(&got, got_text), digest_format(&said, said_text));
	return 0;
}

static int find_digest(const struct reference *ref, const char *header, const struct buffer *bytes,
		       struct digest *ret, struct error *err)
{
	enum digest_algorithm algorithm = ref->digest.algorithm;
	char got_text[DIGEST_TEXT_BYTES], want_text[DIGEST_TEXT_BYTES];

	digest_of(algorithm ? algorithm : DIGEST_SHA256, bytes->data, bytes->len, ret);
	if (algorithm && !digest_equal(ret, &ref->digest))
		return error_set(err, ERR_VERIFICATION, "manifest is %.79s, %.79s is expected",
				 digest_format(ret, got_text),
				 digest_format(&ref->digest, want_text));
	return header ? check_header(header, bytes, err) : 0;
}

/* --- type ----------------------------------------------------------------------------------------
 */

/* The two types without their parameters. */
static bool is_same_type(const char *a, const char *b)
{
	size_t n = strcspn(a, "; \t"), m = strcspn(b, "; \t");

	return n == m && !strncasecmp(a, b, n);
}

/* Content-Type counts if it names a type we know; the bytes must not say anything else. */
static int find_type(const char *content_type, const struct buffer *bytes, struct oci_descriptor *d,
		     struct error *err)
{
	enum oci_media_type said =
		content_type ? oci_media_type_parse(content_type) : MEDIA_UNKNOWN;
	enum oci_media_type inner;
	char text[sizeof(d->media_type_text)];

	if (said == MEDIA_SCHEMA1) {
		d->media_type = said; /* refused by name, whatever the bytes are */
		return 0;
	}
	if (oci_document_sniff(bytes->data, bytes->len, "manifest", &inner, text, sizeof(text), err)
	    < 0)
		return -1;
	if (said != MEDIA_UNKNOWN && text[0] && !is_same_type(content_type, text))
		return error_set(err, ERR_INVALID,
				 "the registry says it is %.80s, the bytes say %.80s", content_type,
				 text);
	if (said == MEDIA_UNKNOWN && inner == MEDIA_UNKNOWN && !text[0])
		return error_set(err, ERR_INVALID, "neither a manifest nor an index: %.80s",
				 content_type ? content_type : "no type given");
	d->media_type = said != MEDIA_UNKNOWN ? said : inner;
	if (said != MEDIA_UNKNOWN)
		snprintf(d->media_type_text, sizeof(d->media_type_text), "%.*s",
			 (int)strcspn(content_type, "; \t"), content_type);
	else
		snprintf(d->media_type_text, sizeof(d->media_type_text), "%s",
			 text[0] ? text : oci_document_default_type(inner));
	return 0;
}

/* --- resolving -----------------------------------------------------------------------------------
 */

static int read_body(struct http_response *r, struct buffer *ret, struct error *err)
{
	if (r->content_length != HTTP_LENGTH_UNKNOWN && r->content_length > OCI_DOCUMENT_MAX_BYTES)
		return error_set(err, ERR_INVALID, "%llu bytes, at most %d are allowed",
				 (unsigned long long)r->content_length, OCI_DOCUMENT_MAX_BYTES);
	if (stream_read_all(r->body, OCI_DOCUMENT_MAX_BYTES, ret, err) < 0)
		return -1;
	return stream_finish(r->body, err);
}

/* Nothing of a manifest is handed on before all of it is there, so a cut one is asked for again. */
static int get_whole(struct session *s, const char *name, struct http_response *ret,
		     struct buffer *bytes, struct error *err)
{
	for (unsigned i = 1;; i++) {
		buffer_clear(bytes);
		if (session_get(s, "manifests", name, oci_media_type_accept(), ret, err) < 0)
			return -1;
		if (read_body(ret, bytes, err) == 0)
			return 0;
		http_response_release(ret);
		if (err->kind != ERR_NETWORK || i >= session_tries(s))
			return error_wrap(err, "manifest %s from %s", name, session_host(s));
	}
}

int manifest_resolve(struct session *s, const struct reference *ref, struct oci_descriptor *ret,
		     struct buffer *ret_bytes, struct error *err)
{
	cleanup(http_response_release) struct http_response r = {0};
	struct oci_descriptor d = {0};
	char digest[DIGEST_TEXT_BYTES];
	const char *name = ref->tag;

	if (ref->digest.algorithm != DIGEST_NONE)
		name = digest_format(&ref->digest, digest);
	if (get_whole(s, name, &r, ret_bytes, err) < 0)
		return -1;
	if (find_digest(ref, r.content_digest, ret_bytes, &d.digest, err) < 0
	    || find_type(r.content_type, ret_bytes, &d, err) < 0)
		return error_wrap(err, "manifest %s from %s", name, session_host(s));
	d.size_bytes = ret_bytes->len;
	*ret = d;
	return 0;
}

int manifest_fetch(struct session *s, const struct oci_descriptor *d, struct stream **ret,
		   struct error *err)
{
	struct http_response r = {0};
	char digest[DIGEST_TEXT_BYTES];

	if (session_get(s, "manifests", digest_format(&d->digest, digest), d->media_type_text, &r,
			err)
	    < 0)
		return -1;
	*ret = steal(&r.body);
	http_response_release(&r);
	return 0;
}
