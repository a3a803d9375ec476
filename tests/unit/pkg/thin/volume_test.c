/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges of a volume are checked here, once for all engines; then the call goes through. */
#include "pkg/thin/volume.h"

#include <sys/mman.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"
#include "tests/support/memory_volume.h"

enum { BYTES = 1 << 20 };

static struct memory_volume *v;
static struct error err;

static int begin(void **state)
{
	(void)state;
	error_clear(&err);
	v = memory_volume_new(BYTES, 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	memory_volume_free(v);
	return 0;
}

static void ranges_outside_are_refused_and_nothing_is_called(void **state)
{
	static const struct {
		uint64_t len, offset;
	} cases[] = {{1, BYTES},      {2, BYTES - 1}, {BYTES + 1, 0},	    {1, UINT64_MAX},
		     {2, UINT64_MAX}, {SIZE_MAX, 1},  {SIZE_MAX, SIZE_MAX}, {0, BYTES + 1}};
	uint64_t shared = 7;
	uint8_t byte = 0;

	(void)state;
	memory_volume_reset_counts(v);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(thin_volume_read(&v->volume, &byte, cases[i].len, cases[i].offset,
						  &err),
				 -1);
		assert_error(&err, ERR_INVALID, "outside the volume of 1048576 bytes");
		assert_int_equal(thin_volume_write(&v->volume, &byte, cases[i].len, cases[i].offset,
						   &err),
				 -1);
		assert_error(&err, ERR_INVALID, "outside the volume");
		assert_int_equal(thin_volume_discard(&v->volume, cases[i].offset, cases[i].len,
						     &err),
				 -1);
		assert_error(&err, ERR_INVALID, "outside the volume");
		assert_int_equal(thin_volume_copy_to(&v->volume, cases[i].offset, cases[i].len, -1,
						     "file", &shared, &err),
				 -1);
		assert_error(&err, ERR_INVALID, "outside the volume");
		assert_int_equal(shared, 0);
	}
	assert_int_equal(v->counts.reads + v->counts.writes, 0);
}

static void the_last_byte_is_inside(void **state)
{
	char byte = 0;

	(void)state;
	assert_ok(thin_volume_write(&v->volume, "x", 1, BYTES - 1, &err), &err);
	assert_ok(thin_volume_read(&v->volume, &byte, 1, BYTES - 1, &err), &err);
	assert_int_equal(byte, 'x');
	assert_ok(thin_volume_read(&v->volume, &byte, 0, BYTES, &err), &err);
	assert_int_equal(thin_volume_size(&v->volume), BYTES);
	assert_int_equal(thin_volume_block_bytes(&v->volume), 65536);
}

static void a_read_only_volume_is_not_written(void **state)
{
	(void)state;
	v->volume.writable = false;
	assert_int_equal(thin_volume_write(&v->volume, "x", 1, 0, &err), -1);
	assert_error(&err, ERR_INVALID, "read-only");
	assert_int_equal(thin_volume_discard(&v->volume, 0, BYTES, &err), -1);
	assert_error(&err, ERR_INVALID, "read-only");
	assert_int_equal(v->counts.mapped_blocks, 0);
}

/* Of a volume whose third block is half a block: which blocks are gone after a discard. */
static void only_whole_blocks_are_discarded(void **state)
{
	enum { BLOCK = 4096, SIZE = 2 * BLOCK + 2048 };
	static const struct {
		uint64_t offset, len;
		const char *left;
	} cases[] = {
		{0, 0, "abc"},
		{0, BLOCK - 1, "abc"},
		{1, BLOCK - 1, "abc"},
		{1, 2 * BLOCK - 2, "abc"},
		{0, BLOCK, "-bc"},
		{0, 2 * BLOCK - 1, "-bc"},
		{1, 2 * BLOCK - 1, "a-c"},
		{1, 2 * BLOCK, "a-c"},
		{BLOCK, BLOCK, "a-c"},
		{0, SIZE - 1, "--c"},
		{0, SIZE, "---"},
		{1, SIZE - 1, "a--"},
		{2 * BLOCK, 2048, "ab-"},
		{2 * BLOCK, 2047, "abc"},
		{2 * BLOCK + 1, 2047, "abc"},
		{BLOCK + 1, 3071 + 3072, "ab-"},
		{SIZE, 0, "abc"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct memory_volume *m = memory_volume_new(SIZE, BLOCK);
		char left[4] = "", byte;

		for (uint64_t b = 0; b < 3; b++)
			assert_ok(thin_volume_write(&m->volume, &"abc"[b], 1, b * BLOCK, &err),
				  &err);
		assert_ok(thin_volume_discard(&m->volume, cases[i].offset, cases[i].len, &err),
			  &err);
		for (uint64_t b = 0; b < 3; b++) {
			assert_ok(thin_volume_read(&m->volume, &byte, 1, b * BLOCK, &err), &err);
			left[b] = byte ? byte : '-';
		}
		assert_string_equal(left, cases[i].left);
		memory_volume_free(m);
	}
}

static void nothing_is_mapped_at_the_end(void **state)
{
	uint64_t offset, len;

	(void)state;
	assert_ok(thin_volume_write(&v->volume, "x", 1, BYTES - 1, &err), &err);
	assert_ok(thin_volume_next_mapped(&v->volume, 0, &offset, &len, &err), &err);
	assert_int_equal(offset, BYTES - 65536);
	assert_int_equal(thin_volume_next_mapped(&v->volume, BYTES, &offset, &len, &err), 1);
	assert_int_equal(thin_volume_next_mapped(&v->volume, UINT64_MAX, &offset, &len, &err), 1);
}

/* An engine that cannot share has its bytes read and written. */
static void without_sharing_bytes_are_copied_and_holes_stay(void **state)
{
	cleanup_fd int fd = memfd_create("copy", MFD_CLOEXEC);
	uint64_t shared = 7;
	char got[4];

	(void)state;
	assert_int_equal(ftruncate(fd, BYTES), 0);
	assert_ok(thin_volume_write(&v->volume, "abcd", 4, 200000, &err), &err);
	assert_ok(thin_volume_copy_to(&v->volume, 0, BYTES, fd, "copy", &shared, &err), &err);
	assert_int_equal(shared, 0);
	assert_int_equal(pread(fd, got, 4, 200000), 4);
	assert_memory_equal(got, "abcd", 4);
	assert_true(lseek(fd, 0, SEEK_DATA) > 0);
}

static void closing_nothing_is_fine(void **state)
{
	(void)state;
	thin_volume_close(NULL);
}

static void zeros_are_written_only_over_what_is_mapped(void **state)
{
	uint32_t block = thin_volume_block_bytes(&v->volume);
	uint8_t data[3] = {1, 1, 1};

	(void)state;
	assert_ok(thin_volume_write(&v->volume, data, 3, 3 * block - 1, &err), &err);
	assert_ok(thin_volume_write(&v->volume, data, 1, BYTES - 1, &err), &err);
	assert_int_equal(v->counts.mapped_blocks, 3);
	assert_ok(thin_volume_zero(&v->volume, 100, 3 * block - 100, &err), &err);
	assert_ok(thin_volume_zero(&v->volume, 5 * block, BYTES - 5 * block, &err), &err);
	assert_int_equal(v->counts.mapped_blocks, 3);
	assert_ok(thin_volume_read(&v->volume, data, 3, 3 * block - 1, &err), &err);
	assert_memory_equal(data, "\0\1\1", 3);
	assert_ok(thin_volume_read(&v->volume, data, 1, BYTES - 1, &err), &err);
	assert_int_equal(data[0], 0);
	assert_ok(thin_volume_zero(&v->volume, BYTES, 0, &err), &err);
	assert_int_equal(thin_volume_zero(&v->volume, BYTES, 1, &err), -1);
	assert_error(&err, ERR_INVALID, "outside the volume");
	v->fail_read = 1;
	assert_int_equal(thin_volume_zero(&v->volume, 0, BYTES, &err), -1);
	v->fail_read = 0;
	v->fail_write = 1;
	assert_int_equal(thin_volume_zero(&v->volume, 0, BYTES, &err), -1);
	v->fail_write = 0;
	v->volume.writable = false;
	assert_int_equal(thin_volume_zero(&v->volume, 0, 1, &err), -1);
	assert_error(&err, ERR_INVALID, "read-only");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ranges_outside_are_refused_and_nothing_is_called,
						begin, end),
		cmocka_unit_test_setup_teardown(the_last_byte_is_inside, begin, end),
		cmocka_unit_test_setup_teardown(a_read_only_volume_is_not_written, begin, end),
		cmocka_unit_test_setup_teardown(only_whole_blocks_are_discarded, begin, end),
		cmocka_unit_test_setup_teardown(nothing_is_mapped_at_the_end, begin, end),
		cmocka_unit_test_setup_teardown(without_sharing_bytes_are_copied_and_holes_stay,
						begin, end),
		cmocka_unit_test_setup_teardown(zeros_are_written_only_over_what_is_mapped, begin,
						end),
		cmocka_unit_test_setup_teardown(closing_nothing_is_fine, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
