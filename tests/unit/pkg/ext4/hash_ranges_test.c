/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges against a plain array of flags. */
#include "pkg/ext4/hash_ranges.h"

#include <stdlib.h>

#include "tests/support/cmocka.h"

static void an_empty_set_holds_nothing(void **state)
{
	struct hash_ranges r = {0};

	(void)state;
	assert_false(hash_ranges_hold(&r, 0));
	assert_false(hash_ranges_hold(&r, UINT32_MAX));
	hash_ranges_release(&r);
}

static void ranges_that_touch_become_one(void **state)
{
	struct hash_ranges r = {0};

	(void)state;
	hash_ranges_add(&r, 10, 19);
	hash_ranges_add(&r, 30, 39);
	assert_int_equal(r.n, 2);
	hash_ranges_add(&r, 20, 29);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.items[0].first, 10);
	assert_int_equal(r.items[0].last, 39);
	hash_ranges_add(&r, 15, 25);
	hash_ranges_add(&r, 41, 50);
	assert_int_equal(r.n, 2);
	assert_false(hash_ranges_hold(&r, 40));
	hash_ranges_release(&r);
}

static void the_ends_can_be_in_it(void **state)
{
	struct hash_ranges r = {0};

	(void)state;
	hash_ranges_add(&r, UINT32_MAX - 1, UINT32_MAX);
	hash_ranges_add(&r, 0, 1);
	assert_int_equal(r.n, 2);
	assert_true(hash_ranges_hold(&r, 0) && hash_ranges_hold(&r, UINT32_MAX));
	hash_ranges_add(&r, 2, UINT32_MAX - 2);
	assert_int_equal(r.n, 1);
	assert_true(r.items[0].first == 0 && r.items[0].last == UINT32_MAX);
	hash_ranges_add(&r, 0, UINT32_MAX);
	assert_int_equal(r.n, 1);
	hash_ranges_release(&r);
}

static void random_ranges_agree_with_flags(void **state)
{
	enum { SPACE = 300 };

	(void)state;
	srand(1);
	for (int round = 0; round < 200; round++) {
		struct hash_ranges r = {0};
		bool flags[SPACE] = {false};

		for (int i = 0; i < 40; i++) {
			uint32_t first = (uint32_t)rand() % SPACE;
			uint32_t last = first + (uint32_t)rand() % 12;

			last = last < SPACE ? last : SPACE - 1;
			hash_ranges_add(&r, first, last);
			for (uint32_t k = first; k <= last; k++)
				flags[k] = true;
			for (uint32_t k = 0; k < SPACE; k++)
				assert_int_equal(hash_ranges_hold(&r, k), flags[k]);
			for (size_t k = 1; k < r.n; k++)
				assert_true(r.items[k - 1].last + 1 < r.items[k].first);
		}
		hash_ranges_release(&r);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_set_holds_nothing),
		cmocka_unit_test(ranges_that_touch_become_one),
		cmocka_unit_test(the_ends_can_be_in_it),
		cmocka_unit_test(random_ranges_agree_with_flags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
