/* SPDX-License-Identifier: Apache-2.0 */
/* Lines taken apart: words, numbers to the last bit, and that nothing moves on a failure. */
#include "pkg/thin/kernel/words.h"

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"

static void words_come_one_after_the_other(void **state)
{
	struct words w = words_of("  one two\t3 4/5 \n");
	char word[4];
	uint64_t a, b;

	(void)state;
	assert_false(words_next_is(&w, "on"));
	assert_false(words_next_is(&w, "one two"));
	assert_true(words_next_is(&w, "one"));
	assert_true(words_next_copy(&w, word, sizeof(word)));
	assert_string_equal(word, "two");
	assert_true(words_next_number(&w, &a));
	assert_int_equal(a, 3);
	assert_false(words_end(&w));
	assert_true(words_next_pair(&w, &a, &b));
	assert_int_equal(a, 4);
	assert_int_equal(b, 5);
	assert_true(words_end(&w));
}

static void nothing_comes_after_the_end(void **state)
{
	struct words w = words_of(" ");
	char word[4];
	uint64_t n = 7;

	(void)state;
	assert_true(words_end(&w));
	assert_false(words_next_is(&w, "x"));
	assert_false(words_next_number(&w, &n));
	assert_false(words_next_pair(&w, &n, &n));
	assert_false(words_next_copy(&w, word, sizeof(word)));
	assert_int_equal(n, 7);
}

static void numbers_have_64_bits(void **state)
{
	static const struct {
		const char *text;
		uint64_t value;
	} good[] = {{"0", 0}, {"007", 7}, {"18446744073709551615", UINT64_MAX}};
	static const char *const bad[] = {"18446744073709551616",
					  "18446744073709551620",
					  "99999999999999999999",
					  "-1",
					  "+1",
					  "0x10",
					  "1.5",
					  "1/2",
					  "-",
					  "1a"};
	uint64_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct words w = words_of(good[i].text);

		assert_true(words_next_number(&w, &n));
		assert_true(n == good[i].value);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct words w = words_of(bad[i]);

		assert_false(words_next_number(&w, &n));
		assert_true(words_next_is(&w, bad[i])); /* still there */
	}
}

static void pairs_are_two_numbers(void **state)
{
	static const char *const bad[] = {"1", "/", "1/", "/1", "1/2/3", "1/x", "-/1", "1/ 2"};
	struct words w = words_of("18446744073709551615/0");
	uint64_t a, b;

	(void)state;
	assert_true(words_next_pair(&w, &a, &b));
	assert_true(a == UINT64_MAX && b == 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		w = words_of(bad[i]);
		assert_false(words_next_pair(&w, &a, &b));
	}
	assert_true(a == UINT64_MAX && b == 0);
}

static void word_that_does_not_fit_is_left(void **state)
{
	struct words w = words_of("1234");
	char word[4], room[5];

	(void)state;
	assert_false(words_next_copy(&w, word, sizeof(word)));
	assert_true(words_next_copy(&w, room, sizeof(room)));
	assert_string_equal(room, "1234");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_come_one_after_the_other),
		cmocka_unit_test(nothing_comes_after_the_end),
		cmocka_unit_test(numbers_have_64_bits),
		cmocka_unit_test(pairs_are_two_numbers),
		cmocka_unit_test(word_that_does_not_fit_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
