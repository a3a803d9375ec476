/* SPDX-License-Identifier: Apache-2.0 */
/* From a folder to a handle: missing files, lengths, flags, damage, and what may not be read. */
#include "pkg/thin/file/engine.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/format.h"
#include "tests/support/cmocka.h"
#include "tests/support/thin_fixture.h"

#define BLOCK ((uint64_t)FIXTURE_BLOCK)

enum { AT_COMPAT_RO = 356, AT_INCOMPAT = 360 };

static void change_superblock(const struct thin_fixture *f, size_t at, uint32_t value)
{
	cleanup_free char *path = xasprintf("%s/meta", f->dir);
	cleanup_fd int fd = open(path, O_RDWR);
	uint8_t block[TF_BLOCK_BYTES];

	assert_int_equal(pread(fd, block, sizeof(block), 0), sizeof(block));
	put_le32(block + at, value);
	tf_block_seal(block, TF_SUPERBLOCK, 0);
	assert_int_equal(pwrite(fd, block, sizeof(block), 0), sizeof(block));
}

static enum error_kind open_kind(const struct thin_fixture *f, enum thin_file_mode mode)
{
	struct thin_file_open how = {.mode = mode, .verb = "test"};
	struct thin_pool *pool;
	struct error err = {0};

	if (thin_file_open(f->dir, &how, &pool, &err) < 0)
		return err.kind;
	thin_pool_close(pool);
	return ERR_NONE;
}

static void refused(const struct thin_fixture *f, enum thin_file_mode mode, enum error_kind kind,
		    const char *text, enum error_detail detail)
{
	struct thin_file_open how = {.mode = mode, .verb = "test"};
	cleanup_free char *owner = xasprintf("%s/owner", f->dir);
	struct thin_pool *pool;
	struct error err = {0};

	assert_int_equal(thin_file_open(f->dir, &how, &pool, &err), -1);
	assert_error(&err, kind, text);
	assert_int_equal(err.detail, detail);
	assert_int_equal(access(owner, F_OK), -1);
}

/* The device that is in it, and what the pool says it is. */
static void readable_as(struct thin_fixture *f, const char *mode)
{
	struct error err = {0};

	thin_fixture_open(f, THIN_FILE_READ);
	thin_fixture_expect(f, 1, 0, BLOCK, 1);
	assert_string_equal(thin_fixture_status(f).mode, mode);
	assert_int_equal(thin_fixture_status(f).needs_check, !strcmp(mode, "needs_check"));
	assert_int_equal(thin_pool_create_thin(f->pool, 2, &err), -1);
	assert_error(&err, ERR_INVALID, "open for reading only");
	thin_fixture_close(f);
}

static void flags_and_damage_decide_who_may_open(void **state)
{
	struct thin_fixture f;

	(void)state;
	thin_fixture_init(&f, 100, 0);
	thin_fixture_create(&f, 1);
	thin_fixture_write(&f, 1, 0, BLOCK, 1);
	thin_fixture_commit(&f);
	thin_fixture_close(&f);
	change_superblock(&f, 4, 1);
	refused(&f, THIN_FILE_WRITE, ERR_INCONSISTENT, "(needs_check)", ERR_DETAIL_NEEDS_CHECK);
	readable_as(&f, "needs_check");
	change_superblock(&f, 4, 0);
	change_superblock(&f, AT_INCOMPAT, 2);
	refused(&f, THIN_FILE_READ, ERR_UNSUPPORTED, "flags 2", ERR_DETAIL_POOL_FEATURES);
	refused(&f, THIN_FILE_WRITE, ERR_UNSUPPORTED, "flags 2", ERR_DETAIL_POOL_FEATURES);
	change_superblock(&f, AT_INCOMPAT, 0);
	change_superblock(&f, AT_COMPAT_RO, 2);
	refused(&f, THIN_FILE_WRITE, ERR_UNSUPPORTED, "may be read", ERR_DETAIL_POOL_FEATURES);
	readable_as(&f, "ro");
	change_superblock(&f, AT_COMPAT_RO, 0);
	change_superblock(&f, 32, 1); /* magic */
	refused(&f, THIN_FILE_WRITE, ERR_INCONSISTENT, "magic", ERR_DETAIL_NONE);
	change_superblock(&f, 32, TF_MAGIC);
	readable_as(&f, "rw");
	thin_fixture_open(&f, THIN_FILE_WRITE);
	thin_fixture_check(&f);
	thin_fixture_release(&f);
}

static char *path_of(const struct thin_fixture *f, const char *name)
{
	return xasprintf("%s/%s", f->dir, name);
}

static void missing_files_are_told_apart(void **state)
{
	struct thin_fixture f;
	cleanup_free char *data = NULL, *aside = NULL, *meta = NULL;

	(void)state;
	thin_fixture_init(&f, 100, 0);
	thin_fixture_close(&f);
	data = path_of(&f, "data");
	aside = path_of(&f, "aside");
	meta = path_of(&f, "meta");
	assert_int_equal(rename(data, aside), 0);
	assert_int_equal(open_kind(&f, THIN_FILE_READ), ERR_INCONSISTENT);
	assert_int_equal(symlink("aside", data), 0); /* never followed */
	assert_int_equal(open_kind(&f, THIN_FILE_READ), ERR_SYSTEM);
	assert_int_equal(unlink(data), 0);
	assert_int_equal(rename(aside, data), 0);
	assert_int_equal(open_kind(&f, THIN_FILE_WRITE), ERR_NONE);
	assert_int_equal(rename(meta, aside), 0);
	assert_int_equal(open_kind(&f, THIN_FILE_WRITE), ERR_NOT_FOUND);
	assert_int_equal(rename(aside, meta), 0);
	thin_fixture_release(&f);
}

static void files_shorter_than_the_pool_are_damage(void **state)
{
	static const char *const names[] = {"data", "meta"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct thin_fixture f;
		cleanup_free char *path = NULL;
		off_t size;

		thin_fixture_init(&f, 100, 0);
		thin_fixture_close(&f);
		path = path_of(&f, names[i]);
		size = i ? 2 << 20 : 100 * (off_t)FIXTURE_BLOCK;
		assert_int_equal(truncate(path, size - 1), 0);
		assert_int_equal(open_kind(&f, THIN_FILE_WRITE), ERR_INCONSISTENT);
		assert_int_equal(open_kind(&f, THIN_FILE_READ), ERR_INCONSISTENT);
		assert_int_equal(truncate(path, size), 0);
		assert_int_equal(open_kind(&f, THIN_FILE_WRITE), ERR_NONE);
		thin_fixture_release(&f);
	}
}

/* Growth that was cut short, or a file that another tool rounded up. */
static void files_longer_than_the_pool_are_fine(void **state)
{
	struct thin_fixture f;
	cleanup_free char *data = NULL;

	(void)state;
	thin_fixture_init(&f, 100, 0);
	thin_fixture_close(&f);
	data = path_of(&f, "data");
	assert_int_equal(truncate(data, 200 * (off_t)FIXTURE_BLOCK), 0);
	thin_fixture_open(&f, THIN_FILE_WRITE);
	assert_int_equal(thin_fixture_status(&f).data_total_blocks, 100);
	thin_fixture_release(&f);
}

static void impossible_sizes_are_refused(void **state)
{
	static const struct {
		size_t at;
		uint32_t value;
	} cases[] = {
		{336, 0},
		{336, 127},
		{336, 2097152 + 128}, /* sectors in a data block */
		{340, 16},	      /* in one of metadata */
		{40, 1},
		{40, 3},	      /* version */
		{64 + 4, 0x7fffffff}, /* data blocks, upper half */
		{192, 4161601},	      /* metadata blocks */
	};
	struct thin_fixture f;

	(void)state;
	thin_fixture_init(&f, 100, 0);
	thin_fixture_close(&f);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_free char *meta = path_of(&f, "meta");
		cleanup_fd int fd = open(meta, O_RDWR | O_CLOEXEC);
		uint8_t before[TF_BLOCK_BYTES];
		enum error_kind kind;

		assert_int_equal(pread(fd, before, sizeof(before), 0), sizeof(before));
		change_superblock(&f, cases[i].at, cases[i].value);
		kind = open_kind(&f, THIN_FILE_WRITE);
		if (kind != ERR_INCONSISTENT && kind != ERR_UNSUPPORTED)
			fail_msg("case %zu: %s", i, error_kind_name(kind));
		assert_int_equal(pwrite(fd, before, sizeof(before), 0), sizeof(before));
	}
	assert_int_equal(open_kind(&f, THIN_FILE_WRITE), ERR_NONE);
	thin_fixture_release(&f);
}

/* A reader waits a little, for a writer may be at it; then it is damage. */
static void a_superblock_with_a_wrong_checksum_is_damage(void **state)
{
	struct thin_fixture f;
	cleanup_free char *meta = NULL;
	cleanup_fd int fd = -1;
	uint8_t byte;

	(void)state;
	thin_fixture_init(&f, 100, 0);
	thin_fixture_close(&f);
	meta = path_of(&f, "meta");
	fd = open(meta, O_RDWR | O_CLOEXEC);
	assert_int_equal(pread(fd, &byte, 1, 100), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, 100), 1);
	assert_int_equal(open_kind(&f, THIN_FILE_WRITE), ERR_INCONSISTENT);
	assert_int_equal(open_kind(&f, THIN_FILE_READ), ERR_INCONSISTENT);
	thin_fixture_release(&f);
}

static void a_reader_changes_nothing(void **state)
{
	struct thin_fixture f;
	struct thin_volume *v;
	struct error err = {0};

	(void)state;
	thin_fixture_init(&f, 100, 0);
	thin_fixture_create(&f, 1);
	thin_fixture_commit(&f);
	thin_fixture_close(&f);
	thin_fixture_open(&f, THIN_FILE_READ);
	assert_int_equal(thin_pool_create_thin(f.pool, 2, &err), -1);
	assert_int_equal(thin_pool_delete(f.pool, 1, &err), -1);
	assert_int_equal(thin_pool_commit(f.pool, 99, &err), -1);
	assert_int_equal(thin_pool_open_volume(f.pool, 1, 512, true, &v, &err), -1);
	assert_ok(thin_pool_open_volume(f.pool, 1, 512, false, &v, &err), &err);
	assert_int_equal(thin_volume_write(v, "x", 1, 0, &err), -1);
	assert_error(&err, ERR_INVALID, "read-only");
	thin_volume_close(v);
	thin_fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_and_damage_decide_who_may_open),
		cmocka_unit_test(missing_files_are_told_apart),
		cmocka_unit_test(files_shorter_than_the_pool_are_damage),
		cmocka_unit_test(files_longer_than_the_pool_are_fine),
		cmocka_unit_test(impossible_sizes_are_refused),
		cmocka_unit_test(a_superblock_with_a_wrong_checksum_is_damage),
		cmocka_unit_test(a_reader_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
