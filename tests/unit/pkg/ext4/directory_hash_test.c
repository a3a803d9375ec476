/* SPDX-License-Identifier: Apache-2.0 */
/* The hash of names, as e2fsprogs' debugfs computes it. */
#include <stdio.h>
#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/ext4/directory.h"
#include "tests/support/cmocka.h"
#include "tests/support/e2fsprogs.h"

/* The seed of debugfs' dx_hash, in host order. */
static const struct ext4_dir_owner owner = {
	.hash_seed = {0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c},
};

static void debugfs_agrees(void **state)
{
	char name[256];

	(void)state;
	for (size_t len = 1; len < sizeof(name); len += 13) {
		cleanup_free char *out = NULL;
		uint32_t hash, minor, ours, our_minor;
		char *at;

		for (size_t i = 0; i <= len; i++)
			name[i] = (char)(i < len ? 'a' + i % 26 : 0);
		assert_int_equal(command_run(&out,
					     "debugfs -R 'dx_hash -h half_md4 -s "
					     "00010203-0405-0607-0809-0a0b0c0d0e0f %s'",
					     name),
				 0);
		at = strstr(out, " is 0x");
		assert_non_null(at);
		assert_int_equal(sscanf(at, " is 0x%x (minor 0x%x)", &hash, &minor), 2);
		ours = ext4_dir_hash(&owner, name, len, &our_minor);
		assert_int_equal(ours, hash & ~1U);
		assert_int_equal(our_minor, minor);
	}
}

static void the_lowest_bit_is_not_part_of_it(void **state)
{
	char name[16];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		size_t len = (size_t)snprintf(name, sizeof(name), "%d", i);

		assert_int_equal(ext4_dir_hash(&owner, name, len, NULL) & 1, 0);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(debugfs_agrees),
		cmocka_unit_test(the_lowest_bit_is_not_part_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
