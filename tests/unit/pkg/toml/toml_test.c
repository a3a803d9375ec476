/* SPDX-License-Identifier: Apache-2.0 */
/* Documents as a whole: keys, values, headers, and what files of other tools look like. */
#include "pkg/toml/toml.h"

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/toml_read.h"

static void c16_a_hosts_file_is_read(void **state)
{
	(void)state;
	toml_reads("server = \"https://registry-1.docker.io\"\n"
		   "\n"
		   "[host.\"https://mirror.example.com:5000\"]\n"
		   "  capabilities = [\"pull\", \"resolve\"] # no push\n"
		   "  ca = ['a.crt', '/b.crt']\n"
		   "  client = [[\"c.cert\", \"c.key\"]]\n"
		   "  skip_verify = false\n"
		   "  [host.\"https://mirror.example.com:5000\".header]\n"
		   "    x-custom = \"1\"\n"
		   "[host.'http://10.0.0.1']\n",
		   "{\"server\":\"https://registry-1.docker.io\","
		   "\"host\":{\"https://mirror.example.com:5000\":{"
		   "\"capabilities\":[\"pull\",\"resolve\"],\"ca\":[\"a.crt\",\"/b.crt\"],"
		   "\"client\":[[\"c.cert\",\"c.key\"]],\"skip_verify\":false,"
		   "\"header\":{\"x-custom\":\"1\"}},\"http://10.0.0.1\":{}}}");
}

static void c17_a_registries_file_is_read(void **state)
{
	(void)state;
	toml_reads("unqualified-search-registries = [\"docker.io\"]\r\n"
		   "[[registry]]\r\n"
		   "prefix = \"example.com/foo\"\r\n"
		   "[[registry.mirror]]\r\n"
		   "location = \"mirror-0.local/foo\"\r\n"
		   "[[registry.mirror]]\r\n"
		   "location = \"mirror-1.local/foo\"\r\n"
		   "insecure = true\r\n"
		   "[[registry]]\r\n"
		   "location = \"registry.com\"\r\n"
		   "[aliases]\r\n"
		   "  \"fedora\" = \"registry.fedoraproject.org/fedora\"\r\n",
		   "{\"unqualified-search-registries\":[\"docker.io\"],\"registry\":["
		   "{\"prefix\":\"example.com/foo\",\"mirror\":["
		   "{\"location\":\"mirror-0.local/foo\"},"
		   "{\"location\":\"mirror-1.local/foo\",\"insecure\":true}]},"
		   "{\"location\":\"registry.com\"}],"
		   "\"aliases\":{\"fedora\":\"registry.fedoraproject.org/fedora\"}}");
}

static void a_file_of_nothing_is_an_empty_document(void **state)
{
	static const char *const files[] = {"", "\n", "# nothing", " \t \n\n# x\r\n",
					    "\xef\xbb\xbf"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		toml_reads(files[i], "{}");
}

static void keys_are_bare_or_in_quotes(void **state)
{
	(void)state;
	toml_reads("a-b_1=1\n1=2\n\"c d\"=3\n'e.f'=4\n\"\"=5\n\"\\u00e9\"=6",
		   "{\"a-b_1\":1,\"1\":2,\"c d\":3,\"e.f\":4,\"\":5,\"\xc3\xa9\":6}");
	toml_refuses("= 1", "line 1: a key is expected");
	toml_refuses("\n\xc3\xa9 = 1", "line 2: a key is expected");
	toml_refuses("a b = 1", "line 1: '=' is expected after 'a'");
	toml_refuses("a\n= 1", "line 1: '=' is expected after 'a'");
	toml_refuses("a. = 1", "line 1: a key is expected");
	toml_refuses("\"\"\"a\"\"\" = 1", "line 1: '=' is expected");
}

static void values_may_be_nested(void **state)
{
	(void)state;
	toml_reads("a = [ [], [1, [2]] , { b = [true] }, ]", "{\"a\":[[],[1,[2]],{\"b\":[true]}]}");
	toml_reads("a = [ # one\n 1\n ,\n\n 2 # two\n ]", "{\"a\":[1,2]}");
	toml_reads("a = {}\nb = { c = 1 , d.e = 'x' }",
		   "{\"a\":{},\"b\":{\"c\":1,\"d\":{\"e\":\"x\"}}}");
	toml_refuses("a = [1 2]", "line 1: ',' or ']' is expected");
	toml_refuses("a = [,]", "line 1: a value is expected");
	toml_refuses("a = [1,\n", "line 2: a value is expected");
	toml_refuses("a = {b = 1,}", "line 1: a key is expected");
	toml_refuses("a = {\nb = 1}", "line 1: a key is expected");
	toml_refuses("a = {b = 1\n}", "line 1: ',' or '}' is expected");
	toml_refuses("a = {b}", "line 1: '=' is expected");
}

static void a_line_holds_one_thing(void **state)
{
	(void)state;
	toml_refuses("a = 1 b = 2", "line 1: only a comment may follow");
	toml_refuses("[a] b = 1", "line 1: only a comment may follow");
	toml_refuses("a = \"x\"y", "line 1: only a comment may follow");
	toml_refuses("a = 1\rb = 2", "line 1: only a comment may follow");
	toml_refuses("a =", "line 1: a value is expected");
	toml_refuses("a =\n1", "line 1: a value is expected");
}

static void headers_are_closed(void **state)
{
	(void)state;
	toml_reads("[ a . \"b\" ] # c\n[[ d ]]\n", "{\"a\":{\"b\":{}},\"d\":[{}]}");
	toml_refuses("\n\n[a", "line 3: ']' is expected");
	toml_refuses("[[a]\n", "line 1: ']]' is expected");
	toml_refuses("[[a] ]", "line 1: ']]' is expected");
	toml_refuses("[]", "line 1: a key is expected");
	toml_refuses("[a]]", "line 1: only a comment may follow");
	toml_refuses("[a\n]", "line 1: ']' is expected");
}

static void depth_is_bounded(void **state)
{
	struct buffer text = {0};

	(void)state;
	buffer_printf(&text, "a = ");
	for (int i = 0; i < TOML_DEPTH_MAX - 1; i++)
		buffer_add(&text, "[", 1);
	for (int i = 0; i < TOML_DEPTH_MAX - 1; i++)
		buffer_add(&text, "]", 1);
	buffer_add(&text, "\n", 1);
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	struct error err = {0};

	assert_ok(toml_parse(text.data, text.len, "doc", &doc, &err), &err);
	buffer_clear(&text);
	buffer_printf(&text, "a = ");
	for (int i = 0; i < 100000; i++)
		buffer_add(&text, i % 2 ? "[" : "{a=", i % 2 ? 1 : 3);
	toml_refuses_bytes(text.data, text.len, "line 1: nested more than 60 levels deep");
	buffer_clear(&text);
	for (int i = 0; i < 100000; i++)
		buffer_printf(&text, "a.");
	toml_refuses_bytes(text.data, text.len, "line 1: a key of more than 60 parts");
	buffer_release(&text);
}

static void size_is_bounded(void **state)
{
	cleanup_free char *text = xcalloc(1, TOML_TEXT_MAX_BYTES + 1);

	(void)state;
	memset(text, '\n', TOML_TEXT_MAX_BYTES + 1);
	toml_refuses_bytes(text, TOML_TEXT_MAX_BYTES + 1, "1048577 bytes, at most 1048576");
}

static void bytes_that_are_no_utf8_are_refused(void **state)
{
	(void)state;
	toml_refuses("a = 1\n# \xff", "line 2: not UTF-8");
	toml_refuses("a = \"\xed\xa0\x80\"", "line 1: not UTF-8");
	toml_refuses_bytes("a = 1\0", 6, "line 1: only a comment may follow");
}

static void errors_of_getters_name_the_path(void **state)
{
	static const char text[] = "[host.\"https://x\"]\nca = 1\nt = 07:32:00\nf = 1.5\n";
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	struct error err = {0};
	struct jval host, x;
	const char *s;

	(void)state;
	assert_ok(toml_parse(text, sizeof(text) - 1, "hosts.toml", &doc, &err), &err);
	assert_ok(jdoc_object(jdoc_root(doc), "host", JDOC_REQUIRED, &host, &err), &err);
	assert_ok(jdoc_object(host, "https://x", JDOC_REQUIRED, &x, &err), &err);
	assert_int_equal(jdoc_string(x, "ca", JDOC_OPTIONAL, &s, &err), -1);
	assert_error(&err, ERR_INVALID, "hosts.toml.host.https://x.ca: not a string");
	/* What JSON has no type for does not pass for a string. */
	assert_int_equal(jdoc_string(x, "t", JDOC_OPTIONAL, &s, &err), -1);
	assert_int_equal(jdoc_string(x, "f", JDOC_OPTIONAL, &s, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c16_a_hosts_file_is_read),
		cmocka_unit_test(c17_a_registries_file_is_read),
		cmocka_unit_test(a_file_of_nothing_is_an_empty_document),
		cmocka_unit_test(keys_are_bare_or_in_quotes),
		cmocka_unit_test(values_may_be_nested),
		cmocka_unit_test(a_line_holds_one_thing),
		cmocka_unit_test(headers_are_closed),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(size_is_bounded),
		cmocka_unit_test(bytes_that_are_no_utf8_are_refused),
		cmocka_unit_test(errors_of_getters_name_the_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
