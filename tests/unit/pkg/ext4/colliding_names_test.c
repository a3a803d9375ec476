/* SPDX-License-Identifier: Apache-2.0 */
/* Directories where many names have one hash, as an attacker may choose them. */
#include "tests/support/cmocka.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/colliding_names.h"

static void all_names_have_one_hash(void **state)
{
	uint32_t seed[4];
	size_t n;
	char **names = colliding_names_load(&n);

	(void)state;
	colliding_names_seed(seed);
	assert_true(n >= 60);
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(names[i]);

		/* the longest a marker can take away has 251 */
		assert_in_range(len, 240, 251);
		assert_int_equal(strspn(names[i], "-abcdefghijklmnopqrstuvwxyz012345"), len);
		assert_int_equal(colliding_names_hash(seed, names[i]),
				 colliding_names_hash(seed, names[0]));
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(names[i], names[k]);
	}
	colliding_names_free(names);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_names_have_one_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
