/* SPDX-License-Identifier: Apache-2.0 */
/* xz in pieces of every size, damaged at every byte. */
#include <lzma.h>

#include "tests/support/codec_cases.h"

static size_t pack(const void *text, size_t len, uint8_t *out, size_t room)
{
	size_t n = 0;

	assert_int_equal(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC64, NULL, text, len, out, &n,
						 room),
			 LZMA_OK);
	return n;
}

int main(void)
{
	struct codec_case xz = {"xz: ", pack, stream_unxz, false};
	const struct CMUnitTest tests[] = {CODEC_TESTS(&xz)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
