/* SPDX-License-Identifier: Apache-2.0 */
/* The metadata snapshot: what thin_dump reads from it stays, whatever is done to the pool, and
 * nothing of it is left when it is released. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/pool_internal.h"
#include "tests/support/cmocka.h"
#include "tests/support/thin_fixture.h"
#include "tests/support/thin_tools.h"

#define BLOCK ((uint64_t)FIXTURE_BLOCK)

static struct thin_fixture f;
static struct error err;

/* What thin_dump says of the devices; without the first line, which has sizes. Owned. */
static char *dump(const char *option)
{
	cleanup_free char *command = xasprintf("thin_dump %s %s/meta", option, f.dir);
	struct buffer text = {0};
	FILE *pipe = popen(command, "re");
	char line[256];

	assert_non_null(pipe);
	while (fgets(line, sizeof(line), pipe))
		if (strncmp(line, "<superblock", 11) != 0)
			buffer_printf(&text, "%s", line);
	assert_int_equal(pclose(pipe), 0);
	assert_non_null(text.data);
	return (char *)text.data;
}

static int clear_error(void **state)
{
	(void)state;
	error_clear(&err);
	return 0;
}

/* Three devices, of which one has shared mappings on two levels. */
static void start(void)
{
	thin_fixture_init(&f, 3000, 0);
	for (uint32_t id = 1; id <= 2; id++) {
		thin_fixture_create(&f, id);
		thin_fixture_write(&f, id, 0, 400 * BLOCK, id);
	}
	thin_fixture_snap(&f, 3, 1);
	thin_fixture_commit(&f);
}

static void reserve(void)
{
	assert_ok(thin_pool_reserve_metadata_snap(f.pool, &err), &err);
}

static void release(void)
{
	assert_ok(thin_pool_release_metadata_snap(f.pool, &err), &err);
}

static void discard(uint32_t id, uint64_t first, uint64_t n)
{
	struct thin_volume *v;

	assert_ok(thin_pool_open_volume(f.pool, id, 5000 * BLOCK, true, &v, &err), &err);
	assert_ok(thin_volume_discard(v, first * BLOCK, n * BLOCK, &err), &err);
	thin_volume_close(v);
}

/* One of each kind of change, by number; false = no such number. */
static bool change(unsigned i)
{
	switch (i) {
	case 0:
		thin_fixture_write(&f, 2, 100 * BLOCK, 2 * BLOCK, 8); /* private, in place */
		break;
	case 1:
		thin_fixture_write(&f, 3, 100 * BLOCK, 2 * BLOCK, 9); /* shared */
		break;
	case 2:
		discard(1, 20, 350);
		break;
	case 3:
		thin_fixture_snap(&f, 4, 2);
		break;
	case 4:
		thin_fixture_write(&f, 4, 399 * BLOCK, 300 * BLOCK, 4);
		break;
	case 5:
		thin_fixture_delete(&f, 1);
		break;
	case 6:
		thin_fixture_create(&f, 5);
		break;
	case 7:
		discard(2, 0, 5000);
		break;
	case 8:
		thin_fixture_delete(&f, 2);
		break;
	case 9:
		thin_fixture_delete(&f, 3);
		break;
	case 10:
		thin_fixture_delete(&f, 4);
		break;
	case 11:
		thin_fixture_delete(&f, 5);
		break;
	default:
		return false;
	}
	return true;
}

static void what_is_held_stays_whatever_is_changed(void **state)
{
	cleanup_free char *before = NULL;

	(void)state;
	if (thin_tools_check_major() < 0)
		skip();
	start();
	before = dump("");
	reserve();
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	for (unsigned i = 0; change(i); i++) {
		cleanup_free char *held = NULL;

		thin_fixture_commit(&f);
		thin_fixture_check(&f);
		held = dump("--metadata-snap");
		assert_string_equal(held, before);
		if (i % 3 == 0)
			thin_fixture_reopen(&f);
	}
	assert_int_equal(thin_fixture_status(&f).thin_count, 0);
	/* All that was freed is still held. */
	assert_int_equal(thin_fixture_status(&f).data_used_blocks, 800);
	release();
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	assert_int_equal(thin_fixture_status(&f).data_used_blocks, 0);
	assert_int_equal(thin_fixture_status(&f).held_root, 0);
	thin_fixture_release(&f);
}

/* All changes in one transaction with reserving, or with releasing, or with both. */
static void transactions_of_many_changes_keep_the_counts_right(void **state)
{
	(void)state;
	for (unsigned mode = 1; mode < 4; mode++) {
		start();
		if (!(mode & 1)) {
			reserve();
			thin_fixture_commit(&f);
		} else {
			reserve();
		}
		for (unsigned i = 0; change(i); i++)
			if (i == 8 && mode & 2)
				release();
		thin_fixture_commit(&f);
		thin_fixture_check(&f);
		assert_int_equal(thin_fixture_status(&f).data_used_blocks, mode & 2 ? 0 : 800);
		thin_fixture_release(&f);
	}
}

static void there_is_one_or_none(void **state)
{
	uint64_t held;

	(void)state;
	start();
	assert_int_equal(thin_pool_release_metadata_snap(f.pool, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "has no metadata snapshot");
	reserve();
	held = thin_fixture_status(&f).held_root;
	assert_true(held > 0);
	assert_int_equal(thin_pool_reserve_metadata_snap(f.pool, &err), -1);
	assert_error(&err, ERR_BUSY, "has a metadata snapshot already");
	thin_fixture_commit(&f);
	thin_fixture_reopen(&f);
	assert_int_equal(thin_fixture_status(&f).held_root, held);
	assert_int_equal(thin_pool_reserve_metadata_snap(f.pool, &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	thin_fixture_check(&f);
	thin_fixture_close(&f);
	thin_fixture_open(&f, THIN_FILE_READ);
	assert_int_equal(thin_pool_release_metadata_snap(f.pool, &err), -1);
	assert_error(&err, ERR_INVALID, "open for reading only");
	thin_fixture_release(&f);
}

static void releasing_in_the_same_transaction_leaves_nothing(void **state)
{
	uint64_t used;

	(void)state;
	start();
	used = thin_fixture_status(&f).metadata_used_blocks;
	reserve();
	assert_int_equal(thin_fixture_status(&f).metadata_used_blocks, used + 1);
	release();
	assert_int_equal(thin_fixture_status(&f).metadata_used_blocks, used);
	reserve();
	release();
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	assert_int_equal(thin_fixture_status(&f).held_root, 0);
	assert_int_equal(thin_fixture_status(&f).metadata_used_blocks, used);
	thin_fixture_release(&f);
}

/* As the kernel: what was changed before is committed, the snapshot itself is not yet. */
static void reserving_commits_what_was_before(void **state)
{
	uint64_t id;

	(void)state;
	start();
	id = thin_fixture_status(&f).transaction_id;
	thin_fixture_create(&f, 7);
	reserve();
	thin_fixture_create(&f, 8);
	thin_fixture_reopen(&f);
	assert_int_equal(thin_fixture_status(&f).held_root, 0);
	assert_int_equal(thin_fixture_status(&f).thin_count, 4);
	assert_int_equal(thin_fixture_status(&f).transaction_id, id);
	thin_fixture_check(&f);
	reserve();
	thin_fixture_commit(&f);
	release();
	assert_ok(thin_pool_abort(f.pool, &err), &err);
	assert_true(thin_fixture_status(&f).held_root > 0);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	thin_fixture_release(&f);
}

/* ---- writes that fail ---- */

static int count_down(void *context, enum tf_io io, uint64_t at)
{
	unsigned *left = context;

	(void)io;
	(void)at;
	if (!*left)
		return EIO;
	--*left;
	return 0;
}

static int reserve_and_commit(void)
{
	uint64_t id = thin_fixture_status(&f).transaction_id;

	if (thin_pool_reserve_metadata_snap(f.pool, &err) < 0)
		return -1;
	return thin_pool_commit(f.pool, id + 1, &err);
}

static int release_and_commit(void)
{
	uint64_t id = thin_fixture_status(&f).transaction_id;

	if (thin_pool_release_metadata_snap(f.pool, &err) < 0)
		return -1;
	return thin_pool_commit(f.pool, id + 1, &err);
}

/* Cut after each number of writes until one goes through; how many that were. */
static unsigned cut_everywhere(int (*work)(void), bool held_before)
{
	unsigned cut = 0;

	for (;; cut++) {
		unsigned left = cut;
		int rc;

		tf_pool_set_fault_hook(f.pool, (struct tf_fault_hook){count_down, &left});
		rc = work();
		if (rc == 0)
			tf_pool_set_fault_hook(f.pool, (struct tf_fault_hook){0});
		thin_fixture_reopen(&f);
		thin_fixture_check(&f);
		if (rc == 0)
			return cut;
		assert_int_equal(thin_fixture_status(&f).held_root != 0, held_before);
	}
}

static void a_cut_leaves_it_held_or_not(void **state)
{
	(void)state;
	start();
	assert_true(cut_everywhere(reserve_and_commit, false) > 4);
	assert_true(thin_fixture_status(&f).held_root != 0);
	for (unsigned i = 0; i < 6; i++)
		(void)change(i);
	thin_fixture_commit(&f);
	assert_true(cut_everywhere(release_and_commit, true) > 4);
	assert_int_equal(thin_fixture_status(&f).held_root, 0);
	thin_fixture_release(&f);
}

/* A block that is no superblock is not let go; the pool goes on without it. */
static void a_wrong_held_root_is_damage(void **state)
{
	struct tf_pool *p;

	(void)state;
	start();
	p = tf_pool_of(f.pool);
	p->sb.held_root = p->sb.details_root;
	assert_int_equal(thin_pool_release_metadata_snap(f.pool, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "metadata snapshot");
	assert_int_equal(thin_pool_commit(f.pool, 9, &err), -1);
	assert_ok(thin_pool_abort(f.pool, &err), &err);
	thin_fixture_write(&f, 1, 0, BLOCK, 5);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	thin_fixture_release(&f);
}

#define CASE(name) cmocka_unit_test_setup(name, clear_error)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_is_held_stays_whatever_is_changed),
		CASE(transactions_of_many_changes_keep_the_counts_right),
		CASE(there_is_one_or_none),
		CASE(releasing_in_the_same_transaction_leaves_nothing),
		CASE(reserving_commits_what_was_before),
		CASE(a_cut_leaves_it_held_or_not),
		CASE(a_wrong_held_root_is_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
