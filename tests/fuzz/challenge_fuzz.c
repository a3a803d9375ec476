/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as WWW-Authenticate headers. */
#include <stdint.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "registry/challenge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *text = xstrndup((const char *)data, size);
	struct challenge c;
	struct error err = {0};

	if (challenge_parse(text, &c, &err) == 0)
		challenge_release(&c);
	return 0;
}
