/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers, booleans, dates and times. */
#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"
#include "tests/support/toml_read.h"

static void reads_as(const char *word, const char *json)
{
	cleanup_free char *toml = xasprintf("a = %s # x", word);
	cleanup_free char *want = xasprintf("{\"a\":%s}", json);

	toml_reads(toml, want);
}

static void is_no_value(const char *word)
{
	cleanup_free char *toml = xasprintf("a = %s", word);

	toml_refuses(toml, "is no value; a string stands in quotes");
}

static void integers_of_all_bases(void **state)
{
	(void)state;
	reads_as("0", "0");
	reads_as("+17", "17");
	reads_as("-0", "0");
	reads_as("-1_000", "-1000");
	reads_as("0xDEAD_beef", "3735928559");
	reads_as("0o755", "493");
	reads_as("0b1101", "13");
	reads_as("9223372036854775807", "9223372036854775807");
	reads_as("-9223372036854775808", "-9223372036854775808");
}

static void numbers_that_are_none(void **state)
{
	static const char *const bad[] = {"01",	  "+00",  "1__0", "_1",	  "1_",	  "0x",	  "0xg",
					  "+0x1", "0b2",  "0o8",  "0X1",  "1.",	  ".5",	  "1.e3",
					  "1e",	  "1e1.", "1_.0", "1._0", "--1",  "+",	  "infx",
					  "Inf",  "1f",	  "0x_1", "1e_1", "00.5", "0x1.8"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		is_no_value(bad[i]);
}

static void numbers_of_more_than_64_bits_are_refused(void **state)
{
	(void)state;
	toml_refuses("a = 9223372036854775808", "line 1: 9223372036854775808 has more than 64");
	toml_refuses("a = 0xffffffffffffffff", "has more than 64 bits");
}

static void floats_keep_their_text(void **state)
{
	static const char *const good[] = {"1.0",  "-0.5e-3", "6.02E+23", "1e06", "inf",
					   "-inf", "+nan",    "1_0.0_1",  "0e0",  "+0.0"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		cleanup_free char *json = xasprintf("{\"float\":\"%s\"}", good[i]);

		reads_as(good[i], json);
	}
}

static void booleans_are_lower_case(void **state)
{
	(void)state;
	reads_as("true", "true");
	reads_as("false", "false");
	is_no_value("True");
	is_no_value("truely");
	is_no_value("yes");
}

static void dates_and_times(void **state)
{
	static const char *const good[] = {"1979-05-27",
					   "07:32:00",
					   "07:32:00.999",
					   "1979-05-27T07:32:00Z",
					   "1979-05-27t07:32:00.5z",
					   "1979-05-27 07:32:00",
					   "1979-05-27 07:32:00-07:00",
					   "2000-02-29",
					   "2024-12-31T23:59:59+23:59"};
	static const char *const bad[] = {"1979-5-27",
					  "1979-13-01",
					  "1979-00-01",
					  "1979-04-31",
					  "1900-02-29",
					  "24:00:00",
					  "07:60:00",
					  "07:32",
					  "07:32:00.",
					  "1979-05-27T07:32",
					  "1979-05-27T",
					  "1979-05-27x07:32:00",
					  "07:32:00Z",
					  "1979-05-27T07:32:00+7:00",
					  "1979-05-27T07:32:00Zx",
					  "1979-05-27T07:32:00+24:00"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		cleanup_free char *json = xasprintf("{\"time\":\"%s\"}", good[i]);

		reads_as(good[i], json);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		is_no_value(bad[i]);
}

static void words_are_bounded(void **state)
{
	cleanup_free char *toml = xasprintf("a = %0200d", 1);

	(void)state;
	toml_refuses(toml, "line 1: a number of more than 128 characters");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_of_all_bases),
		cmocka_unit_test(numbers_that_are_none),
		cmocka_unit_test(numbers_of_more_than_64_bits_are_refused),
		cmocka_unit_test(floats_keep_their_text),
		cmocka_unit_test(booleans_are_lower_case),
		cmocka_unit_test(dates_and_times),
		cmocka_unit_test(words_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
