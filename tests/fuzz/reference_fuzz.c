/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a reference: what is taken has a normal form that reads back as itself. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "registry/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *text = xstrndup((const char *)data, size);
	cleanup_free char *name = NULL, *again = NULL;
	struct error err = {0};
	struct reference r;

	if (reference_parse(text, &r, &err) < 0) {
		if (err.kind != ERR_USAGE)
			abort();
		return 0;
	}
	name = reference_name(&r);
	reference_release(&r);
	if (reference_parse(name, &r, &err) < 0)
		abort();
	again = reference_name(&r);
	reference_release(&r);
	if (strcmp(name, again) != 0)
		abort();
	return 0;
}
