/* SPDX-License-Identifier: Apache-2.0 */
/* Free blocks go back to the host, but for those of a pool that a check finds damaged. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/store.h"
#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"
#include "tests/support/store_fixture.h"

#define MIB (UINT64_C(1) << 20)

enum { POOL_BLOCKS = 256 * 16 };

static struct store_fixture f;
static struct error err;

static int begin(void **state)
{
	(void)state;
	error_clear(&err);
	store_fixture_init(&f);
	store_fixture_image(&f, "docker.io/library/a:1", "ab", "");
	return 0;
}

static int end(void **state)
{
	(void)state;
	store_fixture_release(&f);
	return 0;
}

/* n MiB in a file of the pool, as if written there. */
static void overwrite(const char *name, uint64_t offset, size_t len)
{
	cleanup_free char *path = xasprintf("%s/pools/default/%s", f.root, name);
	cleanup_free char *bytes = xmalloc(len);
	cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	memset(bytes, 0x77, len);
	assert_int_equal(pwrite(fd, bytes, len, (off_t)offset), len);
}

static uint64_t host_bytes(void)
{
	cleanup_free char *path = xasprintf("%s/pools/default/data", f.root);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

static void it_tells_what_went_back(void **state)
{
	uint64_t before = host_bytes(), used = store_fixture_used(&f);
	struct store_trim trim;

	(void)state;
	overwrite("data", 100 * MIB, 3 * MIB);
	overwrite("data", 255 * MIB, MIB);
	assert_ok(store_pool_trim(f.store, &trim, &err), &err);
	assert_true(trim.in_files);
	assert_int_equal(trim.freed_bytes, 4 * MIB);
	assert_int_equal(trim.free_bytes, (uint64_t)POOL_BLOCKS * STORE_FIXTURE_BLOCK - used);
	assert_int_equal(host_bytes(), before);
	/* Once more, there is nothing. */
	assert_ok(store_pool_trim(f.store, &trim, &err), &err);
	assert_int_equal(trim.freed_bytes, 0);
	store_fixture_container(&f, "docker.io/library/a:1", "box");
}

static void nothing_goes_back_from_a_damaged_pool(void **state)
{
	uint64_t before;
	struct store_trim trim;

	(void)state;
	overwrite("data", 100 * MIB, 3 * MIB);
	before = host_bytes();
	for (unsigned block = 1; block < 40; block++)
		overwrite("meta", block * 4096 + 100, 1);
	assert_int_equal(store_pool_trim(f.store, &trim, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "damaged");
	assert_int_equal(host_bytes(), before);
}

static void a_pool_that_is_not_there_is_not_found(void **state)
{
	struct store_options options = {.root = f.root,
					.pool = "none",
					.engine = THIN_ENGINE_FILE,
					.verb = "test"};
	cleanup(store_close_ptr) struct store *s = NULL;
	struct store_trim trim;

	(void)state;
	assert_ok(store_open(&options, &s, &err), &err);
	assert_int_equal(store_pool_trim(s, &trim, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "no pool none");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(it_tells_what_went_back),
		CASE(nothing_goes_back_from_a_damaged_pool),
		CASE(a_pool_that_is_not_there_is_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
