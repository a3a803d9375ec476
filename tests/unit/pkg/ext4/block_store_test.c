/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever the order of writes, reads see the last one, and long runs go down in one piece. */
#include "pkg/ext4/block_store.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/memory_volume.h"

enum { BLOCKS = 4096 };

static uint8_t *filled(size_t n, int byte)
{
	uint8_t *data = xmalloc(n * EXT4_BLOCK_BYTES);

	for (size_t i = 0; i < n; i++)
		memset(data + i * EXT4_BLOCK_BYTES, byte + (int)i, EXT4_BLOCK_BYTES);
	return data;
}

static void a_run_is_written_in_aligned_pieces(void **state)
{
	struct memory_volume *v = memory_volume_new((uint64_t)BLOCKS * EXT4_BLOCK_BYTES, 0);
	cleanup_free uint8_t *data = filled(1, 7);
	struct block_store s;
	struct error err = {0};

	(void)state;
	block_store_init(&s, &v->volume);
	for (uint64_t i = 1000; i < 3000; i++)
		assert_ok(block_store_append(&s, i, 1, data, &err), &err);
	assert_int_equal(v->counts.writes, 2);
	assert_ok(block_store_flush(&s, &err), &err);
	assert_ok(block_store_flush(&s, &err), &err);
	assert_int_equal(v->counts.writes, 3);
	assert_int_equal(v->counts.bytes_written, 2000 * EXT4_BLOCK_BYTES);
	block_store_release(&s);
	memory_volume_free(v);
}

static void reads_see_what_is_held_back(void **state)
{
	struct memory_volume *v = memory_volume_new((uint64_t)BLOCKS * EXT4_BLOCK_BYTES, 0);
	cleanup_free uint8_t *expected = xcalloc(BLOCKS, EXT4_BLOCK_BYTES);
	cleanup_free uint8_t *got = xmalloc((size_t)BLOCKS * EXT4_BLOCK_BYTES);
	struct block_store s;
	struct error err = {0};

	(void)state;
	srand(1);
	block_store_init(&s, &v->volume);
	for (int i = 0; i < 3000; i++) {
		/* mostly near each other, so that runs are hit in all ways */
		uint64_t at = (uint64_t)(rand() % 3 ? 1000 + rand() % 60 : rand() % (BLOCKS - 50));
		size_t n = (size_t)(1 + rand() % 40);
		cleanup_free uint8_t *data = filled(n, rand());
		int rc = rand() % 2 ? block_store_append(&s, at, n, data, &err)
				    : block_store_overwrite(&s, at, n, data, &err);

		assert_ok(rc, &err);
		memcpy(expected + at * EXT4_BLOCK_BYTES, data, n * EXT4_BLOCK_BYTES);
		at = (uint64_t)(900 + rand() % 200);
		assert_ok(block_store_read(&s, at, n, got, &err), &err);
		assert_memory_equal(got, expected + at * EXT4_BLOCK_BYTES, n * EXT4_BLOCK_BYTES);
	}
	assert_ok(block_store_flush(&s, &err), &err);
	assert_ok(thin_volume_read(&v->volume, got, (size_t)BLOCKS * EXT4_BLOCK_BYTES, 0, &err),
		  &err);
	assert_memory_equal(got, expected, (size_t)BLOCKS * EXT4_BLOCK_BYTES);
	block_store_release(&s);
	memory_volume_free(v);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_run_is_written_in_aligned_pieces),
		cmocka_unit_test(reads_see_what_is_held_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
