/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file engine with hundreds of devices and thousands of blocks, so that every tree grows, is
 * shared, evened out and shrinks again: few bytes in each block, many operations between commits.
 * THINPULL_SEED and THINPULL_ROUNDS as in model_test.c; with every eighth seed on three levels, too.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/cmocka.h"

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "pkg/thin/volume.h"
#include "tests/support/thin_image.h"
#include "tests/support/thin_run.h"

enum { BLOCK = 65536, KEPT = 64, SPECIAL_THINS = 420 };

struct crowd {
	struct thin_run run; /* first: operations get this */
	uint32_t thins;
	uint64_t volume_blocks, writes_max;
};

/* Details split at 126 devices, the top level at 252, mappings have up to 15 leaves each; the data
 * has two bitmaps, the second one partial. */
static const struct crowd wide = {
	.run = {.data_bytes = 19000ull * BLOCK, .metadata_bytes = 2 << 20},
	.thins = SPECIAL_THINS,
	.volume_blocks = 2500,
	.writes_max = 500,
};

/* Mappings on three levels, and more metadata in use than the engine keeps in memory. */
static const struct crowd deep = {
	.run = {.data_bytes = 150000ull * BLOCK, .metadata_bytes = 100 << 20},
	.thins = 60,
	.volume_blocks = 55000,
	.writes_max = 2500,
};

static uint64_t volume_blocks(const struct thin_run *r)
{
	return ((const struct crowd *)r)->volume_blocks;
}

static void start(struct crowd *c, const struct crowd *like, uint64_t seed)
{
	struct thin_run *r = &c->run;

	*c = *like;
	r->seed = seed;
	r->block_bytes = BLOCK;
	r->metadata_bytes += (seed % 3 * 2) << 20; /* the least is soon full */
	r->check_every = 6;
	r->stride = 397;
	r->model = (struct thin_model){.nr_thins = c->thins,
				       .size_bytes = c->volume_blocks * BLOCK,
				       .block_bytes = BLOCK,
				       .kept_bytes = KEPT};
	thin_run_start(r);
}

/* ---- operations: 0, or -1 with the pool in need of an abort ---- */

static int make_one(struct thin_run *r, bool snap)
{
	struct error err = {0};
	uint32_t id, origin;

	if (!thin_run_pick(r, false, &id))
		return 0;
	snap = snap && thin_run_pick(r, true, &origin);
	if (snap ? thin_pool_create_snap(r->pool, id, origin, &err) < 0
		 : thin_pool_create_thin(r->pool, id, &err) < 0)
		return thin_run_failed(r, &err);
	if (snap)
		thin_model_snap(&r->model, id, origin);
	else
		thin_model_create(&r->model, id);
	return 0;
}

static int make_many(struct thin_run *r)
{
	uint64_t snaps = thin_run_random(r, 100), n = 1 + thin_run_random(r, 90);

	for (uint64_t i = 0; i < n; i++)
		if (make_one(r, thin_run_random(r, 100) < snaps) < 0)
			return -1;
	return 0;
}

static int delete_one(struct thin_run *r, uint32_t id)
{
	struct error err = {0};

	if (!r->model.now.thins[id].exists)
		return 0;
	if (thin_pool_delete(r->pool, id, &err) < 0)
		return thin_run_failed(r, &err);
	thin_model_delete(&r->model, id);
	return 0;
}

/* A range of ids empties neighbouring leaves, random ids thin out all of them. */
static int delete_many(struct thin_run *r)
{
	bool range = thin_run_random(r, 2);
	uint32_t thins = r->model.nr_thins, id = (uint32_t)thin_run_random(r, thins);
	uint64_t n = 1 + thin_run_random(r, thins / 3);

	for (uint64_t i = 0; i < n; i++) {
		id = range ? (id + 1) % thins : (uint32_t)thin_run_random(r, thins);
		if (delete_one(r, id) < 0)
			return -1;
	}
	return 0;
}

static int write_one(struct thin_run *r, struct thin_volume *v, uint32_t id, uint64_t block)
{
	uint64_t stamp[KEPT / 8];
	struct error err = {0};
	size_t len = 8 * (1 + (size_t)thin_run_random(r, KEPT / 8));

	for (size_t i = 0; i < KEPT / 8; i++)
		stamp[i] = r->seed + i;
	if (thin_volume_write(v, stamp, len, block * BLOCK, &err) < 0) {
		thin_model_write_failed(&r->model, id, stamp, len, block * BLOCK);
		return thin_run_failed(r, &err);
	}
	thin_model_write(&r->model, id, stamp, len, block * BLOCK);
	return 0;
}

enum order { UPWARD, DOWNWARD, EVERY_THIRD, ANYHOW, ORDERS };

static uint64_t block_at(struct thin_run *r, enum order order, uint64_t from, uint64_t i)
{
	uint64_t all = volume_blocks(r);

	switch (order) {
	case UPWARD:
		return (from + i) % all;
	case DOWNWARD:
		return (from + all - i) % all;
	case EVERY_THIRD:
		return (from + 3 * i) % all;
	default:
		return thin_run_random(r, all);
	}
}

/* A first device with nearly all blocks, most in ascending order. */
static void fill_one(struct thin_run *r)
{
	struct thin_volume *v = NULL;
	struct error err = {0};
	uint32_t id;

	assert_int_equal(make_one(r, false), 0);
	assert_true(thin_run_pick(r, true, &id));
	assert_ok(thin_pool_open_volume(r->pool, id, r->model.size_bytes, true, &v, &err), &err);
	for (uint64_t i = 0; i < volume_blocks(r); i++)
		if (i % 50)
			assert_int_equal(write_one(r, v, id, i), 0);
	thin_volume_close(v);
	assert_int_equal(thin_run_commit(r), 0);
}

static int write_many(struct thin_run *r)
{
	enum order order = (enum order)thin_run_random(r, ORDERS);
	uint64_t from = thin_run_random(r, volume_blocks(r));
	uint64_t n = 1 + thin_run_random(r, ((struct crowd *)r)->writes_max);
	struct thin_volume *v = NULL;
	struct error err = {0};
	uint32_t id;
	int rc = 0;

	if (!thin_run_pick(r, true, &id))
		return 0;
	assert_ok(thin_pool_open_volume(r->pool, id, r->model.size_bytes, true, &v, &err), &err);
	for (uint64_t i = 0; i < n && rc == 0; i++)
		rc = write_one(r, v, id, block_at(r, order, from, i));
	thin_volume_close(v);
	return rc;
}

static int discard_many(struct thin_run *r)
{
	struct thin_volume *v = NULL;
	struct error err = {0};
	uint32_t id;
	int rc = 0;

	if (!thin_run_pick(r, true, &id))
		return 0;
	assert_ok(thin_pool_open_volume(r->pool, id, r->model.size_bytes, true, &v, &err), &err);
	for (uint64_t i = thin_run_random(r, 40); i > 0 && rc == 0; i--) {
		uint64_t from = thin_run_random(r, volume_blocks(r));
		uint64_t n = 1 + thin_run_random(r, (volume_blocks(r) - from + i - 1) / i);

		rc = thin_volume_discard(v, from * BLOCK, n * BLOCK, &err);
		if (rc == 0)
			thin_model_discard(&r->model, id, from * BLOCK, n * BLOCK);
	}
	thin_volume_close(v);
	return rc < 0 ? thin_run_failed(r, &err) : 0;
}

static int grow(struct thin_run *r)
{
	return thin_run_grow(r, thin_run_random(r, 1000), thin_run_random(r, 100));
}

static int do_something(struct thin_run *r)
{
	static const struct {
		unsigned weight;
		int (*run)(struct thin_run *r);
	} operations[] = {
		{4, make_many},
		{2, delete_many},
		{20, write_many},
		{1, grow},
		{5, thin_run_commit},
		{4, discard_many},
		{1, thin_run_hold_or_release},
	};
	uint64_t pick = thin_run_random(r, 37);

	for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
		if (pick < operations[i].weight)
			return operations[i].run(r);
		pick -= operations[i].weight;
	}
	return 0;
}

static void make_space(struct thin_run *r)
{
	thin_run_abort(r);
	assert_int_equal(delete_many(r), 0);
	assert_int_equal(thin_run_commit(r), 0);
}

/* Down to nothing: every tree has to come back to an empty leaf, and be right on the way. */
static void take_down(struct thin_run *r)
{
	bool backwards = thin_run_random(r, 2);

	r->check_every = 20;
	for (uint32_t i = 0; i < r->model.nr_thins; i++) {
		assert_int_equal(delete_one(r, backwards ? r->model.nr_thins - 1 - i : i), 0);
		if (thin_run_random(r, 8) == 0)
			assert_int_equal(thin_run_commit(r), 0);
	}
	assert_int_equal(thin_run_commit(r), 0);
}

static void random_rounds(const struct crowd *like, uint64_t seed, unsigned rounds)
{
	struct crowd c;
	struct thin_run *r = &c.run;

	start(&c, like, seed);
	fill_one(r);
	for (unsigned i = 0; i < rounds; i++) {
		if (thin_run_random(r, 25) == 0)
			thin_run_reopen(r);
		if (do_something(r) < 0)
			make_space(r);
	}
	assert_int_equal(thin_run_commit(r), 0);
	thin_run_check_contents(r, 7);
	thin_run_check_disk(r, true);
	take_down(r);
	thin_run_end(r);
}

/* ---- a pool that others made ---- */

static void put_file(const char *path, const uint8_t *data, size_t len, uint64_t size)
{
	cleanup_fd int fd = open(path, O_RDWR | O_TRUNC | O_CLOEXEC);
	struct error err = {0};

	assert_true(fd >= 0);
	assert_ok(fdio_pwrite(fd, data, len, 0, path, &err), &err);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
}

/* What thin_image.c puts there: all data blocks are holes, so zeros. */
static void model_of_image(struct thin_model *m)
{
	uint8_t zero = 0;

	for (uint32_t id = 0; id < IMAGE_DEVICES; id++) {
		uint64_t n = id ? IMAGE_SHARED_BLOCKS + 2 : IMAGE_BIG_BLOCKS;

		thin_model_create(m, id);
		for (uint64_t i = 0; i < n; i++) {
			thin_model_write(m, id, &zero, 1, i * BLOCK);
			m->now.thins[id].shared[i] = !id || i < IMAGE_SHARED_BLOCKS;
		}
	}
	thin_model_commit(m, IMAGE_TRANSACTION);
}

static void work_on_image(const uint8_t *image, uint64_t seed)
{
	struct crowd c;
	struct thin_run *r = &c.run;

	start(&c, &wide, seed);
	thin_run_close(r);
	put_file(r->meta, image, IMAGE_BYTES, IMAGE_BYTES);
	put_file(r->data, image, 0, (uint64_t)IMAGE_DATA_BLOCKS * BLOCK);
	model_of_image(&r->model);
	thin_run_open(r);
	thin_run_learn_held(r);
	thin_run_check_contents(r, 1);
	assert_int_equal(thin_run_grow(r, 0, 1000), 0);
	assert_int_equal(thin_run_commit(r), 0);
	for (unsigned i = 0; i < 25; i++)
		if (do_something(r) < 0)
			make_space(r);
	assert_int_equal(thin_run_commit(r), 0);
	take_down(r);
	thin_run_end(r);
}

/* Its wrong hints must be put right on the way: the strict check after each commit sees them. */
static void a_pool_of_thin_restore_is_worked_on(void **state)
{
	struct thin_image image;

	(void)state;
	assert_int_equal(thin_image_make(&image), 0);
	work_on_image(image.restored, 1);
	work_on_image(image.clean, 2);
	thin_image_release(&image);
}

/* A metadata snapshot holds old trees: all that it reaches is shared, and stays as it is. */
static void a_pool_with_a_metadata_snapshot_is_worked_on(void **state)
{
	struct thin_image image;

	(void)state;
	assert_int_equal(thin_image_make(&image), 0);
	thin_image_hold(image.clean, IMAGE_BLOCKS - 10);
	work_on_image(image.clean, 3);
	thin_image_release(&image);
}

static void random_crowds_equal_the_model(void **state)
{
	unsigned rounds = (unsigned)thin_run_environment("THINPULL_ROUNDS", 60);
	uint64_t seed = thin_run_environment("THINPULL_SEED", 0);

	(void)state;
	for (uint64_t s = seed ? seed : 1; s <= (seed ? seed : 3); s++) {
		print_message("seed %llu\n", (unsigned long long)s);
		random_rounds(&wide, s, rounds);
	}
}

static void random_deep_trees_equal_the_model(void **state)
{
	unsigned rounds = (unsigned)thin_run_environment("THINPULL_ROUNDS", 0);
	uint64_t seed = thin_run_environment("THINPULL_SEED", 1);

	(void)state;
	if (!rounds || (seed % 8 && thin_run_every() > 1))
		skip(); /* takes a minute and hundreds of megabytes */
	random_rounds(&deep, seed, rounds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_crowds_equal_the_model),
		cmocka_unit_test(random_deep_trees_equal_the_model),
		cmocka_unit_test(a_pool_of_thin_restore_is_worked_on),
		cmocka_unit_test(a_pool_with_a_metadata_snapshot_is_worked_on),
	};

	if (getenv("THINPULL_SEED"))
		cmocka_set_test_filter("random_*");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
