/* SPDX-License-Identifier: Apache-2.0 */
/* Labels of disks: what is written is read, and nothing else is one. */
#include "pkg/thin/kernel/label.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/crc32c.h"
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"

static struct error err;
static const struct device_label sample = {
	.parts = LABEL_DATA | LABEL_METADATA,
	.uuid = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
	.pool = "default",
};

static void it_is_where_the_format_says(void **state)
{
	uint8_t raw[LABEL_BYTES];

	(void)state;
	device_label_pack(&sample, raw);
	assert_memory_equal(raw, "thinpull device", 16);
	assert_int_equal(get_le32(raw + 16), 1);
	assert_int_equal(get_le32(raw + 20), 3);
	assert_memory_equal(raw + 24, sample.uuid, sizeof(sample.uuid));
	assert_string_equal((char *)raw + 40, "default");
	assert_int_equal(get_le32(raw + 4092), tf_crc32c(0xffffffff, raw, 4092));
}

static void what_was_packed_is_unpacked(void **state)
{
	struct device_label got, want = sample;
	uint8_t raw[LABEL_BYTES];

	(void)state;
	memset(want.pool, 'x', sizeof(want.pool) - 1); /* the longest name */
	device_label_pack(&want, raw);
	assert_true(device_label_unpack(raw, &got));
	assert_int_equal(got.parts, want.parts);
	assert_memory_equal(got.uuid, want.uuid, sizeof(want.uuid));
	assert_string_equal(got.pool, want.pool);
}

static void any_other_bit_is_no_label(void **state)
{
	uint8_t raw[LABEL_BYTES];
	struct device_label got;

	(void)state;
	device_label_pack(&sample, raw);
	for (size_t bit = 0; bit < 8 * sizeof(raw); bit += bit < 8 * 200 ? 1 : 97) {
		raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(device_label_unpack(raw, &got));
		raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_true(device_label_unpack(raw, &got));
}

/* It is shown to users, and anybody may have written it. */
static void a_name_that_is_not_printable_is_shown_harmless(void **state)
{
	uint8_t raw[LABEL_BYTES];
	struct device_label got;

	(void)state;
	device_label_pack(&sample, raw);
	memset(raw + 40, 0x1b, LABEL_NAME_BYTES);
	put_le32(raw + 4092, tf_crc32c(0xffffffff, raw, 4092));
	assert_true(device_label_unpack(raw, &got));
	assert_int_equal(strlen(got.pool), LABEL_NAME_BYTES - 1);
	assert_null(strchr(got.pool, 0x1b));
}

static void it_is_read_where_it_was_written(void **state)
{
	cleanup_free char *path = xasprintf("%s/disk", (char *)*state);
	cleanup_fd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct device_label got;

	assert_true(fd >= 0);
	assert_int_equal(device_label_read(path, &got, &err), 1); /* too short for one */
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	assert_int_equal(device_label_read(path, &got, &err), 1);
	assert_ok(device_label_write(fd, path, &sample, &err), &err);
	assert_int_equal(device_label_read(path, &got, &err), 0);
	assert_string_equal(got.pool, "default");
	assert_int_equal(device_label_read("/nowhere", &got, &err), -1);
	assert_error(&err, ERR_SYSTEM, "/nowhere");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, scratch_set_up, scratch_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(it_is_where_the_format_says),
		CASE(what_was_packed_is_unpacked),
		CASE(any_other_bit_is_no_label),
		CASE(a_name_that_is_not_printable_is_shown_harmless),
		CASE(it_is_read_where_it_was_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
