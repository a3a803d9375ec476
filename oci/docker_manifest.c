/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the list of images, and how many there are of everything. */
#include "oci/docker_manifest.h"

#include <stdlib.h>

#include "oci/manifest.h"
#include "pkg/base/alloc.h"
#include "pkg/json/jdoc.h"

static int parse_paths(struct jval image, const char *key, enum jdoc_need need, size_t max,
		       struct oci_strings *ret, struct error *err)
{
	struct jval list;
	const char *text;
	size_t n;

	if (jdoc_array(image, key, need, &list, err) < 0)
		return -1;
	n = jdoc_length(list);
	if (n > max)
		return error_set(err, ERR_INVALID, "%s: %zu entries, at most %zu are allowed",
				 list.path, n, max);
	ret->items = xcalloc(n + 1, sizeof(*ret->items));
	for (size_t i = 0; i < n; i++) {
		struct jval v = jdoc_at(list, i);

		if (jdoc_string_value(v, &text, err) < 0)
			return -1;
		if (!*text)
			return error_set(err, ERR_INVALID, "%s: empty", v.path);
		ret->items[ret->n++] = xstrdup(text);
	}
	return 0;
}

static int parse_image(struct jval v, struct docker_image *ret, struct error *err)
{
	const char *config;

	if (!jdoc_is_object(v))
		return error_set(err, ERR_INVALID, "%s: not an object", v.path);
	if (jdoc_string(v, "Config", JDOC_REQUIRED, &config, err) < 0
	    || parse_paths(v, "RepoTags", JDOC_OPTIONAL, DOCKER_TAGS_MAX, &ret->tags, err) < 0)
		return -1;
	ret->config = xstrdup(config);
	/* An image without layers has null there, as Go writes it. */
	return parse_paths(v, "Layers", JDOC_OPTIONAL, OCI_LAYERS_MAX, &ret->layers, err);
}

static int parse_images(struct jval root, struct docker_manifest *ret, struct error *err)
{
	size_t n = jdoc_length(root);

	if (!jdoc_is_array(root))
		return error_set(err, ERR_INVALID, "%s: not a list of images", root.path);
	if (n > DOCKER_IMAGES_MAX)
		return error_set(err, ERR_INVALID, "%s: %zu images, at most %d are allowed",
				 root.path, n, DOCKER_IMAGES_MAX);
	ret->images = xcalloc(n + 1, sizeof(*ret->images));
	for (; ret->n < n; ret->n++)
		if (parse_image(jdoc_at(root, ret->n), &ret->images[ret->n], err) < 0) {
			ret->n++;
			return -1;
		}
	return 0;
}

int docker_manifest_parse(const void *json, size_t len, struct docker_manifest *ret,
			  struct error *err)
{
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	struct docker_manifest m = {0};

	if (jdoc_parse(json, len, "manifest.json", &doc, err) < 0)
		return -1;
	if (parse_images(jdoc_root(doc), &m, err) < 0) {
		docker_manifest_release(&m);
		return -1;
	}
	*ret = m;
	return 0;
}

void docker_manifest_release(struct docker_manifest *m)
{
	for (size_t i = 0; i < m->n; i++) {
		free(m->images[i].config);
		oci_strings_release(&m->images[i].layers);
		oci_strings_release(&m->images[i].tags);
	}
	free(m->images);
	*m = (struct docker_manifest){0};
}
