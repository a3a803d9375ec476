/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a config. */
#include <stdint.h>
#include <stdlib.h>

#include "oci/config.h"
#include "oci/squash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* With its layers in one it is a config again, and stays the same from then on. */
static void squash_twice(const uint8_t *data, size_t size)
{
	const struct buffer text = {.data = (uint8_t *)(uintptr_t)data, .len = size};
	struct squashed once, twice;
	struct error err = {0};
	struct oci_config c;
	struct digest layer;

	digest_of(DIGEST_SHA256, "x", 1, &layer);
	if (squash(&text, &layer, 1, &once, &err) < 0)
		return;
	if (oci_config_parse(once.config_bytes.data, once.config_bytes.len, "config", &c, &err) < 0
	    || c.n_diff_ids != 1 || !digest_equal(&c.diff_ids[0], &layer))
		abort();
	if (squash(&once.config_bytes, &layer, 1, &twice, &err) < 0
	    || !digest_equal(&once.manifest.digest, &twice.manifest.digest))
		abort();
	oci_config_release(&c);
	squashed_release(&once);
	squashed_release(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct oci_platform wanted = {"linux", "amd64", ""};
	struct error err = {0};
	struct oci_config c;

	if (oci_config_parse(data, size, "config", &c, &err) < 0)
		return 0;
	if (oci_config_check(&c, c.n_diff_ids, &wanted, &err) < 0)
		error_clear(&err);
	oci_config_release(&c);
	squash_twice(data, size);
	return 0;
}
