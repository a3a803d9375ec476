/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a manifest. */
#include <stdint.h>
#include <stdlib.h>

#include "oci/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = {0};
	struct oci_manifest m;

	if (oci_manifest_parse(data, size, "manifest", &m, &err) < 0)
		return 0;
	/* What is taken can be verified. */
	if (m.config.digest.algorithm == DIGEST_NONE)
		abort();
	for (size_t i = 0; i < m.n_layers; i++)
		if (m.layers[i].digest.algorithm == DIGEST_NONE)
			abort();
	oci_manifest_release(&m);
	return 0;
}
