/* SPDX-License-Identifier: Apache-2.0 */
/* Base64: the vectors of RFC 4648, and what is refused. */
#include "pkg/base/base64.h"

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"

static void vectors_go_both_ways(void **state)
{
	static const char *const vectors[][2] = {
		{"", ""},
		{"f", "Zg=="},
		{"fo", "Zm8="},
		{"foo", "Zm9v"},
		{"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"},
		{"\xff\xef\xbe", "/+++"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		struct buffer text = {0}, bytes = {0};

		base64_encode(vectors[i][0], strlen(vectors[i][0]), &text);
		buffer_add(&text, "", 0);
		assert_string_equal((char *)text.data, vectors[i][1]);
		assert_true(base64_decode(vectors[i][1], strlen(vectors[i][1]), &bytes));
		assert_int_equal(bytes.len, strlen(vectors[i][0]));
		if (bytes.len)
			assert_memory_equal(bytes.data, vectors[i][0], bytes.len);
		buffer_release(&text);
		buffer_release(&bytes);
	}
}

static void other_text_is_refused(void **state)
{
	static const char *const bad[] = {"Z",	  "Zg",	      "Zg=",	"Zg==Zg==", "====",
					  "=g==", "Z===",     "Zm9=",	"Zh==",	    "Zm9v\n",
					  "Zm-v", "Zm9v Zm9", "Zg==\n", "Z=g="};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct buffer bytes = {0};

		buffer_add(&bytes, "kept", 4);
		if (base64_decode(bad[i], strlen(bad[i]), &bytes))
			fail_msg("'%s' was taken", bad[i]);
		assert_int_equal(bytes.len, 4);
		buffer_release(&bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_go_both_ways),
		cmocka_unit_test(other_text_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
