/* SPDX-License-Identifier: Apache-2.0 */
/* Incremental hashing: known answers, and the same however the bytes come. */
#include "tests/support/cmocka.h"

#include "pkg/base/alloc.h"
#include "pkg/digest/digest.h"

#define SHA256_OF_ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
/* FIPS 180-2, appendices B.3 and C.3 */
#define SHA256_OF_MILLION_A "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
#define SHA512_OF_MILLION_A                                                \
	"e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb" \
	"de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b"

static void hashing_in_parts_gives_the_same(void **state)
{
	(void)state;
	for (size_t cut = 0; cut <= 3; cut++) {
		cleanup(hash_free_ptr) struct hash *h = hash_new(DIGEST_SHA256);
		char text[DIGEST_TEXT_BYTES];
		struct digest d;

		hash_update(h, "abc", cut);
		hash_update(h, &"abc"[cut], 3 - cut);
		hash_final(h, &d);
		assert_string_equal(digest_format(&d, text), "sha256:" SHA256_OF_ABC);
	}
}

static void a_million_letters_have_the_published_sum(void **state)
{
	static const char *const expected[] = {"sha256:" SHA256_OF_MILLION_A,
					       "sha512:" SHA512_OF_MILLION_A};
	static const size_t pieces[] = {1, 63, 64, 65, 127, 128, 129, 4096, 1000000};
	char letters[4096];

	(void)state;
	memset(letters, 'a', sizeof(letters));
	for (int a = 0; a < 2; a++)
		for (size_t p = 0; p < ARRAY_SIZE(pieces); p++) {
			cleanup(hash_free_ptr) struct hash *h =
				hash_new(a ? DIGEST_SHA512 : DIGEST_SHA256);
			size_t piece = pieces[p] < sizeof(letters) ? pieces[p] : sizeof(letters);
			char text[DIGEST_TEXT_BYTES];
			struct digest d;

			for (size_t left = 1000000; left > 0; left -= piece) {
				if (piece > left)
					piece = left;
				hash_update(h, letters, piece);
			}
			hash_final(h, &d);
			assert_string_equal(digest_format(&d, text), expected[a]);
		}
}

static void nothing_in_between_changes_nothing(void **state)
{
	cleanup(hash_free_ptr) struct hash *h = hash_new(DIGEST_SHA256);
	char text[DIGEST_TEXT_BYTES];
	struct digest d;

	(void)state;
	hash_update(h, NULL, 0);
	hash_update(h, "abc", 3);
	hash_update(h, "", 0);
	memset(&d, 0xee, sizeof(d));
	hash_final(h, &d);
	assert_string_equal(digest_format(&d, text), "sha256:" SHA256_OF_ABC);
	for (size_t i = 32; i < sizeof(d.bytes); i++) /* digests are compared and copied whole */
		assert_int_equal(d.bytes[i], 0);
}

static void two_at_once_do_not_mix(void **state)
{
	cleanup(hash_free_ptr) struct hash *a = hash_new(DIGEST_SHA256);
	cleanup(hash_free_ptr) struct hash *b = hash_new(DIGEST_SHA256);
	cleanup(hash_free_ptr) struct hash *unused = hash_new(DIGEST_SHA512);
	char text[DIGEST_TEXT_BYTES];
	struct digest d;

	(void)state;
	hash_update(unused, "never asked for", 15);
	hash_update(a, "a", 1);
	hash_update(b, "x", 1);
	hash_update(a, "bc", 2);
	hash_final(b, &d);
	hash_final(a, &d);
	assert_string_equal(digest_format(&d, text), "sha256:" SHA256_OF_ABC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashing_in_parts_gives_the_same),
		cmocka_unit_test(a_million_letters_have_the_published_sum),
		cmocka_unit_test(nothing_in_between_changes_nothing),
		cmocka_unit_test(two_at_once_do_not_mix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
