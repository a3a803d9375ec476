/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Repair as a whole: what it is for, cuts at every write, refusals, locks. That it does what the
 * check says, for every damage there is, is for fsck_fields_test.
 */
#include "pkg/thin/file/repair.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "pkg/thin/file/repair_internal.h"
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"
#include "tests/support/thin_fixture.h"

#define BLOCK ((uint64_t)FIXTURE_BLOCK)

/* ---- damage ---- */

static int open_meta(const struct thin_fixture *f)
{
	cleanup_free char *path = xasprintf("%s/meta", f->dir);
	int fd = open(path, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void get(int fd, uint64_t nr, uint8_t *b)
{
	struct error err = {0};

	assert_ok(fdio_pread(fd, b, TF_BLOCK_BYTES, nr * TF_BLOCK_BYTES, "meta", &err), &err);
}

static void put(int fd, uint64_t nr, enum tf_block_type type, uint8_t *b)
{
	struct error err = {0};

	tf_block_seal(b, type, nr);
	assert_ok(fdio_pwrite(fd, b, TF_BLOCK_BYTES, nr * TF_BLOCK_BYTES, "meta", &err), &err);
}

static struct tf_superblock superblock(int fd)
{
	uint8_t b[TF_BLOCK_BYTES];
	struct tf_superblock sb;

	get(fd, 0, b);
	tf_superblock_unpack(b, &sb);
	return sb;
}

static void set_superblock(int fd, const struct tf_superblock *sb)
{
	uint8_t b[TF_BLOCK_BYTES];

	get(fd, 0, b);
	tf_superblock_pack(sb, b);
	put(fd, 0, TF_SUPERBLOCK, b);
}

/* Everything seems free: the most dangerous thing there is. */
static void forget_all_counts(const struct thin_fixture *f)
{
	cleanup_fd int fd = open_meta(f);
	struct tf_superblock sb = superblock(fd);
	uint8_t b[TF_BLOCK_BYTES], zero[TF_BLOCK_BYTES] = {0};
	uint64_t data_bitmap, metadata_bitmap;

	get(fd, sb.data_sm.bitmap_root, b);
	while (!tf_node_is_leaf(b))
		get(fd, tf_node_value64(b, 0), b);
	data_bitmap = tf_node_value64(b, 0);
	get(fd, sb.metadata_sm.bitmap_root, b);
	metadata_bitmap = get_le64(b + tf_index_entry_offset(0));
	put(fd, data_bitmap, TF_BITMAP, zero);
	memset(zero, 0, sizeof(zero));
	put(fd, metadata_bitmap, TF_BITMAP, zero);
}

/* Thins 1 and 2 with 8 blocks, some shared; closed. */
static void start(struct thin_fixture *f)
{
	thin_fixture_init(f, 200, 0);
	thin_fixture_create(f, 1);
	thin_fixture_write(f, 1, 0, 8 * BLOCK, 1);
	thin_fixture_snap(f, 2, 1);
	thin_fixture_write(f, 2, 2 * BLOCK, 2 * BLOCK, 2);
	thin_fixture_commit(f);
	thin_fixture_close(f);
}

static void expect_content(struct thin_fixture *f)
{
	thin_fixture_open(f, THIN_FILE_WRITE);
	thin_fixture_check(f);
	thin_fixture_expect(f, 1, 0, 8 * BLOCK, 1);
	thin_fixture_expect(f, 2, 2 * BLOCK, 2 * BLOCK, 2);
	thin_fixture_expect(f, 2, 4 * BLOCK, 4 * BLOCK, 1);
}

static enum thin_repair_outcome repair(const struct thin_fixture *f, bool dry_run)
{
	const struct thin_repair_how how = {.dry_run = dry_run};
	cleanup(thin_findings_release) struct thin_findings found = {0};
	enum thin_repair_outcome outcome = THIN_REPAIR_CLEAN;
	struct error err = {0};

	assert_ok(thin_file_repair(f->dir, &how, &outcome, &found, &err), &err);
	assert_int_equal(outcome == THIN_REPAIR_CLEAN, found.total == 0);
	assert_int_equal(outcome == THIN_REPAIR_REFUSED, found.unrepairable > 0);
	return outcome;
}

/* ---- what it is for ---- */

static void a_pool_that_counts_nothing_is_as_good_as_new(void **state)
{
	struct thin_fixture f;

	(void)state;
	start(&f);
	forget_all_counts(&f);
	assert_int_equal(repair(&f, true), THIN_REPAIR_POSSIBLE);
	assert_int_equal(repair(&f, false), THIN_REPAIR_DONE);
	assert_int_equal(repair(&f, false), THIN_REPAIR_CLEAN);
	expect_content(&f);
	/* Nothing that is in use is handed out. */
	thin_fixture_create(&f, 3);
	thin_fixture_write(&f, 3, 0, 100 * BLOCK, 3);
	thin_fixture_commit(&f);
	thin_fixture_reopen(&f);
	thin_fixture_expect(&f, 1, 0, 8 * BLOCK, 1);
	thin_fixture_expect(&f, 2, 2 * BLOCK, 2 * BLOCK, 2);
	thin_fixture_check(&f);
	thin_fixture_release(&f);
}

static void leaked_data_goes_back_to_the_host(void **state)
{
	struct thin_fixture f;
	struct error err = {0};
	uint64_t first, n, sectors;

	(void)state;
	start(&f);
	sectors = thin_fixture_sectors(&f, "data");
	thin_fixture_open(&f, THIN_FILE_WRITE);
	assert_ok(tf_spacemap_alloc(&tf_pool_of(f.pool)->tx.data, 5, &first, &n, &err), &err);
	thin_fixture_commit(&f);
	for (uint64_t i = first; i < first + n; i++)
		assert_ok(tf_data_write(&tf_pool_of(f.pool)->data, "x", 1, i * BLOCK, &err), &err);
	thin_fixture_close(&f);
	assert_true(thin_fixture_sectors(&f, "data") > sectors);
	assert_int_equal(repair(&f, false), THIN_REPAIR_DONE);
	assert_int_equal(thin_fixture_sectors(&f, "data"), sectors);
	expect_content(&f);
	thin_fixture_release(&f);
}

static void leaked_metadata_makes_the_room_for_its_own_repair(void **state)
{
	struct thin_fixture f;
	struct error err = {0};
	struct tf_spacemap *sm;
	uint64_t first, n;

	(void)state;
	start(&f);
	thin_fixture_open(&f, THIN_FILE_WRITE);
	sm = &tf_pool_of(f.pool)->tx.metadata;
	assert_ok(tf_spacemap_alloc(sm, tf_spacemap_available(sm) - 4, &first, &n, &err), &err);
	thin_fixture_commit(&f);
	thin_fixture_close(&f);
	assert_int_equal(repair(&f, false), THIN_REPAIR_DONE);
	expect_content(&f);
	thin_fixture_release(&f);
}

static void flags_and_lengths_and_stale_numbers_are_put_right(void **state)
{
	struct thin_fixture f;
	struct tf_superblock sb;
	int fd;

	(void)state;
	start(&f);
	fd = open_meta(&f);
	sb = superblock(fd);
	sb.flags = TF_FLAG_NEEDS_CHECK;
	sb.metadata_blocks = 0;
	set_superblock(fd, &sb);
	assert_int_equal(ftruncate(fd, (off_t)(sb.metadata_sm.nr_blocks + 3) * TF_BLOCK_BYTES), 0);
	assert_int_equal(repair(&f, false), THIN_REPAIR_DONE);
	assert_int_equal(superblock(fd).flags, 0);
	assert_int_equal(superblock(fd).metadata_blocks, sb.metadata_sm.nr_blocks);
	assert_int_equal(lseek(fd, 0, SEEK_END), sb.metadata_sm.nr_blocks * TF_BLOCK_BYTES);
	close(fd);
	expect_content(&f);
	thin_fixture_release(&f);
}

/* ---- cuts ---- */

struct cut {
	unsigned left;
};

static int before(void *context, enum tf_io io, uint64_t at)
{
	struct cut *cut = context;

	(void)io;
	(void)at;
	if (!cut->left)
		return EIO;
	cut->left--;
	return 0;
}

static int repair_cut(const struct thin_fixture *f, unsigned writes)
{
	cleanup(tf_pool_free_ptr) struct tf_pool *p = tf_pool_new(f->dir, true);
	cleanup(thin_findings_release) struct thin_findings found = {0};
	struct cut cut = {writes};
	enum thin_repair_outcome outcome;
	struct error err = {0};

	assert_ok(tf_pool_take_files(p, 0, &err), &err);
	p->tx.cache.hook = (struct tf_fault_hook){before, &cut};
	return tf_repair_files(p, &outcome, &found, &err);
}

static bool same_findings(const struct thin_findings *a, const struct thin_findings *b)
{
	if (a->total != b->total || a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->items[i].kind, b->items[i].kind) != 0
		    || strcmp(a->items[i].where, b->items[i].where) != 0
		    || strcmp(a->items[i].text, b->items[i].text) != 0)
			return false;
	return true;
}

static void a_repair_cut_at_any_write_leaves_the_pool_as_it_was(void **state)
{
	struct thin_findings first = {0}, now = {0};
	struct thin_fixture f;
	struct error err = {0};
	unsigned cuts = 0;

	(void)state;
	start(&f);
	forget_all_counts(&f);
	assert_ok(thin_file_check(f.dir, 0, &first, &err), &err);
	for (; repair_cut(&f, cuts) < 0; cuts++) {
		assert_ok(thin_file_check(f.dir, 0, &now, &err), &err);
		assert_true(same_findings(&first, &now));
		thin_findings_release(&now);
	}
	assert_true(cuts > 7);
	thin_findings_release(&first);
	expect_content(&f);
	thin_fixture_release(&f);
}

/* ---- refusals ---- */

static void expect_refusal(struct thin_fixture *f)
{
	cleanup_free char *path = xasprintf("%s/meta", f->dir);
	cleanup_free char *was = NULL, *is = NULL;
	size_t len, len_now;

	was = scratch_read(path, &len);
	assert_int_equal(repair(f, true), THIN_REPAIR_REFUSED);
	assert_int_equal(repair(f, false), THIN_REPAIR_REFUSED);
	is = scratch_read(path, &len_now);
	assert_int_equal(len, len_now);
	assert_memory_equal(was, is, len);
}

static void a_damaged_tree_is_refused_with_nothing_changed(void **state)
{
	struct thin_fixture f;
	struct tf_superblock sb;
	uint8_t b[TF_BLOCK_BYTES];
	uint64_t root;
	int fd;

	(void)state;
	start(&f);
	forget_all_counts(&f); /* which alone would be repairable */
	fd = open_meta(&f);
	sb = superblock(fd);
	get(fd, sb.mapping_root, b);
	root = tf_node_value64(b, 0);
	get(fd, root, b);
	tf_node_set_key(b, 1, 0);
	put(fd, root, TF_NODE, b);
	close(fd);
	expect_refusal(&f);
	thin_fixture_open(&f, THIN_FILE_READ);
	thin_fixture_release(&f);
}

static void no_room_for_new_maps_is_an_error_with_nothing_changed(void **state)
{
	const struct thin_repair_how how = {0};
	struct thin_findings found = {0};
	enum thin_repair_outcome outcome;
	struct thin_fixture f;
	struct error err = {0};

	(void)state;
	thin_fixture_init(&f, 16320, 2 << 20);
	/* So many bitmaps that there is no room for them a second time. */
	for (uint64_t n = 90; n <= 210; n += 60) {
		assert_ok(thin_file_grow(f.pool, n * 16320 * BLOCK, 0, &err), &err);
		thin_fixture_commit(&f);
	}
	for (uint32_t id = 2; id < 130; id++)
		thin_fixture_create(&f, id);
	thin_fixture_create(&f, 1);
	thin_fixture_write(&f, 1, 0, 8 * BLOCK, 1);
	thin_fixture_commit(&f);
	thin_fixture_close(&f);
	forget_all_counts(&f);
	assert_int_equal(thin_file_repair(f.dir, &how, &outcome, &found, &err), -1);
	assert_error(&err, ERR_NO_SPACE, "metadata is full");
	assert_int_equal(repair(&f, true), THIN_REPAIR_POSSIBLE);
	thin_fixture_open(&f, THIN_FILE_READ);
	thin_fixture_expect(&f, 1, 0, 8 * BLOCK, 1);
	thin_fixture_release(&f);
}

/* ---- others ---- */

static void a_writer_keeps_repair_out(void **state)
{
	const struct thin_repair_how how = {.lock_timeout_ms = 10};
	struct thin_findings found = {0};
	enum thin_repair_outcome outcome;
	struct thin_fixture f;
	struct error err = {0};

	(void)state;
	start(&f);
	thin_fixture_open(&f, THIN_FILE_WRITE);
	assert_int_equal(thin_file_repair(f.dir, &how, &outcome, &found, &err), -1);
	assert_error(&err, ERR_BUSY, "(test)");
	thin_fixture_release(&f);
	assert_int_equal(thin_file_repair("/nonexistent", &how, &outcome, &found, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "no pool");
}

static void a_reader_finds_the_repaired_state(void **state)
{
	struct thin_fixture f;

	(void)state;
	start(&f);
	forget_all_counts(&f);
	thin_fixture_open(&f, THIN_FILE_READ);
	thin_fixture_expect(&f, 1, 0, 8 * BLOCK, 1);
	assert_int_equal(repair(&f, false), THIN_REPAIR_DONE);
	thin_fixture_expect(&f, 1, 0, 8 * BLOCK, 1);
	assert_int_equal(thin_fixture_status(&f).data_used_blocks, 10);
	thin_fixture_release(&f);
}

/* The next writer would punch out what a damaged map calls free. */
static void a_killed_writer_s_name_goes_with_the_damage_and_not_before(void **state)
{
	struct thin_fixture f;
	cleanup_free char *owner = NULL;
	struct error err = {0};

	(void)state;
	start(&f);
	owner = xasprintf("%s/owner", f.dir);
	forget_all_counts(&f);
	assert_ok(fdio_replace_file(owner, "1 test -\n", 9, &err), &err);
	assert_int_equal(repair_cut(&f, 2), -1);
	assert_true(scratch_exists(owner));
	assert_int_equal(repair(&f, false), THIN_REPAIR_DONE);
	assert_false(scratch_exists(owner));
	expect_content(&f);
	thin_fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pool_that_counts_nothing_is_as_good_as_new),
		cmocka_unit_test(leaked_data_goes_back_to_the_host),
		cmocka_unit_test(leaked_metadata_makes_the_room_for_its_own_repair),
		cmocka_unit_test(flags_and_lengths_and_stale_numbers_are_put_right),
		cmocka_unit_test(a_repair_cut_at_any_write_leaves_the_pool_as_it_was),
		cmocka_unit_test(a_damaged_tree_is_refused_with_nothing_changed),
		cmocka_unit_test(no_room_for_new_maps_is_an_error_with_nothing_changed),
		cmocka_unit_test(a_writer_keeps_repair_out),
		cmocka_unit_test(a_reader_finds_the_repaired_state),
		cmocka_unit_test(a_killed_writer_s_name_goes_with_the_damage_and_not_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
