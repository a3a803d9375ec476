/* SPDX-License-Identifier: Apache-2.0 */
/* Lets the grammar of references decide what a registry is. */
#include "cmd/thinpull/registry_name.h"

#include <string.h>

#include "pkg/base/alloc.h"

static const char *after_scheme(const char *text)
{
	static const char *const schemes[] = {"https://", "http://", "docker://"};

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		if (!strncmp(text, schemes[i], strlen(schemes[i])))
			return text + strlen(schemes[i]);
	return text;
}

int registry_name_parse(const char *text, struct reference *ret, struct error *err)
{
	const char *host = after_scheme(text);
	size_t len = strcspn(host, "/");
	cleanup_free char *image = xasprintf("%.*s/a/b", (int)len, host);
	cleanup(reference_release) struct reference r = {0};
	struct error ignored = {0};

	if (host[len] && host[len + 1])
		return error_set(err, ERR_USAGE, "'%.60s' is more than the name of a registry",
				 text);
	/* What is no registry is taken for a part of a path. */
	if (reference_parse(image, &r, &ignored) < 0 || strcmp(r.path, "a/b") != 0)
		return error_set(err, ERR_USAGE,
				 "'%.60s' is no registry: those have a dot or a port in their name",
				 text);
	*ret = r;
	r = (struct reference){0};
	return 0;
}
