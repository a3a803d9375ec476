/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an index, and choosing from it. */
#include <stdint.h>
#include <stdlib.h>

#include "oci/index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct oci_platform wanted[] = {{"linux", "amd64", "v3"},
						     {"linux", "arm64", "v9.1"},
						     {"linux", "arm", "v7"}};
	const struct oci_descriptor *chosen;
	struct error err = {0};
	struct oci_index index;

	if (oci_index_parse(data, size, "index", &index, &err) < 0)
		return 0;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (oci_index_select(&index, &wanted[i], &chosen, &err) == 0
		    && (!oci_index_is_image(chosen) || chosen->digest.algorithm == DIGEST_NONE))
			abort();
	oci_index_release(&index);
	return 0;
}
