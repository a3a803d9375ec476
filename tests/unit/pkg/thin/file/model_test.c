/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file engine against a model of plain bytes: random operations, the process dying at any
 * write, the power cut at any moment. After every commit the strict check must find nothing, thin_check be content and the
 * bytes be right. THINPULL_SEED runs one seed, THINPULL_ROUNDS more rounds of each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/cmocka.h"

#include "pkg/base/alloc.h"
#include "pkg/thin/volume.h"
#include "tests/support/thin_disk_calls.h"
#include "tests/support/thin_power.h"

enum {
	VOLUME_BLOCKS = 330, /* more than 252: the mappings need two levels */
	DATA_BLOCKS = 700,
};

static void start(struct thin_run *r, uint64_t seed)
{
	/* A block need not be a power of two. */
	uint32_t block_bytes = seed % 5 == 4 ? 196608 : 65536;

	*r = (struct thin_run){
		.seed = seed,
		.block_bytes = block_bytes,
		.data_bytes = (uint64_t)DATA_BLOCKS * block_bytes,
		.metadata_bytes = 2 << 20,
		.check_every = 6,
		.stride = 16,
		/* The last block of each device is a partial one. */
		.model = {.nr_thins = 24,
			  .size_bytes = (uint64_t)VOLUME_BLOCKS * block_bytes - 512 * 5,
			  .block_bytes = block_bytes,
			  .kept_bytes = block_bytes},
	};
	thin_run_start(r);
}

/* ---- operations: 0, or -1 with the pool in need of an abort ---- */

static int do_create(struct thin_run *r)
{
	uint32_t id;

	return thin_run_pick(r, false, &id) ? thin_run_create(r, id) : 0;
}

static int do_snap(struct thin_run *r)
{
	uint32_t id, origin;

	if (!thin_run_pick(r, false, &id) || !thin_run_pick(r, true, &origin))
		return 0;
	return thin_run_snap(r, id, origin);
}

static int do_delete(struct thin_run *r)
{
	uint32_t id;

	return thin_run_pick(r, true, &id) ? thin_run_delete(r, id) : 0;
}

enum pattern { PARTIAL, WHOLE, SCATTERED, APPEND, PATTERNS };

static int write_pattern(struct thin_run *r, struct thin_volume *v, uint32_t id,
			 enum pattern pattern)
{
	uint64_t size = r->model.size_bytes, at = thin_run_random(r, VOLUME_BLOCKS - 12);
	uint64_t n = 1 + thin_run_random(r, pattern == SCATTERED || pattern == APPEND ? 60 : 6);

	if (pattern == PARTIAL) {
		uint64_t offset = thin_run_random(r, size);
		uint64_t len =
			1 + thin_run_random(r, thin_run_random(r, 2) ? 3000 : 3 * r->block_bytes);

		return thin_run_write_to(r, v, id, offset,
					 (size_t)(len < size - offset ? len : size - offset));
	}
	if (pattern == WHOLE)
		return thin_run_write_to(r, v, id, at * r->block_bytes,
					 (size_t)(n * r->block_bytes));
	for (uint64_t i = 0; i < n; i++) {
		uint64_t block = pattern == APPEND ? (at + i) % VOLUME_BLOCKS
						   : thin_run_random(r, VOLUME_BLOCKS);

		if (thin_run_write_to(r, v, id, block * r->block_bytes + thin_run_random(r, 100),
				      1 + i % 600)
		    < 0)
			return -1;
	}
	return 0;
}

static int do_write(struct thin_run *r)
{
	struct thin_volume *v = NULL;
	struct error err = {0};
	uint32_t id;
	int rc;

	if (!thin_run_pick(r, true, &id))
		return 0;
	assert_ok(thin_pool_open_volume(r->pool, id, r->model.size_bytes, true, &v, &err), &err);
	rc = write_pattern(r, v, id, (enum pattern)thin_run_random(r, PATTERNS));
	thin_volume_close(v);
	return rc;
}

/* Any two ends, or from one block to another; the second time nothing is there any more. */
static int do_discard(struct thin_run *r)
{
	uint64_t size = r->model.size_bytes, offset = thin_run_random(r, size);
	uint64_t len = 1 + thin_run_random(r, thin_run_random(r, 3) ? 20 * r->block_bytes : size);
	uint32_t id;

	if (!thin_run_pick(r, true, &id))
		return 0;
	if (thin_run_random(r, 2))
		offset -= offset % r->block_bytes;
	if (len > size - offset)
		len = size - offset;
	if (thin_run_discard(r, id, offset, len) < 0)
		return -1;
	return thin_run_discard(r, id, offset, len);
}

static int do_read(struct thin_run *r)
{
	thin_run_check_contents(r, 24);
	return 0;
}

/* Wrong calls are refused and change nothing. */
static int do_wrong(struct thin_run *r)
{
	struct thin_volume *v = NULL;
	struct error err = {0};
	uint32_t id, none;

	if (!thin_run_pick(r, true, &id) || !thin_run_pick(r, false, &none))
		return 0;
	assert_int_equal(thin_pool_create_thin(r->pool, id, &err), -1);
	assert_int_equal(err.kind, ERR_INCONSISTENT);
	assert_int_equal(thin_pool_create_snap(r->pool, id, id, &err), -1);
	assert_int_equal(thin_pool_create_snap(r->pool, none, none, &err), -1);
	assert_int_equal(thin_pool_delete(r->pool, none, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(thin_pool_open_volume(r->pool, none, r->block_bytes, false, &v, &err), -1);
	assert_ok(thin_pool_open_volume(r->pool, id, r->model.size_bytes, true, &v, &err), &err);
	assert_int_equal(thin_pool_delete(r->pool, id, &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	assert_int_equal(thin_volume_write(v, "x", 1, r->model.size_bytes, &err), -1);
	thin_volume_close(v);
	return 0;
}

static int do_grow(struct thin_run *r)
{
	return thin_run_grow(r, thin_run_random(r, 40), thin_run_random(r, 20));
}

/* ---- random operations ---- */

static int do_something(struct thin_run *r)
{
	static const struct {
		unsigned weight;
		int (*run)(struct thin_run *r);
	} operations[] = {
		{6, do_create},	      {9, do_snap},
		{5, do_delete},	      {40, do_write},
		{8, do_discard},      {3, do_read},
		{2, do_wrong},	      {1, do_grow},
		{9, thin_run_commit}, {2, thin_run_hold_or_release},
	};
	uint64_t pick = thin_run_random(r, 85);

	for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
		if (pick < operations[i].weight)
			return operations[i].run(r);
		pick -= operations[i].weight;
	}
	return 0;
}

/* Some operations that end in a commit, with the process dying somewhere on the way. */
static void die_somewhere(struct thin_run *r)
{
	uint64_t n = 1 + thin_run_random(r, 4);
	int rc = 0;

	r->watch.left = thin_run_random(r, 60);
	for (uint64_t i = 0; i < n && rc == 0; i++)
		rc = do_something(r);
	if (rc == 0)
		rc = thin_run_commit(r);
	thin_run_reopen(r);
	thin_run_check_disk(r, true);
	thin_run_check_contents(r, 4);
}

/* The same with the power cut at some moment of all that, later ones included. */
static void lose_power_somewhere(struct thin_run *r)
{
	static struct thin_power p = {.stride = 16};
	struct thin_cut cut = {.power = true};
	int rc = 0;

	assert_int_equal(thin_run_commit(r), 0);
	thin_power_start(&p, r);
	for (uint64_t n = thin_run_random(r, 9); n && rc == 0; n--)
		rc = do_something(r);
	cut.step = thin_run_random(r, p.disk.n_steps + 1);
	cut.seed = thin_run_random(r, UINT64_MAX);
	cut.unit_bytes = cut.seed % 2 ? DISK_UNIT_BYTES : DISK_SECTOR_BYTES;
	assert_true(thin_power_adopt(&p, &cut));
	thin_power_end(&p);
	thin_run_check_contents(r, 4);
}

/* The pool is full: only deleting helps, what was not committed is gone. */
static void make_space(struct thin_run *r)
{
	thin_run_abort(r);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(do_delete(r), 0);
	assert_int_equal(thin_run_commit(r), 0);
}

static void random_rounds(uint64_t seed, unsigned rounds)
{
	struct thin_run r;

	start(&r, seed);
	for (unsigned i = 0; i < rounds; i++) {
		uint64_t special = thin_run_random(&r, 25);

		if (special == 0)
			die_somewhere(&r);
		else if (special == 1)
			thin_run_abort(&r);
		else if (special == 2)
			thin_run_reopen(&r);
		else if (special <= 4)
			lose_power_somewhere(&r);
		else if (do_something(&r) < 0)
			make_space(&r);
		if (r.watch.broken)
			fail_msg("%s", r.watch.broken);
	}
	assert_int_equal(thin_run_commit(&r), 0);
	thin_run_check_contents(&r, 1);
	thin_run_check_disk(&r, true);
	thin_run_end(&r);
}

static void random_operations_equal_the_model(void **state)
{
	static const uint64_t seeds[] = {1, 2, 3, 4, 5};
	unsigned rounds = (unsigned)thin_run_environment("THINPULL_ROUNDS", 120);
	uint64_t seed = thin_run_environment("THINPULL_SEED", 0);

	(void)state;
	for (size_t i = 0; i < (seed ? 1 : ARRAY_SIZE(seeds)); i++) {
		print_message("seed %llu\n", (unsigned long long)(seed ? seed : seeds[i]));
		random_rounds(seed ? seed : seeds[i], rounds);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations_equal_the_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
