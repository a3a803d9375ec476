/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a TOML file. What is read can be written as JSON. */
#include <stdint.h>

#include "pkg/toml/toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jout o = {.compact = true};
	struct jdoc *doc;
	struct error err = {0};

	if (toml_parse(data, size, "fuzz", &doc, &err) < 0)
		return 0;
	jout_copy(&o, NULL, jdoc_root(doc));
	jout_release(&o);
	jdoc_free(doc);
	return 0;
}
