/* SPDX-License-Identifier: Apache-2.0 */
/* Messages go to the sink, when there is one and they are wanted. */
#include "tests/support/cmocka.h"

#include <stdio.h>

#include "pkg/base/log.h"

static char got[2000];
static int calls;

static void sink(enum log_level level, const char *text)
{
	snprintf(got, sizeof(got), "%s: %s", level == LOG_LEVEL_DEBUG ? "debug" : "warning", text);
	calls++;
}

static void messages_reach_the_sink_from_the_lowest_level_on(void **state)
{
	(void)state;
	log_debug("nobody %s", "listens");
	log_set_sink(sink, LOG_LEVEL_WARNING);
	log_debug("not wanted");
	assert_int_equal(calls, 0);
	log_warning("%d is odd", 7);
	assert_string_equal(got, "warning: 7 is odd");
	log_set_sink(sink, LOG_LEVEL_DEBUG);
	log_debug("detail");
	assert_string_equal(got, "debug: detail");
	log_set_sink(NULL, LOG_LEVEL_DEBUG);
	log_warning("nobody");
	assert_int_equal(calls, 2);
}

static void messages_are_one_printable_line_of_bounded_length(void **state)
{
	char text[3000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_set_sink(sink, LOG_LEVEL_DEBUG);
	log_warning("a\n\x1b[2J%s", "\r");
	assert_string_equal(got, "warning: a??[2J?");
	log_warning("%s", text);
	assert_int_equal(strlen(got), strlen("warning: ") + 1023);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_reach_the_sink_from_the_lowest_level_on),
		cmocka_unit_test(messages_are_one_printable_line_of_bounded_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
