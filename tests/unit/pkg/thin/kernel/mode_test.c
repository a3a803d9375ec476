/* SPDX-License-Identifier: Apache-2.0 */
/* Modes by what the status line says, as the kernel degrades. */
#include "pkg/thin/kernel/mode.h"

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"

static struct error err;

static const struct {
	const char *params, *name;
	enum error_kind kind;
	enum error_detail detail;
	bool broken;
} lines[] = {
	{"7 18/2048 33/4096 - rw discard_passdown error_if_no_space - 512", "rw", ERR_NONE,
	 ERR_DETAIL_NONE, false},
	/* every block is mapped, and nobody has asked for one more */
	{"7 18/2048 4096/4096 - rw discard_passdown error_if_no_space - 512", "rw", ERR_NONE,
	 ERR_DETAIL_NONE, false},
	{"7 18/2048 4096/4096 - out_of_data_space discard_passdown queue_if_no_space - 512",
	 "out_of_data_space", ERR_NO_SPACE, ERR_DETAIL_POOL_FULL, false},
	{"7 2048/2048 33/4096 - ro discard_passdown error_if_no_space - 512",
	 "out_of_metadata_space", ERR_NO_SPACE, ERR_DETAIL_POOL_METADATA_FULL, false},
	{"7 2047/2048 33/4096 - ro discard_passdown error_if_no_space - 512", "ro",
	 ERR_INCONSISTENT, ERR_DETAIL_POOL_READ_ONLY, true},
	/* full, and a write failed for it: room alone does not help any more */
	{"7 2048/2048 33/4096 - ro discard_passdown error_if_no_space needs_check 512",
	 "needs_check", ERR_INCONSISTENT, ERR_DETAIL_POOL_READ_ONLY, true},
	{"7 18/2048 33/4096 - rw discard_passdown error_if_no_space needs_check 512", "needs_check",
	 ERR_INCONSISTENT, ERR_DETAIL_POOL_READ_ONLY, true},
	{"7 18/2048 4096/4096 - out_of_data_space discard_passdown error_if_no_space needs_check",
	 "needs_check", ERR_INCONSISTENT, ERR_DETAIL_POOL_READ_ONLY, true},
	{"Fail", "fail", ERR_INCONSISTENT, ERR_DETAIL_POOL_FAILED, true},
	{"Error", "fail", ERR_INCONSISTENT, ERR_DETAIL_POOL_FAILED, true},
	/* a kernel that says no mode yet */
	{"7 18/2048 33/4096 -", "rw", ERR_NONE, ERR_DETAIL_NONE, false},
};

static void each_mode_has_its_name_and_its_error(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct kernel_pool_status s;
		enum error_detail detail = ERR_DETAIL_HOST;

		assert_ok(kernel_pool_status_parse(lines[i].params, &s, &err), &err);
		assert_string_equal(kernel_mode_name(&s), lines[i].name);
		assert_int_equal(kernel_mode_kind(&s, &detail), lines[i].kind);
		assert_int_equal(detail, lines[i].detail);
		assert_int_equal(kernel_mode_is_broken(&s), lines[i].broken);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mode_has_its_name_and_its_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
