/* SPDX-License-Identifier: Apache-2.0 */
/* For each library.c of pkg: what the library says of itself is what was installed to build with. */
#include "tests/support/cmocka.h"

#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/catalog/library.h"
#include "pkg/digest/library.h"
#include "pkg/ext4/library.h"
#include "pkg/json/library.h"
#include "pkg/stream/library.h"
#include "tests/support/e2fsprogs.h"

static void versions_are_those_of_the_packages(void **state)
{
	const struct {
		const char *package, *version;
	} cases[] = {
		{"sqlite3", catalog_library_version()}, {"libcrypto", digest_library_version()},
		{"ext2fs", ext4_library_version()},	{"jansson", jdoc_library_version()},
		{"libisal", stream_isal_version()},	{"libzstd", stream_zstd_version()},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_free char *expected = NULL;

		assert_int_equal(command_run(&expected, "pkg-config --modversion %s",
					     cases[i].package),
				 0);
		expected[strcspn(expected, "\n")] = '\0';
		assert_string_equal(cases[i].version, expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_are_those_of_the_packages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
