/* SPDX-License-Identifier: Apache-2.0 */
/* What libcurl says of itself is what was installed to build with. */
#include "registry/http_library.h"

#include <stdlib.h>
#include <string.h>

#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"
#include "tests/support/e2fsprogs.h"

static void the_version_is_that_of_the_package(void **state)
{
	cleanup_free char *expected = NULL;

	(void)state;
	assert_int_equal(command_run(&expected, "pkg-config --modversion libcurl"), 0);
	expected[strcspn(expected, "\n")] = '\0';
	assert_string_equal(http_library_version(), expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_version_is_that_of_the_package),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
