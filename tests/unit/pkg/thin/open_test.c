/* SPDX-License-Identifier: Apache-2.0 */
/* Which engine a pool gets, and a pool opened by it. What the kernel has to say is tested in the lab. */
#include "pkg/thin/open.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/engine.h"
#include "pkg/thin/kernel/engine.h"
#include "pkg/thin/place.h"
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"

static struct error err;

static void names(void **state)
{
	(void)state;
	assert_string_equal(thin_engine_name(THIN_ENGINE_AUTO), "auto");
	assert_string_equal(thin_engine_name(THIN_ENGINE_KERNEL), "kernel");
	assert_string_equal(thin_engine_name(THIN_ENGINE_FILE), "file");
}

static void file_when_asked_for(void **state)
{
	struct thin_engine_choice choice;

	(void)state;
	assert_ok(thin_engine_choose(NULL, THIN_ENGINE_FILE, &choice, &err), &err);
	assert_int_equal(choice.engine, THIN_ENGINE_FILE);
	assert_string_equal(choice.reason, "asked for");
}

static void auto_always_finds_one(void **state)
{
	struct thin_engine_choice choice;

	(void)state;
	assert_ok(thin_engine_choose(NULL, THIN_ENGINE_AUTO, &choice, &err), &err);
	assert_int_not_equal(choice.engine, THIN_ENGINE_AUTO);
	assert_true(choice.reason[0]);
}

/* On the machine itself most likely no, in the lab yes; the two ways to ask agree. */
static void kernel_where_it_can_be(void **state)
{
	const char *obstacle = thin_kernel_obstacle();
	struct thin_engine_choice choice;

	(void)state;
	if (getenv("THINPULL_LAB"))
		assert_null(obstacle);
	assert_ok(thin_engine_choose(NULL, THIN_ENGINE_AUTO, &choice, &err), &err);
	assert_int_equal(choice.engine, obstacle ? THIN_ENGINE_FILE : THIN_ENGINE_KERNEL);
	assert_string_equal(choice.reason, obstacle ? obstacle : "root, and dm-thin is there");
	if (obstacle) {
		assert_int_equal(thin_engine_choose(NULL, THIN_ENGINE_KERNEL, &choice, &err), -1);
		assert_error(&err, ERR_UNSUPPORTED, obstacle);
		return;
	}
	assert_ok(thin_engine_choose(NULL, THIN_ENGINE_KERNEL, &choice, &err), &err);
	assert_int_equal(choice.engine, THIN_ENGINE_KERNEL);
	assert_string_equal(choice.reason, "asked for");
}

static void devices_are_the_kernels(void **state)
{
	struct thin_place place = {.kind = THIN_PLACE_DEVICE,
				   .uuid = {1},
				   .data_device = xstrdup("/dev/none"),
				   .metadata_bytes = 2 << 20,
				   .data_start = 2 << 20,
				   .data_bytes = 64 << 20,
				   .block_bytes = 64 << 10};
	struct thin_engine_choice choice;
	char *dir = scratch_new();

	(void)state;
	assert_ok(thin_place_store(dir, &place, &err), &err);
	assert_int_equal(thin_engine_choose(dir, THIN_ENGINE_FILE, &choice, &err), -1);
	assert_error(&err, ERR_UNSUPPORTED, "only the kernel engine");
	if (thin_kernel_obstacle()) {
		assert_int_equal(thin_engine_choose(dir, THIN_ENGINE_AUTO, &choice, &err), -1);
		assert_error(&err, ERR_UNSUPPORTED, thin_kernel_obstacle());
	} else {
		assert_ok(thin_engine_choose(dir, THIN_ENGINE_AUTO, &choice, &err), &err);
		assert_int_equal(choice.engine, THIN_ENGINE_KERNEL);
		assert_string_equal(choice.reason, "the pool is on block devices");
	}
	thin_place_release(&place);
	scratch_free(dir);
}

static void each_mode(void **state)
{
	static const enum thin_mode modes[] = {THIN_WRITE, THIN_READ, THIN_STILL};
	struct thin_file_params params = {.data_bytes = 16 << 20, .block_bytes = 64 << 10};
	char *dir = scratch_new();

	(void)state;
	assert_ok(thin_file_create(dir, &params, &err), &err);
	for (size_t i = 0; i < 3; i++) {
		struct thin_open how = {.engine = THIN_ENGINE_FILE,
					.mode = modes[i],
					.verb = "test"};
		struct thin_pool_status status;
		struct thin_pool *pool;

		assert_ok(thin_open(dir, &how, &pool, &err), &err);
		assert_ok(thin_pool_status(pool, &status, &err), &err);
		assert_string_equal(status.engine, "file");
		assert_true(thin_pool_is_atomic(pool));
		if (modes[i] == THIN_WRITE)
			assert_ok(thin_pool_create_thin(pool, 1, &err), &err);
		else
			assert_int_equal(thin_pool_create_thin(pool, 1, &err), -1);
		thin_pool_close(pool);
	}
	scratch_free(dir);
}

static void no_devices(void **state)
{
	struct thin_file_params params = {.data_bytes = 16 << 20, .block_bytes = 64 << 10};
	struct thin_open how = {.engine = THIN_ENGINE_FILE, .mode = THIN_WRITE, .verb = "test"};
	char *dir = scratch_new();
	struct thin_pool *pool;
	char *path;

	(void)state;
	assert_ok(thin_file_create(dir, &params, &err), &err);
	assert_ok(thin_open(dir, &how, &pool, &err), &err);
	assert_int_equal(thin_pool_activate(pool, 1, 1 << 20, false, &path, &err), -1);
	assert_int_equal(err.kind, ERR_UNSUPPORTED);
	assert_int_equal(thin_pool_find_device(pool, 1, &path, &err), 1);
	assert_ok(thin_pool_deactivate(pool, 1, &err), &err);
	assert_int_equal(thin_pool_pause(pool, &err), 1);
	assert_ok(thin_pool_go_on(pool, &err), &err);
	thin_pool_close(pool);
	scratch_free(dir);
}

static void nothing_there(void **state)
{
	struct thin_open how = {.engine = THIN_ENGINE_FILE, .mode = THIN_READ, .verb = "test"};
	char *dir = scratch_new();
	struct thin_pool *pool;

	(void)state;
	assert_int_equal(thin_open(dir, &how, &pool, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	scratch_free(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(file_when_asked_for),
		cmocka_unit_test(auto_always_finds_one),
		cmocka_unit_test(kernel_where_it_can_be),
		cmocka_unit_test(devices_are_the_kernels),
		cmocka_unit_test(each_mode),
		cmocka_unit_test(no_devices),
		cmocka_unit_test(nothing_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
