/* SPDX-License-Identifier: Apache-2.0 */
/* bzip2 in pieces of every size, damaged at every byte; some of its bits are padding. */
#include <bzlib.h>

#include "tests/support/codec_cases.h"

static size_t pack(const void *text, size_t len, uint8_t *out, size_t room)
{
	unsigned n = (unsigned)room;

	assert_int_equal(BZ2_bzBuffToBuffCompress((char *)out, &n, (char *)text, (unsigned)len, 1,
						  0, 0),
			 BZ_OK);
	return n;
}

int main(void)
{
	struct codec_case bzip2 = {"bzip2: ", pack, stream_bunzip2, true};
	const struct CMUnitTest tests[] = {CODEC_TESTS(&bzip2)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
