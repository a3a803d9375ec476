/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata copied out of a node, sound and damaged; that of a pool which the real kernel runs. */
#include "pkg/thin/kernel/copy.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "pkg/thin/file/fsck.h"
#include "tests/support/cmocka.h"
#include "tests/support/lab.h"
#include "tests/support/lab_pool.h"
#include "tests/support/scratch.h"
#include "tests/support/thin_fixture.h"

enum { START = 1 << 20, FREE_BLOCK = 400 };

static struct error err;

/* --- metadata in a file ----------------------------------------------------------------------- */

/* A pool's metadata in the middle of a file, garbage in a free block of them. */
struct disk {
	struct thin_fixture f;
	char *path;
	uint8_t *meta; /* what they are, kept in step */
	uint64_t bytes;
};

static void put(struct disk *d, uint64_t block)
{
	cleanup_fd int fd = open(d->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	const uint8_t *from = d->meta + block * TF_BLOCK_BYTES;

	assert_ok(fdio_pwrite(fd, from, TF_BLOCK_BYTES, START + block * TF_BLOCK_BYTES, d->path,
			      &err),
		  &err);
}

static int set_up(void **state)
{
	struct disk *d = xcalloc(1, sizeof(*d));
	cleanup_free char *meta = NULL;
	size_t len;

	thin_fixture_init(&d->f, 64, 0);
	thin_fixture_create(&d->f, 0);
	thin_fixture_write(&d->f, 0, 0, 5 * FIXTURE_BLOCK, 1);
	thin_fixture_commit(&d->f);
	thin_fixture_close(&d->f);
	meta = xasprintf("%s/meta", d->f.dir);
	d->path = xasprintf("%s/disk", d->f.dir);
	d->meta = (uint8_t *)scratch_read(meta, &len);
	d->bytes = len;
	memset(d->meta + FREE_BLOCK * TF_BLOCK_BYTES, 0xa5, TF_BLOCK_BYTES);
	for (uint64_t i = 0; i < len / TF_BLOCK_BYTES; i++)
		put(d, i);
	*state = d;
	return 0;
}

static int tear_down(void **state)
{
	struct disk *d = *state;
	cleanup_free char *copy = xasprintf("%s/copy", d->f.dir);

	unlink(d->path);
	unlink(copy);
	thin_fixture_release(&d->f);
	free(d->path);
	free(d->meta);
	free(d);
	return 0;
}

/* @bytes: of the metadata, as the caller takes it. @ret: what is in the copy, owned. */
static uint8_t *copy(struct disk *d, uint64_t bytes, enum thin_kernel_copy what, size_t *ret_len)
{
	cleanup_free char *to = xasprintf("%s/copy", d->f.dir);
	cleanup_fd int fd = open(to, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct kernel_node from;

	assert_ok(kernel_node_open(&from, d->path, false, START + bytes, &err), &err);
	assert_ok(kernel_copy(&from, START, bytes, what, fd, to, &err), &err);
	kernel_node_close(&from);
	return (uint8_t *)scratch_read(to, ret_len);
}

static bool same_block(const uint8_t *a, const uint8_t *b, uint64_t block)
{
	return memcmp(a + block * TF_BLOCK_BYTES, b + block * TF_BLOCK_BYTES, TF_BLOCK_BYTES) == 0;
}

static uint64_t index_block(const struct disk *d)
{
	struct tf_superblock sb;

	tf_superblock_unpack(d->meta, &sb);
	return sb.metadata_sm.bitmap_root;
}

static uint64_t bitmap_block(const struct disk *d)
{
	return get_le64(d->meta + index_block(d) * TF_BLOCK_BYTES + TF_INDEX_HEADER);
}

static void what_is_in_use_is_copied_to_its_place(void **state)
{
	struct disk *d = *state;
	cleanup_free uint8_t *got = NULL;
	cleanup(thin_findings_release) struct thin_findings found = {0};
	cleanup_free char *path = xasprintf("%s/copy", d->f.dir);
	size_t len;

	got = copy(d, d->bytes, THIN_KERNEL_COPY_USED, &len);
	assert_int_equal(len, d->bytes);
	assert_false(same_block(got, d->meta, FREE_BLOCK));
	memset(d->meta + FREE_BLOCK * TF_BLOCK_BYTES, 0, TF_BLOCK_BYTES);
	assert_memory_equal(got, d->meta, len);
	assert_ok(thin_file_fsck(path, 64 * FIXTURE_BLOCK, &found, &err), &err);
	assert_int_equal(found.total, 0);
}

static void all_is_copied_when_that_is_asked_for(void **state)
{
	struct disk *d = *state;
	cleanup_free uint8_t *got = NULL;
	size_t len;

	got = copy(d, d->bytes, THIN_KERNEL_COPY_ALL, &len);
	assert_int_equal(len, d->bytes);
	assert_memory_equal(got, d->meta, len);
}

/* A larger device than the metadata on it. */
static void the_superblock_says_how_long_they_are(void **state)
{
	struct disk *d = *state;
	cleanup_free uint8_t *got = NULL;
	size_t len;

	assert_int_equal(truncate(d->path, (off_t)(START + 2 * d->bytes)), 0);
	got = copy(d, 2 * d->bytes, THIN_KERNEL_COPY_ALL, &len);
	assert_int_equal(len, d->bytes);
}

static void a_superblock_that_cannot_be_read_tells_nothing(void **state)
{
	struct disk *d = *state;
	cleanup_free uint8_t *got = NULL;
	size_t len;

	d->meta[100] ^= 1;
	put(d, 0);
	assert_int_equal(truncate(d->path, (off_t)(START + 2 * d->bytes)), 0);
	got = copy(d, 2 * d->bytes, THIN_KERNEL_COPY_USED, &len);
	assert_int_equal(len, 2 * d->bytes);
	assert_memory_equal(got, d->meta, d->bytes);
}

static void a_superblock_that_promises_more_than_there_is_tells_nothing(void **state)
{
	struct disk *d = *state;
	cleanup_free uint8_t *got = NULL;
	uint64_t bytes = d->bytes / 2;
	size_t len;

	got = copy(d, bytes, THIN_KERNEL_COPY_USED, &len);
	assert_int_equal(len, bytes);
	assert_memory_equal(got, d->meta, bytes);
}

static void an_index_or_a_bitmap_that_cannot_be_read_tells_nothing(void **state)
{
	struct disk *d = *state;
	uint64_t blocks[] = {bitmap_block(d), index_block(d)};

	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
		cleanup_free uint8_t *got = NULL;
		size_t len;

		d->meta[blocks[i] * TF_BLOCK_BYTES + 50] ^= 1;
		put(d, blocks[i]);
		got = copy(d, d->bytes, THIN_KERNEL_COPY_USED, &len);
		assert_memory_equal(got, d->meta, len);
	}
}

/* It says that nothing is in use, with a sum that holds: that is believed, unless all is wanted. */
static void a_bitmap_that_lies_does_not_hide_what_is_there(void **state)
{
	struct disk *d = *state;
	cleanup_free uint8_t *used = NULL, *all = NULL;
	uint64_t bitmap = bitmap_block(d);
	uint8_t *block = d->meta + bitmap * TF_BLOCK_BYTES;
	size_t len;

	memset(block, 0, TF_BLOCK_BYTES);
	tf_block_seal(block, TF_BITMAP, bitmap);
	put(d, bitmap);
	used = copy(d, d->bytes, THIN_KERNEL_COPY_USED, &len);
	assert_false(same_block(used, d->meta, 0));
	all = copy(d, d->bytes, THIN_KERNEL_COPY_ALL, &len);
	assert_memory_equal(all, d->meta, len);
}

static void what_cannot_be_read_or_written_is_an_error(void **state)
{
	struct disk *d = *state;
	cleanup_fd int fd = open(d->path, O_RDONLY | O_CLOEXEC);
	struct kernel_node from;

	assert_ok(kernel_node_open(&from, d->path, false, 0, &err), &err);
	assert_int_equal(kernel_copy(&from, START, d->bytes, THIN_KERNEL_COPY_ALL, fd, "copy",
				     &err),
			 -1);
	assert_error(&err, ERR_SYSTEM, "copy");
	kernel_node_close(&from);
}

/* --- of a pool in the kernel ------------------------------------------------------------------ */

static void copy_of_pool(enum thin_kernel_copy what, const char *to)
{
	cleanup(thin_pool_close_ptr) struct thin_pool *pool = lab_pool_open(THIN_STILL);

	unlink(to);
	scratch_write(to, "");
	assert_ok(thin_kernel_copy_metadata(pool, what, to, &err), &err);
}

static void a_pool_in_the_kernel_is_copied_whole_and_goes_on(void **state)
{
	cleanup(thin_findings_release) struct thin_findings found = {0};
	cleanup(thin_pool_close_ptr) struct thin_pool *pool = NULL;
	(void)state;

	lab_need("thin-pool");
	for (int what = THIN_KERNEL_COPY_USED; what <= THIN_KERNEL_COPY_ALL; what++) {
		copy_of_pool((enum thin_kernel_copy)what, "copy");
		assert_ok(thin_file_fsck("copy", LAB_DATA, &found, &err), &err);
		assert_int_equal(found.total, 0);
	}
	pool = lab_pool_open(THIN_WRITE);
	lab_pool_write(pool, 1, 7, 2);
	assert_ok(thin_pool_commit(pool, 2, &err), &err);
	assert_int_equal(lab_pool_read(pool, 1, 8), 2);
}

static void a_file_that_cannot_be_written_leaves_the_pool_running(void **state)
{
	cleanup(thin_pool_close_ptr) struct thin_pool *pool = NULL;
	(void)state;

	lab_need("thin-pool");
	pool = lab_pool_open(THIN_WRITE);
	assert_int_equal(thin_kernel_copy_metadata(pool, THIN_KERNEL_COPY_USED, "no/such", &err),
			 -1);
	assert_error(&err, ERR_SYSTEM, "no/such");
	assert_int_equal(thin_kernel_copy_metadata(pool, THIN_KERNEL_COPY_USED, "/dev/full", &err),
			 -1);
	lab_pool_write(pool, 1, 7, 1);
	assert_int_equal(lab_pool_read(pool, 1, 7), 2);
}

#define IN_FILE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define IN_LAB(test)  cmocka_unit_test_setup_teardown(test, lab_pool_set_up, lab_pool_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FILE(what_is_in_use_is_copied_to_its_place),
		IN_FILE(all_is_copied_when_that_is_asked_for),
		IN_FILE(the_superblock_says_how_long_they_are),
		IN_FILE(a_superblock_that_cannot_be_read_tells_nothing),
		IN_FILE(a_superblock_that_promises_more_than_there_is_tells_nothing),
		IN_FILE(an_index_or_a_bitmap_that_cannot_be_read_tells_nothing),
		IN_FILE(a_bitmap_that_lies_does_not_hide_what_is_there),
		IN_FILE(what_cannot_be_read_or_written_is_an_error),
		IN_LAB(a_pool_in_the_kernel_is_copied_whole_and_goes_on),
		IN_LAB(a_file_that_cannot_be_written_leaves_the_pool_running),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
