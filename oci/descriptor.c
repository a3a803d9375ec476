/* SPDX-License-Identifier: Apache-2.0 */
/* Reads one descriptor. A digest that gets past here is safe to become a path or a URL. */
#include "oci/descriptor.h"

#include <stdio.h>
#include <string.h>

#include "pkg/base/base64.h"
#include "pkg/base/buffer.h"

/* The field of a fixed-size struct; NULL text counts as "". */
static int copy_field(char *to, size_t size, const char *text, struct jval v, const char *key,
		      struct error *err)
{
	if (text && strlen(text) >= size)
		return error_set(err, ERR_INVALID, "%s.%s: longer than %zu characters", v.path, key,
				 size - 1);
	snprintf(to, size, "%s", text ? text : "");
	return 0;
}

static int parse_platform(struct jval value, struct oci_descriptor *d, struct error *err)
{
	struct oci_platform *p = &d->platform;
	const char *os, *architecture, *variant;
	struct jval v;

	if (jdoc_object(value, "platform", JDOC_OPTIONAL, &v, err) < 0)
		return -1;
	if (!jdoc_present(v))
		return 0;
	if (jdoc_string(v, "os", JDOC_OPTIONAL, &os, err) < 0
	    || jdoc_string(v, "architecture", JDOC_OPTIONAL, &architecture, err) < 0
	    || jdoc_string(v, "variant", JDOC_OPTIONAL, &variant, err) < 0
	    || copy_field(p->os, sizeof(p->os), os, v, "os", err) < 0
	    || copy_field(p->architecture, sizeof(p->architecture), architecture, v, "architecture",
			  err)
		       < 0
	    || copy_field(p->variant, sizeof(p->variant), variant, v, "variant", err) < 0)
		return -1;
	oci_platform_normalise(p);
	/* Some tools write both as "" instead of leaving the platform out. */
	d->has_platform = p->os[0] || p->architecture[0];
	return 0;
}

static int find_attestation(struct jval value, struct oci_descriptor *d, struct error *err)
{
	struct jval annotations;
	const char *type;

	d->is_attestation =
		!strcmp(d->platform.os, "unknown") && !strcmp(d->platform.architecture, "unknown");
	if (jdoc_object(value, "annotations", JDOC_OPTIONAL, &annotations, err) < 0)
		return -1;
	if (!jdoc_present(annotations))
		return 0;
	if (jdoc_string(annotations, "vnd.docker.reference.type", JDOC_OPTIONAL, &type, err) < 0)
		return -1;
	d->is_attestation |= type != NULL;
	return 0;
}

/* An image that somebody calls an artifact, too, has a platform to run on (rule B20). */
static int find_artifact(struct jval value, struct oci_descriptor *d, struct error *err)
{
	const char *type;

	if (jdoc_string(value, "artifactType", JDOC_OPTIONAL, &type, err) < 0)
		return -1;
	d->is_artifact =
		type && *type && !d->has_platform && oci_media_type_parse(type) != MEDIA_CONFIG;
	return 0;
}

/* An unknown algorithm is an error only for who needs the content (rule B7). */
static int parse_digest(struct jval value, struct oci_descriptor *d, struct error *err)
{
	const char *text;

	if (jdoc_string(value, "digest", JDOC_REQUIRED, &text, err) < 0)
		return -1;
	if (digest_parse(text, &d->digest, err) == 0)
		return 0;
	if (err->kind != ERR_UNSUPPORTED)
		return error_wrap(err, "%s.digest", value.path);
	error_clear(err);
	return 0;
}

/* Content carried along must be what the descriptor says (rule B9). */
static int check_data(struct jval value, const struct oci_descriptor *d, struct error *err)
{
	cleanup_buffer struct buffer data = {0};
	const char *text;
	struct digest got;

	if (jdoc_string(value, "data", JDOC_OPTIONAL, &text, err) < 0)
		return -1;
	if (!text)
		return 0;
	if (!base64_decode(text, strlen(text), &data))
		return error_set(err, ERR_INVALID, "%s.data: not base64", value.path);
	if (data.len != d->size_bytes)
		return error_set(err, ERR_VERIFICATION, "%s.data: %zu bytes, size says %llu",
				 value.path, data.len, (unsigned long long)d->size_bytes);
	if (d->digest.algorithm == DIGEST_NONE)
		return 0;
	digest_of(d->digest.algorithm, data.data, data.len, &got);
	if (!digest_equal(&got, &d->digest))
		return error_set(err, ERR_VERIFICATION, "%s.data: does not have the digest",
				 value.path);
	return 0;
}

int oci_descriptor_parse(struct jval value, struct oci_descriptor *ret, struct error *err)
{
	struct oci_descriptor d = {0};
	const char *type;

	if (jdoc_string(value, "mediaType", JDOC_REQUIRED, &type, err) < 0
	    || parse_digest(value, &d, err) < 0
	    || jdoc_uint(value, "size", JDOC_REQUIRED, &d.size_bytes, err) < 0
	    || parse_platform(value, &d, err) < 0 || find_attestation(value, &d, err) < 0
	    || find_artifact(value, &d, err) < 0 || check_data(value, &d, err) < 0)
		return -1;
	/* Longer than the field is a type that we do not know: cut, it is only shown. */
	snprintf(d.media_type_text, sizeof(d.media_type_text), "%s", type);
	d.media_type = oci_media_type_parse(type);
	*ret = d;
	return 0;
}

int oci_descriptor_check_digest(struct jval value, const struct oci_descriptor *d,
				struct error *err)
{
	struct digest digest;
	const char *text;

	if (d->digest.algorithm != DIGEST_NONE)
		return 0;
	if (jdoc_string(value, "digest", JDOC_REQUIRED, &text, err) < 0)
		return -1;
	if (digest_parse(text, &digest, err) < 0)
		return error_wrap(err, "%s.digest", value.path);
	return 0;
}
