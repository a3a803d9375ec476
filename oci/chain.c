/* SPDX-License-Identifier: Apache-2.0 */
/* ChainIDs from DiffIDs. The rule hashes text, so the text form is part of the identity. */
#include "oci/chain.h"

#include <stdio.h>
#include <string.h>

void oci_chain_ids(const struct digest *diff_ids, size_t n, struct digest *ret)
{
	char parent[DIGEST_TEXT_BYTES], diff_id[DIGEST_TEXT_BYTES];
	char text[2 * DIGEST_TEXT_BYTES];

	for (size_t i = 0; i < n; i++) {
		if (i == 0) {
			ret[0] = diff_ids[0];
			continue;
		}
		snprintf(text, sizeof(text), "%s %s", digest_format(&ret[i - 1], parent),
			 digest_format(&diff_ids[i], diff_id));
		digest_of(DIGEST_SHA256, text, strlen(text), &ret[i]);
	}
}
