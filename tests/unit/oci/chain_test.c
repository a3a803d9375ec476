/* SPDX-License-Identifier: Apache-2.0 */
/* ChainIDs against sums made with sha256sum. */
#include "oci/chain.h"

#include "tests/support/cmocka.h"

static void chain_ids_are_sums_over_text(void **state)
{
	/* printf 'sha256:<0...0> sha256:<1...1>' | sha256sum, and so on */
	static const char *const expected[] = {
		"sha256:0000000000000000000000000000000000000000000000000000000000000000",
		"sha256:f94b891e05f6e37c90d87edfd5bb98a02d618a437c35f3a94b3b00e48e894631",
		"sha256:59e1080197dac1c8a7a84c26e489ea200c2cb386337efde7688d47aee4460ed7",
	};
	struct digest diff_ids[3] = {0}, chain[3];
	char text[DIGEST_TEXT_BYTES];

	(void)state;
	for (int i = 0; i < 3; i++) {
		diff_ids[i].algorithm = DIGEST_SHA256;
		memset(diff_ids[i].bytes, i * 0x11, 32);
	}
	oci_chain_ids(diff_ids, 3, chain);
	for (int i = 0; i < 3; i++)
		assert_string_equal(digest_format(&chain[i], text), expected[i]);
}

static void the_same_diff_id_twice_has_two_chain_ids(void **state)
{
	struct digest diff_ids[2] = {{.algorithm = DIGEST_SHA256}, {.algorithm = DIGEST_SHA256}};
	struct digest chain[2];

	(void)state;
	oci_chain_ids(diff_ids, 2, chain);
	assert_true(digest_equal(&chain[0], &diff_ids[0]));
	assert_false(digest_equal(&chain[1], &chain[0]));
}

static void no_layers_need_no_chain(void **state)
{
	(void)state;
	oci_chain_ids(NULL, 0, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chain_ids_are_sums_over_text),
		cmocka_unit_test(the_same_diff_id_twice_has_two_chain_ids),
		cmocka_unit_test(no_layers_need_no_chain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
