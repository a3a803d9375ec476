/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a manifest. */
#include <stdint.h>
#include <stdlib.h>

#include "oci/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken can be verified; urls are texts, and few. */
static void check(const struct oci_manifest *m)
{
	if (m->config.digest.algorithm == DIGEST_NONE)
		abort();
	for (size_t i = 0; i < m->n_layers; i++) {
		const struct oci_strings *urls = m->layers[i].urls;

		if (m->layers[i].digest.algorithm == DIGEST_NONE)
			abort();
		if (urls && (urls->n == 0 || urls->n > OCI_URLS_MAX))
			abort();
		for (size_t k = 0; urls && k < urls->n; k++)
			if (!urls->items[k])
				abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = {0};
	struct oci_manifest m;

	if (oci_manifest_parse_any(data, size, "manifest", &m, &err) < 0) {
		/* What is nothing is no image either. */
		if (oci_manifest_parse(data, size, "manifest", &m, &err) == 0)
			abort();
		return 0;
	}
	check(&m);
	oci_manifest_release(&m);
	if (oci_manifest_parse(data, size, "manifest", &m, &err) < 0)
		return 0;
	check(&m);
	oci_manifest_release(&m);
	return 0;
}
