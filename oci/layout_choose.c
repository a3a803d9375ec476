/* SPDX-License-Identifier: Apache-2.0 */
/* By name, by number, by digest, or the only one. */
#include "oci/layout_choose.h"

#include <stdio.h>
#include <string.h>

#include "oci/document.h"

/* --- choosing --------------------------------------------------------------------------------- */

static int list_names(const struct oci_index *index, const char *problem, struct error *err)
{
	cleanup_buffer struct buffer list = {0};

	for (size_t i = 0; i < index->n && list.len < 150; i++) {
		const char *name = index->ref_names[i];

		if (!oci_index_is_image(&index->entries[i]))
			continue;
		if (name)
			buffer_printf(&list, " :%s", name);
		else
			buffer_printf(&list, " @%zu", i);
	}
	return error_set(err, ERR_USAGE, "%s; choose one of:%s", problem, (char *)list.data);
}

static int choose_only(const struct oci_index *index, struct oci_descriptor *ret, struct error *err)
{
	size_t found = index->n, count = 0;

	for (size_t i = 0; i < index->n; i++)
		if (oci_index_is_image(&index->entries[i])) {
			found = i;
			count++;
		}
	if (count == 0)
		return oci_index_no_image(index, "layout", err);
	if (count > 1)
		return list_names(index, "the layout has several images", err);
	*ret = index->entries[found];
	return 0;
}

/* 0 = found, 1 = no entry has the name. */
static int choose_named(const struct oci_index *index, char *const *names, const char *ref,
			struct oci_descriptor *ret, struct error *err)
{
	bool found = false;

	for (size_t i = 0; i < index->n; i++) {
		if (!names[i] || strcmp(names[i], ref) != 0)
			continue;
		if (found)
			return error_set(err, ERR_INVALID,
					 "index.json has several entries named '%s'", ref);
		*ret = index->entries[i];
		found = true;
	}
	return found ? 0 : 1;
}

static int choose_ref(const struct oci_index *index, const char *ref, struct oci_descriptor *ret,
		      struct error *err)
{
	int rc = choose_named(index, index->ref_names, ref, ret, err);

	if (rc == 1)
		rc = choose_named(index, index->image_names, ref, ret, err);
	return rc == 1 ? error_set(err, ERR_NOT_FOUND, "no image named '%s' in the layout", ref)
		       : rc;
}

/* A document that no entry lists, but that is there: its own bytes must say what it is. */
static int choose_blob(const struct digest *digest, layout_read_fn *read, void *arg,
		       struct oci_descriptor *ret, struct error *err)
{
	cleanup_buffer struct buffer text = {0};
	struct oci_descriptor d = {.digest = *digest};
	char name[DIGEST_TEXT_BYTES];

	digest_format(digest, name);
	if (read(arg, digest, &text, err) < 0) {
		if (err->kind == ERR_NOT_FOUND)
			error_set(err, ERR_NOT_FOUND, "no %s in the layout", name);
		return -1;
	}
	if (oci_document_sniff(text.data, text.len, name, &d.media_type, d.media_type_text,
			       sizeof(d.media_type_text), err)
	    < 0)
		return -1;
	if (d.media_type == MEDIA_UNKNOWN && !d.media_type_text[0])
		return error_set(err, ERR_INVALID, "%s is neither a manifest nor an index", name);
	if (!d.media_type_text[0])
		snprintf(d.media_type_text, sizeof(d.media_type_text), "%s",
			 oci_document_default_type(d.media_type));
	d.size_bytes = text.len;
	*ret = d;
	return 0;
}

int layout_choose(const struct oci_index *index, const struct place *place, layout_read_fn *read,
		  void *arg, struct oci_descriptor *ret, struct error *err)
{
	if (place->digest.algorithm != DIGEST_NONE) {
		for (size_t i = 0; i < index->n; i++)
			if (digest_equal(&index->entries[i].digest, &place->digest)) {
				*ret = index->entries[i];
				return 0;
			}
		return choose_blob(&place->digest, read, arg, ret, err);
	}
	if (place->has_index && place->index >= index->n)
		return error_set(err, ERR_NOT_FOUND, "the layout has no entry %zu, only %zu",
				 place->index, index->n);
	if (place->has_index) {
		*ret = index->entries[place->index];
		return 0;
	}
	return place->ref ? choose_ref(index, place->ref, ret, err) : choose_only(index, ret, err);
}
