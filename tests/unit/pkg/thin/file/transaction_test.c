/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks in and out of the metadata, the reserve, and what a commit leaves. */
#include "pkg/thin/file/transaction.h"

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/thin_tx.h"

static struct thin_tx t;
static struct error err;

static int begin(void **state)
{
	(void)state;
	error_clear(&err);
	thin_tx_init(&t, 20000, 20000);
	return 0;
}

static int end(void **state)
{
	(void)state;
	thin_tx_release(&t);
	return 0;
}

static void a_new_block_is_counted_and_zero(void **state)
{
	uint64_t nr, used = t.tx.metadata.nr_allocated;
	uint8_t *block;
	uint32_t count;

	(void)state;
	assert_ok(tf_tx_new_block(&t.tx, TF_NODE, &nr, &block, &err), &err);
	for (size_t i = 0; i < TF_BLOCK_BYTES; i++)
		assert_int_equal(block[i], 0);
	assert_int_equal(t.tx.metadata.nr_allocated, used + 1);
	assert_ok(tf_spacemap_count(&t.tx.metadata, nr, &count, &err), &err);
	assert_int_equal(count, 1);
	assert_true(tf_cache_is_fresh(&t.tx.cache, nr));
}

static void a_block_goes_with_its_last_reference(void **state)
{
	uint64_t nr;
	uint8_t *block;

	(void)state;
	assert_ok(tf_tx_new_block(&t.tx, TF_NODE, &nr, &block, &err), &err);
	assert_ok(tf_spacemap_inc(&t.tx.metadata, nr, &err), &err);
	assert_ok(tf_tx_put_block(&t.tx, nr, &err), &err);
	assert_true(tf_cache_is_fresh(&t.tx.cache, nr));
	assert_ok(tf_tx_put_block(&t.tx, nr, &err), &err);
	assert_false(tf_cache_is_fresh(&t.tx.cache, nr));
	assert_int_equal(tf_tx_put_block(&t.tx, nr, &err), -1);
	assert_int_equal(err.kind, ERR_INCONSISTENT);
}

static void a_commit_is_what_a_reload_finds(void **state)
{
	uint64_t first, n;
	uint32_t count;

	(void)state;
	assert_ok(tf_spacemap_alloc(&t.tx.data, 100, &first, &n, &err), &err);
	assert_int_equal(n, 100);
	assert_ok(tf_spacemap_inc(&t.tx.data, first + 7, &err), &err);
	thin_tx_commit(&t);
	assert_ok(tf_spacemap_inc(&t.tx.data, first + 8, &err), &err); /* not committed */
	thin_tx_reload(&t);
	assert_int_equal(t.tx.data.nr_allocated, 100);
	for (uint64_t i = 0; i < 101; i++) {
		assert_ok(tf_spacemap_count(&t.tx.data, first + i, &count, &err), &err);
		assert_int_equal(count, i == 100 ? 0 : i == 7 ? 2 : 1);
	}
}

/* Each change leaves room for itself, its commit, and (but for deleting) a tenth. */
static void the_reserve_is_kept(void **state)
{
	uint64_t first, n, free_blocks;

	(void)state;
	assert_ok(tf_tx_reserve(&t.tx, 100, TF_RESERVE_NORMAL, &err), &err);
	free_blocks = tf_spacemap_available(&t.tx.metadata);
	assert_int_equal(tf_tx_reserve(&t.tx, free_blocks, TF_RESERVE_NORMAL, &err), -1);
	assert_error(&err, ERR_NO_SPACE, "pool metadata is full");
	while (tf_spacemap_available(&t.tx.metadata) > 1500)
		assert_ok(tf_spacemap_alloc(&t.tx.metadata, 500, &first, &n, &err), &err);
	assert_int_equal(tf_tx_reserve(&t.tx, 10, TF_RESERVE_NORMAL, &err), -1);
	assert_ok(tf_tx_reserve(&t.tx, 10, TF_RESERVE_DELETE, &err), &err);
	while (tf_spacemap_available(&t.tx.metadata) > 5)
		assert_ok(tf_spacemap_alloc(&t.tx.metadata,
					    tf_spacemap_available(&t.tx.metadata) - 5, &first, &n,
					    &err),
			  &err);
	assert_int_equal(tf_tx_reserve(&t.tx, 10, TF_RESERVE_DELETE, &err), -1);
	assert_error(&err, ERR_NO_SPACE, "of 20000 blocks free");
}

static void a_full_metadata_is_no_space(void **state)
{
	uint64_t nr, n;
	uint8_t *block;

	(void)state;
	while (tf_spacemap_available(&t.tx.metadata) > 0)
		assert_ok(tf_spacemap_alloc(&t.tx.metadata, 20000, &nr, &n, &err), &err);
	assert_int_equal(tf_tx_new_block(&t.tx, TF_NODE, &nr, &block, &err), -1);
	assert_int_equal(err.kind, ERR_NO_SPACE);
}

static void trimming_keeps_what_is_not_committed(void **state)
{
	uint64_t nr, first, n;
	uint8_t *block;
	uint32_t count;

	(void)state;
	assert_ok(tf_tx_new_block(&t.tx, TF_BITMAP, &nr, &block, &err), &err);
	assert_ok(tf_spacemap_alloc(&t.tx.data, 5, &first, &n, &err), &err);
	for (int i = 0; i < 3; i++)
		tf_tx_trim(&t.tx);
	assert_true(tf_cache_is_fresh(&t.tx.cache, nr));
	assert_ok(tf_spacemap_count(&t.tx.data, first, &count, &err), &err);
	assert_int_equal(count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_new_block_is_counted_and_zero, begin, end),
		cmocka_unit_test_setup_teardown(a_block_goes_with_its_last_reference, begin, end),
		cmocka_unit_test_setup_teardown(a_commit_is_what_a_reload_finds, begin, end),
		cmocka_unit_test_setup_teardown(the_reserve_is_kept, begin, end),
		cmocka_unit_test_setup_teardown(a_full_metadata_is_no_space, begin, end),
		cmocka_unit_test_setup_teardown(trimming_keeps_what_is_not_committed, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
