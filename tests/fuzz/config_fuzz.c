/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a config. */
#include <stdint.h>

#include "oci/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
	return 0;
}
