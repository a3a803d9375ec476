/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pools that are large in some way: mappings and devices on three levels, thousands of snapshots of
 * one thin, several bitmaps of both kinds, the largest metadata, odd and huge blocks. Each is held
 * against the model, the strict check and thin_check on its way. THINPULL_SEED: another order;
 * THINPULL_EVERY=1: those that take long, too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/cmocka.h"

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/pool_internal.h"
#include "tests/support/thin_scenes.h"
#include "tests/support/thin_tools.h"

enum { BLOCK = 65536, KEPT = 64 };

static uint64_t seed(void)
{
	return thin_run_environment("THINPULL_SEED", 1);
}

static bool every_one(void)
{
	return thin_run_every() == 1;
}

/* What takes seconds is smaller where the same has been run before. */
static bool again(void)
{
	return thin_run_every() > 5;
}

static void start(struct thin_run *r, uint32_t nr_thins, uint64_t volume_blocks,
		  uint64_t data_blocks, uint64_t metadata_blocks)
{
	*r = (struct thin_run){
		.seed = seed(),
		.block_bytes = BLOCK,
		.data_bytes = data_blocks * BLOCK,
		.metadata_bytes = metadata_blocks * TF_BLOCK_BYTES,
		.no_hook = true,
		.check_every = 3,
		.stride = 199,
		.model = {.nr_thins = nr_thins,
			  .size_bytes = volume_blocks * BLOCK,
			  .block_bytes = BLOCK,
			  .kept_bytes = KEPT},
	};
	thin_run_start(r);
}

static unsigned levels_of(struct thin_run *r, uint64_t root)
{
	struct error err = {0};

	for (unsigned n = 1;; n++) {
		const uint8_t *node =
			tf_cache_read(&tf_pool_of(r->pool)->tx.cache, root, TF_NODE, &err);

		assert_non_null(node);
		if (tf_node_is_leaf(node))
			return n;
		root = tf_node_value64(node, 0);
	}
}

static unsigned levels_of_thin(struct thin_run *r, uint32_t id)
{
	struct tf_device device;
	struct error err = {0};
	uint64_t root;

	assert_ok(tf_device_find(tf_pool_of(r->pool), id, &device, &root, &err), &err);
	return levels_of(r, root);
}

static void commit(struct thin_run *r)
{
	assert_int_equal(thin_run_commit(r), 0);
}

static void delete_all_in_any_order(struct thin_run *r, unsigned commit_every)
{
	uint32_t id;

	for (unsigned n = 0; thin_run_pick(r, true, &id); n++) {
		assert_int_equal(thin_run_delete(r, id), 0);
		if (n % commit_every == commit_every - 1)
			commit(r);
	}
	commit(r);
	thin_run_check_disk(r, true);
	assert_int_equal(levels_of(r, tf_pool_of(r->pool)->sb.mapping_root), 1);
	assert_int_equal(levels_of(r, tf_pool_of(r->pool)->sb.details_root), 1);
}

/* ---- snapshots ---- */

/* Each has a leaf of its own soon, so blocks have up to 2,000 holders, far above what a byte
 * counts and one node of the overflow tree holds. */
static void thousands_of_snapshots_of_one_thin_go_in_any_order(void **state)
{
	enum { BLOCKS = 300 };
	const uint32_t snapshots = again() ? 300 : 2000;
	struct thin_run r;

	(void)state;
	start(&r, snapshots + 1, BLOCKS + 20, 6000, 16384);
	assert_int_equal(thin_run_create(&r, 0), 0);
	for (uint64_t i = 0; i < BLOCKS; i++)
		assert_int_equal(thin_run_write(&r, 0, i * BLOCK, 8), 0);
	for (uint32_t id = 1; id <= snapshots; id++) {
		uint32_t writer = thin_run_random(&r, 3) ? 0 : id;

		assert_int_equal(thin_run_snap(&r, id, 0), 0);
		assert_int_equal(thin_run_write(&r, writer,
						thin_run_random(&r, BLOCKS + 20) * BLOCK, 16),
				 0);
		if (id % 250 == 0)
			commit(&r);
	}
	thin_run_reopen(&r);
	delete_all_in_any_order(&r, 250);
	thin_run_end(&r);
}

/* Snapshots of a thin without blocks cost no block of their own. */
static void devices_on_three_levels_come_and_go(void **state)
{
	enum { DEVICES = 64000 };
	struct tf_superblock *sb;
	struct thin_run r;

	(void)state;
	if (!every_one())
		skip();
	start(&r, DEVICES, 4, 100, 16384);
	assert_int_equal(thin_run_create(&r, 0), 0);
	for (uint32_t id = 1; id < DEVICES; id++)
		assert_int_equal(thin_run_snap(&r, id, (uint32_t)thin_run_random(&r, id)), 0);
	commit(&r);
	sb = &tf_pool_of(r.pool)->sb;
	assert_int_equal(levels_of(&r, sb->mapping_root), 3);
	assert_int_equal(levels_of(&r, sb->details_root), 3);
	thin_run_check_disk(&r, true);
	for (uint32_t i = 0; i < 50; i++)
		assert_int_equal(thin_run_write(&r, i * 799, 2 * BLOCK, 30), 0);
	commit(&r);
	thin_run_reopen(&r);
	delete_all_in_any_order(&r, 9000);
	thin_run_end(&r);
}

/* ---- mappings, and bitmaps of data ---- */

enum { FAR_MAPPINGS = 70000, FAR_STEP = 3, FAR_DATA_BLOCKS = 20 * TF_BITMAP_ENTRIES - 77 };

/* Every other virtual block, on data blocks all over 20 bitmaps. */
static void write_far_xml(const char *path)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fprintf(f,
		"<superblock uuid=\"\" time=\"3\" transaction=\"1\" version=\"2\" "
		"data_block_size=\"128\" nr_data_blocks=\"%d\">\n"
		"<device dev_id=\"1\" mapped_blocks=\"%d\" transaction=\"0\" "
		"creation_time=\"0\" snap_time=\"0\">\n",
		FAR_DATA_BLOCKS, FAR_MAPPINGS);
	for (uint64_t i = 0; i < FAR_MAPPINGS; i++)
		fprintf(f,
			"<single_mapping origin_block=\"%llu\" data_block=\"%llu\" time=\"0\"/>\n",
			(unsigned long long)(2 * i),
			(unsigned long long)(i * FAR_STEP * 16001 % FAR_DATA_BLOCKS));
	fprintf(f, "</device></superblock>\n");
	assert_int_equal(fclose(f), 0);
}

/* Put in the place of what a run has just made. */
static void restore(struct thin_run *r, const char *xml)
{
	struct stat st;

	assert_int_equal(stat(r->meta, &st), 0);
	assert_true(thin_tools_restore(xml, r->meta, (unsigned long)st.st_size));
}

static void start_far(struct thin_run *r)
{
	cleanup_free char *xml = NULL;
	uint8_t zero = 0;

	start(r, 6, 2 * FAR_MAPPINGS, FAR_DATA_BLOCKS, 8192);
	thin_run_close(r);
	xml = xasprintf("%s/xml", r->folder);
	write_far_xml(xml);
	restore(r, xml);
	unlink(xml);
	thin_model_create(&r->model, 1);
	for (uint64_t i = 0; i < FAR_MAPPINGS; i++)
		thin_model_write(&r->model, 1, &zero, 1, 2 * i * BLOCK);
	thin_model_commit(&r->model, 1);
	thin_run_open(r);
	r->stride = 4001;
	thin_run_check_contents(r, 997);
}

static void write_here_and_there(struct thin_run *r, uint32_t id, unsigned n)
{
	while (n--)
		assert_int_equal(thin_run_write(r, id, thin_run_random(r, 2 * FAR_MAPPINGS) * BLOCK,
						40),
				 0);
}

static void mappings_on_three_levels_are_shared_and_go_down_and_up(void **state)
{
	uint64_t end = 2 * (uint64_t)FAR_MAPPINGS * BLOCK;
	struct thin_run r;

	(void)state;
	if (thin_tools_check_major() < 0)
		skip();
	start_far(&r);
	assert_int_equal(levels_of_thin(&r, 1), 3);
	assert_int_equal(thin_run_snap(&r, 2, 1), 0);
	write_here_and_there(&r, 1, 150);
	assert_int_equal(thin_run_snap(&r, 3, 2), 0);
	write_here_and_there(&r, 3, 150);
	commit(&r);
	thin_run_check_disk(&r, true);
	/* One by discards, from the middle on, to nothing and up again; one as it is. */
	assert_int_equal(thin_run_discard(&r, 2, end / 3, end / 3), 0);
	commit(&r);
	assert_int_equal(thin_run_discard(&r, 2, 0, end - 700 * BLOCK), 0);
	assert_int_equal(levels_of_thin(&r, 2), 2);
	commit(&r);
	assert_int_equal(thin_run_discard(&r, 2, 0, end), 0);
	assert_int_equal(levels_of_thin(&r, 2), 1);
	write_here_and_there(&r, 2, 400);
	assert_int_equal(levels_of_thin(&r, 2), 2);
	assert_int_equal(levels_of_thin(&r, 3), 3);
	assert_int_equal(thin_run_delete(&r, 1), 0);
	commit(&r);
	thin_run_reopen(&r);
	thin_run_check_contents(&r, 997);
	delete_all_in_any_order(&r, 1);
	thin_run_end(&r);
}

/* ---- the largest metadata ---- */

static void metadata_of_all_255_bitmaps_works(void **state)
{
	struct thin_run r;

	(void)state;
	if (again())
		skip();
	start(&r, 40, 400, 3 * TF_BITMAP_ENTRIES, TF_METADATA_BLOCKS_MAX);
	assert_int_equal(thin_run_create(&r, 1), 0);
	for (uint64_t i = 0; i < 300; i++)
		assert_int_equal(thin_run_write(&r, 1, i * BLOCK, 20), 0);
	assert_int_equal(thin_run_snap(&r, 2, 1), 0);
	assert_int_equal(thin_run_write(&r, 2, 5 * BLOCK, 20), 0);
	commit(&r);
	thin_run_check_disk(&r, true);
	assert_int_equal(thin_run_grow(&r, 20 * TF_BITMAP_ENTRIES, 0), 0);
	commit(&r);
	thin_run_reopen(&r);
	delete_all_in_any_order(&r, 1);
	thin_run_end(&r);
}

/* More blocks in use than the first bitmap has, in a pool that grew into its third. */
static void metadata_is_used_past_its_first_bitmap(void **state)
{
	enum { DEVICES = 17500 };
	struct thin_pool_status status;
	struct thin_run r;
	struct error err = {0};

	(void)state;
	if (!every_one())
		skip();
	start(&r, DEVICES, 4, 100, TF_BITMAP_ENTRIES - 5);
	for (uint32_t id = 0; id < DEVICES; id++) {
		if (id == 9000 || id == 13000) {
			assert_int_equal(thin_run_grow(&r, 0, TF_BITMAP_ENTRIES), 0);
			commit(&r);
		}
		assert_int_equal(thin_run_create(&r, id), 0);
	}
	commit(&r);
	assert_ok(thin_pool_status(r.pool, &status, &err), &err);
	assert_true(status.metadata_used_blocks > TF_BITMAP_ENTRIES);
	thin_run_check_disk(&r, true);
	thin_run_reopen(&r);
	for (uint32_t id = 0; id < DEVICES; id += 500)
		assert_int_equal(thin_run_write(&r, id, BLOCK, 20), 0);
	commit(&r);
	delete_all_in_any_order(&r, 2000);
	thin_run_end(&r);
}

/* ---- blocks of other sizes ---- */

static void play_all(void (*make)(struct thin_run *r), unsigned unwanted)
{
	static struct thin_stage s;

	thin_stage_init(&s, make);
	for (size_t i = 0; i < thin_scenes_n; i++) {
		if (thin_scenes[i].flags & unwanted)
			continue;
		thin_stage_set(&s);
		assert_int_equal(thin_scenes[i].run(&s.run), 0);
		assert_int_equal(thin_scenes_go_on(&s.run), 0);
		thin_run_close(&s.run);
		thin_run_check_disk(&s.run, i % 4 == 0);
	}
	thin_stage_release(&s);
}

static void blocks_of_192_kib_are_as_good(void **state)
{
	(void)state;
	play_all(thin_scenes_odd, 0);
}

static void blocks_of_1_gib_are_as_good(void **state)
{
	(void)state;
	if (!every_one())
		skip(); /* copying one takes a while, even if it is a hole */
	play_all(thin_scenes_huge, SCENE_WHOLE_BLOCKS);
}

/* ---- through thin_dump and thin_restore ---- */

static void dump_and_restore(struct thin_stage *s)
{
	cleanup_free char *meta = xasprintf("%s/meta", s->folder);
	cleanup_free char *xml = xasprintf("%s/xml", s->folder);
	struct stat st;

	assert_int_equal(stat(meta, &st), 0);
	assert_true(thin_tools_dump(meta, xml));
	assert_true(thin_tools_restore(xml, meta, (unsigned long)st.st_size));
	unlink(xml);
}

/* All kinds of changes on pools that thin_restore made of a dump of ours, and growing. */
static void a_pool_from_its_own_dump_is_worked_on(void **state)
{
	static void (*const makers[])(struct thin_run * r) = {thin_scenes_small, thin_scenes_wide};
	static struct thin_stage s;

	(void)state;
	if (thin_tools_check_major() < 0)
		skip();
	for (size_t i = 0; i < thin_scenes_n; i += thin_run_every()) {
		bool wide = i % 3 == 1 && !(thin_scenes[i].flags & SCENE_WHOLE_BLOCKS);

		thin_stage_init(&s, makers[wide]);
		dump_and_restore(&s);
		thin_stage_set(&s);
		thin_stage_check(&s);
		/* What was shared has leaves of its own now, so metadata can be short. */
		assert_int_equal(thin_run_grow(&s.run, 30000, 500), 0);
		commit(&s.run);
		assert_int_equal(thin_scenes[i].run(&s.run), 0);
		assert_int_equal(thin_scenes_go_on(&s.run), 0);
		thin_run_check_disk(&s.run, true);
		thin_run_close(&s.run);
		thin_stage_release(&s);
	}
}

/* In the smallest metadata that takes it. */
static void restore_tightly(struct thin_stage *s)
{
	cleanup_free char *meta = xasprintf("%s/meta", s->folder);
	cleanup_free char *xml = xasprintf("%s/xml", s->folder);
	unsigned long blocks = 8;

	assert_true(thin_tools_dump(meta, xml));
	while (!thin_tools_restore(xml, meta, blocks * TF_BLOCK_BYTES))
		assert_true(++blocks < 200);
	unlink(xml);
}

/* Refused before anything changes, and with room for it nothing is in the way. */
static void expect_full(struct thin_stage *s)
{
	struct thin_run *r = &s->run;

	assert_int_equal(thin_run_create(r, 6), -1);
	assert_error(&r->error, ERR_NO_SPACE, "pool metadata is full");
	assert_int_equal(thin_run_write(r, 1, 0, 10), -1);
	assert_error(&r->error, ERR_NO_SPACE, "pool metadata is full");
	assert_int_equal(thin_run_delete(r, 2), -1);
	assert_error(&r->error, ERR_NO_SPACE, "pool metadata is full");
	assert_int_equal(thin_run_grow(r, 1, 1), -1);
	assert_error(&r->error, ERR_NO_SPACE, "metadata");
	/* In place there is always room. */
	assert_int_equal(thin_run_write(r, 4, 0, 10), 0);
	thin_stage_check(s);
}

static void a_pool_without_a_free_metadata_block_can_grow(void **state)
{
	static struct thin_stage s;

	(void)state;
	if (thin_tools_check_major() < 0)
		skip();
	thin_stage_init(&s, thin_scenes_small);
	restore_tightly(&s);
	for (size_t i = 0; i < thin_scenes_n; i += thin_run_every()) {
		thin_stage_set(&s);
		expect_full(&s);
		assert_int_equal(thin_run_grow(&s.run, 0, 300), 0);
		commit(&s.run);
		assert_int_equal(thin_scenes[i].run(&s.run), 0);
		assert_int_equal(thin_scenes_go_on(&s.run), 0);
		thin_run_check_disk(&s.run, true);
		thin_run_close(&s.run);
	}
	thin_stage_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thousands_of_snapshots_of_one_thin_go_in_any_order),
		cmocka_unit_test(devices_on_three_levels_come_and_go),
		cmocka_unit_test(mappings_on_three_levels_are_shared_and_go_down_and_up),
		cmocka_unit_test(metadata_of_all_255_bitmaps_works),
		cmocka_unit_test(metadata_is_used_past_its_first_bitmap),
		cmocka_unit_test(blocks_of_192_kib_are_as_good),
		cmocka_unit_test(blocks_of_1_gib_are_as_good),
		cmocka_unit_test(a_pool_from_its_own_dump_is_worked_on),
		cmocka_unit_test(a_pool_without_a_free_metadata_block_can_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
