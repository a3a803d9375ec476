/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata alone, read while somebody else works on it: its last commit, or a metadata snapshot. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/engine.h"
#include "pkg/thin/volume.h"
#include "tests/support/cmocka.h"
#include "tests/support/thin_fixture.h"

#define BLOCK ((uint64_t)FIXTURE_BLOCK)

static struct error err;

static struct thin_pool *look(const struct thin_fixture *f, uint64_t held_root)
{
	cleanup_free char *path = xasprintf("%s/meta", f->dir);
	struct thin_pool *pool;

	assert_ok(thin_file_open_metadata(path, held_root, &pool, &err), &err);
	return pool;
}

static void expect(struct thin_pool *pool, uint32_t id, uint64_t mapped, uint64_t exclusive)
{
	struct thin_device d;
	uint64_t n;

	assert_ok(thin_pool_device(pool, id, &d, &err), &err);
	assert_int_equal(d.mapped_blocks, mapped);
	assert_ok(thin_pool_mapped(pool, &id, 1, &n, &err), &err);
	assert_int_equal(n, mapped);
	assert_ok(thin_pool_exclusive(pool, &id, 1, &n, &err), &err);
	assert_int_equal(n, exclusive);
}

/* 1: 600 blocks. 2: a snapshot of it with ten blocks of its own. 3: the same, of 2. */
static void make_pool(struct thin_fixture *f)
{
	thin_fixture_init(f, 2000, 0);
	thin_fixture_create(f, 1);
	thin_fixture_write(f, 1, 0, 600 * BLOCK, 1);
	assert_ok(thin_pool_create_snap(f->pool, 2, 1, &err), &err);
	thin_fixture_write(f, 2, 100 * BLOCK, 10 * BLOCK, 2);
	assert_ok(thin_pool_create_snap(f->pool, 3, 2, &err), &err);
	thin_fixture_write(f, 3, 100 * BLOCK, 5 * BLOCK, 3);
	thin_fixture_commit(f);
}

static void expect_pool(struct thin_pool *pool)
{
	uint32_t all[] = {1, 2, 3};
	uint64_t n;

	expect(pool, 1, 600, 10);
	expect(pool, 2, 600, 5);
	expect(pool, 3, 600, 5);
	assert_ok(thin_pool_exclusive(pool, all, 3, &n, &err), &err);
	assert_int_equal(n, 615);
}

static void the_last_commit_is_seen_and_the_next_one(void **state)
{
	struct thin_pool *reader;
	struct thin_fixture f;

	(void)state;
	make_pool(&f);
	reader = look(&f, 0);
	expect_pool(reader);
	assert_ok(thin_pool_delete(f.pool, 3, &err), &err);
	expect_pool(reader);
	thin_fixture_commit(&f);
	expect(reader, 2, 600, 10);
	thin_pool_close(reader);
	thin_fixture_release(&f);
}

/* Its counts are nowhere written: they are taken from the trees, and are what the space maps said. */
static void a_metadata_snapshot_is_seen_as_it_was(void **state)
{
	struct thin_pool_status status;
	struct thin_device *list;
	struct thin_pool *reader;
	struct thin_fixture f;
	size_t n;

	(void)state;
	make_pool(&f);
	assert_ok(thin_pool_reserve_metadata_snap(f.pool, &err), &err);
	thin_fixture_commit(&f);
	assert_ok(thin_pool_status(f.pool, &status, &err), &err);
	assert_ok(thin_pool_delete(f.pool, 3, &err), &err);
	thin_fixture_write(&f, 2, 0, 50 * BLOCK, 9);
	thin_fixture_commit(&f);
	reader = look(&f, status.held_root);
	expect_pool(reader);
	assert_ok(thin_pool_devices(reader, &list, &n, &err), &err);
	assert_int_equal(n, 3);
	free(list);
	thin_fixture_write(&f, 1, 0, 50 * BLOCK, 8);
	thin_fixture_commit(&f);
	expect_pool(reader);
	thin_pool_close(reader);
	reader = look(&f, 0);
	expect(reader, 2, 600, 60);
	thin_pool_close(reader);
	thin_fixture_release(&f);
}

static void what_is_mapped_is_told_without_data(void **state)
{
	struct thin_pool *reader;
	struct thin_volume *v;
	struct thin_fixture f;
	uint64_t at, len;

	(void)state;
	make_pool(&f);
	reader = look(&f, 0);
	assert_ok(thin_pool_open_volume(reader, 2, 700 * BLOCK, false, &v, &err), &err);
	assert_ok(thin_volume_next_mapped(v, 0, &at, &len, &err), &err);
	assert_int_equal(at, 0);
	assert_int_equal(len, 600 * BLOCK);
	assert_int_equal(thin_volume_next_mapped(v, 600 * BLOCK, &at, &len, &err), 1);
	thin_volume_close(v);
	thin_pool_close(reader);
	thin_fixture_release(&f);
}

static void what_is_no_metadata_is_refused(void **state)
{
	struct thin_pool *reader;
	struct thin_fixture f;
	cleanup_free char *meta = NULL, *data = NULL;

	(void)state;
	make_pool(&f);
	meta = xasprintf("%s/meta", f.dir);
	data = xasprintf("%s/data", f.dir);
	assert_int_equal(thin_file_open_metadata(data, 0, &reader, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "data");
	error_clear(&err);
	assert_int_equal(thin_file_open_metadata(meta, 1, &reader, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "metadata snapshot");
	error_clear(&err);
	assert_int_equal(thin_file_open_metadata("/nowhere/at/all", 0, &reader, &err), -1);
	assert_error(&err, ERR_SYSTEM, "/nowhere");
	error_clear(&err);
	thin_fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_commit_is_seen_and_the_next_one),
		cmocka_unit_test(a_metadata_snapshot_is_seen_as_it_was),
		cmocka_unit_test(what_is_mapped_is_told_without_data),
		cmocka_unit_test(what_is_no_metadata_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
