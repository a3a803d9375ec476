/* SPDX-License-Identifier: Apache-2.0 */
/* Which names are whiteouts, which only look like one, and which cannot be. */
#include "oci/whiteout.h"

#include <stdio.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"

enum { REFUSED = -1 };

static int classify(const char *text, char *name, size_t size)
{
	cleanup(tarpath_release) struct tarpath p = {0};
	struct tarpath_part part = {"", 0};
	struct error err = {0};
	enum whiteout w;

	assert_int_equal(tarpath_split(&p, text, strlen(text), &err), 0);
	if (whiteout_classify(&p, &w, &part, &err) < 0) {
		assert_int_equal(err.kind, ERR_INVALID);
		return REFUSED;
	}
	snprintf(name, size, "%.*s", (int)part.len, part.name);
	return (int)w;
}

static void check(const char *text, int want, const char *want_name)
{
	char name[256] = "";
	int have = classify(text, name, sizeof(name));

	if (have != want || strcmp(name, want_name) != 0)
		fail_msg("%s: %d \"%s\", want %d \"%s\"", text, have, name, want, want_name);
}

static void a44_a_marker_names_what_goes(void **state)
{
	(void)state;
	check("etc/.wh.passwd", WHITEOUT_NAME, "passwd");
	check(".wh.etc", WHITEOUT_NAME, "etc");
	check("a/.wh..hidden", WHITEOUT_NAME, ".hidden");
}

static void a47_opaque_is_told_from_a_whiteout(void **state)
{
	(void)state;
	check("dir/.wh..wh..opq", WHITEOUT_OPAQUE, "");
	check(".wh..wh..opq", WHITEOUT_OPAQUE, "");
}

static void a51_markers_without_a_name_are_refused(void **state)
{
	(void)state;
	check("a/.wh.", REFUSED, "");
	check("a/.wh..", REFUSED, "");
	check("a/.wh...", REFUSED, "");
}

static void a53_a_marker_as_a_parent_is_refused(void **state)
{
	(void)state;
	check(".wh.etc/somefile", REFUSED, "");
	check("a/.wh..wh..opq/b", REFUSED, "");
}

static void a54_leftovers_of_aufs_are_skipped(void **state)
{
	(void)state;
	check(".wh..wh.plnk", WHITEOUT_SKIP, "");
	check(".wh..wh.plnk/99.1234", WHITEOUT_SKIP, "");
	check(".wh..wh.aufs", WHITEOUT_SKIP, "");
	check(".wh..wh.orph/x", WHITEOUT_SKIP, "");
}

static void a55_names_that_only_look_alike_are_ordinary(void **state)
{
	(void)state;
	check("a.wh.b", WHITEOUT_NONE, "");
	check(".wh", WHITEOUT_NONE, "");
	check("b/not.a.wh..wh..opq", WHITEOUT_NONE, "");
	check("", WHITEOUT_NONE, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a44_a_marker_names_what_goes),
		cmocka_unit_test(a47_opaque_is_told_from_a_whiteout),
		cmocka_unit_test(a51_markers_without_a_name_are_refused),
		cmocka_unit_test(a53_a_marker_as_a_parent_is_refused),
		cmocka_unit_test(a54_leftovers_of_aufs_are_skipped),
		cmocka_unit_test(a55_names_that_only_look_alike_are_ordinary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
