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

static void check_visible(const char *text)
{
	for (const char *p = text; *p; p++)
		if (*p <= 0x20 || *p >= 0x7f)
			abort();
}

static void check_origin(const char *url)
{
	cleanup(http_url_release) struct http_url parts = {0};
	struct error err = {0};

	if (http_url_parse(url, &parts, &err) < 0 || strcmp(parts.scheme, "https") != 0
	    || http_host_is_private(parts.host))
		abort();
	check_visible(url);
}

static void check_url(const char *url)
{
	check_origin(url);
	if (!strstr(url, "scope=repository") || strchr(url, '#'))
		abort();
}

static void check_form(const char *url, const char *form)
{
	check_origin(url);
	check_visible(form);
	if (!strstr(form, "scope=repository%3Aa%2Fb%3Apull"))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *text = xstrndup((const char *)data, size);
	cleanup(challenge_release) struct challenge c = {0};
	cleanup_free char *url = NULL, *form_url = NULL;
	cleanup_buffer struct buffer form = {0};
	struct error err = {0};

	if (challenge_parse(text, &c, &err) < 0)
		return 0;
	if (realm_url("https://registry.test/v2/", &c, "a/b", &url, &err) == 0)
		check_url(url);
	if (realm_form("https://registry.test/v2/", &c, "a/b", &form_url, &form, &err) == 0)
		check_form(form_url, (const char *)form.data);
	return 0;
}
