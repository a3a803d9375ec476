/* SPDX-License-Identifier: Apache-2.0 */
/* Published vectors, and the fast form against the table form. */
#include "pkg/thin/file/crc32c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static uint32_t common_form(const void *data, size_t len)
{
	assert_int_equal(tf_crc32c(UINT32_MAX, data, len),
			 tf_crc32c_portable(UINT32_MAX, data, len));
	return ~tf_crc32c(UINT32_MAX, data, len);
}

/* RFC 3720 B.4, and the check value of the CRC catalogue. */
static void published_vectors_hold(void **state)
{
	uint8_t bytes[32];

	(void)state;
	assert_int_equal(common_form("123456789", 9), 0xe3069283);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(common_form(bytes, sizeof(bytes)), 0x8a9136aa);
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(common_form(bytes, sizeof(bytes)), 0x62a8ab43);
	for (uint8_t i = 0; i < 32; i++)
		bytes[i] = i;
	assert_int_equal(common_form(bytes, sizeof(bytes)), 0x46dd794e);
	for (uint8_t i = 0; i < 32; i++)
		bytes[i] = (uint8_t)(31 - i);
	assert_int_equal(common_form(bytes, sizeof(bytes)), 0x113fdb5c);
}

static void fast_form_equals_table_form_at_all_lengths_and_alignments(void **state)
{
	uint8_t bytes[300];
	uint32_t seed = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		seed = seed * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(seed >> 24);
	}
	for (size_t from = 0; from < 9; from++)
		for (size_t len = 0; len + from <= sizeof(bytes); len++)
			assert_int_equal(tf_crc32c(seed, bytes + from, len),
					 tf_crc32c_portable(seed, bytes + from, len));
}

static void a_sum_can_be_continued(void **state)
{
	uint32_t half = tf_crc32c(UINT32_MAX, "12345", 5);

	(void)state;
	assert_int_equal(tf_crc32c(half, "6789", 4), tf_crc32c(UINT32_MAX, "123456789", 9));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_vectors_hold),
		cmocka_unit_test(fast_form_equals_table_form_at_all_lengths_and_alignments),
		cmocka_unit_test(a_sum_can_be_continued),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
