/* SPDX-License-Identifier: Apache-2.0 */
/* Paths with a choice behind them. */
#include "oci/place.h"

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"
#include "tests/support/layout_folder.h"

static void is(const char *folder, const char *rest, const char *want)
{
	cleanup_free char *text = xasprintf("%s/%s", folder, rest);
	cleanup_free char *name = NULL, *expected = xasprintf("p:%s/%s", folder, want);
	cleanup(place_release) struct place place = {0};
	struct error err = {0};

	assert_ok(place_parse(text, "p:", PLACE_FILE, &place, &err), &err);
	name = place_name(&place, "p:");
	assert_string_equal(name, expected);
}

static void refuses(const char *text, enum error_kind kind, const char *why)
{
	struct place place;
	struct error err = {0};

	assert_int_equal(place_parse(text, "p:", PLACE_FILE, &place, &err), -1);
	assert_error(&err, kind, why);
}

static void the_path_is_the_longest_beginning_that_is_there(void **state)
{
	char *folder = make_folder();

	(void)state;
	put_file(folder, "x.tar", "");
	put_file(folder, "x.tar:1", "");
	put_file(folder, "a:b@c/y.tar", "");
	is(folder, "x.tar", "x.tar");
	is(folder, "x.tar:2", "x.tar:2");
	is(folder, "x.tar:1", "x.tar:1");
	is(folder, "x.tar:1:2", "x.tar:1:2");
	is(folder, "x.tar@3", "x.tar@3");
	is(folder, "x.tar:@3", "x.tar@3");
	is(folder, "./a:b@c//y.tar:example.org/z:1", "a:b@c/y.tar:example.org/z:1");
	assert_int_equal(place_path_length(folder, PLACE_FILE), 0);
	assert_int_equal(place_path_length(folder, PLACE_FOLDER), strlen(folder));
	remove_folder(folder);
}

static void what_is_no_place_is_refused(void **state)
{
	(void)state;
	refuses("", ERR_USAGE, "p:FILE[:REF] is expected");
	refuses("-x", ERR_USAGE, "p:FILE[:REF] is expected");
	refuses("a b", ERR_USAGE, "no spaces or control");
	refuses("/nowhere/x.tar", ERR_NOT_FOUND, "no such file");
	refuses("/dev/null:", ERR_USAGE, "nothing follows");
	refuses("/dev/null@x", ERR_USAGE, "neither an index nor a digest");
	refuses("/dev/null@sha256:12", ERR_USAGE, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_path_is_the_longest_beginning_that_is_there),
		cmocka_unit_test(what_is_no_place_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
