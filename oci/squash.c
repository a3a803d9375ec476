/* SPDX-License-Identifier: Apache-2.0 */
/* Copies a config member by member, but for rootfs and history. */
#include "oci/squash.h"

#include <stdio.h>
#include <string.h>

#include "oci/config.h"
#include "oci/document.h"
#include "pkg/json/jdoc.h"

#define TYPE_CONFIG "application/vnd.oci.image.config.v1+json"
#define TYPE_LAYER  "application/vnd.oci.image.layer.v1.tar"

void squashed_release(struct squashed *s)
{
	buffer_release(&s->manifest_bytes);
	buffer_release(&s->config_bytes);
	*s = (struct squashed){0};
}

/* --- the config ------------------------------------------------------------------------------- */

static void add_rootfs(struct jout *o, const struct digest *diff_id)
{
	char text[DIGEST_TEXT_BYTES];

	jout_object(o, "rootfs");
	jout_string(o, "type", "layers");
	jout_array(o, "diff_ids");
	jout_string(o, NULL, digest_format(diff_id, text));
	jout_end_array(o);
	jout_end_object(o);
}

/* A step as it was, without a layer. */
static void add_step(struct jout *o, struct jval step)
{
	struct jval value;
	void *iter = NULL;
	const char *key;

	jout_object(o, NULL);
	while (jdoc_each(step, &iter, &key, &value))
		if (strcmp(key, "empty_layer") != 0)
			jout_copy(o, key, value);
	jout_bool(o, "empty_layer", true);
	jout_end_object(o);
}

static int add_history(struct jout *o, struct jval root, struct error *err)
{
	struct jval history;
	const char *created;

	if (jdoc_array(root, "history", JDOC_OPTIONAL, &history, err) < 0
	    || jdoc_string(root, "created", JDOC_OPTIONAL, &created, err) < 0)
		return -1;
	jout_array(o, "history");
	for (size_t i = 0; jdoc_present(history) && i < jdoc_length(history); i++)
		if (jdoc_is_object(jdoc_at(history, i)))
			add_step(o, jdoc_at(history, i));
	jout_object(o, NULL);
	if (created)
		jout_string(o, "created", created);
	jout_string(o, "created_by", "thinpull export --format oci-archive");
	jout_string(o, "comment", "all layers in one");
	jout_end_object(o);
	jout_end_array(o);
	return 0;
}

static int change_config(struct jval root, const struct digest *diff_id, struct buffer *ret,
			 struct error *err)
{
	cleanup(jout_release) struct jout o = {.compact = true};
	struct jval value;
	void *iter = NULL;
	const char *key;

	jout_object(&o, NULL);
	while (jdoc_each(root, &iter, &key, &value))
		if (strcmp(key, "rootfs") != 0 && strcmp(key, "history") != 0)
			jout_copy(&o, key, value);
	add_rootfs(&o, diff_id);
	if (add_history(&o, root, err) < 0)
		return -1;
	jout_end_object(&o);
	buffer_add(ret, o.text.data, o.text.len);
	return 0;
}

static int make_config(const struct buffer *config, const struct digest *diff_id,
		       struct buffer *ret, struct error *err)
{
	cleanup(oci_config_release) struct oci_config parsed = {0};
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;

	if (oci_config_parse(config->data, config->len, "config", &parsed, err) < 0)
		return -1;
	if (parsed.n_diff_ids == 1 && digest_equal(&parsed.diff_ids[0], diff_id)) {
		buffer_add(ret, config->data, config->len);
		return 0;
	}
	if (jdoc_parse(config->data, config->len, "config", &doc, err) < 0)
		return -1;
	return change_config(jdoc_root(doc), diff_id, ret, err);
}

/* --- the manifest ----------------------------------------------------------------------------- */

static struct oci_descriptor describe(enum oci_media_type type, const char *text,
				      const struct buffer *bytes)
{
	struct oci_descriptor d = {.media_type = type, .size_bytes = bytes->len};

	snprintf(d.media_type_text, sizeof(d.media_type_text), "%s", text);
	digest_of(DIGEST_SHA256, bytes->data, bytes->len, &d.digest);
	return d;
}

static void add_descriptor(struct jout *o, const char *key, const struct oci_descriptor *d)
{
	char text[DIGEST_TEXT_BYTES];

	jout_object(o, key);
	jout_string(o, "mediaType", d->media_type_text);
	jout_string(o, "digest", digest_format(&d->digest, text));
	jout_uint(o, "size", d->size_bytes);
	jout_end_object(o);
}

static void make_manifest(struct squashed *s)
{
	cleanup(jout_release) struct jout o = {.compact = true};
	const char *type = oci_document_default_type(MEDIA_MANIFEST);

	jout_object(&o, NULL);
	jout_uint(&o, "schemaVersion", 2);
	jout_string(&o, "mediaType", type);
	add_descriptor(&o, "config", &s->config);
	jout_array(&o, "layers");
	add_descriptor(&o, NULL, &s->layer);
	jout_end_array(&o);
	jout_end_object(&o);
	buffer_add(&s->manifest_bytes, o.text.data, o.text.len);
	s->manifest = describe(MEDIA_MANIFEST, type, &s->manifest_bytes);
}

int squash(const struct buffer *config, const struct digest *diff_id, uint64_t layer_bytes,
	   struct squashed *ret, struct error *err)
{
	struct squashed s = {
		.layer = {.media_type = MEDIA_LAYER,
			  .media_type_text = TYPE_LAYER,
			  .digest = *diff_id,
			  .size_bytes = layer_bytes},
	};

	if (make_config(config, diff_id, &s.config_bytes, err) < 0) {
		squashed_release(&s);
		return -1;
	}
	s.config = describe(MEDIA_CONFIG, TYPE_CONFIG, &s.config_bytes);
	make_manifest(&s);
	*ret = s;
	return 0;
}
