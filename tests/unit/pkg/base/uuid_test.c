/* SPDX-License-Identifier: Apache-2.0 */
/* UUIDs: version and variant where RFC 9562 wants them, all other bits as they come. */
#include "pkg/base/uuid.h"

#include "tests/support/cmocka.h"

static void made_of_bytes_they_keep_all_other_bits(void **state)
{
	uint8_t bytes[UUID_BYTES], uuid[UUID_BYTES];

	(void)state;
	memset(bytes, 0xff, sizeof(bytes));
	uuid_from_bytes(bytes, uuid);
	assert_int_equal(uuid[6], 0x8f);
	assert_int_equal(uuid[8], 0xbf);
	memset(bytes, 0, sizeof(bytes));
	uuid_from_bytes(bytes, uuid);
	assert_int_equal(uuid[6], 0x80);
	assert_int_equal(uuid[8], 0x80);
	for (uint8_t i = 0; i < UUID_BYTES; i++)
		bytes[i] = (uint8_t)(0x10 + i);
	uuid_from_bytes(bytes, uuid);
	for (uint8_t i = 0; i < UUID_BYTES; i++)
		if (i != 6 && i != 8)
			assert_int_equal(uuid[i], 0x10 + i);
}

/* Each bit but six of 128 is set in some of them and not in others. */
static void random_ones_differ_in_every_bit_there_is(void **state)
{
	uint8_t ever[UUID_BYTES] = {0}, always[UUID_BYTES];
	struct error err = {0};

	(void)state;
	memset(always, 0xff, sizeof(always));
	for (int round = 0; round < 200; round++) {
		uint8_t uuid[UUID_BYTES] = {0};

		assert_ok(uuid_random(uuid, &err), &err);
		assert_int_equal(uuid[6] >> 4, 4);
		assert_int_equal(uuid[8] >> 6, 2);
		for (int i = 0; i < UUID_BYTES; i++) {
			ever[i] |= uuid[i];
			always[i] &= uuid[i];
		}
	}
	for (int i = 0; i < UUID_BYTES; i++) {
		uint8_t fixed = i == 6 ? 0xf0 : i == 8 ? 0xc0 : 0;

		assert_int_equal((ever[i] ^ always[i]) | fixed, 0xff);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(made_of_bytes_they_keep_all_other_bits),
		cmocka_unit_test(random_ones_differ_in_every_bit_there_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
