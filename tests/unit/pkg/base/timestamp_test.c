/* SPDX-License-Identifier: Apache-2.0 */
/* The present, as RFC 3339 says it, wherever the machine stands. */
#include "pkg/base/timestamp.h"

#include <stdlib.h>
#include <time.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"

static void it_is_now_in_utc_whatever_the_time_zone(void **state)
{
	static const char *const zones[] = {"UTC", "XXX-14", "XXX+12", ""};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(zones); i++) {
		char text[TIMESTAMP_BYTES];
		struct tm tm = {0};
		time_t before, then;
		const char *end;

		setenv("TZ", zones[i], 1);
		tzset();
		before = time(NULL);
		assert_ptr_equal(timestamp_now(text), text);
		end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
		assert_non_null(end);
		assert_int_equal(*end, 0);
		assert_int_equal(strlen(text), 20);
		then = timegm(&tm);
		assert_true(then >= before && then <= time(NULL));
	}
}

static void every_day_of_a_thousand_years_has_its_date(void **state)
{
	char text[TIMESTAMP_BYTES], expected[TIMESTAMP_BYTES];

	(void)state;
	for (time_t t = 0; t < (time_t)366 * 1000 * 86400; t += 86400 + 61) {
		struct tm utc;

		gmtime_r(&t, &utc);
		strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%SZ", &utc);
		assert_string_equal(timestamp_of(t, text), expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_now_in_utc_whatever_the_time_zone),
		cmocka_unit_test(every_day_of_a_thousand_years_has_its_date),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
