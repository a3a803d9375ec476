/* SPDX-License-Identifier: Apache-2.0 */
/* Names of tar entries: what they normalise to, and which are refused. */
#include "oci/tarpath.h"

#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"

/* The parts joined by '|', or the error's cause. */
static char *split(const char *text, size_t len)
{
	cleanup(tarpath_release) struct tarpath p = {0};
	struct buffer out = {0};
	struct error err = {0};

	if (tarpath_split(&p, text, len, &err) < 0)
		return xasprintf("error: %s", err.cause);
	buffer_add(&out, "", 0);
	for (size_t i = 0; i < p.n; i++)
		buffer_printf(&out, "%s%.*s", i ? "|" : "", (int)p.parts[i].len, p.parts[i].name);
	return buffer_detach(&out);
}

static void check(const char *text, const char *want)
{
	cleanup_free char *have = split(text, strlen(text));

	assert_string_equal(have, want);
}

static void a01_leading_and_double_slashes_and_dots_vanish(void **state)
{
	static const char *const same[] = {"a/b",  "./a/b",    "/a/b",
					   "a/b/", "//a//b//", "/./a/./b/."};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(same); i++)
		check(same[i], "a|b");
}

static void a02_inner_dotdot_is_resolved_lexically(void **state)
{
	(void)state;
	check("dne/../.wh.etc", ".wh.etc");
	check("a/b/../../c", "c");
	check("a/..", "");
}

static void a03_a_name_that_climbs_out_is_refused(void **state)
{
	static const char *const bad[] = {"../x", "/../x", "a/../../x", ".."};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cleanup_free char *have = split(bad[i], strlen(bad[i]));

		assert_non_null(strstr(have, "climbs out"));
	}
}

static void a04_the_root_has_no_parts(void **state)
{
	static const char *const roots[] = {"", ".", "./", "/", "//", "/."};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(roots); i++)
		check(roots[i], "");
}

static void a07_bytes_are_opaque(void **state)
{
	(void)state;
	check("a b/\n\t\\/C:/\xff\xfe/...", "a b|\n\t\\|C:|\xff\xfe|...");
}

static void a08_255_bytes_are_possible_256_are_not(void **state)
{
	char name[257];
	char *have;

	(void)state;
	memset(name, 'n', sizeof(name));
	have = split(name, 255);
	assert_int_equal(strlen(have), 255);
	free(have);
	have = split(name, 256);
	assert_non_null(strstr(have, "256 bytes"));
	free(have);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a01_leading_and_double_slashes_and_dots_vanish),
		cmocka_unit_test(a02_inner_dotdot_is_resolved_lexically),
		cmocka_unit_test(a03_a_name_that_climbs_out_is_refused),
		cmocka_unit_test(a04_the_root_has_no_parts),
		cmocka_unit_test(a07_bytes_are_opaque),
		cmocka_unit_test(a08_255_bytes_are_possible_256_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
