/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each kind of change, with the process killed at every write and sync, and the power cut with any
 * part of what was not synced on the disk, of each file for itself. THINPULL_CUTS: how many power
 * cuts of each window between two syncs; THINPULL_SEED: other ones; THINPULL_EVERY=1: all kills.
 */
#include <errno.h>
#include <stdlib.h>

#include "tests/support/cmocka.h"

#include "tests/support/thin_disk_calls.h"
#include "tests/support/thin_power.h"
#include "tests/support/thin_scenes.h"

static uint64_t seed(void)
{
	return thin_run_environment("THINPULL_SEED", 1);
}

static void cut_everywhere(struct thin_power *p, void (*make)(struct thin_run *r),
			   unsigned unwanted, uint64_t images_max)
{
	uint64_t made = 0, found[2] = {0};

	for (size_t i = 0; i < thin_scenes_n; i++) {
		struct thin_run r;

		if (thin_scenes[i].flags & unwanted)
			continue;
		make(&r);
		thin_power_start(p, &r);
		assert_int_equal(thin_scenes[i].run(&r), 0);
		if (!thin_power_judge_all(p, images_max, seed() + i))
			fail_msg("%s, THINPULL_SEED=%llu", thin_scenes[i].name,
				 (unsigned long long)seed());
		made += p->images;
		found[0] += p->found[0];
		found[1] += p->found[1];
		thin_power_end(p);
		thin_run_end(&r);
	}
	print_message("%llu images: %llu as before, %llu as after; seed %llu\n",
		      (unsigned long long)made, (unsigned long long)found[0],
		      (unsigned long long)found[1], (unsigned long long)seed());
	assert_true(found[0] && found[1]);
}

static void small_changes_survive_any_cut(void **state)
{
	static struct thin_power p = {.go_on_every = 7,
				      .check_every = 23,
				      .again_every = 29,
				      .stride = 4};

	(void)state;
	p.killed_every = thin_run_every();
	cut_everywhere(&p, thin_scenes_small, 0, thin_run_environment("THINPULL_CUTS", 2));
}

static void changes_of_large_trees_survive_any_cut(void **state)
{
	static struct thin_power p = {.go_on_every = 13,
				      .check_every = 31,
				      .again_every = 47,
				      .stride = 97};

	(void)state;
	p.killed_every = 4 * thin_run_every();
	cut_everywhere(&p, thin_scenes_wide, SCENE_WHOLE_BLOCKS,
		       (thin_run_environment("THINPULL_CUTS", 1) + 3) / 4);
}

/* ---- that a missing sync would be found ---- */

static bool is_good_without(uint64_t lost_syncs, const struct thin_scene *scene, bool can_punch)
{
	static struct thin_power p = {.killed_every = 1, .stride = 1};
	struct thin_run r;
	bool good;

	thin_scenes_small(&r);
	thin_power_start(&p, &r);
	p.disk.lost_syncs = lost_syncs;
	p.disk.fault.kinds = can_punch ? 0 : 1 << DISK_PUNCH;
	p.disk.fault.sys = EOPNOTSUPP;
	assert_int_equal(scene->run(&r), 0);
	p.disk.fault.kinds = 0;
	/* With the usual seed so many are enough; with others nothing must be left to chance. */
	good = thin_power_judge_all(&p, seed() == 1 ? 16 : 100, seed());
	thin_power_end(&p);
	thin_run_end(&r);
	return good;
}

/* Two commits are six syncs: data, metadata and superblock, twice. Nothing depends on the last one
 * but the caller's trust. */
static void a_sync_that_is_left_out_shows(void **state)
{
	const struct thin_scene *scene = thin_scene("use again what was freed");

	(void)state;
	print_message("complaints are wanted here\n");
	assert_true(is_good_without(0, scene, true));
	for (unsigned i = 0; i < 5; i++)
		assert_false(is_good_without(UINT64_C(1) << i, scene, true));
}

/* The first commit is killed before the last sync, and so before it punches holes; the next owner
 * syncs when it opens. */
static void a_superblock_is_synced_before_others_build_on_it(void **state)
{
	const struct thin_scene *scene = thin_scene("use again what another one freed");

	(void)state;
	assert_true(is_good_without(1 << 2, scene, false));
	assert_false(is_good_without(1 << 2 | 1 << 3, scene, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_changes_survive_any_cut),
		cmocka_unit_test(changes_of_large_trees_survive_any_cut),
		cmocka_unit_test(a_sync_that_is_left_out_shows),
		cmocka_unit_test(a_superblock_is_synced_before_others_build_on_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
