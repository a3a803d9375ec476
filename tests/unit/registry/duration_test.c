/* SPDX-License-Identifier: Apache-2.0 */
/* Times as Go writes them. */
#include "registry/duration.h"

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"

static void c16_times_are_added_up(void **state)
{
	static const struct {
		const char *text;
		long ms;
	} cases[] = {
		{"1s", 1000},
		{"500ms", 500},
		{"1m30.5s", 90500},
		{".5s", 500},
		{"1.s", 1000},
		{"+2s", 2000},
		{"1.5h", 5400000},
		{"24h", 86400000},
		{"1500us", 1},
		{"1ns", 1},
		{"1.234567891234s", 1234},
		{"2000\xc2\xb5s", 2},
		{"2000\xce\xbcs", 2},
		{"0", 0},
		{"0s", 0},
		{"000000001s", 1000},
		{"1h0m1s", 3601000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = {0};
		long ms = -1;

		assert_ok(duration_parse(cases[i].text, &ms, &err), &err);
		assert_int_equal(ms, cases[i].ms);
	}
}

static void c16_other_times_are_refused(void **state)
{
	static const char *const bad[] = {"",		"1",   "s",	      "-1s",   "1 s",
					  "1x",		"1sx", ".s",	      "1..5s", "1S",
					  "25h",	"1.5", "9999999999s", "+",     "1s-1s",
					  "999999999h", "00",  "1e3s",	      "1d",    " 1s",
					  "24h1ms"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct error err = {0};
		long ms;

		if (duration_parse(bad[i], &ms, &err) == 0)
			fail_msg("'%s' is taken", bad[i]);
		assert_error(&err, ERR_INVALID, "is no time up to a day");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c16_times_are_added_up),
		cmocka_unit_test(c16_other_times_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
