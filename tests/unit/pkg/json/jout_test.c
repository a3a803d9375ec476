/* SPDX-License-Identifier: Apache-2.0 */
/* JSON out: form, escapes, and that what is written reads back. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "pkg/json/jdoc.h"

static void objects_and_arrays_are_indented(void **state)
{
	struct jout o = {0};

	(void)state;
	jout_object(&o, NULL);
	jout_string(&o, "name", "x");
	jout_array(&o, "list");
	jout_uint(&o, NULL, 1);
	jout_uint(&o, NULL, UINT64_MAX);
	jout_int(&o, NULL, INT64_MIN);
	jout_end_array(&o);
	jout_object(&o, "empty");
	jout_end_object(&o);
	jout_bool(&o, "yes", true);
	jout_string(&o, "none", NULL);
	jout_end_object(&o);
	assert_string_equal((char *)o.text.data, "{\n"
						 "  \"name\": \"x\",\n"
						 "  \"list\": [\n"
						 "    1,\n"
						 "    18446744073709551615,\n"
						 "    -9223372036854775808\n"
						 "  ],\n"
						 "  \"empty\": {},\n"
						 "  \"yes\": true,\n"
						 "  \"none\": null\n"
						 "}");
	jout_release(&o);
}

static void compact_has_no_white_space(void **state)
{
	struct jout o = {.compact = true};

	(void)state;
	jout_array(&o, NULL);
	jout_object(&o, NULL);
	jout_string(&o, "a", "b");
	jout_bool(&o, "c", false);
	jout_end_object(&o);
	jout_array(&o, NULL);
	jout_end_array(&o);
	jout_end_array(&o);
	assert_string_equal((char *)o.text.data, "[{\"a\":\"b\",\"c\":false},[]]");
	jout_release(&o);
}

static void quoted(const char *value, const char *expected)
{
	struct jout o = {.compact = true};

	jout_string(&o, NULL, value);
	assert_string_equal((char *)o.text.data, expected);
	assert_int_equal(jout_is_text(value), !strstr(expected, "\xef\xbf\xbd"));
	jout_release(&o);
}

static void special_characters_are_escaped(void **state)
{
	(void)state;
	quoted("", "\"\"");
	quoted("a\"b\\c/d", "\"a\\\"b\\\\c/d\"");
	quoted("\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\"");
	quoted("\x01\x1b[31m\x7f", "\"\\u0001\\u001b[31m\\u007f\"");
}

static void bytes_that_are_no_utf8_become_replacement_characters(void **state)
{
	(void)state;
	quoted("\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x98\x80",
	       "\"\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x98\x80\"");
	quoted("a\xff"
	       "b",
	       "\"a\xef\xbf\xbd"
	       "b\"");
	quoted("\xc3", "\"\xef\xbf\xbd\"");				    /* cut */
	quoted("\xe6\x97", "\"\xef\xbf\xbd\xef\xbf\xbd\"");		    /* cut */
	quoted("\xc0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\"");		    /* overlong */
	quoted("\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""); /* surrogate */
	quoted("\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void text_is_what_would_come_back(void **state)
{
	(void)state;
	assert_true(jout_is_text(""));
	assert_true(jout_is_text("a\x01\n\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x98\x80"));
	assert_false(jout_is_text("a\xff"));
	assert_false(jout_is_text("\xc3"));
	assert_false(jout_is_text("\xed\xa0\x80"));
}

static void what_is_written_reads_back(void **state)
{
	char value[256];
	struct jout o = {0};
	struct jdoc *doc;
	struct error err = {0};
	const char *s;

	(void)state;
	for (int i = 0; i < 127; i++)
		value[i] = (char)(i + 1);
	value[127] = '\0';
	jout_object(&o, NULL);
	jout_string(&o, value, value);
	jout_end_object(&o);
	assert_int_equal(jdoc_parse(o.text.data, o.text.len, "doc", &doc, &err), 0);
	assert_int_equal(jdoc_string(jdoc_root(doc), value, JDOC_REQUIRED, &s, &err), 0);
	assert_string_equal(s, value);
	jdoc_free(doc);
	jout_release(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_and_arrays_are_indented),
		cmocka_unit_test(compact_has_no_white_space),
		cmocka_unit_test(special_characters_are_escaped),
		cmocka_unit_test(bytes_that_are_no_utf8_become_replacement_characters),
		cmocka_unit_test(text_is_what_would_come_back),
		cmocka_unit_test(what_is_written_reads_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
