/* SPDX-License-Identifier: Apache-2.0 */
/* Documents first, since they say which blobs there are; then these; and last the name. */
#include "oci/mirror.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oci/blob_copy.h"
#include "oci/document.h"
#include "oci/image.h"
#include "oci/index.h"
#include "oci/manifest.h"
#include "pkg/base/alloc.h"
#include "pkg/base/interrupt.h"

struct mirror {
	struct source *source;
	struct layout_writer *out;
	const struct mirror_options *options;
	void *seen;			 /* tsearch(3): digests of all that was met */
	struct oci_manifest **manifests; /* they hold the descriptors of the blobs */
	size_t n_manifests, manifests_room;
	const struct oci_descriptor **blobs;
	size_t n_blobs, blobs_room;
	struct mirror_result result;
};

static void free_manifest(struct oci_manifest *manifest)
{
	oci_manifest_release(manifest);
	free(manifest);
}

static void mirror_release(struct mirror *m)
{
	tdestroy(m->seen, free);
	for (size_t i = 0; i < m->n_manifests; i++)
		free_manifest(m->manifests[i]);
	free(m->manifests);
	free(m->blobs);
}

static int compare_digests(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct digest));
}

/* Whether it is met for the first time. */
static bool is_new(struct mirror *m, const struct digest *d)
{
	struct digest *own = xmemdup(d, sizeof(*d));
	struct digest *const *found = tsearch(own, &m->seen, compare_digests);

	if (!found)
		abort();
	if (*found == own)
		return true;
	free(own);
	return false;
}

/* --- documents -------------------------------------------------------------------------------- */

static int add_blob(struct mirror *m, const struct oci_descriptor *d, struct error *err)
{
	if (!is_new(m, &d->digest))
		return 0;
	if (m->n_blobs == MIRROR_BLOBS_MAX)
		return error_set(err, ERR_UNSUPPORTED, "more than %d blobs", MIRROR_BLOBS_MAX);
	ALLOC_GROW(m->blobs, m->n_blobs + 1, m->blobs_room);
	m->blobs[m->n_blobs++] = d;
	return 0;
}

static int add_manifest(struct mirror *m, const struct buffer *bytes, struct error *err)
{
	struct oci_manifest *manifest;

	if (m->n_manifests == MIRROR_MANIFESTS_MAX)
		return error_set(err, ERR_UNSUPPORTED, "more than %d manifests",
				 MIRROR_MANIFESTS_MAX);
	manifest = xcalloc(1, sizeof(*manifest));
	if (oci_manifest_parse_any(bytes->data, bytes->len, "manifest", manifest, err) < 0) {
		free(manifest);
		return -1;
	}
	ALLOC_GROW(m->manifests, m->n_manifests + 1, m->manifests_room);
	m->manifests[m->n_manifests++] = manifest;
	if (add_blob(m, &manifest->config, err) < 0)
		return -1;
	for (size_t i = 0; i < manifest->n_layers; i++)
		if (add_blob(m, &manifest->layers[i], err) < 0)
			return -1;
	return 0;
}

static int add_index(struct mirror *m, const struct buffer *bytes, int depth, struct error *err);

/* @bytes: verified. */
static int add_document(struct mirror *m, const struct oci_descriptor *d,
			const struct buffer *bytes, int depth, struct error *err)
{
	if (layout_writer_put(m->out, d, bytes->data, bytes->len, err) < 0)
		return -1;
	switch (d->media_type) {
	case MEDIA_INDEX:
		return add_index(m, bytes, depth, err);
	case MEDIA_MANIFEST:
		return add_manifest(m, bytes, err);
	case MEDIA_SCHEMA1:
		return oci_document_refuse_schema1(err);
	default:
		return error_set(err, ERR_UNSUPPORTED, "of type %s, which is not copied",
				 d->media_type_text);
	}
}

static int fetch_document(struct mirror *m, const struct oci_descriptor *d, int depth,
			  struct error *err)
{
	cleanup_buffer struct buffer bytes = {0};
	char text[DIGEST_TEXT_BYTES];

	if (interrupt_check(err) < 0)
		return -1;
	if (depth > OCI_INDEX_DEPTH_MAX)
		return error_set(err, ERR_INVALID, "indexes are nested more than %d levels deep",
				 OCI_INDEX_DEPTH_MAX);
	if (d->media_type != MEDIA_INDEX && d->media_type != MEDIA_MANIFEST)
		return error_set(err, ERR_UNSUPPORTED, "the index lists a %s, which is not copied",
				 d->media_type_text);
	if (source_fetch_document(m->source, d, &bytes, err) < 0)
		return -1;
	if (add_document(m, d, &bytes, depth, err) < 0)
		return error_wrap(err, "%s", digest_format(&d->digest, text));
	return 0;
}

static int add_index(struct mirror *m, const struct buffer *bytes, int depth, struct error *err)
{
	struct oci_index index;
	int rc = 0;

	if (oci_index_parse(bytes->data, bytes->len, "index", &index, err) < 0)
		return -1;
	for (size_t i = 0; i < index.n && rc == 0; i++)
		if (is_new(m, &index.entries[i].digest))
			rc = fetch_document(m, &index.entries[i], depth + 1, err);
	oci_index_release(&index);
	return rc;
}

/* What the name will be of, and all documents below it. @ret: of a type that can be written. */
static int read_documents(struct mirror *m, struct oci_descriptor *ret, struct error *err)
{
	cleanup_buffer struct buffer bytes = {0};

	if (oci_image_read_raw(m->source, m->options->platform, NULL, ret, &bytes, err) < 0)
		return -1;
	is_new(m, &ret->digest);
	return add_document(m, ret, &bytes, 1, err);
}

/* --- blobs ------------------------------------------------------------------------------------ */

static void tell(const struct mirror *m, enum unpack_step step, size_t i, uint64_t bytes)
{
	const struct oci_descriptor *blob = i < m->n_blobs ? m->blobs[i] : NULL;
	struct unpack_event event = {
		.step = step,
		.layer = blob ? i + 1 : 0,
		.n_layers = m->n_blobs,
		.digest = blob ? &blob->digest : NULL,
		.bytes = bytes,
		.total_bytes = blob ? blob->size_bytes : 0,
	};

	if (m->options->progress)
		m->options->progress(&event, m->options->arg);
}

static void told(size_t i, enum blob_copy_step step, uint64_t bytes, void *arg)
{
	static const enum unpack_step steps[] = {
		[BLOB_COPY_HERE] = UNPACK_PRESENT,
		[BLOB_COPY_COMES] = UNPACK_FETCH,
		[BLOB_COPY_DONE] = UNPACK_COMMITTED,
	};

	tell(arg, steps[step], i, bytes);
}

static int copy_blobs(struct mirror *m, struct error *err)
{
	cleanup_free char *spool_dir = layout_writer_spool_dir(m->out);
	const struct blob_copy how = {
		.source = m->source,
		.to = m->out,
		.spool_dir = spool_dir,
		.at_once = m->options->downloads,
		.what = "blob",
		.progress = told,
		.arg = m,
	};
	struct blob_copied copied;

	tell(m, UNPACK_RESOLVED, m->n_blobs, 0);
	if (blob_copy(&how, m->blobs, m->n_blobs, &copied, err) < 0)
		return -1;
	m->result.n_fetched = copied.n;
	m->result.fetched_bytes = copied.fetched_bytes;
	rmdir(spool_dir); /* unless there is more in it */
	return 0;
}

int mirror_image(struct source *source, struct layout_writer *out,
		 const struct mirror_options *options, struct mirror_result *ret, struct error *err)
{
	cleanup(mirror_release) struct mirror m = {
		.source = source,
		.out = out,
		.options = options,
	};
	struct oci_descriptor top;

	if (read_documents(&m, &top, err) < 0 || copy_blobs(&m, err) < 0
	    || layout_writer_name(out, &top, options->name, err) < 0)
		return -1;
	m.result.digest = top.digest;
	m.result.n_blobs = m.n_blobs;
	*ret = m.result;
	tell(&m, UNPACK_DONE, m.n_blobs, 0);
	return 0;
}
