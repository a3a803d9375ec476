/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each kind of change with data or metadata running out at each allocation that it makes: it says
 * which is full, the last commit is there again, and with more room it works. Then the same with
 * pools that really have so much left and no more. THINPULL_EVERY=1: all of them.
 */
#include <stdio.h>

#include "tests/support/cmocka.h"

#include "pkg/base/alloc.h"
#include "pkg/thin/file/fault_internal.h"
#include "tests/support/thin_scenes.h"

/* ---- a map says that it is full ---- */

struct shortage {
	const char *map;
	uint64_t left; /* so many blocks are handed out, */
	bool once;     /* and then one is not, or none any more */
	uint64_t asked;
};

static bool is_full(void *context, const char *map)
{
	struct shortage *s = context;
	uint64_t n;

	if (strcmp(map, s->map) != 0)
		return false;
	n = s->asked++;
	return n == s->left || (n > s->left && !s->once);
}

static void check_error(const struct thin_run *r, const char *map)
{
	char want[64];

	snprintf(want, sizeof(want), "pool %s is full", map);
	assert_error(&r->error, ERR_NO_SPACE, want);
}

/* As at the last commit, and not a block lost. */
static void back_to_the_commit(struct thin_stage *s)
{
	struct thin_run *r = &s->run;
	struct error err = {0};

	if (thin_pool_abort(r->pool, &err) < 0) {
		assert_error(&err, ERR_NO_SPACE, "an earlier commit failed");
		thin_run_close(r);
		thin_run_check_disk(r, false);
		thin_run_open(r);
	}
	thin_model_abort(&r->model);
	r->held = r->held_committed;
	thin_run_check_disk(r, false);
	thin_stage_check(s);
}

/* How often the scene asks for a block when there are enough. */
static uint64_t count_allocations(struct thin_stage *s, const struct thin_scene *scene,
				  const char *map)
{
	struct shortage count = {.map = map, .left = UINT64_MAX};

	thin_stage_set(s);
	tf_pool_set_full_hook(s->run.pool, (struct tf_full_hook){is_full, &count});
	assert_int_equal(scene->run(&s->run), 0);
	thin_run_close(&s->run);
	return count.asked;
}

static void run_short(struct thin_stage *s, const struct thin_scene *scene, const char *map,
		      uint64_t left, bool once)
{
	struct shortage shortage = {.map = map, .left = left, .once = once};
	struct thin_run *r = &s->run;

	thin_stage_set(s);
	tf_pool_set_full_hook(r->pool, (struct tf_full_hook){is_full, &shortage});
	if (scene->run(r) == 0)
		fail_msg("%s: worked without %s block %llu", scene->name, map,
			 (unsigned long long)left);
	check_error(r, map);
	back_to_the_commit(s);
	tf_pool_set_full_hook(r->pool, (struct tf_full_hook){0});
	/* A scene of several commits can be behind its first one. */
	assert_int_equal(r->n_past ? thin_scenes_go_on(r) : scene->run(r), 0);
	thin_run_close(r);
}

static void run_out_everywhere(void (*make)(struct thin_run *r), unsigned unwanted, unsigned every)
{
	static const char *const maps[] = {"data", "metadata"};
	static struct thin_stage s;
	uint64_t done = 0;

	thin_stage_init(&s, make);
	for (size_t i = 0; i < thin_scenes_n * ARRAY_SIZE(maps); i++) {
		const struct thin_scene *scene = &thin_scenes[i / ARRAY_SIZE(maps)];
		const char *map = maps[i % ARRAY_SIZE(maps)];
		uint64_t n;

		if (scene->flags & unwanted)
			continue;
		n = count_allocations(&s, scene, map);
		for (uint64_t left = i % every; left < n; left += every, done++)
			run_short(&s, scene, map, left, left % 2);
	}
	print_message("%llu times\n", (unsigned long long)done);
	thin_stage_release(&s);
}

static void any_allocation_may_find_nothing(void **state)
{
	(void)state;
	run_out_everywhere(thin_scenes_small, SCENE_ENDS_SESSION, thin_run_every());
}

static void so_it_is_with_large_trees(void **state)
{
	(void)state;
	run_out_everywhere(thin_scenes_wide, SCENE_ENDS_SESSION | SCENE_WHOLE_BLOCKS,
			   thin_run_every());
}

/* ---- pools that have so much left ---- */

/* True: it worked. False: it said that this is full, and nothing has changed. */
static bool works_or_changes_nothing(struct thin_stage *s, const struct thin_scene *scene,
				     const char *map)
{
	if (scene->run(&s->run) == 0)
		return true;
	check_error(&s->run, map);
	back_to_the_commit(s);
	return false;
}

enum { FIRST_FILLER_ID = 10, SECOND_FILLER_ID = 11, FILLER_BLOCKS = 20 };

/* Take all data blocks but so many. */
static void leave_data(struct thin_run *r, uint64_t left)
{
	struct thin_pool_status status;
	struct error err = {0};
	uint64_t n;

	assert_ok(thin_pool_status(r->pool, &status, &err), &err);
	n = status.data_total_blocks - status.data_used_blocks - left;
	assert_true(n <= 2 * FILLER_BLOCKS);
	assert_int_equal(thin_run_create(r, FIRST_FILLER_ID), 0);
	assert_int_equal(thin_run_create(r, SECOND_FILLER_ID), 0);
	for (uint64_t i = 0; i < n; i++)
		assert_int_equal(thin_run_write(r, FIRST_FILLER_ID + (uint32_t)(i / FILLER_BLOCKS),
						i % FILLER_BLOCKS * r->block_bytes, 10),
				 0);
	assert_int_equal(thin_run_commit(r), 0);
	thin_run_forget_past(r);
}

static void delete_fillers(struct thin_run *r)
{
	assert_int_equal(thin_run_delete(r, FIRST_FILLER_ID), 0);
	assert_int_equal(thin_run_delete(r, SECOND_FILLER_ID), 0);
	assert_int_equal(thin_run_commit(r), 0);
}

/* From none left to as many as the scene needs. */
static uint64_t run_out_of_data(struct thin_stage *s, const struct thin_scene *scene)
{
	unsigned every = (thin_run_every() + 3) / 4;
	struct thin_run *r = &s->run;
	uint64_t left, done = 0;
	bool worked = false;

	for (left = 0; !worked; left += every, done++) {
		thin_stage_set(s);
		leave_data(r, left);
		worked = works_or_changes_nothing(s, scene, "data");
		if (!worked && !r->n_past) {
			delete_fillers(r);
			assert_int_equal(scene->run(r), 0);
		}
		thin_run_close(r);
	}
	return done;
}

static void any_number_of_data_blocks_may_be_left(void **state)
{
	static struct thin_stage s;
	uint64_t done = 0;

	(void)state;
	thin_stage_init(&s, thin_scenes_small);
	for (size_t i = 0; i < thin_scenes_n; i += (thin_run_every() + 3) / 4)
		if (!(thin_scenes[i].flags & SCENE_ENDS_SESSION))
			done += run_out_of_data(&s, &thin_scenes[i]);
	print_message("%llu times\n", (unsigned long long)done);
	thin_stage_release(&s);
}

/* From none left but the reserve to as many as the scene needs. */
static uint64_t run_out_of_metadata(struct thin_stage *s, const struct thin_scene *scene,
				    uint64_t more, uint64_t every)
{
	struct thin_run *r = &s->run;
	bool worked = false;
	uint64_t done;

	for (done = 0; !worked; done++, more += every) {
		assert_true(more < 400);
		thin_stage_set(s);
		if (more) {
			assert_int_equal(thin_run_grow(r, 0, more), 0);
			assert_int_equal(thin_run_commit(r), 0);
			thin_run_forget_past(r);
		}
		worked = works_or_changes_nothing(s, scene, "metadata");
		if (!worked && !r->n_past) {
			assert_int_equal(thin_run_grow(r, 0, 400), 0);
			assert_int_equal(thin_run_commit(r), 0);
			assert_int_equal(scene->run(r), 0);
		}
		thin_run_close(r);
	}
	return done;
}

static void any_number_of_metadata_blocks_may_be_left(void **state)
{
	unsigned every = 4 * thin_run_every() - 3;
	static struct thin_stage s;
	uint64_t done = 0;

	(void)state;
	thin_stage_init(&s, thin_scenes_crowded);
	for (size_t i = 0; i < thin_scenes_n; i += (thin_run_every() + 3) / 4)
		if (!(thin_scenes[i].flags & SCENE_ENDS_SESSION))
			done += run_out_of_metadata(&s, &thin_scenes[i], i % every, every);
	print_message("%llu times\n", (unsigned long long)done);
	thin_stage_release(&s);
}

/* Delete until that is refused; a commit then makes room for more. */
static void deleting_works_when_everything_is_full(void **state)
{
	static struct thin_stage s;
	struct thin_run *r = &s.run;
	struct error err = {0};
	uint32_t id;

	(void)state;
	thin_stage_init(&s, thin_scenes_crowded);
	thin_stage_set(&s);
	while (thin_run_pick(r, true, &id)) {
		unsigned n = 0;

		do {
			if (thin_pool_delete(r->pool, id, &err) < 0)
				break;
			thin_model_delete(&r->model, id);
		} while (++n < 100 && thin_run_pick(r, true, &id));
		if (!n)
			fail_msg("thin %u: %s", id, err.cause);
		assert_int_equal(thin_run_commit(r), 0);
	}
	thin_run_close(r);
	thin_stage_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_allocation_may_find_nothing),
		cmocka_unit_test(so_it_is_with_large_trees),
		cmocka_unit_test(any_number_of_data_blocks_may_be_left),
		cmocka_unit_test(any_number_of_metadata_blocks_may_be_left),
		cmocka_unit_test(deleting_works_when_everything_is_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
