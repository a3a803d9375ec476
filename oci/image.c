/* SPDX-License-Identifier: Apache-2.0 */
/* Follows indexes down to a manifest and reads its config (rules B13 to B18). */
#include "oci/image.h"

#include <stdio.h>
#include <string.h>

#include "oci/document.h"
#include "oci/index.h"
#include "pkg/base/cleanup.h"

/* "manifest sha256:0123456789ab", the first part of JSON paths in errors. */
static const char *describe(const char *kind, const struct digest *d, char *buf, size_t size)
{
	char text[DIGEST_TEXT_BYTES];

	snprintf(buf, size, "%s %.*s", kind,
		 (int)strlen(digest_algorithm_name(d->algorithm)) + 1 + 12, digest_format(d, text));
	return buf;
}

/* Bytes that came along with the reference are verified like all others. */
static int verify_bytes(const struct oci_descriptor *d, const struct buffer *bytes,
			struct error *err)
{
	struct digest got;

	digest_of(d->digest.algorithm, bytes->data, bytes->len, &got);
	if (bytes->len != d->size_bytes || !digest_equal(&got, &d->digest))
		return error_set(err, ERR_VERIFICATION,
				 "the bytes of the %s do not have its size and digest",
				 d->media_type == MEDIA_INDEX ? "index" : "manifest");
	return 0;
}

/* One that an earlier pull kept need not be fetched; one that is damaged there is. */
static bool is_kept(struct content *kept, const struct oci_descriptor *d, struct buffer *ret)
{
	struct error ignored = {0};

	if (!kept || content_get(kept, &d->digest, ret, &ignored) < 0)
		return false;
	if (ret->len == d->size_bytes)
		return true;
	buffer_clear(ret);
	return false;
}

/* The next document of the image; the one that is `target` may already be in its place. */
static int read_document(struct source *s, const struct oci_descriptor *d, struct oci_image *image,
			 struct error *err)
{
	struct oci_document *document = &image->documents[image->n_documents];
	int rc = 0;

	if (document->bytes.len > 0)
		rc = verify_bytes(d, &document->bytes, err);
	else if (!is_kept(image->kept, d, &document->bytes))
		rc = source_fetch_document(s, d, &document->bytes, err);
	document->digest = d->digest;
	image->n_documents++;
	return rc;
}

/* Replace *d, an index, by the descriptor of the entry for the platform. */
static int descend(const struct oci_document *document, const struct oci_platform *want,
		   struct oci_descriptor *d, struct error *err)
{
	const struct oci_descriptor *chosen;
	struct oci_index index;
	char what[64];
	int rc;

	describe("index", &document->digest, what, sizeof(what));
	if (oci_index_parse(document->bytes.data, document->bytes.len, what, &index, err) < 0)
		return -1;
	rc = oci_index_select(&index, want, &chosen, err);
	if (rc == 0)
		*d = *chosen;
	oci_index_release(&index);
	return rc;
}

static int find_manifest(struct source *s, const struct oci_platform *want, struct oci_image *image,
			 struct error *err)
{
	struct oci_descriptor *d = &image->descriptor;

	for (*d = image->target; d->media_type == MEDIA_INDEX;) {
		if (image->n_documents == OCI_INDEX_DEPTH_MAX)
			return error_set(err, ERR_INVALID,
					 "indexes are nested more than %d levels deep",
					 OCI_INDEX_DEPTH_MAX);
		if (read_document(s, d, image, err) < 0
		    || descend(&image->documents[image->n_documents - 1], want, d, err) < 0)
			return -1;
	}
	if (d->media_type == MEDIA_SCHEMA1)
		return oci_document_refuse_schema1(err);
	if (d->media_type != MEDIA_MANIFEST)
		return error_set(err, ERR_UNSUPPORTED, "not a runnable image: of type %s",
				 d->media_type_text);
	return read_document(s, d, image, err);
}

static int read_manifest(struct source *s, const struct oci_platform *want, struct oci_image *image,
			 struct error *err)
{
	const struct oci_document *document;
	char what[64];

	if (find_manifest(s, want, image, err) < 0)
		return -1;
	document = &image->documents[image->n_documents - 1];
	describe("manifest", &document->digest, what, sizeof(what));
	return oci_manifest_parse(document->bytes.data, document->bytes.len, what, &image->manifest,
				  err);
}

static int read_config(struct source *s, const struct oci_platform *want, struct oci_image *image,
		       struct error *err)
{
	const struct oci_document *document = &image->documents[image->n_documents];
	char what[64];

	if (read_document(s, &image->manifest.config, image, err) < 0)
		return error_wrap(err, "config");
	describe("config", &document->digest, what, sizeof(what));
	if (oci_config_parse(document->bytes.data, document->bytes.len, what, &image->config, err)
	    < 0)
		return -1;
	return oci_config_check(&image->config, image->manifest.n_layers, want, err);
}

int oci_image_resolve(struct source *s, const struct oci_platform *want, struct content *kept,
		      struct oci_image *ret, struct error *err)
{
	struct oci_image image = {.kept = kept};

	if (source_resolve(s, &image.target, &image.documents[0].bytes, err) < 0
	    || read_manifest(s, want, &image, err) < 0 || read_config(s, want, &image, err) < 0) {
		oci_image_release(&image);
		return -1;
	}
	*ret = image;
	return 0;
}

int oci_image_read_raw(struct source *s, const struct oci_platform *want, struct content *kept,
		       struct oci_descriptor *ret, struct buffer *ret_bytes, struct error *err)
{
	cleanup(oci_image_release) struct oci_image image = {.kept = kept};
	const struct buffer *bytes;

	if (source_resolve(s, &image.target, &image.documents[0].bytes, err) < 0)
		return -1;
	image.descriptor = image.target;
	if (want && image.target.media_type == MEDIA_INDEX
		    ? find_manifest(s, want, &image, err) < 0
		    : read_document(s, &image.target, &image, err) < 0)
		return -1;
	bytes = &image.documents[image.n_documents - 1].bytes;
	buffer_add(ret_bytes, bytes->data, bytes->len);
	*ret = image.descriptor;
	return 0;
}

void oci_image_release(struct oci_image *image)
{
	for (size_t i = 0; i < sizeof(image->documents) / sizeof(image->documents[0]); i++)
		buffer_release(&image->documents[i].bytes);
	oci_manifest_release(&image->manifest);
	oci_config_release(&image->config);
	*image = (struct oci_image){0};
}
