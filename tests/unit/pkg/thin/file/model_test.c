/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file engine against a model of plain bytes: random operations, and the process dying at any
 * write. After every commit the strict check must find nothing, thin_check be content and the
 * bytes be right. THINPULL_SEED runs one seed, THINPULL_ROUNDS more rounds of each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/cmocka.h"

#include "pkg/base/alloc.h"
#include "pkg/thin/volume.h"
#include "tests/support/thin_run.h"

enum {
	VOLUME_BLOCKS = 330, /* more than 252: the mappings need two levels */
	DATA_BLOCKS = 700,
	WRITE_MAX = 12 * 196608,
};

static uint8_t bytes[WRITE_MAX];

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
	struct error err = {0};
	uint32_t id;

	if (!thin_run_pick(r, false, &id))
		return 0;
	if (thin_pool_create_thin(r->pool, id, &err) < 0)
		return thin_run_failed(r, &err);
	thin_model_create(&r->model, id);
	return 0;
}

static int do_snap(struct thin_run *r)
{
	struct error err = {0};
	uint32_t id, origin;

	if (!thin_run_pick(r, false, &id) || !thin_run_pick(r, true, &origin))
		return 0;
	if (thin_pool_create_snap(r->pool, id, origin, &err) < 0)
		return thin_run_failed(r, &err);
	thin_model_snap(&r->model, id, origin);
	return 0;
}

static int do_delete(struct thin_run *r)
{
	struct error err = {0};
	uint32_t id;

	if (!thin_run_pick(r, true, &id))
		return 0;
	if (thin_pool_delete(r->pool, id, &err) < 0)
		return thin_run_failed(r, &err);
	thin_model_delete(&r->model, id);
	return 0;
}

static void fill_bytes(struct thin_run *r, size_t len)
{
	uint64_t v = thin_run_random(r, UINT64_MAX);

	/* Zeros are written too: they must map, and hide what was there. */
	if (thin_run_random(r, 8) == 0)
		v = 0;
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(v >> 8 * (i % 8) ^ (v ? i / 512 : 0));
}

static int write_at(struct thin_run *r, struct thin_volume *v, uint32_t id, uint64_t offset,
		    size_t len)
{
	struct error err = {0};

	fill_bytes(r, len);
	if (thin_volume_write(v, bytes, len, offset, &err) < 0) {
		thin_model_write_failed(&r->model, id, bytes, len, offset);
		return thin_run_failed(r, &err);
	}
	thin_model_write(&r->model, id, bytes, len, offset);
	return 0;
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

		return write_at(r, v, id, offset,
				(size_t)(len < size - offset ? len : size - offset));
	}
	if (pattern == WHOLE)
		return write_at(r, v, id, at * r->block_bytes, (size_t)(n * r->block_bytes));
	for (uint64_t i = 0; i < n; i++) {
		uint64_t block = pattern == APPEND ? (at + i) % VOLUME_BLOCKS
						   : thin_run_random(r, VOLUME_BLOCKS);

		if (write_at(r, v, id, block * r->block_bytes + thin_run_random(r, 100),
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
	struct thin_volume *v = NULL;
	struct error err = {0};
	uint32_t id;
	int rc;

	if (!thin_run_pick(r, true, &id))
		return 0;
	if (thin_run_random(r, 2))
		offset -= offset % r->block_bytes;
	if (len > size - offset)
		len = size - offset;
	assert_ok(thin_pool_open_volume(r->pool, id, size, true, &v, &err), &err);
	rc = thin_volume_discard(v, offset, len, &err);
	if (rc == 0) {
		thin_model_discard(&r->model, id, offset, len);
		assert_ok(thin_volume_discard(v, offset, len, &err), &err);
	}
	thin_volume_close(v);
	return rc < 0 ? thin_run_failed(r, &err) : 0;
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

/* ---- a commit cut at every write ---- */

static int script_devices(struct thin_run *r)
{
	struct error err = {0};

	if (thin_pool_create_snap(r->pool, 7, 1, &err) < 0 || thin_pool_delete(r->pool, 2, &err) < 0
	    || thin_pool_create_thin(r->pool, 8, &err) < 0)
		return thin_run_failed(r, &err);
	return 0;
}

static int script_write(struct thin_run *r, uint32_t id, uint64_t block)
{
	struct thin_volume *v = NULL;
	struct error err = {0};
	int rc;

	if (!r->pool) {
		fill_bytes(r, 3000);
		thin_model_write(&r->model, id, bytes, 3000, block * r->block_bytes + 17);
		return 0;
	}
	assert_ok(thin_pool_open_volume(r->pool, id, r->model.size_bytes, true, &v, &err), &err);
	rc = write_at(r, v, id, block * r->block_bytes + 17, 3000);
	thin_volume_close(v);
	return rc;
}

static int script_discard(struct thin_run *r, uint32_t id, uint64_t block, uint64_t n)
{
	uint64_t offset = block * r->block_bytes, len = n * r->block_bytes;
	struct thin_volume *v = NULL;
	struct error err = {0};
	int rc = 0;

	if (r->pool) {
		assert_ok(thin_pool_open_volume(r->pool, id, r->model.size_bytes, true, &v, &err),
			  &err);
		rc = thin_volume_discard(v, offset, len, &err);
		thin_volume_close(v);
	}
	thin_model_discard(&r->model, id, offset, len);
	return rc < 0 ? thin_run_failed(r, &err) : 0;
}

/* Something of everything, always the same from the same state. Without a pool only the model does
 * it. */
static int fixed_script(struct thin_run *r)
{
	if (r->pool && script_devices(r) < 0)
		return -1;
	thin_model_snap(&r->model, 7, 1);
	thin_model_delete(&r->model, 2);
	thin_model_create(&r->model, 8);
	for (uint32_t id = 7; id <= 8; id++)
		for (uint64_t i = 0; i < 6; i++)
			if (script_write(r, id, i * 45) < 0)
				return -1;
	if (script_discard(r, 7, 40, 200) < 0 || script_discard(r, 1, 0, 20) < 0
	    || script_write(r, 7, 100) < 0)
		return -1;
	if (r->pool)
		return thin_run_commit(r);
	thin_model_commit(&r->model, r->model.now.transaction_id + thin_run_random(r, 3));
	return 0;
}

static void base_for_script(struct thin_run *r)
{
	struct error err = {0};
	struct thin_volume *v = NULL;

	for (uint32_t id = 1; id <= 2; id++) {
		assert_ok(thin_pool_create_thin(r->pool, id, &err), &err);
		thin_model_create(&r->model, id);
		assert_ok(thin_pool_open_volume(r->pool, id, r->model.size_bytes, true, &v, &err),
			  &err);
		for (uint64_t i = 0; i < 300; i++)
			assert_int_equal(write_at(r, v, id, i * r->block_bytes, 100), 0);
		thin_volume_close(v);
		assert_int_equal(thin_run_commit(r), 0);
	}
}

/* Each refused write is an error to the engine, and after closing the old state is there. */
static void a_commit_refused_at_every_write_leaves_the_state_before(void **state)
{
	struct thin_run r;
	uint64_t cut = 0;
	bool done = false;

	(void)state;
	start(&r, 1);
	base_for_script(&r);
	for (; !done; cut++) {
		uint64_t seed = r.seed;

		assert_true(cut < 1000);
		r.watch.left = cut;
		done = fixed_script(&r) == 0;
		thin_run_reopen(&r);
		thin_run_check_disk(&r, cut % 4 == 0);
		thin_run_check_contents(&r, done ? 1 : 8);
		r.seed = seed;
	}
	assert_true(cut > 20);
	assert_true(r.model.now.thins[8].exists);
	thin_run_end(&r);
}

/* Runs the script in a process of its own that dies at one write. */
static int script_in_child(struct thin_run *r, uint64_t cut)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		thin_run_open(r);
		r->watch.kill = true;
		r->watch.left = cut;
		_exit(fixed_script(r) == 0 ? EXIT_SUCCESS : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void a_process_killed_at_every_write_leaves_the_state_before(void **state)
{
	struct thin_run r;
	uint64_t cut = 0;
	int end_of_child = THIN_RUN_DIED;

	(void)state;
	start(&r, 2);
	base_for_script(&r);
	for (; end_of_child == THIN_RUN_DIED; cut++) {
		assert_true(cut < 1000);
		thin_run_close(&r);
		end_of_child = script_in_child(&r, cut);
		thin_run_check_disk(&r, cut % 4 == 0);
		thin_run_open(&r);
		if (end_of_child == THIN_RUN_DIED)
			thin_run_check_contents(&r, 8);
	}
	/* Dying at the sync of the superblock is dying after the commit, unless the power goes. */
	assert_int_equal(end_of_child, THIN_RUN_DIED_COMMITTED);
	assert_true(cut > 20);
	thin_run_close(&r);
	assert_int_equal(fixed_script(&r), 0);
	thin_run_open(&r);
	thin_run_check_contents(&r, 1);
	thin_run_end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations_equal_the_model),
		cmocka_unit_test(a_commit_refused_at_every_write_leaves_the_state_before),
		cmocka_unit_test(a_process_killed_at_every_write_leaves_the_state_before),
	};

	if (getenv("THINPULL_SEED"))
		cmocka_set_test_filter("random_*");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
