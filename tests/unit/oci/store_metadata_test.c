/* SPDX-License-Identifier: Apache-2.0 */
/* Repair of the pool that a store has, or has not. */
#include <fcntl.h>
#include <unistd.h>

#include "oci/store.h"
#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/thin/file/format.h"
#include "tests/support/cmocka.h"
#include "tests/support/store_fixture.h"

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

/* Another pool of the same root, which is not there. */
static struct store *open_none(void)
{
	struct store_options options = {.root = f.root,
					.pool = "none",
					.engine = THIN_ENGINE_FILE,
					.verb = "test"};
	struct store *s;

	assert_ok(store_open(&options, &s, &err), &err);
	return s;
}

static void mark_by_kernel(void)
{
	cleanup_free char *path = xasprintf("%s/meta", store_pool_dir(f.store));
	cleanup_fd int fd = open(path, O_RDWR | O_CLOEXEC);
	uint8_t b[TF_BLOCK_BYTES];

	assert_ok(fdio_pread(fd, b, sizeof(b), 0, path, &err), &err);
	put_le32(b + 4, TF_FLAG_NEEDS_CHECK);
	tf_block_seal(b, TF_SUPERBLOCK, 0);
	assert_ok(fdio_pwrite(fd, b, sizeof(b), 0, path, &err), &err);
}

static enum thin_repair_outcome repair(bool dry_run)
{
	cleanup(thin_findings_release) struct thin_findings found = {0};
	enum thin_repair_outcome outcome = THIN_REPAIR_REFUSED;

	assert_ok(store_pool_repair(f.store, dry_run, &outcome, &found, &err), &err);
	return outcome;
}

static void a_pool_is_repaired_and_checked_with_its_record(void **state)
{
	struct thin_findings found = {0};

	(void)state;
	store_fixture_image(&f, "image", "ab", "");
	mark_by_kernel();
	assert_int_equal(repair(true), THIN_REPAIR_POSSIBLE);
	assert_int_equal(repair(false), THIN_REPAIR_DONE);
	assert_int_equal(repair(false), THIN_REPAIR_CLEAN);
	assert_ok(store_pool_check(f.store, &found, &err), &err);
	assert_int_equal(found.total, 0);
	store_fixture_container(&f, "image", "box");
}

static void without_a_pool_there_is_nothing_to_do(void **state)
{
	struct thin_findings found = {0};
	enum thin_repair_outcome outcome;
	struct store *s = open_none();

	(void)state;
	assert_int_equal(store_pool_repair(s, false, &outcome, &found, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "no pool none");
	store_close(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_pool_is_repaired_and_checked_with_its_record),
		TEST(without_a_pool_there_is_nothing_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
