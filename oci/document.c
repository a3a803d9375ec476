/* SPDX-License-Identifier: Apache-2.0 */
/* Tells manifests, indexes and schema 1 apart, and refuses what could be taken for two of them. */
#include "oci/document.h"

#include <stdio.h>
#include <string.h>

#include "pkg/base/alloc.h"

static const char *kind_name(enum oci_media_type kind)
{
	return kind == MEDIA_INDEX ? "an index" : "a manifest";
}

const char *oci_document_default_type(enum oci_media_type kind)
{
	if (kind == MEDIA_SCHEMA1)
		return "application/vnd.docker.distribution.manifest.v1+json";
	return kind == MEDIA_INDEX ? "application/vnd.oci.image.index.v1+json"
				   : "application/vnd.oci.image.manifest.v1+json";
}

int oci_document_refuse_schema1(struct error *err)
{
	return error_set(err, ERR_UNSUPPORTED,
			 "a docker schema 1 manifest, which is not supported: the image must be "
			 "pushed again by a newer tool");
}

static int refuse_schema1(struct jval root, struct error *err)
{
	oci_document_refuse_schema1(err);
	return error_wrap(err, "%s", root.path);
}

/* Members, by their exact name, that documents of the kind never have. */
static int refuse_members(struct jval root, enum oci_media_type kind, struct error *err)
{
	static const struct {
		const char *key;
		bool in_index, in_manifest;
	} members[] = {
		{"manifests", true, false},
		{"config", false, true},
		{"layers", false, true},
		{"fsLayers", false, false},
	};
	struct jval v;
	const char *key;
	void *iter = NULL;

	while (jdoc_each(root, &iter, &key, &v))
		for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
			bool fine =
				kind == MEDIA_INDEX ? members[i].in_index : members[i].in_manifest;

			if (!fine && !strcmp(key, members[i].key))
				return error_set(err, ERR_INVALID,
						 "%s: %s with the member '%s' of something else",
						 root.path, kind_name(kind), key);
		}
	return 0;
}

static int check_media_type(struct jval root, enum oci_media_type kind, struct error *err)
{
	enum oci_media_type type;
	const char *text;

	if (jdoc_string(root, "mediaType", JDOC_OPTIONAL, &text, err) < 0)
		return -1;
	type = text ? oci_media_type_parse(text) : kind;
	if (type == MEDIA_SCHEMA1)
		return refuse_schema1(root, err);
	if (type != kind)
		return error_set(err, ERR_INVALID, "%s: calls itself '%.90s' where %s was expected",
				 root.path, text, kind_name(kind));
	return 0;
}

int oci_document_check(struct jval root, enum oci_media_type kind, struct error *err)
{
	uint64_t version;

	if (check_media_type(root, kind, err) < 0
	    || jdoc_uint(root, "schemaVersion", JDOC_REQUIRED, &version, err) < 0)
		return -1;
	if (version == 1)
		return refuse_schema1(root, err);
	if (version != 2)
		return error_set(err, ERR_INVALID, "%s.schemaVersion: %llu, 2 is expected",
				 root.path, (unsigned long long)version);
	return refuse_members(root, kind, err);
}

int oci_document_sniff(const void *json, size_t len, const char *what, enum oci_media_type *ret,
		       char *ret_text, size_t text_size, struct error *err)
{
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	struct jval root, manifests, layers, old;
	const char *text;

	if (jdoc_parse(json, len, what, &doc, err) < 0)
		return -1;
	root = jdoc_root(doc);
	if (jdoc_string(root, "mediaType", JDOC_OPTIONAL, &text, err) < 0
	    || jdoc_array(root, "manifests", JDOC_OPTIONAL, &manifests, err) < 0
	    || jdoc_array(root, "layers", JDOC_OPTIONAL, &layers, err) < 0
	    || jdoc_array(root, "fsLayers", JDOC_OPTIONAL, &old, err) < 0)
		return -1;
	if (text)
		*ret = oci_media_type_parse(text);
	else if (jdoc_present(old))
		*ret = MEDIA_SCHEMA1;
	else if (jdoc_present(manifests) != jdoc_present(layers))
		*ret = jdoc_present(manifests) ? MEDIA_INDEX : MEDIA_MANIFEST;
	else
		*ret = MEDIA_UNKNOWN;
	snprintf(ret_text, text_size, "%s", text ? text : "");
	return 0;
}
