/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/lab_pool.h"

#include <string.h>

#include "pkg/base/cleanup.h"
#include "pkg/thin/file/engine.h"
#include "pkg/thin/kernel/engine.h"
#include "pkg/thin/volume.h"
#include "tests/support/cmocka.h"
#include "tests/support/lab.h"
#include "tests/support/scratch.h"

enum { WAIT_MS = 20000 };

static struct error err;
static const char *dir;

const char *lab_pool_dir(void)
{
	return dir;
}

int lab_pool_try(enum thin_mode mode, unsigned timeout_ms, struct thin_pool **ret, struct error *e)
{
	struct thin_open how = {.engine = THIN_ENGINE_KERNEL,
				.mode = mode,
				.verb = "test",
				.lock_timeout_ms = timeout_ms};

	return thin_open(dir, &how, ret, e);
}

struct thin_pool *lab_pool_open(enum thin_mode mode)
{
	struct thin_pool *pool;

	assert_ok(lab_pool_try(mode, WAIT_MS, &pool, &err), &err);
	return pool;
}

void lab_pool_write(struct thin_pool *pool, uint32_t id, uint64_t first, uint64_t n)
{
	cleanup(thin_volume_close_ptr) struct thin_volume *v = NULL;
	char block[LAB_BLOCK];

	assert_ok(thin_pool_open_volume(pool, id, LAB_SIZE, true, &v, &err), &err);
	memset(block, (int)id + 1, sizeof(block));
	for (uint64_t i = first; i < first + n; i++)
		assert_ok(thin_volume_write(v, block, sizeof(block), i * LAB_BLOCK, &err), &err);
}

int lab_pool_read(struct thin_pool *pool, uint32_t id, uint64_t block)
{
	cleanup(thin_volume_close_ptr) struct thin_volume *v = NULL;
	unsigned char bytes[LAB_BLOCK];

	assert_ok(thin_pool_open_volume(pool, id, LAB_SIZE, false, &v, &err), &err);
	assert_ok(thin_volume_read(v, bytes, sizeof(bytes), block * LAB_BLOCK, &err), &err);
	for (size_t i = 1; i < sizeof(bytes); i++)
		assert_int_equal(bytes[i], bytes[0]);
	return bytes[0];
}

int lab_pool_set_up(void **state)
{
	struct thin_file_params params = {.data_bytes = LAB_DATA,
					  .block_bytes = LAB_BLOCK,
					  .uuid = {0x4c, 0xab}};
	struct thin_pool *pool;

	if (scratch_set_up(state) < 0)
		return -1;
	dir = *state;
	if (lab_may_skip())
		return 0;
	assert_ok(thin_file_create(dir, &params, &err), &err);
	pool = lab_pool_open(THIN_WRITE);
	assert_ok(thin_pool_create_thin(pool, 0, &err), &err);
	lab_pool_write(pool, 0, 0, 1);
	assert_ok(thin_pool_create_thin(pool, 1, &err), &err);
	lab_pool_write(pool, 1, 0, 5);
	assert_ok(thin_pool_commit(pool, 1, &err), &err);
	thin_pool_close(pool);
	return 0;
}

int lab_pool_tear_down(void **state)
{
	if (!lab_may_skip())
		assert_ok(thin_kernel_deactivate(dir, WAIT_MS, &err), &err);
	return scratch_tear_down(state);
}
