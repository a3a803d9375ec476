/* SPDX-License-Identifier: Apache-2.0 */
/* Who is not extended. Who is, the scripts of tests/kernel tell. */
#include "oci/store_internal.h"

#include <stdlib.h>

#include "tests/support/cmocka.h"
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

static struct store *open_again(const char *pool)
{
	struct store_options options = {.root = f.root,
					.pool = pool,
					.engine = THIN_ENGINE_FILE,
					.verb = "again",
					.lock_timeout_ms = 100,
					.autoextend = {.threshold = 50, .percent = 20}};
	struct store *s;

	assert_ok(store_open(&options, &s, &err), &err);
	return s;
}

static void a_pool_of_the_file_engine_is_left_as_it_is(void **state)
{
	struct store_pool_params params = {.data_bytes = 16 * MIB, .base_bytes = 16 * MIB};
	cleanup(store_close_ptr) struct store *s = open_again("tiny");
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;
	struct thin_pool_status status;

	(void)state;
	assert_ok(store_pool_create(s, &params, &err), &err);
	assert_ok(store_read(s, &session, &err), &err);
	assert_ok(store_pool_status(s, &status, &err), &err);
	assert_int_equal(status.data_total_blocks, 256);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_pool_of_the_file_engine_is_left_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
