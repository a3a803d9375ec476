/* SPDX-License-Identifier: Apache-2.0 */
/* Unmapping ranges: exactly the whole blocks, nobody else's, soon done, and taken back whole. */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/pool_internal.h"
#include "tests/support/cmocka.h"
#include "tests/support/thin_fixture.h"

#define BLOCK ((uint64_t)FIXTURE_BLOCK)

static struct thin_fixture f;
static struct error err;

static int discard(uint32_t id, uint64_t offset, uint64_t len)
{
	struct thin_volume *v;
	int rc;

	error_clear(&err);
	assert_ok(thin_pool_open_volume(f.pool, id, UINT64_C(1) << 40, true, &v, &err), &err);
	rc = thin_volume_discard(v, offset, len, &err);
	thin_volume_close(v);
	return rc;
}

static uint64_t used(void)
{
	return thin_fixture_status(&f).data_used_blocks;
}

/* Mappings of n blocks one after the other, without the bytes. */
static void map_many(uint32_t id, uint64_t n)
{
	struct tf_pool *p = tf_pool_of(f.pool);
	struct tf_device device;
	uint64_t root, first, got;
	uint8_t value[TF_MAPPING_BYTES], *at;

	assert_ok(tf_btree_shadow_value(&p->tx, &tf_tree_devices, &p->sb.mapping_root, id, &at,
					&err),
		  &err);
	assert_ok(tf_device_find(p, id, &device, &root, &err), &err);
	for (uint64_t i = 0; i < n; i++) {
		assert_ok(tf_spacemap_alloc(&p->tx.data, 1, &first, &got, &err), &err);
		put_le64(value, tf_mapping(first, p->sb.time));
		assert_ok(tf_btree_insert(&p->tx, &tf_tree_mappings, &root, i, value, NULL, &err),
			  &err);
	}
	put_le64(at, root);
	device.mapped_blocks = n;
	assert_ok(tf_device_store(p, id, &device, &err), &err);
	thin_fixture_commit(&f);
}

static void discarded_blocks_are_zeros_and_free_after_the_commit(void **state)
{
	(void)state;
	thin_fixture_init(&f, 1000, 0);
	thin_fixture_create(&f, 1);
	thin_fixture_write(&f, 1, 0, 600 * BLOCK, 1);
	thin_fixture_commit(&f);
	/* Half a block at either end is not discarded. */
	assert_ok(discard(1, 100 * BLOCK + 512, 300 * BLOCK), &err);
	assert_int_equal(used(), 301);
	assert_int_equal(thin_fixture_device(&f, 1).mapped_blocks, 301);
	assert_int_equal(thin_fixture_sectors(&f, "data"), 600 * BLOCK / 512);
	thin_fixture_expect(&f, 1, 0, 101 * BLOCK, 1);
	thin_fixture_expect(&f, 1, 101 * BLOCK, 299 * BLOCK, 0);
	thin_fixture_expect(&f, 1, 400 * BLOCK, 200 * BLOCK, 1);
	thin_fixture_commit(&f);
	assert_int_equal(thin_fixture_sectors(&f, "data"), 301 * BLOCK / 512);
	thin_fixture_check(&f);
	thin_fixture_write(&f, 1, 200 * BLOCK + 7, 10, 2);
	thin_fixture_commit(&f);
	thin_fixture_reopen(&f);
	thin_fixture_expect(&f, 1, 200 * BLOCK, 7, 0);
	thin_fixture_expect(&f, 1, 200 * BLOCK + 7, 10, 2);
	thin_fixture_expect(&f, 1, 201 * BLOCK, 199 * BLOCK, 0);
	assert_ok(discard(1, 0, UINT64_C(1) << 40), &err);
	assert_int_equal(thin_fixture_device(&f, 1).mapped_blocks, 0);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	assert_int_equal(thin_fixture_sectors(&f, "data"), 0);
	thin_fixture_release(&f);
}

static void what_others_map_stays_theirs(void **state)
{
	(void)state;
	thin_fixture_init(&f, 2000, 0);
	thin_fixture_create(&f, 1);
	thin_fixture_write(&f, 1, 0, 700 * BLOCK, 1);
	thin_fixture_snap(&f, 2, 1);
	thin_fixture_snap(&f, 3, 2);
	thin_fixture_commit(&f);
	/* Whole leaves and parts of leaves that three devices share. */
	assert_ok(discard(2, 30 * BLOCK, 600 * BLOCK), &err);
	assert_int_equal(used(), 700);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	thin_fixture_expect(&f, 1, 0, 700 * BLOCK, 1);
	thin_fixture_expect(&f, 3, 0, 700 * BLOCK, 1);
	thin_fixture_expect(&f, 2, 0, 30 * BLOCK, 1);
	thin_fixture_expect(&f, 2, 30 * BLOCK, 600 * BLOCK, 0);
	thin_fixture_expect(&f, 2, 630 * BLOCK, 70 * BLOCK, 1);
	assert_ok(discard(1, 0, 690 * BLOCK), &err);
	assert_int_equal(used(), 700);
	thin_fixture_delete(&f, 3);
	assert_int_equal(used(), 30 + 70); /* the rest of 2 covers what is left of 1 */
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	thin_fixture_expect(&f, 2, 630 * BLOCK, 70 * BLOCK, 1);
	thin_fixture_release(&f);
}

static void discarded_blocks_are_not_handed_out_before_the_commit(void **state)
{
	struct thin_volume *v;

	(void)state;
	thin_fixture_init(&f, 32, 0);
	thin_fixture_create(&f, 1);
	thin_fixture_write(&f, 1, 0, 32 * BLOCK, 1);
	thin_fixture_commit(&f);
	assert_ok(discard(1, 0, 32 * BLOCK), &err);
	assert_int_equal(used(), 0);
	assert_ok(thin_pool_open_volume(f.pool, 1, 32 * BLOCK, true, &v, &err), &err);
	assert_int_equal(thin_volume_write(v, "x", 1, 0, &err), -1);
	assert_error(&err, ERR_NO_SPACE, "pool data is full");
	thin_volume_close(v);
	/* So that all of it can come back. */
	assert_ok(thin_pool_abort(f.pool, &err), &err);
	thin_fixture_expect(&f, 1, 0, 32 * BLOCK, 1);
	assert_int_equal(used(), 32);
	assert_ok(discard(1, BLOCK, 30 * BLOCK), &err);
	thin_fixture_commit(&f);
	thin_fixture_write(&f, 1, 40 * BLOCK, 30 * BLOCK, 2);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	thin_fixture_expect(&f, 1, 31 * BLOCK, BLOCK, 1);
	thin_fixture_release(&f);
}

static void nothing_there_is_nothing_done(void **state)
{
	(void)state;
	thin_fixture_init(&f, 1000, 0);
	thin_fixture_create(&f, 1);
	thin_fixture_write(&f, 1, 300 * BLOCK, 300 * BLOCK, 1);
	thin_fixture_commit(&f);
	assert_ok(discard(1, 0, 300 * BLOCK), &err);
	assert_ok(discard(1, 600 * BLOCK, 300 * BLOCK), &err);
	assert_ok(discard(1, 400 * BLOCK + 1, 2 * BLOCK - 2), &err);
	assert_int_equal(tf_pool_of(f.pool)->tx.cache.n_fresh, 0);
	assert_int_equal(used(), 300);
	thin_fixture_release(&f);
}

/* Work and new metadata go with the leaves that are left, not with what is removed. */
static void a_hundred_thousand_mappings_go_at_once(void **state)
{
	const uint64_t n = 100000;
	struct tf_pool *p;
	clock_t start;

	(void)state;
	thin_fixture_init(&f, 120000, 8 << 20);
	thin_fixture_create(&f, 1);
	map_many(1, n);
	thin_fixture_snap(&f, 2, 1);
	thin_fixture_commit(&f);
	p = tf_pool_of(f.pool);
	for (uint32_t id = 1; id <= 2; id++) {
		start = clock();
		assert_ok(discard(id, 100 * BLOCK, (n - 200) * BLOCK), &err);
		assert_true(clock() - start < CLOCKS_PER_SEC / 2);
		assert_int_equal(thin_fixture_device(&f, id).mapped_blocks, 200);
		assert_true(p->tx.cache.n_fresh < 30);
		thin_fixture_commit(&f);
		thin_fixture_check(&f);
	}
	assert_int_equal(used(), 200);
	thin_fixture_release(&f);
}

/* Take metadata until n blocks are left. */
static void leave_metadata(uint64_t n)
{
	struct tf_pool *p = tf_pool_of(f.pool);
	uint8_t *block;
	uint64_t nr;

	while (tf_spacemap_available(&p->tx.metadata) > n)
		assert_ok(tf_tx_new_block(&p->tx, TF_NODE, &nr, &block, &err), &err);
}

/* Deleting's share of the reserve is discard's as well; without even that, nothing is lost. */
static void short_metadata_is_refused_or_suffices(void **state)
{
	uint64_t done = 0, refused = 0;

	(void)state;
	thin_fixture_init(&f, 3000, 2 << 20);
	thin_fixture_create(&f, 1);
	thin_fixture_write(&f, 1, 0, 500 * BLOCK, 1);
	thin_fixture_snap(&f, 2, 1);
	thin_fixture_commit(&f);
	for (uint64_t left = 0; left < 90; left += 3) {
		leave_metadata(left);
		assert_int_equal(thin_pool_create_thin(f.pool, 9, &err), -1);
		if (discard(2, 10 * BLOCK, 400 * BLOCK) < 0) {
			assert_error(&err, ERR_NO_SPACE, "pool metadata is full");
			refused++;
			assert_true(thin_fixture_device(&f, 2).mapped_blocks > 100);
		} else {
			done++;
			assert_int_equal(thin_fixture_device(&f, 2).mapped_blocks, 100);
		}
		assert_ok(thin_pool_abort(f.pool, &err), &err);
		thin_fixture_expect(&f, 2, 5 * BLOCK, 10 * BLOCK, 1);
	}
	assert_true(done > 5 && refused > 5);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	thin_fixture_release(&f);
}

/* Who reads meanwhile gets the bytes of one commit or of the next, never those of another device that
 * has the blocks now. */
static void a_reader_never_sees_blocks_that_went_to_others(void **state)
{
	struct thin_fixture reader;

	(void)state;
	thin_fixture_init(&f, 64, 0);
	thin_fixture_create(&f, 1);
	thin_fixture_create(&f, 2);
	thin_fixture_write(&f, 1, 0, 60 * BLOCK, 1);
	thin_fixture_commit(&f);
	reader = (struct thin_fixture){.dir = f.dir};
	thin_fixture_open(&reader, THIN_FILE_READ);
	thin_fixture_expect(&reader, 1, 0, 60 * BLOCK, 1);
	assert_ok(discard(1, 0, 50 * BLOCK), &err);
	thin_fixture_expect(&reader, 1, 0, 60 * BLOCK, 1);
	thin_fixture_commit(&f);
	thin_fixture_write(&f, 2, 0, 50 * BLOCK, 2); /* where those of 1 were */
	thin_fixture_expect(&reader, 1, 0, 50 * BLOCK, 0);
	thin_fixture_commit(&f);
	thin_fixture_expect(&reader, 1, 0, 50 * BLOCK, 0);
	thin_fixture_expect(&reader, 1, 50 * BLOCK, 10 * BLOCK, 1);
	thin_fixture_expect(&reader, 2, 0, 50 * BLOCK, 2);
	thin_fixture_close(&reader);
	thin_fixture_release(&f);
}

/* A device with more mappings than it counts is damage, found before the number wraps. */
static void a_wrong_number_of_mappings_is_damage(void **state)
{
	struct tf_device device;
	uint64_t root;

	(void)state;
	thin_fixture_init(&f, 100, 0);
	thin_fixture_create(&f, 1);
	thin_fixture_write(&f, 1, 0, 8 * BLOCK, 1);
	assert_ok(tf_device_find(tf_pool_of(f.pool), 1, &device, &root, &err), &err);
	device.mapped_blocks = 5;
	assert_ok(tf_device_store(tf_pool_of(f.pool), 1, &device, &err), &err);
	assert_int_equal(discard(1, 0, 8 * BLOCK), -1);
	assert_error(&err, ERR_INCONSISTENT, "more mappings than the 5 counted");
	assert_int_equal(thin_pool_commit(f.pool, 1, &err), -1); /* half done */
	thin_fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(discarded_blocks_are_zeros_and_free_after_the_commit),
		cmocka_unit_test(what_others_map_stays_theirs),
		cmocka_unit_test(discarded_blocks_are_not_handed_out_before_the_commit),
		cmocka_unit_test(nothing_there_is_nothing_done),
		cmocka_unit_test(a_hundred_thousand_mappings_go_at_once),
		cmocka_unit_test(short_metadata_is_refused_or_suffices),
		cmocka_unit_test(a_reader_never_sees_blocks_that_went_to_others),
		cmocka_unit_test(a_wrong_number_of_mappings_is_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
