/* SPDX-License-Identifier: Apache-2.0 */
/* The four forms of strings. */
#include "tests/support/cmocka.h"
#include "tests/support/toml_read.h"

static void basic_strings_have_escapes(void **state)
{
	(void)state;
	toml_reads("a = \"\"", "{\"a\":\"\"}");
	toml_reads("a = \"\\b\\t\\n\\f\\r\\\"\\\\\"", "{\"a\":\"\\b\\t\\n\\f\\r\\\"\\\\\"}");
	toml_reads("a = \"\\u0041\\u00e9\\u65E5\\U0001F600\"",
		   "{\"a\":\"A\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80\"}");
	toml_reads("a = \"tab\there '\"", "{\"a\":\"tab\\there '\"}");
}

static void bad_escapes_are_refused(void **state)
{
	(void)state;
	toml_refuses("a = \"\\x41\"", "line 1: '\\x' is no escape");
	toml_refuses("a = \"\\ \"", "line 1: a backslash that begins no escape");
	toml_refuses("a = \"\\", "line 1: a backslash that begins no escape");
	toml_refuses("a = \"\\u004\"", "line 1: 4 hex digits are expected after \\u");
	toml_refuses("a = \"\\U0041\"", "line 1: 8 hex digits are expected after \\U");
	toml_refuses("a = \"\\ud800\"", "line 1: U+D800 is no character");
	toml_refuses("a = \"\\U00110000\"", "line 1: U+110000 is no character");
	toml_refuses("a = \"\\u0000\"", "line 1: a NUL in a string");
}

static void literal_strings_are_what_they_are(void **state)
{
	(void)state;
	toml_reads("a = 'C:\\n\"x\"'", "{\"a\":\"C:\\\\n\\\"x\\\"\"}");
	toml_reads("a = ''", "{\"a\":\"\"}");
	toml_refuses("a = 'it''s'", "line 1: only a comment may follow");
}

static void strings_of_several_lines(void **state)
{
	(void)state;
	toml_reads("a = \"\"\"\none\n two\\n\"\"\"", "{\"a\":\"one\\n two\\n\"}");
	toml_reads("a = \"\"\"\r\none\r\ntwo\"\"\"", "{\"a\":\"one\\ntwo\"}");
	toml_reads("a = \"\"\"one \\  \n\n \t two\"\"\"", "{\"a\":\"one two\"}");
	toml_reads("a = '''\none\\\n'''", "{\"a\":\"one\\\\\\n\"}");
	toml_refuses("a = \"\"\"x \\ y\"\"\"", "line 1: a backslash that begins no escape");
	toml_refuses("a = \"\"\"\nx\ry\"\"\"", "line 2: a string is not ended");
}

static void quotes_may_stand_before_the_end(void **state)
{
	(void)state;
	toml_reads("a = \"\"\"\"x\"\"\"\"\"", "{\"a\":\"\\\"x\\\"\\\"\"}");
	toml_reads("a = '''''x'''''", "{\"a\":\"''x''\"}");
	toml_reads("a = \"\"\"\"\"\"", "{\"a\":\"\"}");
	toml_refuses("a = \"\"\"x\"\"\"\"\"\"", "line 1: only a comment may follow");
}

static void strings_that_do_not_end_are_refused(void **state)
{
	static const char *const bad[] = {"a = \"x", "a = 'x",		"a = \"x\n\"", "a = 'x\n'",
					  "a = \"",  "a = \"\"\"x\"\"", "a = '''x''"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		toml_refuses(bad[i], "line 1: a string is not ended");
	toml_refuses("a = '''\n\nx", "line 3: a string is not ended");
}

static void control_characters_are_refused(void **state)
{
	(void)state;
	toml_refuses("a = \"\x1b[31m\"", "line 1: a control character (0x1b) in a string");
	toml_refuses("a = '\x7f'", "line 1: a control character (0x7f) in a string");
	toml_refuses_bytes("a = \"x\0y\"", 9, "line 1: a control character (0x00) in a string");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(basic_strings_have_escapes),
		cmocka_unit_test(bad_escapes_are_refused),
		cmocka_unit_test(literal_strings_are_what_they_are),
		cmocka_unit_test(strings_of_several_lines),
		cmocka_unit_test(quotes_may_stand_before_the_end),
		cmocka_unit_test(strings_that_do_not_end_are_refused),
		cmocka_unit_test(control_characters_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
