/* SPDX-License-Identifier: Apache-2.0 */
/* The environment of a bundle: order, doubles, what is always there; rule D. */
#include "oci/bundle_internal.h"

#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/bundle_try.h"
#include "tests/support/cmocka.h"

static void d_env_is_in_order_with_a_default_path(void **state)
{
	struct bundle_try *f = *state;

	try_make(f, TRY_IMAGE(""));
	try_has(f, "process.env", TRY_PATH);
	try_make(f, TRY_IMAGE(",\"Env\":[\"Z=1\",\"A=2\"]"));
	try_has(f, "process.env", TRY_PATH "Z=1|A=2|");
	try_make(f, TRY_IMAGE(",\"Env\":[\"Z=1\",\"PATH=/x\",\"PATHS=3\"]"));
	try_has(f, "process.env", "Z=1|PATH=/x|PATHS=3|");
	try_make(f, TRY_IMAGE(",\"Env\":[\"PATHS=3\"]"));
	try_has(f, "process.env", TRY_PATH "PATHS=3|");
}

static void d_env_has_term_only_with_a_terminal(void **state)
{
	struct bundle_try *f = *state;

	try_make_with(f, TRY_IMAGE(""), (struct bundle_options){.terminal = true});
	try_has(f, "process.env", TRY_PATH "TERM=xterm|");
	try_make_with(f, TRY_IMAGE(",\"Env\":[\"TERM=vt100\"]"),
		      (struct bundle_options){.terminal = true});
	try_has(f, "process.env", TRY_PATH "TERM=vt100|");
}

static void d_env_last_of_a_name_wins_in_the_place_of_the_first(void **state)
{
	const char *more[] = {"B=9", "N=1", "A=5", NULL};
	struct bundle_try *f = *state;

	try_make(f, TRY_IMAGE(",\"Env\":[\"A=1\",\"B=2\",\"A=3\",\"AA=4\",\"A=\"]"));
	try_has(f, "process.env", TRY_PATH "A=|B=2|AA=4|");
	try_make_with(f, TRY_IMAGE(",\"Env\":[\"A=1\",\"B=2\",\"A=3\"]"),
		      (struct bundle_options){.env = more});
	try_has(f, "process.env", TRY_PATH "A=5|B=9|N=1|");
}

static void d_env_values_are_kept_as_they_are(void **state)
{
	struct bundle_try *f = *state;

	try_make(f,
		 TRY_IMAGE(
			 ",\"Env\":[\"A=x=y\",\"B=\",\"C=1\\n2\",\"D= \",\"e.f-g=h\",\"I J=k\"]"));
	try_has(f, "process.env", TRY_PATH "A=x=y|B=|C=1\n2|D= |e.f-g=h|I J=k|");
}

static void d_env_without_name_or_value_is_refused(void **state)
{
	const char *nothing[] = {"", NULL}, *bare[] = {"BARE", NULL}, *bytes[] = {"A=\xff", NULL};
	struct bundle_try *f = *state;

	try_refused(f, TRY_IMAGE(",\"Env\":[\"A=1\",\"BARE\"]"),
		    "image: environment: 'BARE' is not NAME=VALUE");
	try_refused(f, TRY_IMAGE(",\"Env\":[\"=x\"]"), "'=x' is not NAME=VALUE");
	try_refused(f, TRY_IMAGE(",\"Env\":[\"\"]"), "'' is not NAME=VALUE");
	try_refused_with(f, TRY_IMAGE(""), (struct bundle_options){.env = nothing},
			 "is not NAME=VALUE");
	try_refused_with(f, TRY_IMAGE(""), (struct bundle_options){.env = bare},
			 "is not NAME=VALUE");
	try_refused_with(f, TRY_IMAGE(""), (struct bundle_options){.env = bytes}, "is not UTF-8");
}

/* 60,000 names, each twice. */
static void f56_many_variables_take_no_longer(void **state)
{
	cleanup_buffer struct buffer image = {0}, expected = {0};
	struct bundle_try *f = *state;

	buffer_printf(&image, "{\"config\":{\"Cmd\":[\"x\"],\"Env\":[\"PATH=\"");
	buffer_printf(&expected, "PATH=|");
	for (int i = 0; i < 60000; i++) {
		buffer_printf(&image, ",\"A%d=%d\"", i % 30000, i);
		if (i < 30000)
			buffer_printf(&expected, "A%d=%d|", i, i + 30000);
	}
	buffer_printf(&image, "]}}");
	try_make(f, (const char *)image.data);
	try_has(f, "process.env", (const char *)expected.data);
}

/* Called for itself: nothing of the passwd is there, and nothing is asked for. */
static void home_is_taken_only_where_nothing_else_names_it(void **state)
{
	static char *with[] = {(char *)"HOME=/image"};
	const char *asked[] = {"HOME=/asked", NULL};
	struct oci_runconfig image = {0};
	struct bundle_options options = {0};
	struct bundle_texts env = {0};
	struct error err = {0};

	(void)state;
	assert_ok(bundle_env(&image, &options, "HOME=/passwd", &env, &err), &err);
	assert_int_equal(env.n, 2);
	assert_string_equal(env.items[1], "HOME=/passwd");
	bundle_texts_release(&env);
	env = (struct bundle_texts){0};
	image.env.items = with;
	image.env.n = 1;
	assert_ok(bundle_env(&image, &options, "HOME=/passwd", &env, &err), &err);
	assert_int_equal(env.n, 2);
	assert_string_equal(env.items[1], "HOME=/image");
	bundle_texts_release(&env);
	env = (struct bundle_texts){0};
	options.env = asked;
	assert_ok(bundle_env(&image, &options, NULL, &env, &err), &err);
	assert_int_equal(env.n, 2);
	assert_string_equal(env.items[1], "HOME=/asked");
	bundle_texts_release(&env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(d_env_is_in_order_with_a_default_path, try_set_up,
						try_tear_down),
		cmocka_unit_test_setup_teardown(d_env_has_term_only_with_a_terminal, try_set_up,
						try_tear_down),
		cmocka_unit_test_setup_teardown(d_env_last_of_a_name_wins_in_the_place_of_the_first,
						try_set_up, try_tear_down),
		cmocka_unit_test_setup_teardown(d_env_values_are_kept_as_they_are, try_set_up,
						try_tear_down),
		cmocka_unit_test_setup_teardown(d_env_without_name_or_value_is_refused, try_set_up,
						try_tear_down),
		cmocka_unit_test_setup_teardown(f56_many_variables_take_no_longer, try_set_up,
						try_tear_down),
		cmocka_unit_test_setup_teardown(home_is_taken_only_where_nothing_else_names_it,
						try_set_up, try_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
