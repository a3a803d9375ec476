/* SPDX-License-Identifier: Apache-2.0 */
/* Reads of an image configuration what unpacking needs. */
#include "oci/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oci/manifest.h"
#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/json/jdoc.h"

static int parse_field(struct jval root, const char *key, char *to, size_t size, struct error *err)
{
	const char *text;

	if (jdoc_string(root, key, JDOC_OPTIONAL, &text, err) < 0)
		return -1;
	if (text && strlen(text) >= size)
		return error_set(err, ERR_INVALID, "%s.%s: longer than %zu characters", root.path,
				 key, size - 1);
	snprintf(to, size, "%s", text ? text : "");
	return 0;
}

static int parse_platform(struct jval root, struct oci_platform *p, struct error *err)
{
	if (parse_field(root, "os", p->os, sizeof(p->os), err) < 0
	    || parse_field(root, "architecture", p->architecture, sizeof(p->architecture), err) < 0
	    || parse_field(root, "variant", p->variant, sizeof(p->variant), err) < 0)
		return -1;
	oci_platform_normalise(p);
	return 0;
}

static int parse_rootfs(struct jval root, struct oci_config *c, struct error *err)
{
	struct jval rootfs, diff_ids;
	const char *text;

	if (jdoc_object(root, "rootfs", JDOC_REQUIRED, &rootfs, err) < 0
	    || jdoc_string(rootfs, "type", JDOC_REQUIRED, &text, err) < 0)
		return -1;
	if (strcmp(text, "layers") != 0)
		return error_set(err, ERR_INVALID, "%s.type: '%.60s', 'layers' is expected",
				 rootfs.path, text);
	/* Docker leaves the list out when there is no layer. */
	if (jdoc_array(rootfs, "diff_ids", JDOC_OPTIONAL, &diff_ids, err) < 0)
		return -1;
	c->n_diff_ids = jdoc_length(diff_ids);
	if (c->n_diff_ids > OCI_LAYERS_MAX)
		return error_set(err, ERR_INVALID, "%s: %zu entries, at most %d are allowed",
				 diff_ids.path, c->n_diff_ids, OCI_LAYERS_MAX);
	c->diff_ids = xcalloc(c->n_diff_ids + 1, sizeof(*c->diff_ids));
	for (size_t i = 0; i < c->n_diff_ids; i++) {
		struct jval v = jdoc_at(diff_ids, i);

		if (jdoc_string_value(v, &text, err) < 0)
			return -1;
		if (digest_parse(text, &c->diff_ids[i], err) < 0)
			return error_wrap(err, "%s", v.path);
	}
	return 0;
}

static int parse(struct jval root, struct oci_config *c, struct error *err)
{
	const char *created;

	if (parse_platform(root, &c->platform, err) < 0
	    || jdoc_string(root, "created", JDOC_OPTIONAL, &created, err) < 0
	    || parse_rootfs(root, c, err) < 0)
		return -1;
	c->created = created ? xstrdup(created) : NULL;
	return 0;
}

int oci_config_parse(const void *json, size_t len, const char *what, struct oci_config *ret,
		     struct error *err)
{
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	struct oci_config c = {0};

	if (jdoc_parse(json, len, what, &doc, err) < 0)
		return -1;
	if (parse(jdoc_root(doc), &c, err) < 0) {
		oci_config_release(&c);
		return -1;
	}
	*ret = c;
	return 0;
}

void oci_config_release(struct oci_config *c)
{
	free(c->created);
	free(c->diff_ids);
	*c = (struct oci_config){0};
}

int oci_config_check(const struct oci_config *c, size_t n_layers, const struct oci_platform *want,
		     struct error *err)
{
	char have_text[100], want_text[100];

	if (c->n_diff_ids != n_layers)
		return error_set(err, ERR_INVALID,
				 "the manifest has %zu layers, the config %zu diff_ids", n_layers,
				 c->n_diff_ids);
	if (c->platform.os[0] && strcmp(c->platform.os, "linux") != 0)
		return error_set(err, ERR_UNSUPPORTED,
				 "an image for %s, only those for linux can be unpacked",
				 c->platform.os);
	if (c->platform.architecture[0] && !oci_platform_match(want, &c->platform))
		log_warning("the image is for %s, wanted is %s",
			    oci_platform_format(&c->platform, have_text, sizeof(have_text)),
			    oci_platform_format(want, want_text, sizeof(want_text)));
	return 0;
}
