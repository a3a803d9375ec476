/* SPDX-License-Identifier: Apache-2.0 */
/* The pools and the scenes; see the header. */
#include "tests/support/thin_scenes.h"

#include "tests/support/cmocka.h"

#include "pkg/base/alloc.h"
#include "tests/support/thin_cut.h"
#include "tests/support/thin_held.h"
#include "tests/support/thin_tools.h"

enum {
	SMALL_VOLUME_BLOCKS = 24,
	WIDE_VOLUME_BLOCKS = 700,
	FREE_ID = 6,
	SECOND_FREE_ID = 7,
	FIRST_CROWD_ID = 12,
	CROWD = 130, /* more than 126: the details need two levels */
};

/* A pool block of a run. */
#define BLOCK(r) ((uint64_t)(r)->block_bytes)

/* ---- pools ---- */

static void must(int rc)
{
	assert_int_equal(rc, 0);
}

static void write_blocks(struct thin_run *r, uint32_t id, uint64_t first, uint64_t n, size_t len)
{
	for (uint64_t i = 0; i < n; i++)
		must(thin_run_write(r, id, (first + i) * BLOCK(r), len));
}

static void five_thins(struct thin_run *r)
{
	must(thin_run_create(r, 1));
	write_blocks(r, 1, 0, 5, r->model.kept_bytes);
	write_blocks(r, 1, 6, 5, 600);
	must(thin_run_commit(r));
	must(thin_run_snap(r, 2, 1));
	write_blocks(r, 2, 3, 1, 900);
	write_blocks(r, 2, 14, 2, 300);
	must(thin_run_create(r, 3));
	write_blocks(r, 3, 2, 4, 5000 < r->model.kept_bytes ? 5000 : r->model.kept_bytes);
	must(thin_run_commit(r));
	must(thin_run_snap(r, 5, 3));
	write_blocks(r, 5, 2, 4, 100);
	must(thin_run_create(r, 4));
	write_blocks(r, 4, 0, 8, 2000 < r->model.kept_bytes ? 2000 : r->model.kept_bytes);
	must(thin_run_commit(r));
}

/* @kept: bytes of each block, see thin_model.h. */
static void start(struct thin_run *r, uint32_t block_bytes, uint64_t data_blocks,
		  uint64_t volume_blocks, uint32_t nr_thins, uint32_t kept)
{
	r->block_bytes = block_bytes;
	r->data_bytes = data_blocks * block_bytes;
	r->metadata_bytes = 2 << 20;
	r->no_hook = true;
	r->model = (struct thin_model){.nr_thins = nr_thins,
				       .size_bytes = volume_blocks * block_bytes - 512 * 3,
				       .block_bytes = block_bytes,
				       .kept_bytes = kept};
	thin_run_start(r);
	five_thins(r);
}

void thin_scenes_small(struct thin_run *r)
{
	*r = (struct thin_run){.seed = 1, .stride = 5};
	start(r, 64 << 10, 64, SMALL_VOLUME_BLOCKS, FIRST_CROWD_ID, 64 << 10);
}

void thin_scenes_odd(struct thin_run *r)
{
	*r = (struct thin_run){.seed = 4, .stride = 5};
	start(r, 192 << 10, 64, SMALL_VOLUME_BLOCKS, FIRST_CROWD_ID, 192 << 10);
}

void thin_scenes_huge(struct thin_run *r)
{
	*r = (struct thin_run){.seed = 5, .stride = 5};
	start(r, 1 << 30, 64, SMALL_VOLUME_BLOCKS, FIRST_CROWD_ID, 2048);
}

void thin_scenes_wide(struct thin_run *r)
{
	*r = (struct thin_run){.seed = 2, .stride = 31};
	start(r, 64 << 10, 1200, WIDE_VOLUME_BLOCKS, FIRST_CROWD_ID + CROWD, 2048);
	write_blocks(r, 1, 50, 300, 64);
	for (uint32_t i = 0; i < CROWD; i++)
		must(thin_run_snap(r, FIRST_CROWD_ID + i, 1));
	for (uint32_t i = 0; i < 4; i++)
		write_blocks(r, FIRST_CROWD_ID + 7 * i, 60, 1, 64);
	must(thin_run_commit(r));
}

void thin_scenes_crowded(struct thin_run *r)
{
	*r = (struct thin_run){.seed = 3, .stride = 5};
	start(r, 64 << 10, 64, SMALL_VOLUME_BLOCKS, 700, 64 << 10);
	for (uint32_t id = FIRST_CROWD_ID; thin_run_create(r, id) == 0;)
		id++;
	must(thin_run_commit(r));
}

/* ---- scenes ---- */

static int make_thin(struct thin_run *r)
{
	return thin_run_create(r, FREE_ID) < 0 ? -1 : thin_run_commit(r);
}

static int make_snapshot(struct thin_run *r)
{
	return thin_run_snap(r, FREE_ID, 1) < 0 ? -1 : thin_run_commit(r);
}

static int delete_private(struct thin_run *r)
{
	return thin_run_delete(r, 4) < 0 ? -1 : thin_run_commit(r);
}

static int delete_shared(struct thin_run *r)
{
	return thin_run_delete(r, 1) < 0 ? -1 : thin_run_commit(r);
}

static int delete_all(struct thin_run *r)
{
	uint32_t id;

	while (thin_run_pick(r, true, &id))
		if (thin_run_delete(r, id) < 0)
			return -1;
	return thin_run_commit(r);
}

static int write_new_in_part(struct thin_run *r)
{
	return thin_run_write(r, 4, 20 * BLOCK(r) + 100, 300) < 0 ? -1 : thin_run_commit(r);
}

static int write_new_whole(struct thin_run *r)
{
	return thin_run_write(r, 4, 16 * BLOCK(r), 3 * BLOCK(r)) < 0 ? -1 : thin_run_commit(r);
}

static int write_in_place(struct thin_run *r)
{
	return thin_run_write(r, 4, 3 * BLOCK(r) + 10, 400) < 0 ? -1 : thin_run_commit(r);
}

/* Torn over two blocks, and twice, so that there are contents between old and new. */
static int write_in_place_twice(struct thin_run *r)
{
	if (thin_run_write(r, 4, 1 * BLOCK(r) + 1000, BLOCK(r)) < 0
	    || thin_run_write(r, 4, 1 * BLOCK(r) + 3000, 9000) < 0)
		return -1;
	return thin_run_commit(r);
}

static int write_shared_in_part(struct thin_run *r)
{
	return thin_run_write(r, 1, BLOCK(r) + 77, 333) < 0 ? -1 : thin_run_commit(r);
}

static int write_shared_whole(struct thin_run *r)
{
	return thin_run_write(r, 2, 0, 3 * BLOCK(r)) < 0 ? -1 : thin_run_commit(r);
}

/* Shared, private and unmapped blocks in one call. */
static int write_over_everything(struct thin_run *r)
{
	return thin_run_write(r, 2, 100, 20 * BLOCK(r)) < 0 ? -1 : thin_run_commit(r);
}

static int write_scattered(struct thin_run *r)
{
	for (uint64_t i = 0; i < 9; i++)
		if (thin_run_write(r, 1 + (uint32_t)(i % 5), i * 7 % 23 * BLOCK(r) + i, 50) < 0)
			return -1;
	return thin_run_commit(r);
}

static int append(struct thin_run *r)
{
	for (uint64_t i = 0; i < 6; i++)
		if (thin_run_write(r, 3, (8 + i) * BLOCK(r), 512) < 0)
			return -1;
	return thin_run_commit(r);
}

static int snapshot_both_sides_written(struct thin_run *r)
{
	if (thin_run_snap(r, FREE_ID, 4) < 0 || thin_run_write(r, 4, 0, 100) < 0
	    || thin_run_write(r, FREE_ID, 50, 100) < 0 || thin_run_write(r, FREE_ID, 60, 10) < 0
	    || thin_run_snap(r, SECOND_FREE_ID, FREE_ID) < 0 || thin_run_delete(r, FREE_ID) < 0)
		return -1;
	return thin_run_commit(r);
}

/* Blocks that this transaction takes and gives back. */
static int take_and_drop(struct thin_run *r)
{
	if (thin_run_create(r, FREE_ID) < 0 || thin_run_write(r, FREE_ID, 0, 500) < 0
	    || thin_run_write(r, 1, 0, 500) < 0 || thin_run_delete(r, FREE_ID) < 0
	    || thin_run_delete(r, 1) < 0 || thin_run_write(r, 3, 20 * BLOCK(r), 500) < 0)
		return -1;
	return thin_run_commit(r);
}

static int write_six(struct thin_run *r)
{
	if (thin_run_create(r, FREE_ID) < 0)
		return -1;
	for (uint64_t i = 0; i < 6; i++)
		if (thin_run_write(r, FREE_ID, 3 * i * BLOCK(r) + 9, 400) < 0)
			return -1;
	return thin_run_commit(r);
}

/* What one commit frees, the next one hands out. With data in both, so that both are synced. */
static int use_again_what_was_freed(struct thin_run *r)
{
	if (thin_run_delete(r, 4) < 0 || thin_run_write(r, 3, 22 * BLOCK(r), 90) < 0
	    || thin_run_commit(r) < 0)
		return -1;
	return write_six(r);
}

static int use_again_what_another_one_freed(struct thin_run *r)
{
	if (thin_run_delete(r, 4) < 0 || thin_run_write(r, 3, 22 * BLOCK(r), 90) < 0
	    || thin_run_commit(r) < 0)
		return -1;
	thin_run_reopen(r);
	return write_six(r);
}

static int discard(struct thin_run *r)
{
	if (thin_run_discard(r, 4, 2 * BLOCK(r), 3 * BLOCK(r)) < 0
	    || thin_run_discard(r, 1, 0, 3 * BLOCK(r) + 5) < 0)
		return -1;
	return thin_run_commit(r);
}

static int discard_and_write(struct thin_run *r)
{
	if (thin_run_discard(r, 4, 0, 8 * BLOCK(r)) < 0
	    || thin_run_write(r, 4, 3 * BLOCK(r), 100) < 0
	    || thin_run_write(r, 2, 3 * BLOCK(r) + 100, 100) < 0
	    || thin_run_discard(r, 2, 3 * BLOCK(r), BLOCK(r)) < 0)
		return -1;
	return thin_run_commit(r);
}

/* It commits what was there before, which is nothing here. */
static int hold_metadata(struct thin_run *r)
{
	return thin_run_hold_or_release(r) < 0 ? -1 : thin_run_commit(r);
}

/* With everything shared by the metadata snapshot, and then without it again. */
static int change_what_is_held(struct thin_run *r)
{
	if (hold_metadata(r) < 0 || thin_run_write(r, 1, 100, 100) < 0 || thin_run_delete(r, 4) < 0
	    || thin_run_snap(r, FREE_ID, 3) < 0 || thin_run_discard(r, 2, 0, 2 * BLOCK(r)) < 0
	    || thin_run_commit(r) < 0 || thin_run_hold_or_release(r) < 0
	    || thin_run_write(r, 5, 100, 100) < 0)
		return -1;
	return thin_run_commit(r);
}

static int grow_data(struct thin_run *r)
{
	if (thin_run_grow(r, 5, 0) < 0 || thin_run_write(r, 4, 12 * BLOCK(r), 100) < 0)
		return -1;
	return thin_run_commit(r);
}

static int grow_metadata(struct thin_run *r)
{
	return thin_run_grow(r, 0, 100) < 0 ? -1 : thin_run_commit(r);
}

static int grow_past_bitmaps(struct thin_run *r)
{
	if (thin_run_grow(r, 20000, 17000) < 0 || thin_run_create(r, FREE_ID) < 0)
		return -1;
	return thin_run_commit(r);
}

static int nothing_but_an_id(struct thin_run *r)
{
	return thin_run_commit(r);
}

static int write_after_the_commit(struct thin_run *r)
{
	if (thin_run_snap(r, FREE_ID, 4) < 0 || thin_run_write(r, 5, 2 * BLOCK(r), 700) < 0
	    || thin_run_commit(r) < 0 || thin_run_write(r, 5, 3 * BLOCK(r) + 900, 200) < 0
	    || thin_run_write(r, 4, 0, 100) < 0)
		return -1;
	thin_run_reopen(r);
	return 0;
}

static int abort_and_do_something_else(struct thin_run *r)
{
	if (thin_run_delete(r, 1) < 0 || thin_run_write(r, 4, 100, 700) < 0
	    || thin_run_write(r, 3, 18 * BLOCK(r), 100) < 0 || thin_run_grow(r, 3, 3) < 0)
		return -1;
	thin_run_abort(r);
	if (thin_run_write(r, 3, 19 * BLOCK(r), 100) < 0)
		return -1;
	return thin_run_commit(r);
}

static int close_and_do_something_else(struct thin_run *r)
{
	if (thin_run_write(r, 2, 17 * BLOCK(r), 700) < 0 || thin_run_grow(r, 2, 20) < 0)
		return -1;
	thin_run_reopen(r);
	if (thin_run_snap(r, FREE_ID, 2) < 0 || thin_run_write(r, 2, 100, 100) < 0)
		return -1;
	return thin_run_commit(r);
}

const struct thin_scene thin_scenes[] = {
	{"make a thin", make_thin, 0},
	{"make a snapshot", make_snapshot, 0},
	{"delete a thin of its own", delete_private, 0},
	{"delete a thin that shares", delete_shared, 0},
	{"delete all", delete_all, 0},
	{"write a part of a new block", write_new_in_part, 0},
	{"write new blocks", write_new_whole, SCENE_WHOLE_BLOCKS},
	{"write in place", write_in_place, 0},
	{"write in place twice", write_in_place_twice, SCENE_WHOLE_BLOCKS},
	{"write a part of a shared block", write_shared_in_part, 0},
	{"write shared blocks", write_shared_whole, SCENE_WHOLE_BLOCKS},
	{"write over everything", write_over_everything, SCENE_WHOLE_BLOCKS},
	{"write here and there", write_scattered, 0},
	{"append", append, 0},
	{"snapshot, both sides written", snapshot_both_sides_written, 0},
	{"take and drop", take_and_drop, 0},
	{"use again what was freed", use_again_what_was_freed, 0},
	{"use again what another one freed", use_again_what_another_one_freed, SCENE_ENDS_SESSION},
	{"discard", discard, 0},
	{"discard and write", discard_and_write, 0},
	{"hold the metadata", hold_metadata, 0},
	{"change what is held", change_what_is_held, 0},
	{"grow the data", grow_data, 0},
	{"grow the metadata", grow_metadata, 0},
	{"grow both past a bitmap", grow_past_bitmaps, 0},
	{"nothing but an id", nothing_but_an_id, 0},
	{"write after the commit", write_after_the_commit, SCENE_ENDS_SESSION},
	{"abort", abort_and_do_something_else, SCENE_ENDS_SESSION},
	{"close without commit", close_and_do_something_else, SCENE_ENDS_SESSION},
};

const size_t thin_scenes_n = ARRAY_SIZE(thin_scenes);

const struct thin_scene *thin_scene(const char *name)
{
	for (size_t i = 0; i < thin_scenes_n; i++)
		if (!strcmp(thin_scenes[i].name, name))
			return &thin_scenes[i];
	fail_msg("no scene: %s", name);
	return NULL;
}

int thin_scenes_go_on(struct thin_run *r)
{
	uint64_t block = r->block_bytes;
	uint32_t id, fresh;

	assert_true(thin_run_pick(r, false, &fresh));
	if (!thin_run_pick(r, true, &id)) {
		if (thin_run_create(r, fresh) < 0)
			return -1;
	} else if (thin_run_write(r, id, 0, 700) < 0 || thin_run_snap(r, fresh, id) < 0
		   || thin_run_write(r, id, 100, 700) < 0
		   || thin_run_write(r, fresh, 2 * block + 5, 1000) < 0
		   || thin_run_delete(r, id) < 0) {
		return -1;
	}
	if (thin_run_write(r, fresh, 4 * block, 1500) < 0)
		return -1;
	return thin_run_commit(r);
}

void thin_stage_init(struct thin_stage *s, void (*make)(struct thin_run *r))
{
	make(&s->run);
	thin_run_close(&s->run);
	thin_model_copy(&s->model, &s->run.model);
	s->folder = thin_tools_folder();
	thin_cut_copy(s->run.folder, s->folder);
}

void thin_stage_release(struct thin_stage *s)
{
	thin_run_open(&s->run); /* takes a dead owner's name away */
	thin_run_end(&s->run);
	thin_model_release(&s->model);
	thin_tools_remove(&s->folder);
}

void thin_stage_set(struct thin_stage *s)
{
	struct thin_run *r = &s->run;

	thin_cut_copy(s->folder, r->folder);
	thin_model_release(&r->model);
	thin_model_copy(&r->model, &s->model);
	thin_run_forget_past(r);
	r->keep_past = true;
	r->may_fail = r->sizes_raised = false;
	r->held = r->held_committed = 0;
	r->seed = 12345;
	thin_run_open(r);
}

void thin_stage_check(struct thin_stage *s)
{
	struct thin_run *r = &s->run;

	assert_true(thin_model_settle(&r->model, r->pool));
	assert_true(thin_model_equals(&r->model, r->pool, thin_run_random(r, 4), 4));
	assert_true(thin_held_sum(r->pool) == r->held);
}
