/* SPDX-License-Identifier: Apache-2.0 */
/* A pool that goes, and what is left of it when the one who destroys it is killed. */
#include "oci/container.h"

#include <fcntl.h>
#include <stdio.h>
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
	store_fixture_image(&f, "one", "ab", "");
	store_fixture_image(&f, "two", "ac", "");
	return 0;
}

static int end(void **state)
{
	(void)state;
	store_fixture_release(&f);
	return 0;
}

static void make_pool(const char *name)
{
	static const struct store_pool_params params = {.data_bytes = 64 * MIB,
							.base_bytes = 16 * MIB};
	cleanup(store_close_ptr) struct store *s = store_fixture_open(&f, name);

	assert_ok(store_pool_create(s, &params, &err), &err);
}

static bool is_there(const char *name)
{
	cleanup_free char *path = xasprintf("%s/%s", f.root, name);

	return access(path, F_OK) == 0;
}

static size_t count_images(struct store *s)
{
	struct catalog_image *images;
	size_t n;

	assert_ok(store_images(s, &images, &n, &err), &err);
	catalog_images_free(images, n);
	return n;
}

static void destroy(bool force)
{
	assert_ok(store_pool_destroy(f.store, force, &err), &err);
	assert_false(is_there("pools/default") || is_there("pools/.gone-default"));
	assert_int_equal(count_images(f.store), 0);
}

static void images_and_files_go_with_the_pool(void **state)
{
	(void)state;
	assert_int_equal(count_images(f.store), 2);
	destroy(false);
	assert_int_equal(store_pool_destroy(f.store, false, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "no pool default");
	/* and one of that name may come again */
	make_pool("default");
	assert_int_equal(count_images(f.store), 0);
}

static void what_is_in_other_pools_stays(void **state)
{
	cleanup(store_close_ptr) struct store *other = store_fixture_open(&f, "other");

	(void)state;
	make_pool("other");
	assert_ok(store_pool_destroy(other, false, &err), &err);
	assert_false(is_there("pools/other"));
	assert_int_equal(count_images(f.store), 2);
}

static void containers_keep_the_pool_unless_forced(void **state)
{
	(void)state;
	store_fixture_container(&f, "one", "web");
	assert_int_equal(store_pool_destroy(f.store, false, &err), -1);
	assert_error(&err, ERR_BUSY, "containers: web");
	assert_true(is_there("pools/default"));
	store_fixture_container(&f, "one", "more");
	assert_int_equal(store_pool_destroy(f.store, false, &err), -1);
	assert_error(&err, ERR_BUSY, "and others");
	put_file(f.root, "containers/default/9.ext4", "");
	destroy(true);
	assert_false(is_there("containers/default"));
}

static void a_writer_keeps_the_pool(void **state)
{
	cleanup(store_close_ptr) struct store *writer = store_fixture_open(&f, "default");
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;

	(void)state;
	assert_ok(store_write(writer, &session, &err), &err);
	assert_int_equal(store_pool_destroy(f.store, true, &err), -1);
	assert_error(&err, ERR_BUSY, "(again)");
	snapshots_close(steal(&session));
	assert_int_equal(count_images(f.store), 2);
	destroy(false);
}

static void spoil(const char *name)
{
	cleanup_free char *path = xasprintf("%s/pools/default/%s", f.root, name);
	cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "spoilt", 6, 64), 6);
}

static void a_damaged_pool_can_be_destroyed_by_force(void **state)
{
	(void)state;
	spoil("meta");
	assert_int_equal(store_pool_destroy(f.store, false, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "checksum");
	destroy(true);
}

static void who_is_killed_after_the_renaming_is_finished_for(void **state)
{
	cleanup_free char *from = xasprintf("%s/pools/default", f.root);
	cleanup_free char *to = xasprintf("%s/pools/.gone-default", f.root);
	cleanup(store_close_ptr) struct store *other = store_fixture_open(&f, "other");

	(void)state;
	make_pool("other");
	assert_int_equal(rename(from, to), 0);
	/* in passing, by every command */
	assert_ok(containers_mend(other, &err), &err);
	assert_false(is_there("pools/.gone-default"));
	assert_int_equal(count_images(f.store), 0);
}

static void a_name_is_not_free_before_the_old_pool_is_gone(void **state)
{
	static const struct store_pool_params params = {.data_bytes = 64 * MIB,
							.base_bytes = 16 * MIB};

	(void)state;
	/* what nobody can read cannot be taken away */
	put_file(f.root, "pools/.gone-default/place.json", "{}");
	assert_int_equal(store_pool_destroy(f.store, true, &err), -1);
	assert_error(&err, ERR_BUSY, "was destroyed, and does not go");
	assert_true(is_there("pools/default"));
	assert_int_equal(store_pool_create(f.store, &params, &err), -1);
	assert_error(&err, ERR_BUSY, "was destroyed, and does not go");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(images_and_files_go_with_the_pool),
		CASE(what_is_in_other_pools_stays),
		CASE(containers_keep_the_pool_unless_forced),
		CASE(a_writer_keeps_the_pool),
		CASE(a_damaged_pool_can_be_destroyed_by_force),
		CASE(who_is_killed_after_the_renaming_is_finished_for),
		CASE(a_name_is_not_free_before_the_old_pool_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
