/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata as other tools and the kernel make it: thin_restore's hints, a held metadata snapshot,
 * memory rests in the superblock, many holders of one block. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "pkg/thin/file/pool_internal.h"
#include "tests/support/cmocka.h"
#include "tests/support/thin_fixture.h"
#include "tests/support/thin_tools.h"

#define BLOCK ((uint64_t)FIXTURE_BLOCK)

static const char restored[] =
	"<superblock uuid=\"\" time=\"1\" transaction=\"4\" version=\"2\" data_block_size=\"128\" "
	"nr_data_blocks=\"1000\">\n"
	"<device dev_id=\"1\" mapped_blocks=\"300\" transaction=\"0\" creation_time=\"0\" "
	"snap_time=\"1\">\n"
	"<range_mapping origin_begin=\"0\" data_begin=\"100\" length=\"300\" time=\"0\"/>\n"
	"</device>\n"
	"<device dev_id=\"2\" mapped_blocks=\"300\" transaction=\"1\" creation_time=\"1\" "
	"snap_time=\"1\">\n"
	"<range_mapping origin_begin=\"0\" data_begin=\"100\" length=\"300\" time=\"0\"/>\n"
	"</device></superblock>\n";

static void make_restored_pool(struct thin_fixture *f, unsigned long metadata_bytes)
{
	cleanup_free char *xml = NULL, *meta = NULL;
	cleanup(thin_findings_release) struct thin_findings findings = {0};
	struct error err = {0};

	thin_fixture_init(f, 1000, 0);
	thin_fixture_close(f);
	xml = xasprintf("%s/xml", f->dir);
	meta = xasprintf("%s/meta", f->dir);
	assert_ok(fdio_replace_file(xml, restored, sizeof(restored) - 1, &err), &err);
	assert_int_equal(truncate(meta, 0), 0);
	assert_true(thin_tools_restore(xml, meta, metadata_bytes));
	unlink(xml);
	/* Version 0.9 writes three numbers wrong that the kernel believes. */
	assert_ok(thin_file_fsck(meta, 0, &findings, &err), &err);
	assert_true(findings.total >= 3 || thin_tools_check_major() > 0);
	thin_fixture_open(f, THIN_FILE_WRITE);
}

static void a_restored_pool_has_all_its_space_after_the_first_commit(void **state)
{
	struct thin_fixture f;
	struct error err = {0};

	(void)state;
	if (thin_tools_check_major() < 0)
		skip();
	make_restored_pool(&f, 2 << 20);
	assert_ok(thin_pool_create_thin(f.pool, 3, &err), &err);
	thin_fixture_commit(&f);
	thin_fixture_check(&f); /* the strict check looks at the hints */
	thin_fixture_write(&f, 3, 0, 700 * BLOCK, 1);
	thin_fixture_commit(&f);
	assert_ok(thin_file_grow(f.pool, 2000 * BLOCK, 0, &err), &err);
	thin_fixture_write(&f, 3, 700 * BLOCK, 1000 * BLOCK, 1);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	/* The two restored devices still share, and part when written. */
	thin_fixture_expect(&f, 2, 0, 300 * BLOCK, 0);
	assert_ok(thin_pool_delete(f.pool, 3, &err), &err);
	thin_fixture_commit(&f);
	thin_fixture_write(&f, 2, 7 * BLOCK, 10 * BLOCK, 5);
	thin_fixture_commit(&f);
	thin_fixture_expect(&f, 1, 0, 300 * BLOCK, 0);
	thin_fixture_check(&f);
	thin_fixture_release(&f);
}

/* Several bitmaps, of which thin_restore gets the first and the last one wrong, in a way that adds up
 * to its wrong sum. */
static void hints_of_all_metadata_bitmaps_are_right_after_the_first_commit(void **state)
{
	struct thin_fixture f;
	struct error err = {0};

	(void)state;
	if (thin_tools_check_major() < 0)
		skip();
	make_restored_pool(&f, 140 << 20);
	assert_ok(thin_pool_abort(f.pool, &err), &err); /* makes no difference */
	thin_fixture_commit(&f);
	thin_fixture_check(&f); /* the strict check looks at hints and sums */
	thin_fixture_reopen(&f);
	assert_int_equal(tf_pool_of(f.pool)->tx.metadata.n_dirty, 0);
	assert_int_equal(tf_pool_of(f.pool)->tx.data.n_dirty, 0);
	thin_fixture_release(&f);
}

/* Growing is the first thing that is done with it. */
static void a_restored_pool_is_grown_at_once(void **state)
{
	struct thin_fixture f;
	struct error err = {0};

	(void)state;
	if (thin_tools_check_major() < 0)
		skip();
	make_restored_pool(&f, 2 << 20);
	assert_ok(thin_file_grow(f.pool, 2000 * BLOCK, 3 << 20, &err), &err);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	assert_ok(thin_pool_create_thin(f.pool, 3, &err), &err);
	thin_fixture_write(&f, 3, 0, 1700 * BLOCK, 1); /* all there is */
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	thin_fixture_expect(&f, 1, 0, 300 * BLOCK, 0);
	thin_fixture_release(&f);
}

/* With several bitmaps the wrong number of blocks in use and the wrong hint of a bitmap that is not
 * the last one agree, and only that bitmap tells. */
static void the_first_commit_puts_all_numbers_right(void **state)
{
	struct thin_fixture f;
	struct error err = {0};

	(void)state;
	if (thin_tools_check_major() < 0)
		skip();
	for (int i = 0; i < 4; i++) {
		make_restored_pool(&f, i < 2 ? 2 << 20 : 96 << 20);
		/* What was found at open is found again. */
		if (i % 2)
			assert_ok(thin_pool_abort(f.pool, &err), &err);
		thin_fixture_create(&f, 3);
		thin_fixture_commit(&f);
		thin_fixture_check(&f);
		thin_fixture_release(&f);
	}
}

/* As the kernel does it for the message reserve_metadata_snap. */
static uint64_t hold_root(struct thin_fixture *f)
{
	struct tf_pool *p = tf_pool_of(f->pool);
	struct error err = {0};
	uint8_t *block;
	uint64_t nr;

	assert_ok(tf_tx_new_block(&p->tx, TF_SUPERBLOCK, &nr, &block, &err), &err);
	memcpy(block, p->raw, TF_BLOCK_BYTES);
	memset(block + 64, 0, 2 * 128); /* without space maps */
	assert_ok(tf_spacemap_inc(&p->tx.metadata, p->sb.mapping_root, &err), &err);
	assert_ok(tf_spacemap_inc(&p->tx.metadata, p->sb.details_root, &err), &err);
	p->sb.held_root = nr;
	thin_fixture_commit(f);
	return nr;
}

static void release_root(struct thin_fixture *f, uint64_t mapping_root, uint64_t details_root)
{
	struct tf_pool *p = tf_pool_of(f->pool);
	struct error err = {0};

	assert_ok(tf_btree_drop(&p->tx, &tf_tree_devices, mapping_root, &err), &err);
	assert_ok(tf_btree_drop(&p->tx, &tf_tree_details, details_root, &err), &err);
	assert_ok(tf_tx_put_block(&p->tx, p->sb.held_root, &err), &err);
	p->sb.held_root = 0;
	thin_fixture_commit(f);
}

static void a_held_metadata_snapshot_is_respected(void **state)
{
	struct thin_fixture f;
	struct thin_pool_status status;
	struct error err = {0};
	uint64_t held, mapping_root, details_root;

	(void)state;
	thin_fixture_init(&f, 3000, 0);
	for (uint32_t id = 1; id <= 5; id++) {
		assert_ok(thin_pool_create_thin(f.pool, id, &err), &err);
		thin_fixture_write(&f, id, 0, 270 * BLOCK, id);
	}
	thin_fixture_commit(&f);
	mapping_root = tf_pool_of(f.pool)->sb.mapping_root;
	details_root = tf_pool_of(f.pool)->sb.details_root;
	held = hold_root(&f);
	thin_fixture_check(&f);
	/* Each of these finds the top of the device tree shared with the held one. */
	thin_fixture_write(&f, 2, 300 * BLOCK, BLOCK, 9);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	assert_ok(thin_pool_create_snap(f.pool, 6, 1, &err), &err);
	thin_fixture_write(&f, 6, 100 * BLOCK, 3 * BLOCK, 6);
	thin_fixture_write(&f, 1, 200 * BLOCK, 3 * BLOCK, 7);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	assert_ok(thin_pool_delete(f.pool, 3, &err), &err);
	assert_ok(thin_pool_delete(f.pool, 1, &err), &err);
	thin_fixture_reopen(&f); /* not committed: nothing of it remains */
	assert_ok(thin_pool_delete(f.pool, 3, &err), &err);
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	assert_ok(thin_pool_status(f.pool, &status, &err), &err);
	assert_int_equal(status.held_root, held);
	release_root(&f, mapping_root, details_root);
	thin_fixture_check(&f);
	thin_fixture_expect(&f, 6, 0, 100 * BLOCK, 1);
	thin_fixture_expect(&f, 6, 100 * BLOCK, 3 * BLOCK, 6);
	thin_fixture_expect(&f, 1, 200 * BLOCK, 3 * BLOCK, 7);
	thin_fixture_expect(&f, 2, 0, 270 * BLOCK, 2);
	thin_fixture_release(&f);
}

static void foreign_bytes_in_the_superblock_stay_but_root_tails_become_zero(void **state)
{
	struct thin_fixture f;
	cleanup_free char *path = NULL;
	cleanup_fd int fd = -1;
	uint8_t block[TF_BLOCK_BYTES];
	struct error err = {0};

	(void)state;
	thin_fixture_init(&f, 100, 0);
	thin_fixture_close(&f);
	path = xasprintf("%s/meta", f.dir);
	fd = open(path, O_RDWR);
	assert_int_equal(pread(fd, block, sizeof(block), 0), sizeof(block));
	block[64 + 40] = 77;  /* the kernel's memory, behind the data map's root */
	block[192 + 90] = 88; /* and behind the metadata map's */
	block[400] = 99;      /* past all fields */
	tf_block_seal(block, TF_SUPERBLOCK, 0);
	assert_int_equal(pwrite(fd, block, sizeof(block), 0), sizeof(block));
	thin_fixture_open(&f, THIN_FILE_WRITE);
	assert_ok(thin_pool_create_thin(f.pool, 3, &err), &err);
	thin_fixture_commit(&f);
	assert_int_equal(pread(fd, block, sizeof(block), 0), sizeof(block));
	assert_int_equal(block[64 + 40], 0);
	assert_int_equal(block[192 + 90], 0);
	assert_int_equal(block[400], 99);
	thin_fixture_release(&f);
}

static void hundreds_of_holders_of_one_block_are_counted(void **state)
{
	struct thin_fixture f;
	struct thin_pool_status status;
	struct error err = {0};

	(void)state;
	thin_fixture_init(&f, 1000, 8 << 20);
	assert_ok(thin_pool_create_thin(f.pool, 1, &err), &err);
	thin_fixture_write(&f, 1, 0, 2 * BLOCK, 1);
	/* Each snapshot gets a leaf of its own, which holds the first block once more. */
	for (uint32_t id = 2; id < 400; id++) {
		assert_ok(thin_pool_create_snap(f.pool, id, 1, &err), &err);
		thin_fixture_write(&f, id, BLOCK, 10, id);
		if (id % 100 == 0) {
			thin_fixture_commit(&f);
			thin_fixture_check(&f);
			thin_fixture_reopen(&f);
		}
	}
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	for (uint32_t id = 1; id < 399; id++) {
		assert_ok(thin_pool_delete(f.pool, id, &err), &err);
		if (id % 90 == 0) {
			thin_fixture_commit(&f);
			thin_fixture_check(&f);
			thin_fixture_reopen(&f);
		}
	}
	thin_fixture_commit(&f);
	thin_fixture_check(&f);
	thin_fixture_expect(&f, 399, 0, BLOCK, 1);
	assert_ok(thin_pool_status(f.pool, &status, &err), &err);
	assert_int_equal(status.data_used_blocks, 2);
	thin_fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_restored_pool_has_all_its_space_after_the_first_commit),
		cmocka_unit_test(hints_of_all_metadata_bitmaps_are_right_after_the_first_commit),
		cmocka_unit_test(a_restored_pool_is_grown_at_once),
		cmocka_unit_test(the_first_commit_puts_all_numbers_right),
		cmocka_unit_test(a_held_metadata_snapshot_is_respected),
		cmocka_unit_test(foreign_bytes_in_the_superblock_stay_but_root_tails_become_zero),
		cmocka_unit_test(hundreds_of_holders_of_one_block_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
