/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a hosts.toml: what comes out can be asked, at the host that it says. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "registry/hosts_toml.h"
#include "registry/http_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct endpoint *e)
{
	cleanup(http_url_release) struct http_url url = {0};
	struct error err = {0};

	if (e->url && (http_url_parse(e->url, &url, &err) < 0 || !*e->host))
		abort();
	if (e->url && strncmp(strstr(e->url, "://") + 3, e->host, strlen(e->host)) != 0)
		abort();
	if (!e->tls.client_cert != !e->tls.client_key || e->dial_timeout_ms < 0)
		abort();
	for (size_t i = 0; i < e->n_headers; i++)
		if (!strchr(e->headers[i], ':') || strpbrk(e->headers[i], "\r\n"))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup(endpoints_release) struct endpoints list = {0};
	struct error err = {0};

	if (hosts_toml_parse(data, size, "/folder", &list, &err) < 0)
		return 0;
	for (size_t i = 0; i < list.n; i++)
		check(&list.items[i]);
	return 0;
}
