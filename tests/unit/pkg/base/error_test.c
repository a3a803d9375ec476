/* SPDX-License-Identifier: Apache-2.0 */
/* Errors: one line, the cause never lost. */
#include "tests/support/cmocka.h"

#include <errno.h>

#include "pkg/base/alloc.h"

static void assert_text(const struct error *err, const char *expected)
{
	char text[1024];

	error_text(err, text, sizeof(text));
	assert_string_equal(text, expected);
}

static void causes_are_wrapped_from_inside_out(void **state)
{
	struct error err = {0};

	(void)state;
	assert_int_equal(error_set(&err, ERR_INVALID, "bad %s", "thing"), -1);
	assert_text(&err, "bad thing");
	assert_int_equal(error_wrap(&err, "entry %s", "a/b"), -1);
	assert_int_equal(error_wrap(&err, "layer %d/%d", 3, 7), -1);
	assert_text(&err, "layer 3/7: entry a/b: bad thing");
	error_set(&err, ERR_BUSY, "new cause");
	assert_text(&err, "new cause");
	assert_int_equal(err.kind, ERR_BUSY);
	error_clear(&err);
	assert_text(&err, "none");
}

static void a_detail_stays_until_there_is_another_error(void **state)
{
	struct error err = {0};

	(void)state;
	error_set(&err, ERR_NETWORK, "no answer");
	assert_int_equal(err.detail, ERR_DETAIL_NONE);
	assert_int_equal(error_set_detail(&err, ERR_DETAIL_SILENT), -1);
	error_wrap(&err, "layer 1/2");
	assert_int_equal(err.detail, ERR_DETAIL_SILENT);
	assert_text(&err, "layer 1/2: no answer");
	error_set(&err, ERR_NETWORK, "cut");
	assert_int_equal(err.detail, ERR_DETAIL_NONE);
}

static void system_errors_keep_errno_and_know_what_is_full(void **state)
{
	static const struct {
		int sys;
		enum error_kind kind;
	} cases[] = {{ENOSPC, ERR_NO_SPACE},
		     {EDQUOT, ERR_NO_SPACE},
		     {EFBIG, ERR_NO_SPACE},
		     {EIO, ERR_SYSTEM},
		     {ENOENT, ERR_SYSTEM}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = {0};

		errno = cases[i].sys;
		assert_int_equal(error_sys(&err, "write %s", "x"), -1);
		assert_int_equal(err.sys, cases[i].sys);
		assert_error(&err, cases[i].kind, "write x: ");
		assert_error(&err, cases[i].kind, strerror(cases[i].sys));
	}
}

static void a_long_path_does_not_push_out_what_went_wrong(void **state)
{
	struct error err = {0};
	char path[5000];

	(void)state;
	memset(path, 'p', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	errno = EACCES;
	error_sys(&err, "open %s", path);
	assert_int_equal(strlen(err.cause), sizeof(err.cause) - 1);
	assert_error(&err, ERR_SYSTEM, "ppp: Permission denied");
}

static void a_full_context_keeps_its_innermost_parts(void **state)
{
	char long_part[600];

	(void)state;
	memset(long_part, 'o', sizeof(long_part) - 1);
	long_part[sizeof(long_part) - 1] = '\0';
	/* Inner parts of every length around the limit. */
	for (size_t len = 490; len <= 520; len++) {
		struct error err = {0};
		size_t kept = len < sizeof(err.context) ? len : sizeof(err.context) - 1;

		error_set(&err, ERR_INVALID, "cause");
		error_wrap(&err, "%.*s", (int)len, long_part);
		error_wrap(&err, "%s", "OUTER PART THAT IS LONG ENOUGH TO BE CUT");
		assert_true(strlen(err.context) < sizeof(err.context));
		assert_memory_equal(err.context + strlen(err.context) - kept, long_part, kept);
	}
}

static void control_characters_are_not_shown(void **state)
{
	struct error err = {0};

	(void)state;
	error_set(&err, ERR_INVALID,
		  "a\x1b[31mb\n\x7f\tc\xc2\x9b"
		  "d\xc3\xa9");
	error_wrap(&err, "\r");
	assert_text(&err, "?: a?[31mb???c??d\xc3\xa9");
}

static void a_small_buffer_is_terminated(void **state)
{
	struct error err = {0};
	char text[4] = "xxx";

	(void)state;
	error_set(&err, ERR_INVALID, "cause");
	error_text(&err, text, sizeof(text));
	assert_string_equal(text, "cau");
}

static void every_kind_has_a_name(void **state)
{
	(void)state;
	for (enum error_kind k = ERR_NONE; k < ERR_KINDS; k++)
		assert_string_not_equal(error_kind_name(k), "unknown");
	assert_string_equal(error_kind_name(ERR_KINDS), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(causes_are_wrapped_from_inside_out),
		cmocka_unit_test(a_detail_stays_until_there_is_another_error),
		cmocka_unit_test(system_errors_keep_errno_and_know_what_is_full),
		cmocka_unit_test(a_long_path_does_not_push_out_what_went_wrong),
		cmocka_unit_test(a_full_context_keeps_its_innermost_parts),
		cmocka_unit_test(control_characters_are_not_shown),
		cmocka_unit_test(a_small_buffer_is_terminated),
		cmocka_unit_test(every_kind_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
