/* SPDX-License-Identifier: Apache-2.0 */
/* Pools of a root folder: made as a whole, or not at all. */
#include "oci/container.h"

#include <dirent.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/layout_folder.h"
#include "tests/support/store_fixture.h"

#define MIB (UINT64_C(1) << 20)

static struct store_fixture f;
static struct error err;

static int begin(void **state)
{
	(void)state;
	store_fixture_init(&f);
	return 0;
}

static int end(void **state)
{
	(void)state;
	store_fixture_release(&f);
	return 0;
}

static bool is_there(const char *name)
{
	cleanup_free char *path = xasprintf("%s/%s", f.root, name);

	return access(path, F_OK) == 0;
}

static void a_pool_is_made_once(void **state)
{
	struct store_pool_params params = {0};

	(void)state;
	assert_int_equal(store_pool_create(f.store, &params, &err), -1);
	assert_error(&err, ERR_BUSY, "there is a pool default already");
}

static void a_pool_that_cannot_be_made_leaves_nothing(void **state)
{
	static const struct store_pool_params cases[] = {
		{.data_bytes = 64 * MIB, .base_bytes = 1000},	/* too small for a file system */
		{.data_bytes = 64 * MIB, .block_bytes = 65537}, /* no block size */
		{.data_bytes = 1 * MIB, .base_bytes = 64 * MIB, .block_bytes = 1 << 20}, /* full */
	};
	cleanup(store_close_ptr) struct store *s = store_fixture_open(&f, "other");
	cleanup_free char *pools = xasprintf("%s/pools", f.root);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		DIR *dir;
		struct dirent *entry;

		assert_int_equal(store_pool_create(s, &cases[i], &err), -1);
		assert_error(&err, err.kind, "pool other");
		assert_false(store_pool_exists(s));
		dir = opendir(pools);
		while ((entry = readdir(dir)))
			if (entry->d_name[0] != '.')
				assert_string_equal(entry->d_name, "default");
			else
				assert_true(strlen(entry->d_name) <= 2);
		closedir(dir);
	}
}

static void what_a_killed_maker_left_is_taken_away(void **state)
{
	struct store_pool_params params = {.data_bytes = 64 * MIB, .base_bytes = 16 * MIB};
	cleanup(store_close_ptr) struct store *s = store_fixture_open(&f, "other");

	(void)state;
	put_file(f.root, "pools/.new-third/meta", "half");
	put_file(f.root, "pools/.new-third/data", "");
	put_file(f.root, "pools/.new-other/owner", "");
	assert_ok(store_pool_create(s, &params, &err), &err);
	assert_false(is_there("pools/.new-third") || is_there("pools/.new-other"));
	/* In passing, too. */
	put_file(f.root, "pools/.new-third/meta.tmp", "half");
	assert_ok(containers_mend(f.store, &err), &err);
	assert_false(is_there("pools/.new-third"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_pool_is_made_once),
		CASE(a_pool_that_cannot_be_made_leaves_nothing),
		CASE(what_a_killed_maker_left_is_taken_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
