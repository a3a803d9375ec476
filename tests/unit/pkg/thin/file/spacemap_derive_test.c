/* SPDX-License-Identifier: Apache-2.0 */
/* Maps from given counts, written out and read back. */
#include "pkg/thin/file/spacemap_derive.h"

#include "tests/support/cmocka.h"
#include "tests/support/thin_tx.h"

enum { METADATA = 17000, DATA = 40000, USED = 10, KEPT = 200 };

/* Any count there is, in every bitmap. */
static uint32_t data_count(const void *context, uint64_t block)
{
	(void)context;
	return block % 97 == 0 ? 100000 : block % 7 < 5 ? (uint32_t)(block % 7) : 0;
}

static uint32_t metadata_count(const void *context, uint64_t block)
{
	(void)context;
	return block < USED;
}

static bool metadata_may_use(const void *context, uint64_t block)
{
	(void)context;
	return block >= KEPT;
}

static void derive(struct thin_tx *t)
{
	const struct tf_sm_counts data = {data_count, NULL, NULL};
	const struct tf_sm_counts metadata = {metadata_count, metadata_may_use, NULL};

	tf_spacemap_derive(&t->tx.data, DATA, &data);
	tf_spacemap_derive(&t->tx.metadata, METADATA, &metadata);
}

static void expect_counts(struct tf_spacemap *sm)
{
	struct error err = {0};
	uint64_t used = 0;

	for (uint64_t i = 0; i < DATA; i++) {
		uint32_t count;

		assert_ok(tf_spacemap_count(sm, i, &count, &err), &err);
		assert_int_equal(count, data_count(NULL, i));
		used += count > 0;
	}
	assert_int_equal(sm->nr_allocated, used);
}

static void counts_are_written_out_and_read_back(void **state)
{
	struct thin_tx t;

	(void)state;
	thin_tx_init(&t, METADATA, 5);
	derive(&t);
	expect_counts(&t.tx.data);
	thin_tx_commit(&t);
	expect_counts(&t.tx.data);
	thin_tx_reload(&t);
	expect_counts(&t.tx.data);
	thin_tx_release(&t);
}

static void what_may_not_be_used_is_free_after_the_commit(void **state)
{
	struct thin_tx t;
	struct error err = {0};
	uint64_t first, n;

	(void)state;
	thin_tx_init(&t, METADATA, 5);
	derive(&t);
	assert_int_equal(t.tx.metadata.nr_allocated, USED);
	assert_int_equal(tf_spacemap_available(&t.tx.metadata), METADATA - KEPT);
	assert_ok(tf_spacemap_alloc(&t.tx.metadata, 1, &first, &n, &err), &err);
	assert_int_equal(first, KEPT);
	thin_tx_commit(&t);
	/* Maps and trees went behind it, too. */
	assert_ok(tf_spacemap_alloc(&t.tx.metadata, METADATA, &first, &n, &err), &err);
	assert_int_equal(first, USED);
	assert_int_equal(n, KEPT - USED);
	thin_tx_release(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_are_written_out_and_read_back),
		cmocka_unit_test(what_may_not_be_used_is_free_after_the_commit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
