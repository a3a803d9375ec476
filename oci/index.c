/* SPDX-License-Identifier: Apache-2.0 */
/* Reads an index and picks an entry from it. Does not fetch. */
#include "oci/index.h"

#include <stdlib.h>
#include <string.h>

#include "oci/document.h"
#include "pkg/base/alloc.h"

static int copy_annotation(struct jval annotations, const char *key, char **ret, struct error *err)
{
	const char *text;

	if (jdoc_string(annotations, key, JDOC_OPTIONAL, &text, err) < 0)
		return -1;
	if (text)
		*ret = xstrdup(text);
	return 0;
}

static int parse_entry(struct jval value, struct oci_index *index, size_t i, struct error *err)
{
	struct jval annotations;

	if (oci_descriptor_parse(value, &index->entries[i], err) < 0
	    || jdoc_object(value, "annotations", JDOC_OPTIONAL, &annotations, err) < 0)
		return -1;
	if (!jdoc_present(annotations))
		return 0;
	if (copy_annotation(annotations, "org.opencontainers.image.ref.name", &index->ref_names[i],
			    err)
	    < 0)
		return -1;
	return copy_annotation(annotations, "io.containerd.image.name", &index->image_names[i],
			       err);
}

static int parse_entries(struct jval root, struct oci_index *index, struct error *err)
{
	struct jval manifests;

	if (oci_document_check(root, MEDIA_INDEX, err) < 0
	    || jdoc_array(root, "manifests", JDOC_REQUIRED, &manifests, err) < 0)
		return -1;
	index->n = jdoc_length(manifests);
	index->entries = xcalloc(index->n + 1, sizeof(*index->entries));
	index->ref_names = xcalloc(index->n + 1, sizeof(*index->ref_names));
	index->image_names = xcalloc(index->n + 1, sizeof(*index->image_names));
	for (size_t i = 0; i < index->n; i++)
		if (parse_entry(jdoc_at(manifests, i), index, i, err) < 0)
			return -1;
	return 0;
}

int oci_index_parse(const void *json, size_t len, const char *what, struct oci_index *ret,
		    struct error *err)
{
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	struct oci_index index = {0};

	if (jdoc_parse(json, len, what, &doc, err) < 0)
		return -1;
	if (parse_entries(jdoc_root(doc), &index, err) < 0) {
		oci_index_release(&index);
		return -1;
	}
	*ret = index;
	return 0;
}

void oci_index_release(struct oci_index *index)
{
	for (size_t i = 0; i < index->n; i++) {
		free(index->ref_names[i]);
		free(index->image_names[i]);
	}
	free(index->ref_names);
	free(index->image_names);
	free(index->entries);
	*index = (struct oci_index){0};
}

bool oci_index_is_image(const struct oci_descriptor *d)
{
	return (d->media_type == MEDIA_MANIFEST || d->media_type == MEDIA_INDEX)
	       && !d->is_attestation && !d->is_artifact;
}

/* 0 = no candidate; those without a platform come last. */
static int score(const struct oci_descriptor *d, const struct oci_platform *want)
{
	if (!oci_index_is_image(d))
		return 0;
	return d->has_platform ? oci_platform_match(want, &d->platform) : 1;
}

int oci_index_no_image(const struct oci_index *index, const char *where, struct error *err)
{
	const struct oci_descriptor *first = index->entries;

	if (index->n == 0)
		return error_set(err, ERR_NOT_FOUND, "no image in the %s, it is empty", where);
	return error_set(err, ERR_NOT_FOUND, "no image in the %s, only %s", where,
			 first->is_attestation ? "attestations"
			 : first->is_artifact  ? "artifacts"
					       : first->media_type_text);
}

static int none_matches(const struct oci_index *index, const struct oci_platform *want,
			struct error *err)
{
	enum { LIST_MAX = 120 };
	cleanup_buffer struct buffer list = {0};
	char name[100];

	for (size_t i = 0; i < index->n; i++) {
		const struct oci_descriptor *d = &index->entries[i];

		if (!oci_index_is_image(d) || !d->has_platform)
			continue;
		if (list.len > LIST_MAX) {
			buffer_printf(&list, ", ...");
			break;
		}
		buffer_printf(&list, "%s%s", list.len ? ", " : "",
			      oci_platform_format(&d->platform, name, sizeof(name)));
	}
	if (list.len == 0)
		return oci_index_no_image(index, "index", err);
	error_set(err, ERR_NOT_FOUND, "no image for %s; there is %s",
		  oci_platform_format(want, name, sizeof(name)), (const char *)list.data);
	return error_set_detail(err, ERR_DETAIL_PLATFORM);
}

int oci_index_select(const struct oci_index *index, const struct oci_platform *want,
		     const struct oci_descriptor **ret, struct error *err)
{
	const struct oci_descriptor *best = NULL;
	int best_score = 0;

	for (size_t i = 0; i < index->n; i++) {
		int s = score(&index->entries[i], want);

		if (s > best_score) {
			best = &index->entries[i];
			best_score = s;
		}
	}
	if (!best)
		return none_matches(index, want, err);
	if (best->digest.algorithm == DIGEST_NONE)
		return error_set(err, ERR_UNSUPPORTED,
				 "the entry chosen has a digest of an unknown algorithm");
	*ret = best;
	return 0;
}
