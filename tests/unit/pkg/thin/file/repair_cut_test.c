/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A repair cut at every write and sync, by a kill or by the power with any part of what was not
 * synced on the disk: the damage is as it was or gone, another repair ends it, and no byte of a
 * device has changed. THINPULL_CUTS, THINPULL_SEED as in power_test.c.
 */
#include <fcntl.h>
#include <unistd.h>

#include "tests/support/cmocka.h"

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/format.h"
#include "pkg/thin/file/repair.h"
#include "tests/support/thin_cut.h"
#include "tests/support/thin_disk_calls.h"
#include "tests/support/thin_scenes.h"
#include "tests/support/thin_tools.h"

static void read_block(int fd, uint64_t nr, uint8_t *block)
{
	assert_int_equal(pread(fd, block, TF_BLOCK_BYTES, (off_t)(nr * TF_BLOCK_BYTES)),
			 TF_BLOCK_BYTES);
}

static void write_sealed(int fd, uint64_t nr, enum tf_block_type type, uint8_t *block)
{
	tf_block_seal(block, type, nr);
	assert_int_equal(pwrite(fd, block, TF_BLOCK_BYTES, (off_t)(nr * TF_BLOCK_BYTES)),
			 TF_BLOCK_BYTES);
}

/* Blocks that nobody has are counted, others too low, and the sum is wrong; the files are long. */
static void damage(const char *folder)
{
	cleanup_free char *meta = xasprintf("%s/meta", folder);
	cleanup_free char *data = xasprintf("%s/data", folder);
	cleanup_fd int fd = open(meta, O_RDWR | O_CLOEXEC);
	uint8_t block[TF_BLOCK_BYTES];
	struct tf_index_entry entry;
	struct tf_superblock sb;

	assert_true(fd >= 0);
	read_block(fd, 0, block);
	tf_superblock_unpack(block, &sb);
	sb.data_sm.nr_allocated += 3;
	tf_superblock_pack(&sb, block);
	write_sealed(fd, 0, TF_SUPERBLOCK, block);
	read_block(fd, sb.data_sm.bitmap_root, block);
	tf_index_entry_unpack(tf_node_value_const(block, 0), &entry);
	read_block(fd, entry.bitmap, block);
	tf_bitmap_set(block, 0, 2);
	tf_bitmap_set(block, 5, 1);
	tf_bitmap_set(block, 60, 2);
	write_sealed(fd, entry.bitmap, TF_BITMAP, block);
	assert_int_equal(truncate(data, 70 * 65536), 0);
}

static uint64_t findings_in(const struct thin_run *r)
{
	cleanup(thin_findings_release) struct thin_findings found = {0};
	struct error err = {0};

	assert_ok(thin_file_check(r->folder, 0, &found, &err), &err);
	return found.total;
}

static enum thin_repair_outcome repair(const struct thin_run *r)
{
	cleanup(thin_findings_release) struct thin_findings found = {0};
	const struct thin_repair_how how = {0};
	enum thin_repair_outcome outcome;
	struct error err = {0};

	assert_ok(thin_file_repair(r->folder, &how, &outcome, &found, &err), &err);
	return outcome;
}

/* What the next one finds, who repairs it and then works with it. */
static void judge(struct thin_stage *s, const char *image)
{
	struct thin_run *r = &s->run;
	enum thin_repair_outcome outcome;

	thin_cut_copy(image, r->folder);
	outcome = repair(r);
	assert_true(outcome == THIN_REPAIR_DONE || outcome == THIN_REPAIR_CLEAN);
	assert_int_equal(findings_in(r), 0);
	thin_run_open(r);
	thin_stage_check(s);
	assert_int_equal(thin_scenes_go_on(r), 0);
	thin_run_close(r);
	thin_model_release(&r->model);
	thin_model_copy(&r->model, &s->model);
}

static uint64_t judge_cuts(struct thin_stage *s, const struct thin_disk *disk, char *image)
{
	uint64_t seed = thin_run_environment("THINPULL_SEED", 1), done = 0;
	uint64_t powers = thin_run_environment("THINPULL_CUTS", 20);

	for (uint64_t step = 0; step <= disk->n_steps; step++) {
		struct thin_cut cut = {.step = step};
		uint64_t n = thin_disk_is_sync(disk, step) ? powers : 0;

		for (uint64_t i = 0; i <= n; i++, done++) {
			cut.power = i > 0;
			cut.unit_bytes = i % 2 ? DISK_UNIT_BYTES : DISK_SECTOR_BYTES;
			cut.seed = seed + i;
			thin_cut_image(disk, &cut, image);
			judge(s, image);
		}
	}
	return done;
}

static void a_repair_can_be_cut_anywhere(void **state)
{
	static struct thin_stage s;
	static struct thin_disk disk;
	char *repaired = thin_tools_folder(), *image = thin_tools_folder();
	struct thin_run there;

	(void)state;
	thin_stage_init(&s, thin_scenes_small);
	there = (struct thin_run){.folder = repaired};
	thin_cut_copy(s.folder, repaired);
	damage(repaired);
	assert_true(findings_in(&there) > 3);
	thin_disk_watch(&disk, repaired);
	assert_int_equal(repair(&there), THIN_REPAIR_DONE);
	assert_true(thin_disk_superblocks(&disk, disk.n_steps, true) > 0);
	print_message("%llu images\n", (unsigned long long)judge_cuts(&s, &disk, image));
	thin_disk_release(&disk);
	thin_stage_release(&s);
	thin_tools_remove(&repaired);
	thin_tools_remove(&image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_repair_can_be_cut_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
