/* SPDX-License-Identifier: Apache-2.0 */
/* Which tables may be added to, and by what. */
#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"
#include "pkg/toml/toml.h"
#include "tests/support/cmocka.h"
#include "tests/support/toml_read.h"

static void keys_and_tables_stand_once(void **state)
{
	static const char *const bad[] = {
		"a = 1\na = 2",
		"a = 1\n\"a\" = 2",
		"[a]\n[a]",
		"[a]\nb = 1\n[a.b]",
		"[a.b]\n[a]\nb = 1",
		"a = {b = 1, b = 2}",
		"a.b = 1\na.b.c = 2",
		"a = 1\na.b = 2",
		"[a]\n[[a]]",
		"[[a]]\n[a]",
		"[a]\nb.c = 1\n[a.b]",
		"b.c = 1\n[b]",
		"[a.b.c]\n[a]\nb.c.d = 1",
		"a = [1]\n[[a]]",
		"[[a.b]]\n[a]\nb.c = 1",
		"a = {b = {}, b.c = 1}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		toml_refuses(bad[i], "is there already");
}

static void what_is_written_as_a_value_is_whole(void **state)
{
	static const char *const bad[] = {"a = {}\n[a.b]", "a = [{}]\n[a.b]", "a = 1\n[a.b]",
					  "a = {b.c = 1}\n[a.b.d]", "a = [{}]\n[[a.b]]"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		toml_refuses(bad[i], "line 2: 'a' is a value, nothing can be added to it");
}

static void tables_on_the_way_may_get_their_header(void **state)
{
	(void)state;
	toml_reads("[a.b.c]\nx = 1\n[a]\ny = 2\n[a.b]\nz = 3",
		   "{\"a\":{\"b\":{\"c\":{\"x\":1},\"z\":3},\"y\":2}}");
	toml_reads("[a.b]\n[a]\nc.d = 1", "{\"a\":{\"b\":{},\"c\":{\"d\":1}}}");
	toml_reads("[a.b.c]\n[a]\nb.d = 1", "{\"a\":{\"b\":{\"c\":{},\"d\":1}}}");
}

static void tables_by_dots_may_get_tables_below(void **state)
{
	(void)state;
	toml_reads("a.b = 1\nc = 2\na.d = 3", "{\"a\":{\"b\":1,\"d\":3},\"c\":2}");
	toml_reads("[f]\na.c = 1\n[f.a.t]\ns = 1", "{\"f\":{\"a\":{\"c\":1,\"t\":{\"s\":1}}}}");
}

static void headers_reach_into_the_last_element(void **state)
{
	(void)state;
	toml_reads("[[a]]\nn = 1\n[a.b]\n[[a]]\n[[a.c]]\nx = 1\n[[a.c]]\n[a.c.d]",
		   "{\"a\":[{\"n\":1,\"b\":{}},{\"c\":[{\"x\":1},{\"d\":{}}]}]}");
}

static void tables_have_a_bounded_number_of_keys(void **state)
{
	cleanup_buffer struct buffer text = {0};
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	struct error err = {0};

	(void)state;
	for (int i = 0; i < TOML_KEYS_MAX; i++)
		buffer_printf(&text, "k%d=1\n", i);
	assert_ok(toml_parse(text.data, text.len, "doc", &doc, &err), &err);
	buffer_printf(&text, "more=1\n");
	toml_refuses_bytes(text.data, text.len, "line 4097: more than 4096 keys in one table");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_and_tables_stand_once),
		cmocka_unit_test(what_is_written_as_a_value_is_whole),
		cmocka_unit_test(tables_on_the_way_may_get_their_header),
		cmocka_unit_test(tables_by_dots_may_get_tables_below),
		cmocka_unit_test(headers_reach_into_the_last_element),
		cmocka_unit_test(tables_have_a_bounded_number_of_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
