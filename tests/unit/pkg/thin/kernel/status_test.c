/* SPDX-License-Identifier: Apache-2.0 */
/* Status lines of all kernels, whole and cut, and what is none. */
#include "pkg/thin/kernel/status.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"

static struct error err;

#define POOL_START "7 18/2048 33/4096 -"

static void pool_line_of_each_kernel(void **state)
{
	static const struct {
		const char *params;
		struct kernel_pool_status is;
	} lines[] = {
		/* 3.2; 3.10; with the fields that came one by one; 4.5 and on */
		{POOL_START, {.data_used = 33}},
		{POOL_START " rw", {.data_used = 33}},
		{POOL_START " rw discard_passdown", {.discard = true, .discard_passdown = true}},
		{POOL_START " ro no_discard_passdown error_if_no_space",
		 {.mode = KERNEL_POOL_READ_ONLY, .discard = true, .error_if_no_space = true}},
		{POOL_START " ro ignore_discard queue_if_no_space needs_check",
		 {.mode = KERNEL_POOL_READ_ONLY, .needs_check = true}},
		{POOL_START " out_of_data_space discard_passdown queue_if_no_space - 1024",
		 {.mode = KERNEL_POOL_OUT_OF_DATA,
		  .discard = true,
		  .discard_passdown = true,
		  .metadata_low_water = 1024}},
		/* one to come */
		{POOL_START " rw discard_passdown error_if_no_space - 512 something 99/100",
		 {.discard = true,
		  .discard_passdown = true,
		  .error_if_no_space = true,
		  .metadata_low_water = 512}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		const struct kernel_pool_status *is = &lines[i].is;
		struct kernel_pool_status s;

		memset(&s, 0xff, sizeof(s));
		assert_ok(kernel_pool_status_parse(lines[i].params, &s, &err), &err);
		assert_int_equal(s.transaction_id, 7);
		assert_int_equal(s.metadata_used, 18);
		assert_int_equal(s.metadata_total, 2048);
		assert_int_equal(s.data_used, 33);
		assert_int_equal(s.data_total, 4096);
		assert_int_equal(s.held_root, 0);
		assert_int_equal(s.mode, is->mode);
		assert_int_equal(s.discard, is->discard);
		assert_int_equal(s.discard_passdown, is->discard_passdown);
		assert_int_equal(s.error_if_no_space, is->error_if_no_space);
		assert_int_equal(s.needs_check, is->needs_check);
		assert_int_equal(s.metadata_low_water, is->metadata_low_water);
	}
}

static void pool_numbers_have_64_bits(void **state)
{
	struct kernel_pool_status s;

	(void)state;
	assert_ok(kernel_pool_status_parse(
			  "18446744073709551615 18446744073709551614/18446744073709551615 "
			  "0/18446744073709551615 4161599 rw discard_passdown error_if_no_space - "
			  "18446744073709551615 ",
			  &s, &err),
		  &err);
	assert_true(s.transaction_id == UINT64_MAX);
	assert_true(s.metadata_used == UINT64_MAX - 1 && s.metadata_total == UINT64_MAX);
	assert_true(s.data_used == 0 && s.data_total == UINT64_MAX);
	assert_int_equal(s.held_root, 4161599);
	assert_true(s.metadata_low_water == UINT64_MAX);
}

static void pool_that_tells_nothing_else(void **state)
{
	struct kernel_pool_status s;

	(void)state;
	assert_ok(kernel_pool_status_parse("Fail", &s, &err), &err);
	assert_int_equal(s.mode, KERNEL_POOL_FAIL);
	assert_int_equal(s.data_total, 0);
	assert_ok(kernel_pool_status_parse("Error\n", &s, &err), &err);
	assert_int_equal(s.mode, KERNEL_POOL_ERROR);
}

static void no_pool_lines(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"7",
		"7 18/2048",
		"7 18/2048 33/4096",
		"-7 18/2048 33/4096 -",
		"18446744073709551616 18/2048 33/4096 -",
		"7 18 33/4096 -",
		"7 18/2048 33/18446744073709551616 -",
		"7 18/2048 33/4096 x",
		"Failed",
		"Fail 7",
		"fail",
		POOL_START " wr",
		POOL_START " rw passdown",
		POOL_START " rw discard_passdown perhaps",
		POOL_START " rw discard_passdown error_if_no_space +",
		POOL_START " rw discard_passdown error_if_no_space - low",
		"131072 4/8", /* of a thin device */
	};
	struct kernel_pool_status s = {.transaction_id = 5};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(kernel_pool_status_parse(bad[i], &s, &err), -1);
		assert_error(&err, ERR_INVALID, "thin-pool");
	}
	assert_int_equal(s.transaction_id, 5);
}

/* Cut at each byte it is either refused or tells what is before the cut. */
static void pool_line_cut_anywhere(void **state)
{
	static const char whole[] = POOL_START
		" out_of_data_space no_discard_passdown error_if_no_space needs_check 64";
	struct kernel_pool_status s;

	(void)state;
	for (size_t len = 0; len < sizeof(whole); len++) {
		char *cut = xstrndup(whole, len);

		if (kernel_pool_status_parse(cut, &s, &err) == 0) {
			assert_true(len >= strlen(POOL_START));
			assert_int_equal(s.data_total, 4096);
		} else {
			assert_int_equal(err.kind, ERR_INVALID);
		}
		free(cut);
	}
	assert_ok(kernel_pool_status_parse(whole, &s, &err), &err);
}

static void thin_lines(void **state)
{
	struct kernel_thin_status s;

	(void)state;
	assert_ok(kernel_thin_status_parse("0 -", &s, &err), &err);
	assert_true(!s.failed && s.mapped_sectors == 0 && s.highest_sector == 0);
	assert_ok(kernel_thin_status_parse("131072 18446744073709551615", &s, &err), &err);
	assert_true(!s.failed && s.mapped_sectors == 131072 && s.highest_sector == UINT64_MAX);
	assert_ok(kernel_thin_status_parse("Fail", &s, &err), &err);
	assert_true(s.failed && s.mapped_sectors == 0);
	assert_ok(kernel_thin_status_parse("Error", &s, &err), &err);
	assert_true(s.failed);
	assert_ok(kernel_thin_status_parse("-", &s, &err), &err);
	assert_true(s.failed);
}

static void no_thin_lines(void **state)
{
	static const char *const bad[] = {
		"", "128", "128 x", "x -", "- 8", "Failure", "18446744073709551616 -", POOL_START};
	struct kernel_thin_status s;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(kernel_thin_status_parse(bad[i], &s, &err), -1);
		assert_error(&err, ERR_INVALID, "thin device");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pool_line_of_each_kernel),
		cmocka_unit_test(pool_numbers_have_64_bits),
		cmocka_unit_test(pool_that_tells_nothing_else),
		cmocka_unit_test(no_pool_lines),
		cmocka_unit_test(pool_line_cut_anywhere),
		cmocka_unit_test(thin_lines),
		cmocka_unit_test(no_thin_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
