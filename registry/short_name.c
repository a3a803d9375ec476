/* SPDX-License-Identifier: Apache-2.0 */
/* Tells short names from others, and looks them up. */
#include "registry/short_name.h"

#include <string.h>
#include <strings.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/log.h"
#include "registry/reference.h"
#include "registry/registries_conf.h"

static bool begins_with(const char *text, const char *prefix)
{
	return strncasecmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_short(const char *text)
{
	cleanup(reference_release) struct reference r = {0};
	struct error ignored = {0};

	if (reference_parse(text, &r, &ignored) < 0 || strcmp(r.domain, "docker.io") != 0)
		return false;
	return !strstr(text, "://") && !begins_with(text, "docker.io/")
	       && !begins_with(text, "index.docker.io/");
}

int short_name_expand(const char *text, char **ret, struct error *err)
{
	cleanup(registries_conf_free_ptr) struct registries_conf *conf = NULL;
	size_t len = strcspn(text, ":@");
	cleanup_free char *name = xstrndup(text, len);
	const char *alias;

	if (is_short(text)) {
		if (registries_conf_load(&conf, err) < 0)
			return error_set_detail(err, ERR_DETAIL_CONFIG);
		alias = registries_conf_alias(conf, name);
		if (alias) {
			*ret = xasprintf("%s%s", alias, text + len);
			log_debug("registry: %s is short for %s", text, *ret);
			return 0;
		}
	}
	*ret = xstrdup(text);
	return 0;
}
