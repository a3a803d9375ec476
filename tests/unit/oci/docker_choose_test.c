/* SPDX-License-Identifier: Apache-2.0 */
/* Which image of several: rule B24. */
#include "oci/docker_choose.h"

#include "tests/support/cmocka.h"

static const char json[] = "[{\"Config\":\"a\",\"RepoTags\":[\"x:1\",\"both\"]},"
			   "{\"Config\":\"b\",\"RepoTags\":[\"y:1\",\"both\"]},{\"Config\":\"c\"}]";

/* "x" for "x:1" */
static bool is_short(const char *a, const char *b)
{
	return strncmp(a, b, strlen(b)) == 0 && strcmp(a + strlen(b), ":1") == 0;
}

static int choose(const struct place *place, oci_archive_same_fn *same, size_t *ret,
		  struct error *err)
{
	struct docker_manifest m;
	int rc;

	assert_ok(docker_manifest_parse(json, strlen(json), &m, err), err);
	rc = docker_choose(&m, place, same, ret, err);
	docker_manifest_release(&m);
	return rc;
}

static void chosen(const struct place *place, size_t want)
{
	struct error err = {0};
	size_t got;

	assert_ok(choose(place, is_short, &got, &err), &err);
	assert_int_equal(got, want);
}

static void refuses(const struct place *place, enum error_kind kind, const char *why)
{
	struct error err = {0};
	size_t got;

	assert_int_equal(choose(place, NULL, &got, &err), -1);
	assert_error(&err, kind, why);
}

static void b24_by_tag_and_by_number(void **state)
{
	(void)state;
	chosen(&(struct place){.ref = (char *)"x:1"}, 0);
	chosen(&(struct place){.ref = (char *)"y"}, 1);
	chosen(&(struct place){.has_index = true, .index = 2}, 2);
}

static void b24_what_is_not_there_or_not_clear_is_refused(void **state)
{
	(void)state;
	refuses(&(struct place){.ref = (char *)"y"}, ERR_NOT_FOUND, "no image named 'y'");
	refuses(&(struct place){.ref = (char *)"both"}, ERR_INVALID, "several images are called");
	refuses(&(struct place){.has_index = true, .index = 3}, ERR_NOT_FOUND,
		"no image 3, only 3");
	refuses(&(struct place){0}, ERR_USAGE, "choose one of: :x:1 :y:1 @2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(b24_by_tag_and_by_number),
		cmocka_unit_test(b24_what_is_not_there_or_not_clear_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
