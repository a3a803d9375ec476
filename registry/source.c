/* SPDX-License-Identifier: Apache-2.0 */
/* Joins reference, session, manifests and blobs into a struct source. */
#include "registry/source.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "registry/blob.h"
#include "registry/manifest.h"

struct registry_source {
	struct source source;
	struct reference ref;
	struct session *session;
};

static int resolve(struct source *s, struct oci_descriptor *ret, struct buffer *ret_bytes,
		   struct error *err)
{
	struct registry_source *r = (struct registry_source *)s;

	return manifest_resolve(r->session, &r->ref, ret, ret_bytes, err);
}

static int fetch(struct source *s, const struct oci_descriptor *d, struct stream **ret,
		 struct error *err)
{
	struct registry_source *r = (struct registry_source *)s;

	if (d->media_type == MEDIA_MANIFEST || d->media_type == MEDIA_INDEX)
		return manifest_fetch(r->session, d, ret, err);
	return blob_fetch(r->session, d, ret, err);
}

static void close_source(struct source *s)
{
	struct registry_source *r = (struct registry_source *)s;

	session_free(r->session);
	reference_release(&r->ref);
	free(r->source.name);
	free(r);
}

int registry_source_open_with(const char *reference, const struct session_options *options,
			      struct source **ret, struct error *err)
{
	static const struct source_ops ops = {resolve, fetch, close_source};
	struct session_options at_registry = {0};
	struct registry_source *r;
	struct reference ref;

	if (reference_parse(reference, &ref, err) < 0)
		return -1;
	r = xcalloc(1, sizeof(*r));
	r->source.ops = &ops;
	r->source.name = reference_name(&ref);
	r->ref = ref;
	/* What the user says of who they are is for the registry, and no mirror of it. */
	if (options)
		at_registry = *options;
	at_registry.credential_host = reference_api_host(&ref);
	r->session = session_new(&ref, &at_registry);
	*ret = &r->source;
	return 0;
}

int registry_source_open(const char *reference, struct source **ret, struct error *err)
{
	return registry_source_open_with(reference, NULL, ret, err);
}
