/* SPDX-License-Identifier: Apache-2.0 */
/* Lines, comments and the numbers of lines in errors. */
#include "tests/support/cmocka.h"
#include "tests/support/toml_read.h"

static void comments_stand_behind_anything(void **state)
{
	(void)state;
	toml_reads("# one\na = 1 # two \xc3\xa9\t\n[b]#three\n#", "{\"a\":1,\"b\":{}}");
	toml_reads("a = '#' # '", "{\"a\":\"#\"}");
	toml_reads("a = [ # ]\n] # ]", "{\"a\":[]}");
}

static void control_characters_are_for_nobody(void **state)
{
	(void)state;
	toml_refuses("# a\n# \x01", "line 2: a control character (0x01) in a comment");
	toml_refuses("a = 1 # \x7f", "line 1: a control character (0x7f) in a comment");
	toml_refuses("# x\ry", "line 1: a control character (0x0d) in a comment");
	toml_refuses_bytes("# \0", 3, "line 1: a control character (0x00) in a comment");
	toml_refuses("\x0b", "line 1: a key is expected");
}

static void lines_end_as_on_any_system(void **state)
{
	(void)state;
	toml_reads("a = 1\r\n\r\n# c\r\nb = 2\nc = 3\r\n", "{\"a\":1,\"b\":2,\"c\":3}");
	toml_refuses("a = 1\r\n\r\nb", "line 3: '=' is expected");
	toml_refuses("a = \"\"\"\r\n\r\n\"\"\"\nb", "line 4: '=' is expected");
	toml_refuses("a = [\n\n1\n]\nb", "line 5: '=' is expected");
	toml_refuses("a = \"\"\"\\\n\n  x\"\"\"\nb", "line 4: '=' is expected");
}

static void blanks_count_nowhere(void **state)
{
	(void)state;
	toml_reads("\t a\t . b \t=\t1 \t\n  [ c ]  \n", "{\"a\":{\"b\":1},\"c\":{}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comments_stand_behind_anything),
		cmocka_unit_test(control_characters_are_for_nobody),
		cmocka_unit_test(lines_end_as_on_any_system),
		cmocka_unit_test(blanks_count_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
