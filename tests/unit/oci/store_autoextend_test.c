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

static const struct store_fixture_guard extended = {.autoextend = {50, 20}};

/* Its files are sparse, and larger than anything that is in them, or the user said so. */
static void a_pool_of_the_file_engine_is_left_as_it_is(void **state)
{
	struct store_pool_params params = {.data_bytes = 16 * MIB, .base_bytes = 16 * MIB};
	cleanup(store_close_ptr) struct store *s =
		store_fixture_open_guarded(&f, "tiny", &extended);
	struct snapshots *session;
	struct thin_pool_status status;

	(void)state;
	assert_ok(store_pool_create(s, &params, &err), &err);
	assert_ok(store_pool_autoextend(s, &err), &err);
	assert_ok(store_read(s, &session, &err), &err);
	assert_ok(store_make_room(s, snapshots_pool(session), 15 * MIB, &err), &err);
	snapshots_close(session);
	assert_ok(store_write(s, &session, &err), &err);
	store_extend_in_passing(s, snapshots_pool(session), 15 * MIB);
	assert_ok(thin_pool_status(snapshots_pool(session), &status, &err), &err);
	assert_int_equal(status.data_total_blocks, 256);
	snapshots_close(session);
}

static void one_that_is_not_there_is_not_found(void **state)
{
	cleanup(store_close_ptr) struct store *s =
		store_fixture_open_guarded(&f, "missing", &extended);

	(void)state;
	assert_int_equal(store_pool_autoextend(s, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "missing");
	error_clear(&err);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_pool_of_the_file_engine_is_left_as_it_is),
		CASE(one_that_is_not_there_is_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
