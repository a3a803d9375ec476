/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8: each length at its limits, and what only looks like it. */
#include "pkg/base/utf8.h"

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"

static void characters_have_their_length(void **state)
{
	static const char *const good[] = {
		"a",
		"\x7f",
		"\xc2\x80",
		"\xdf\xbf",
		"\xe0\xa0\x80",
		"\xed\x9f\xbf",
		"\xee\x80\x80",
		"\xef\xbf\xbf",
		"\xe6\x97\xa5",
		"\xec\xbf\xbf",
		"\xf0\x90\x80\x80",
		"\xf4\x8f\xbf\xbf",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		size_t len = strlen(good[i]);

		assert_int_equal(utf8_char(good[i], len), len);
		assert_true(utf8_is_valid(good[i], len));
		/* Cut, it is none. */
		assert_int_equal(utf8_char(good[i], len - 1), 0);
	}
	assert_int_equal(utf8_char("", 1), 1);
	assert_int_equal(utf8_char("\xc3\xbcx", 3), 2);
}

static void other_bytes_are_none(void **state)
{
	static const char *const bad[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xc2\xc0",
		"\xe0\x9f\xbf",
		"\xed\xa0\x80" /* surrogate */,
		"\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xff",
		"\xe6\x97\x41",
		"\xf0\x90\x80\x41",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(utf8_char(bad[i], strlen(bad[i])), 0);
	assert_false(utf8_is_valid("caf\xe9", 4));
	assert_true(utf8_is_valid("caf\xc3\xa9 \xe6\x97\xa5", 9));
	assert_true(utf8_is_valid("", 0));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(characters_have_their_length),
		cmocka_unit_test(other_bytes_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
