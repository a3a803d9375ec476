/* SPDX-License-Identifier: Apache-2.0 */
/* Digests: the grammar, known answers. */
#include "tests/support/cmocka.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/digest/digest.h"

#define SHA256_OF_NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define SHA256_OF_ABC	  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define SHA512_OF_ABC                                                      \
	"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" \
	"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"

static void known_answers_hold(void **state)
{
	static const struct {
		enum digest_algorithm algorithm;
		const char *data, *text;
	} cases[] = {
		{DIGEST_SHA256, "", "sha256:" SHA256_OF_NOTHING},
		{DIGEST_SHA256, "abc", "sha256:" SHA256_OF_ABC},
		{DIGEST_SHA512, "abc", "sha512:" SHA512_OF_ABC},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[DIGEST_TEXT_BYTES], hex[DIGEST_TEXT_BYTES];
		struct digest d, parsed;
		struct error err = {0};

		digest_of(cases[i].algorithm, cases[i].data, strlen(cases[i].data), &d);
		assert_string_equal(digest_format(&d, text), cases[i].text);
		assert_string_equal(digest_hex(&d, hex), cases[i].text + 7);
		assert_ok(digest_parse(text, &parsed, &err), &err);
		assert_true(digest_equal(&d, &parsed));
		assert_memory_equal(&d, &parsed, sizeof(d));
		assert_int_equal(digest_len(&d) * 2, strlen(hex));
	}
}

static void digests_differ_by_algorithm_and_by_each_bit(void **state)
{
	struct digest a, b;

	(void)state;
	digest_of(DIGEST_SHA256, "a", 1, &a);
	b = a;
	assert_true(digest_equal(&a, &b));
	b.bytes[31] ^= 1;
	assert_false(digest_equal(&a, &b));
	b = a;
	b.algorithm = DIGEST_SHA512;
	assert_false(digest_equal(&a, &b));
	assert_false(digest_equal(&a, &(struct digest){0}));
}

static void text_that_is_no_digest_is_refused(void **state)
{
	static const struct {
		const char *text;
		enum error_kind kind;
	} cases[] = {
		{"", ERR_INVALID},
		{":", ERR_INVALID},
		{"sha256", ERR_INVALID},
		{"sha256:", ERR_INVALID},
		{":" SHA256_OF_ABC, ERR_INVALID},
		{SHA256_OF_ABC, ERR_INVALID},
		{"sha256:../../../etc/passwd", ERR_INVALID},
		{"sha256:%2f", ERR_INVALID},
		{"sha256:" SHA256_OF_ABC "0", ERR_INVALID},
		{"sha256:" SHA256_OF_ABC " ", ERR_INVALID},
		{"sha256:" SHA256_OF_ABC "\n", ERR_INVALID},
		{" sha256:" SHA256_OF_ABC, ERR_INVALID},
		{"sha256: " SHA256_OF_ABC, ERR_INVALID},
		{"sha256:Ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		 ERR_INVALID},
		{"sha256:ga7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		 ERR_INVALID},
		{"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a",
		 ERR_INVALID},
		{"sha512:" SHA256_OF_ABC, ERR_INVALID},
		{"SHA256:" SHA256_OF_ABC, ERR_INVALID},
		{"sha256+:" SHA256_OF_ABC, ERR_INVALID},
		{"+sha256:" SHA256_OF_ABC, ERR_INVALID},
		{"sha256:a:b", ERR_INVALID},
		{"none:" SHA256_OF_ABC, ERR_UNSUPPORTED},
		{"blake3:" SHA256_OF_ABC, ERR_UNSUPPORTED},
		{"multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8",
		 ERR_UNSUPPORTED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct digest d = {.algorithm = DIGEST_SHA512};
		struct error err = {0};

		assert_int_equal(digest_parse(cases[i].text, &d, &err), -1);
		assert_error(&err, cases[i].kind, "digest");
		assert_int_equal(d.algorithm, DIGEST_SHA512); /* untouched */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers_hold),
		cmocka_unit_test(digests_differ_by_algorithm_and_by_each_bit),
		cmocka_unit_test(text_that_is_no_digest_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
