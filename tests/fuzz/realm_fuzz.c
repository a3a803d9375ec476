/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as the challenge of a public registry: what will be asked is https and public. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "registry/http_url.h"
#include "registry/realm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *url)
{
	cleanup(http_url_release) struct http_url parts = {0};
	struct error err = {0};

	if (http_url_parse(url, &parts, &err) < 0 || strcmp(parts.scheme, "https") != 0
	    || http_host_is_private(parts.host) || !strstr(url, "scope=repository")
	    || strchr(url, '#'))
		abort();
	for (const char *p = url; *p; p++)
		if (*p <= 0x20 || *p >= 0x7f)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *text = xstrndup((const char *)data, size);
	cleanup(challenge_release) struct challenge c = {0};
	cleanup_free char *url = NULL;
	struct error err = {0};

	if (challenge_parse(text, &c, &err) < 0)
		return 0;
	if (realm_url("https://registry.test/v2/", &c, "a/b", &url, &err) == 0)
		check(url);
	return 0;
}
