/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the answer of a token server: what is taken is fit for a header. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "registry/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = {0};
	struct token t;

	if (token_parse(data, size, &t, &err) < 0) {
		if (err.kind != ERR_INVALID)
			abort();
		return 0;
	}
	if (!*t.text || t.expires_s < 60 || t.expires_s > 86400)
		abort();
	for (const char *p = t.text; *p; p++)
		if (*p <= 0x20 || *p >= 0x7f)
			abort();
	token_release(&t);
	return 0;
}
