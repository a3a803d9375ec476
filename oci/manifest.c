/* SPDX-License-Identifier: Apache-2.0 */
/* Reads an image manifest; refuses by name what is none, or none that can be unpacked. */
#include "oci/manifest.h"

#include <stdlib.h>

#include "oci/document.h"
#include "pkg/base/alloc.h"

/* An artifact is kept in a registry like an image; its types say what it is (rule B2). */
static int refuse_artifact(struct jval root, const char *path, const char *what, const char *type,
			   struct error *err)
{
	struct error ignored = {0};
	const char *artifact;

	if (jdoc_string(root, "artifactType", JDOC_OPTIONAL, &artifact, &ignored) < 0)
		artifact = NULL;
	return error_set(err, ERR_UNSUPPORTED, "%s: not a runnable image: %s of type %.95s%s%.60s",
			 path, what, type, artifact ? ", an artifact of type " : "",
			 artifact ? artifact : "");
}

static int check_config(struct jval root, const char *path, const struct oci_descriptor *d,
			struct error *err)
{
	if (d->media_type == MEDIA_CONFIG)
		return 0;
	return refuse_artifact(root, path, "a config", d->media_type_text, err);
}

static int parse_config(struct jval root, bool any, struct oci_descriptor *ret, struct error *err)
{
	struct jval value;

	if (jdoc_object(root, "config", JDOC_REQUIRED, &value, err) < 0
	    || oci_descriptor_parse(value, ret, err) < 0
	    || oci_descriptor_check_digest(value, ret, err) < 0)
		return -1;
	return any ? 0 : check_config(root, value.path, ret, err);
}

static int check_layer(struct jval root, const char *path, const struct oci_descriptor *d,
		       struct error *err)
{
	switch (d->media_type) {
	case MEDIA_LAYER:
	case MEDIA_LAYER_FOREIGN:
		return 0;
	case MEDIA_LAYER_ENCRYPTED:
		return error_set(err, ERR_UNSUPPORTED,
				 "%s: encrypted layers are not supported (%s)", path,
				 d->media_type_text);
	default:
		return refuse_artifact(root, path, "a layer", d->media_type_text, err);
	}
}

static int parse_layer(struct jval root, struct jval value, bool any, struct oci_descriptor *ret,
		       struct error *err)
{
	if (oci_descriptor_parse(value, ret, err) < 0
	    || oci_descriptor_check_digest(value, ret, err) < 0)
		return -1;
	return any ? 0 : check_layer(root, value.path, ret, err);
}

/* Places that the layer can be had from, too. */
static int parse_urls(struct jval layer, struct oci_strings *ret, struct error *err)
{
	struct jval urls;
	const char *text;
	size_t n;

	if (jdoc_array(layer, "urls", JDOC_OPTIONAL, &urls, err) < 0)
		return -1;
	n = jdoc_present(urls) ? jdoc_length(urls) : 0;
	if (n > OCI_URLS_MAX)
		return error_set(err, ERR_INVALID, "%s: %zu, at most %d are allowed", urls.path, n,
				 OCI_URLS_MAX);
	ret->items = n ? xcalloc(n, sizeof(*ret->items)) : NULL;
	for (; ret->n < n; ret->n++) {
		if (jdoc_string_value(jdoc_at(urls, ret->n), &text, err) < 0)
			return -1;
		ret->items[ret->n] = xstrdup(text);
	}
	return 0;
}

static int parse_layers(struct jval root, bool any, struct oci_manifest *m, struct error *err)
{
	struct jval layers;

	if (jdoc_array(root, "layers", JDOC_REQUIRED, &layers, err) < 0)
		return -1;
	m->n_layers = jdoc_length(layers);
	if (m->n_layers > OCI_LAYERS_MAX)
		return error_set(err, ERR_INVALID, "%s: %zu layers, at most %d are allowed",
				 layers.path, m->n_layers, OCI_LAYERS_MAX);
	m->layers = xcalloc(m->n_layers + 1, sizeof(*m->layers));
	m->urls = xcalloc(m->n_layers + 1, sizeof(*m->urls));
	for (size_t i = 0; i < m->n_layers; i++) {
		struct jval layer = jdoc_at(layers, i);

		if (parse_layer(root, layer, any, &m->layers[i], err) < 0
		    || parse_urls(layer, &m->urls[i], err) < 0)
			return -1;
		m->layers[i].urls = m->urls[i].n ? &m->urls[i] : NULL;
	}
	return 0;
}

static int parse(const void *json, size_t len, const char *what, bool any, struct oci_manifest *ret,
		 struct error *err)
{
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	struct oci_manifest m = {0};
	struct jval root;

	if (jdoc_parse(json, len, what, &doc, err) < 0)
		return -1;
	root = jdoc_root(doc);
	if (oci_document_check(root, MEDIA_MANIFEST, err) < 0
	    || parse_config(root, any, &m.config, err) < 0
	    || parse_layers(root, any, &m, err) < 0) {
		oci_manifest_release(&m);
		return -1;
	}
	*ret = m;
	return 0;
}

int oci_manifest_parse(const void *json, size_t len, const char *what, struct oci_manifest *ret,
		       struct error *err)
{
	return parse(json, len, what, false, ret, err);
}

int oci_manifest_parse_any(const void *json, size_t len, const char *what, struct oci_manifest *ret,
			   struct error *err)
{
	return parse(json, len, what, true, ret, err);
}

void oci_manifest_release(struct oci_manifest *m)
{
	for (size_t i = 0; m->urls && i < m->n_layers; i++)
		oci_strings_release(&m->urls[i]);
	free(m->urls);
	free(m->layers);
	*m = (struct oci_manifest){0};
}
