/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What devices map, and what nobody else does, held against deleting them for real and taking that
 * back: whatever the trees share, what goes free is what was theirs alone.
 */
#include "pkg/thin/pool.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/format.h"
#include "tests/support/cmocka.h"
#include "tests/support/thin_fixture.h"

#define BLOCK ((uint64_t)FIXTURE_BLOCK)

enum { DEVICES = 14, POOL_BLOCKS = 30000, ROUNDS = 60 };

static struct error err;

static void create(struct thin_fixture *f, uint32_t id)
{
	assert_ok(thin_pool_create_thin(f->pool, id, &err), &err);
}

static void snap(struct thin_fixture *f, uint32_t id, uint32_t origin)
{
	assert_ok(thin_pool_create_snap(f->pool, id, origin, &err), &err);
}

static uint64_t used(struct thin_fixture *f)
{
	struct thin_pool_status status;

	assert_ok(thin_pool_status(f->pool, &status, &err), &err);
	return status.data_used_blocks;
}

static uint64_t mapped(struct thin_fixture *f, const uint32_t *ids, size_t n)
{
	uint64_t blocks;

	assert_ok(thin_pool_mapped(f->pool, ids, n, &blocks, &err), &err);
	return blocks;
}

static uint64_t exclusive(struct thin_fixture *f, const uint32_t *ids, size_t n)
{
	uint64_t blocks;

	assert_ok(thin_pool_exclusive(f->pool, ids, n, &blocks, &err), &err);
	return blocks;
}

static void shares_are_told_apart(void **state)
{
	struct thin_fixture f;

	(void)state;
	thin_fixture_init(&f, 1000, 0);
	create(&f, 1);
	thin_fixture_write(&f, 1, 0, 10 * BLOCK, 1);
	snap(&f, 2, 1);
	thin_fixture_write(&f, 2, 3 * BLOCK, 2 * BLOCK, 2);
	thin_fixture_write(&f, 2, 20 * BLOCK, BLOCK, 2);
	snap(&f, 3, 2);
	create(&f, 4);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(mapped(&f, (uint32_t[]){1}, 1), 10);
		assert_int_equal(mapped(&f, (uint32_t[]){2}, 1), 11);
		assert_int_equal(mapped(&f, (uint32_t[]){1, 2}, 2), 13);
		assert_int_equal(mapped(&f, (uint32_t[]){4}, 1), 0);
		assert_int_equal(mapped(&f, NULL, 0), 0);
		assert_int_equal(exclusive(&f, (uint32_t[]){1}, 1), 2);
		assert_int_equal(exclusive(&f, (uint32_t[]){2}, 1), 0);
		assert_int_equal(exclusive(&f, (uint32_t[]){3, 2}, 2), 3);
		assert_int_equal(exclusive(&f, (uint32_t[]){1, 2}, 2), 2);
		assert_int_equal(exclusive(&f, (uint32_t[]){1, 2, 3}, 3), 13);
		assert_int_equal(exclusive(&f, NULL, 0), 0);
		thin_fixture_commit(&f);
	}
	thin_fixture_check(&f);
	thin_fixture_release(&f);
}

static void devices_that_are_not_there_are_an_error(void **state)
{
	struct thin_fixture f;
	uint64_t blocks;

	(void)state;
	thin_fixture_init(&f, 1000, 0);
	create(&f, 1);
	assert_int_equal(thin_pool_mapped(f.pool, (uint32_t[]){1, 9}, 2, &blocks, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "thin 9");
	assert_int_equal(thin_pool_exclusive(f.pool, (uint32_t[]){9}, 1, &blocks, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "thin 9");
	assert_int_equal(thin_pool_mapped(f.pool, (uint32_t[]){1 << 24}, 1, &blocks, &err), -1);
	assert_error(&err, ERR_INVALID, "16777216");
	thin_fixture_release(&f);
}

/* --- any pool --------------------------------------------------------------------------------- */

static unsigned chance_state;

static unsigned chance(unsigned below)
{
	chance_state = chance_state * 1103515245 + 12345;
	return (chance_state >> 8) % below;
}

/* Bit i: device i is there. */
static void change_something(struct thin_fixture *f, uint32_t *there)
{
	uint32_t id = chance(DEVICES), origin = chance(DEVICES);
	bool is_there = *there >> id & 1;

	if (is_there && chance(4) == 0) {
		assert_ok(thin_pool_delete(f->pool, id, &err), &err);
		*there &= ~(1u << id);
	} else if (!is_there) {
		if (*there >> origin & 1)
			snap(f, id, origin);
		else
			create(f, id);
		*there |= 1u << id;
	} else {
		/* Far apart now and then, so that the trees are three nodes deep. */
		uint64_t at = chance(2) ? chance(40000) * BLOCK * 16 : chance(700) * BLOCK;

		thin_fixture_write(f, id, at, (1 + chance(6)) * BLOCK, 1 + chance(100));
	}
}

static size_t list(uint32_t set, uint32_t *ids)
{
	size_t n = 0;

	for (uint32_t i = 0; i < DEVICES; i++)
		if (set >> i & 1)
			ids[n++] = i;
	return n;
}

/* What going free means: delete them, look, and take it back. */
static uint64_t freed_by_deleting(struct thin_fixture *f, const uint32_t *ids, size_t n)
{
	uint64_t before = used(f), after;

	for (size_t i = 0; i < n; i++)
		assert_ok(thin_pool_delete(f->pool, ids[i], &err), &err);
	after = used(f);
	assert_ok(thin_pool_abort(f->pool, &err), &err);
	return before - after;
}

static void check_subset(struct thin_fixture *f, uint32_t there, uint32_t set)
{
	uint32_t ids[DEVICES], others[DEVICES];
	size_t n = list(set, ids), n_others = list(there & ~set, others);
	uint64_t alone = exclusive(f, ids, n), all = mapped(f, ids, n);

	assert_int_equal(alone, freed_by_deleting(f, ids, n));
	assert_int_equal(all, used(f) - exclusive(f, others, n_others));
	assert_true(alone <= all);
}

static void check_singles(struct thin_fixture *f, uint32_t there)
{
	for (uint32_t i = 0; i < DEVICES; i++) {
		struct thin_device device;

		if (!(there >> i & 1))
			continue;
		assert_ok(thin_pool_device(f->pool, i, &device, &err), &err);
		assert_int_equal(mapped(f, &i, 1), device.mapped_blocks);
	}
}

static void any_set_of_devices_has_what_deleting_it_frees(void **state)
{
	struct thin_fixture f;
	uint32_t there = 0;

	(void)state;
	chance_state = 7;
	thin_fixture_init(&f, POOL_BLOCKS, 0);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < 12; i++)
			change_something(&f, &there);
		thin_fixture_commit(&f);
		if (round % 10 == 0)
			check_singles(&f, there);
		check_subset(&f, there, there & chance(1 << DEVICES));
		check_subset(&f, there, there & chance(1 << DEVICES) & chance(1 << DEVICES));
	}
	check_subset(&f, there, there);
	check_subset(&f, there, 0);
	thin_fixture_check(&f);
	thin_fixture_release(&f);
}

static void a_reader_counts_what_is_committed(void **state)
{
	struct thin_fixture f;
	struct thin_pool *writer;

	(void)state;
	thin_fixture_init(&f, 1000, 0);
	create(&f, 1);
	thin_fixture_write(&f, 1, 0, 5 * BLOCK, 1);
	thin_fixture_commit(&f);
	writer = f.pool;
	thin_fixture_open(&f, THIN_FILE_READ);
	assert_int_equal(exclusive(&f, (uint32_t[]){1}, 1), 5);
	for (int round = 0; round < 2; round++) {
		struct thin_pool *reader = f.pool;

		f.pool = writer;
		if (round == 0)
			snap(&f, 2, 1);
		else
			thin_fixture_commit(&f);
		f.pool = reader;
		assert_int_equal(exclusive(&f, (uint32_t[]){1}, 1), round == 0 ? 5 : 0);
		assert_int_equal(mapped(&f, (uint32_t[]){1}, 1), 5);
	}
	thin_fixture_close(&f);
	f.pool = writer;
	thin_fixture_release(&f);
}

/* A leaf that names a data block past the pool's end, with a checksum that fits. */
static void a_mapping_out_of_the_pool_is_an_error(void **state)
{
	uint8_t node[TF_BLOCK_BYTES];
	struct thin_fixture f;
	cleanup_free char *path = NULL;
	cleanup_fd int fd = -1;
	uint64_t blocks;
	unsigned spoilt = 0;

	(void)state;
	thin_fixture_init(&f, 1000, 2 << 20);
	create(&f, 1);
	thin_fixture_write(&f, 1, 0, 5 * BLOCK, 1);
	thin_fixture_commit(&f);
	thin_fixture_close(&f);
	path = xasprintf("%s/meta", f.dir);
	fd = open(path, O_RDWR);
	for (uint64_t nr = 1; nr < 512; nr++) {
		assert_int_equal(pread(fd, node, sizeof(node), (off_t)(nr * sizeof(node))),
				 sizeof(node));
		if (tf_block_verify(node, TF_NODE, nr, &err) < 0 || !tf_node_is_leaf(node)
		    || tf_node_value_size(node) != TF_MAPPING_BYTES || tf_node_entries(node) != 5)
			continue;
		tf_node_set_value64(node, 2, tf_mapping(5000, 0));
		tf_block_seal(node, TF_NODE, nr);
		assert_int_equal(pwrite(fd, node, sizeof(node), (off_t)(nr * sizeof(node))),
				 sizeof(node));
		spoilt++;
	}
	assert_int_equal(spoilt, 1);
	thin_fixture_open(&f, THIN_FILE_READ);
	assert_int_equal(thin_pool_mapped(f.pool, (uint32_t[]){1}, 1, &blocks, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "data block 5000 is outside the pool");
	assert_int_equal(thin_pool_exclusive(f.pool, (uint32_t[]){1}, 1, &blocks, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "thin 1");
	thin_fixture_release(&f);
}

/* Named twice where the map counts one reference. */
static void more_references_than_counted_are_an_error(void **state)
{
	struct thin_fixture f;
	uint64_t blocks;

	(void)state;
	thin_fixture_init(&f, 1000, 0);
	create(&f, 1);
	thin_fixture_commit(&f);
	assert_int_equal(thin_pool_exclusive(f.pool, (uint32_t[]){1, 1}, 2, &blocks, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "more references");
	thin_fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_are_told_apart),
		cmocka_unit_test(devices_that_are_not_there_are_an_error),
		cmocka_unit_test(any_set_of_devices_has_what_deleting_it_frees),
		cmocka_unit_test(a_reader_counts_what_is_committed),
		cmocka_unit_test(a_mapping_out_of_the_pool_is_an_error),
		cmocka_unit_test(more_references_than_counted_are_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
