/* SPDX-License-Identifier: Apache-2.0 */
/* What nobody maps goes back to the host, and nothing else does; free runs are all there is free. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/pool_internal.h"
#include "tests/support/cmocka.h"
#include "tests/support/thin_fixture.h"

enum { BLOCKS = 40000, BLOCK_SECTORS = FIXTURE_BLOCK / 512 }; /* over two borders of groups */
#define BLOCK ((uint64_t)FIXTURE_BLOCK)

static struct thin_fixture f;
static struct error err;

static int begin(void **state)
{
	(void)state;
	error_clear(&err);
	thin_fixture_init(&f, BLOCKS, 0);
	thin_fixture_create(&f, 1);
	thin_fixture_write(&f, 1, 0, 20 * BLOCK, 1);
	thin_fixture_snap(&f, 2, 1);
	thin_fixture_write(&f, 2, 5 * BLOCK, 5 * BLOCK, 2);
	thin_fixture_commit(&f);
	return 0;
}

static int end(void **state)
{
	(void)state;
	thin_fixture_release(&f);
	return 0;
}

/* As the kernel leaves them: bytes in blocks that nobody maps. */
static void dirty(uint64_t first, uint64_t n)
{
	cleanup_free char *path = xasprintf("%s/data", f.dir);
	cleanup_free uint8_t *bytes = xmalloc(FIXTURE_BLOCK);
	cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	memset(bytes, 0x55, FIXTURE_BLOCK);
	for (uint64_t i = first; i < first + n; i++)
		assert_int_equal(pwrite(fd, bytes, FIXTURE_BLOCK, (off_t)(i * BLOCK)),
				 FIXTURE_BLOCK);
}

/* --- trim ------------------------------------------------------------------------------------- */

static void free_blocks_are_given_back_and_no_others(void **state)
{
	uint64_t before = thin_fixture_sectors(&f, "data");

	(void)state;
	thin_fixture_delete(&f, 2);
	thin_fixture_commit(&f);
	assert_int_equal(thin_fixture_sectors(&f, "data"), before - 5 * BLOCK_SECTORS);
	dirty(20, 7);
	dirty(16318, 4);
	dirty(BLOCKS - 1, 1);
	assert_int_equal(thin_fixture_sectors(&f, "data"), before + 7 * BLOCK_SECTORS);
	assert_ok(thin_file_trim(f.pool, &err), &err);
	assert_int_equal(thin_fixture_sectors(&f, "data"), before - 5 * BLOCK_SECTORS);
	thin_fixture_expect(&f, 1, 0, 20 * BLOCK, 1);
	thin_fixture_check(&f);
}

static void what_only_a_snapshot_has_stays(void **state)
{
	(void)state;
	thin_fixture_delete(&f, 1);
	thin_fixture_commit(&f);
	assert_ok(thin_file_trim(f.pool, &err), &err);
	thin_fixture_expect(&f, 2, 5 * BLOCK, 5 * BLOCK, 2);
	thin_fixture_write(&f, 2, 30 * BLOCK, 3 * BLOCK, 3);
	thin_fixture_commit(&f);
	thin_fixture_expect(&f, 2, 30 * BLOCK, 3 * BLOCK, 3);
}

/* They are free by what is in memory, and in use by what is on disk, or the other way round. */
static void not_in_the_middle_of_a_change(void **state)
{
	(void)state;
	thin_fixture_delete(&f, 2);
	assert_int_equal(thin_file_trim(f.pool, &err), -1);
	assert_error(&err, ERR_INVALID, "not committed");
	assert_ok(thin_pool_abort(f.pool, &err), &err);
	thin_fixture_expect(&f, 2, 5 * BLOCK, 5 * BLOCK, 2);
}

static void who_reads_gives_nothing_back(void **state)
{
	(void)state;
	thin_fixture_close(&f);
	thin_fixture_open(&f, THIN_FILE_READ);
	assert_int_equal(thin_file_trim(f.pool, &err), -1);
	assert_error(&err, ERR_INVALID, "for reading only");
}

static void a_host_without_holes_is_named(void **state)
{
	(void)state;
	tf_pool_of(f.pool)->data.cannot_punch = true;
	assert_int_equal(thin_file_trim(f.pool, &err), -1);
	assert_error(&err, ERR_UNSUPPORTED, "/data takes no space back");
}

/* --- free runs -------------------------------------------------------------------------------- */

/* All runs of at most so many blocks; how many runs there were. */
static unsigned mark_free(struct thin_pool *pool, uint64_t most, bool *ret_free)
{
	uint64_t at = 0, first, n;
	unsigned runs = 0;
	int status;

	memset(ret_free, 0, BLOCKS);
	while ((status = thin_file_free_run(pool, at, most, &first, &n, &err)) == 0) {
		assert_true(first >= at && n <= most);
		assert_true(first + n > at && first + n <= BLOCKS);
		memset(ret_free + first, true, n);
		at = first + n;
		runs += n > 0;
	}
	assert_int_equal(status, 1);
	assert_int_equal(at, BLOCKS);
	return runs;
}

static void runs_are_what_the_map_calls_free(void **state)
{
	cleanup_free bool *is_free = xmalloc(BLOCKS), *in_pieces = xmalloc(BLOCKS);
	struct tf_spacemap *sm = &tf_pool_of(f.pool)->tx.data;
	uint32_t count;

	(void)state;
	for (uint64_t i = 0; i < 60; i += 2)
		thin_fixture_write(&f, 1, (100 + i) * BLOCK, BLOCK, 4);
	thin_fixture_map(&f, 1, 1000, 17000);
	thin_fixture_commit(&f);
	thin_fixture_delete(&f, 2);
	thin_fixture_commit(&f);
	mark_free(f.pool, UINT64_MAX, is_free);
	for (uint64_t i = 0; i < BLOCKS; i++) {
		assert_ok(tf_spacemap_count(sm, i, &count, &err), &err);
		assert_int_equal(is_free[i], count == 0);
	}
	assert_true(mark_free(f.pool, 100, in_pieces) > (BLOCKS - 17000 - 100) / 100);
	assert_memory_equal(is_free, in_pieces, BLOCKS);
}

/* As the kernel engine looks at them. */
static void they_are_found_in_metadata_alone(void **state)
{
	cleanup_free bool *is_free = xmalloc(BLOCKS), *alone = xmalloc(BLOCKS);
	cleanup_free char *path = xasprintf("%s/meta", f.dir);
	cleanup(thin_pool_close_ptr) struct thin_pool *metadata = NULL;

	(void)state;
	mark_free(f.pool, UINT64_MAX, is_free);
	assert_ok(thin_file_open_metadata(path, 0, &metadata, &err), &err);
	mark_free(metadata, UINT64_MAX, alone);
	assert_memory_equal(is_free, alone, BLOCKS);
	assert_false(alone[0]);
	assert_true(alone[BLOCKS - 1]);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(free_blocks_are_given_back_and_no_others),
		CASE(what_only_a_snapshot_has_stays),
		CASE(not_in_the_middle_of_a_change),
		CASE(who_reads_gives_nothing_back),
		CASE(a_host_without_holes_is_named),
		CASE(runs_are_what_the_map_calls_free),
		CASE(they_are_found_in_metadata_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
