/* SPDX-License-Identifier: Apache-2.0 */
/* Programs are found as a shell finds them, and where the system keeps its own. */
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"

#include <stdlib.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/host/program.h"

static char *dir;

/* one/ has a folder and a file that is no program of names that two/ has as programs. */
static int setup(void **state)
{
	(void)state;
	dir = scratch_new();
	return chdir(dir) == 0
			       && system("mkdir -p one/prog two && touch one/plain two/prog two/plain "
					 "here && chmod 755 two/* here")
					  == 0
		       ? 0
		       : -1;
}

static int teardown(void **state)
{
	int rc = chdir("/");

	(void)state;
	scratch_free(dir);
	return rc;
}

static void assert_found(const char *path, const char *name, const char *want)
{
	cleanup_free char *before = xstrdup(getenv("PATH"));
	cleanup_free char *full = xasprintf("%s/%s", dir, want);
	cleanup_free char *found = NULL;
	struct error err = {0};
	int failed;

	setenv("PATH", path, 1);
	failed = program_find(name, &found, &err);
	setenv("PATH", before, 1);
	assert_ok(failed, &err);
	assert_string_equal(found, full);
}

static void what_is_no_program_is_passed_over(void **state)
{
	cleanup_free char *path = xasprintf("::/nonexistent:%s/one:%s/two", dir, dir);

	(void)state;
	assert_found(path, "prog", "two/prog");
	assert_found(path, "plain", "two/plain");
}

static void a_name_with_a_slash_is_a_path(void **state)
{
	cleanup_free char *absolute = xasprintf("%s/here", dir);

	(void)state;
	assert_found("/nonexistent", "./here", "./here");
	assert_found("/nonexistent", "two/prog", "two/prog");
	assert_found("/nonexistent", absolute, "here");
}

/* Nothing runs from the current folder because PATH holds an empty or a relative entry. */
static void the_current_folder_is_not_searched(void **state)
{
	cleanup_free char *before = xstrdup(getenv("PATH"));
	cleanup_free char *found = NULL;
	struct error err = {0};

	(void)state;
	setenv("PATH", ":.:two:", 1);
	assert_int_equal(program_find("here", &found, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "'here'");
	assert_int_equal(program_find("prog", &found, &err), -1);
	setenv("PATH", before, 1);
	assert_null(found);
}

static void folders_of_the_system_are_searched_without_path(void **state)
{
	cleanup_free char *before = xstrdup(getenv("PATH"));
	cleanup_free char *found = NULL;
	struct error err = {0};
	int failed;

	(void)state;
	unsetenv("PATH");
	failed = program_find("ldconfig", &found, &err);
	setenv("PATH", before, 1);
	assert_ok(failed, &err);
	assert_int_equal(access(found, X_OK), 0);
}

static void what_is_not_there_is_named(void **state)
{
	cleanup_free char *found = NULL;
	struct error err = {0};

	(void)state;
	assert_int_equal(program_find("./two", &found, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "./two");
	assert_int_equal(program_find("./two/nothing", &found, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "./two/nothing");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_program_is_passed_over),
		cmocka_unit_test(a_name_with_a_slash_is_a_path),
		cmocka_unit_test(the_current_folder_is_not_searched),
		cmocka_unit_test(folders_of_the_system_are_searched_without_path),
		cmocka_unit_test(what_is_not_there_is_named),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
