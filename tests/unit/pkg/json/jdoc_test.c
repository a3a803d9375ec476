/* SPDX-License-Identifier: Apache-2.0 */
/* Strict reading of JSON: what is refused, what the errors name, what the getters give. */
#include "pkg/json/jdoc.h"

#include <stdio.h>

#include "pkg/base/alloc.h"
#include "pkg/base/secret.h"
#include "tests/support/cmocka.h"
#include "tests/support/memory_search.h"

static struct jdoc *parse(const char *json)
{
	struct error err = {0};
	struct jdoc *doc = NULL;

	if (jdoc_parse(json, strlen(json), "doc", &doc, &err) < 0)
		fail_msg("%s: %s", json, err.cause);
	return doc;
}

static void refused_bytes(const void *json, size_t len, const char *reason)
{
	struct error err = {0};
	struct jdoc *doc = NULL;

	assert_int_equal(jdoc_parse(json, len, "doc", &doc, &err), -1);
	assert_null(doc);
	assert_int_equal(err.kind, ERR_INVALID);
	if (!strstr(err.cause, reason))
		fail_msg("'%s' does not say '%s'", err.cause, reason);
	assert_non_null(strstr(err.cause, "doc"));
}

static void refused(const char *json, const char *reason)
{
	refused_bytes(json, strlen(json), reason);
}

static void b11_what_is_no_json_is_refused(void **state)
{
	(void)state;
	refused("", "empty");
	refused("{", "line 1");
	refused("nonsense", "line 1");
	refused("\"text\"", "line 1");
	refused("{\"a\": NaN}", "line 1");
	refused("{\"a\": 01}", "line 1");
	refused("{'a': 1}", "line 1");
	refused("{\"a\": 1,}", "line 1");
	refused("/* */ {}", "line 1");
}

static void b11_trailing_data_is_refused(void **state)
{
	(void)state;
	refused("{} x", "end of file expected");
	refused("{}{}", "end of file expected");
	refused_bytes("{}\0", 3, "line 1");
	jdoc_free(parse("{}\n\t \r\n"));
}

static void b11_byte_order_mark_is_refused(void **state)
{
	(void)state;
	refused("\xef\xbb\xbf{}", "byte order mark");
	refused_bytes("\xff\xfe{\0}\0", 6, "line 1");
}

static void b11_duplicate_keys_are_refused(void **state)
{
	(void)state;
	refused("{\"a\": 1, \"a\": 1}", "duplicate");
	refused("{\"x\": {\"a\": 1, \"\\u0061\": 2}}", "duplicate");
}

static void b11_bad_text_is_refused(void **state)
{
	(void)state;
	refused("{\"a\": \"\\u0000\"}", "NUL");
	refused("{\"a\\u0000b\": 1}", "NUL");
	refused("{\"a\": \"\xff\"}", "unable to decode");
	refused("{\"a\": \"\xed\xa0\x80\"}", "unable to decode");
	refused("{\"a\": \"\\ud800\"}", "line 1");
	refused("{\"a\": \"\\udc00\\ud800\"}", "line 1");
	refused("{\"a\": \"\n\"}", "line");
}

static void b11_depth_of_64_is_the_last(void **state)
{
	char text[2 * 65 + 1];

	(void)state;
	memset(text, '[', 64);
	memset(text + 64, ']', 64);
	text[128] = '\0';
	jdoc_free(parse(text));
	memset(text, '[', 65);
	memset(text + 65, ']', 65);
	text[130] = '\0';
	refused(text, "64 levels");
}

static void f49_a_hundred_thousand_brackets_are_refused(void **state)
{
	cleanup_free char *text = xmalloc(100000);

	(void)state;
	memset(text, '[', 100000);
	refused_bytes(text, 100000, "64 levels");
}

static void brackets_inside_strings_are_no_depth(void **state)
{
	struct buffer text = {0};

	(void)state;
	buffer_printf(&text, "[\"\\\"");
	for (int i = 0; i < 200; i++)
		buffer_printf(&text, "[{\\\\");
	buffer_printf(&text, "\", \"\\\\\", [1]]");
	jdoc_free(parse((const char *)text.data));
	buffer_release(&text);
}

static void getters_give_what_is_there(void **state)
{
	cleanup(jdoc_free_ptr) struct jdoc *doc =
		parse("{\"s\": \"text\", \"n\": 9223372036854775807, \"t\": true, \"f\": false,"
		      " \"o\": {\"k\": \"v\"}, \"l\": [\"a\", \"b\"]}");
	struct jval root = jdoc_root(doc), object, list;
	struct error err = {0};
	const char *s;
	uint64_t n;
	bool b;

	(void)state;
	assert_int_equal(jdoc_string(root, "s", JDOC_REQUIRED, &s, &err), 0);
	assert_string_equal(s, "text");
	assert_int_equal(jdoc_uint(root, "n", JDOC_REQUIRED, &n, &err), 0);
	assert_true(n == INT64_MAX);
	assert_int_equal(jdoc_bool(root, "t", JDOC_REQUIRED, &b, &err), 0);
	assert_true(b);
	assert_int_equal(jdoc_bool(root, "f", JDOC_REQUIRED, &b, &err), 0);
	assert_false(b);
	assert_int_equal(jdoc_object(root, "o", JDOC_REQUIRED, &object, &err), 0);
	assert_int_equal(jdoc_string(object, "k", JDOC_REQUIRED, &s, &err), 0);
	assert_string_equal(s, "v");
	assert_int_equal(jdoc_array(root, "l", JDOC_REQUIRED, &list, &err), 0);
	assert_int_equal(jdoc_length(list), 2);
	assert_int_equal(jdoc_string_value(jdoc_at(list, 1), &s, &err), 0);
	assert_string_equal(s, "b");
	assert_string_equal(jdoc_at(list, 1).path, "doc.l[1]");
}

static void b11_null_counts_as_absent(void **state)
{
	cleanup(jdoc_free_ptr) struct jdoc *doc = parse("{\"a\": null}");
	struct jval root = jdoc_root(doc), v;
	struct error err = {0};
	const char *s = "not touched";
	uint64_t n = 7;
	bool b = true;

	(void)state;
	assert_int_equal(jdoc_string(root, "a", JDOC_OPTIONAL, &s, &err), 0);
	assert_null(s);
	assert_int_equal(jdoc_uint(root, "a", JDOC_OPTIONAL, &n, &err), 0);
	assert_int_equal(n, 0);
	assert_int_equal(jdoc_bool(root, "b", JDOC_OPTIONAL, &b, &err), 0);
	assert_false(b);
	assert_int_equal(jdoc_array(root, "a", JDOC_OPTIONAL, &v, &err), 0);
	assert_false(jdoc_present(v));
	assert_int_equal(jdoc_length(v), 0);
	assert_int_equal(jdoc_string(root, "a", JDOC_REQUIRED, &s, &err), -1);
	assert_string_equal(err.cause, "doc.a: missing");
}

static void uint_refused(const char *json, const char *reason)
{
	cleanup(jdoc_free_ptr) struct jdoc *doc = parse(json);
	struct error err = {0};
	uint64_t n = 42;

	assert_int_equal(jdoc_uint(jdoc_root(doc), "n", JDOC_OPTIONAL, &n, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_string_equal(err.cause, reason);
	assert_int_equal(n, 42);
}

static void b07_numbers_must_be_integers(void **state)
{
	(void)state;
	uint_refused("{\"n\": 1.0}", "doc.n: not an integer");
	uint_refused("{\"n\": 1e3}", "doc.n: not an integer");
	uint_refused("{\"n\": \"1\"}", "doc.n: not an integer");
	uint_refused("{\"n\": true}", "doc.n: not an integer");
	uint_refused("{\"n\": -1}", "doc.n: negative");
	refused("{\"n\": 9223372036854775808}", "too big");
	refused("{\"n\": 1e999}", "overflow");
}

static void wrong_types_are_named(void **state)
{
	cleanup(jdoc_free_ptr) struct jdoc *doc = parse("{\"a\": 1, \"s\": \"x\"}");
	struct jval root = jdoc_root(doc), v;
	struct error err = {0};
	const char *s;
	bool b;

	(void)state;
	assert_int_equal(jdoc_string(root, "a", JDOC_OPTIONAL, &s, &err), -1);
	assert_string_equal(err.cause, "doc.a: not a string");
	assert_int_equal(jdoc_bool(root, "a", JDOC_OPTIONAL, &b, &err), -1);
	assert_string_equal(err.cause, "doc.a: neither true nor false");
	assert_int_equal(jdoc_object(root, "a", JDOC_OPTIONAL, &v, &err), -1);
	assert_string_equal(err.cause, "doc.a: not an object");
	assert_int_equal(jdoc_array(root, "a", JDOC_OPTIONAL, &v, &err), -1);
	assert_string_equal(err.cause, "doc.a: not an array");
}

static void members_of_what_is_no_object_are_refused(void **state)
{
	cleanup(jdoc_free_ptr) struct jdoc *doc = parse("[1]");
	struct error err = {0};
	const char *s;

	(void)state;
	assert_int_equal(jdoc_string(jdoc_root(doc), "a", JDOC_OPTIONAL, &s, &err), -1);
	assert_string_equal(err.cause, "doc: not an object");
}

static void b12_a_key_in_two_cases_is_refused(void **state)
{
	static const char *const twins[] = {"Layers", "LAYERS", "layer\xc5\xbf"};
	struct error err = {0};
	struct jval v;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(twins); i++) {
		cleanup_free char *text = xasprintf("{\"%s\": [], \"layers\": []}", twins[i]);
		cleanup(jdoc_free_ptr) struct jdoc *doc = parse(text);

		assert_int_equal(jdoc_array(jdoc_root(doc), "layers", JDOC_REQUIRED, &v, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_non_null(strstr(err.cause, twins[i]));
	}
}

static void b12_keys_are_taken_in_their_exact_case_only(void **state)
{
	cleanup(jdoc_free_ptr) struct jdoc *doc =
		parse("{\"Layers\": [], \"layers2\": 1, \"l\": 1}");
	struct error err = {0};
	struct jval v;

	(void)state;
	assert_int_equal(jdoc_array(jdoc_root(doc), "layers", JDOC_OPTIONAL, &v, &err), 0);
	assert_false(jdoc_present(v));
}

static void each_goes_through_the_members_in_order(void **state)
{
	cleanup(jdoc_free_ptr) struct jdoc *doc =
		parse("{\"z\": \"1\", \"a\": \"2\", \"m\": \"3\"}");
	struct buffer seen = {0};
	struct error err = {0};
	struct jval v;
	const char *key, *s;
	void *iter = NULL;

	(void)state;
	while (jdoc_each(jdoc_root(doc), &iter, &key, &v)) {
		assert_int_equal(jdoc_string_value(v, &s, &err), 0);
		buffer_printf(&seen, "%s=%s (%s) ", key, s, v.path);
	}
	assert_string_equal((char *)seen.data, "z=1 (doc.z) a=2 (doc.a) m=3 (doc.m) ");
	buffer_release(&seen);
	iter = NULL;
	assert_false(jdoc_each((struct jval){0}, &iter, &key, &v));
}

static void long_paths_are_cut_at_the_front(void **state)
{
	struct buffer text = {0};
	struct jval v;

	(void)state;
	for (int i = 0; i < 30; i++)
		buffer_printf(&text, "{\"level%d\":", i);
	buffer_printf(&text, "[1]");
	for (int i = 0; i < 30; i++)
		buffer_printf(&text, "}");
	cleanup(jdoc_free_ptr) struct jdoc *doc = parse((const char *)text.data);

	v = jdoc_root(doc);
	for (int i = 0; i < 30; i++) {
		struct error err = {0};
		char key[16];

		snprintf(key, sizeof(key), "level%d", i);
		if (i < 29)
			assert_int_equal(jdoc_object(v, key, JDOC_REQUIRED, &v, &err), 0);
		else
			assert_int_equal(jdoc_array(v, key, JDOC_REQUIRED, &v, &err), 0);
	}
	v = jdoc_at(v, 0);
	assert_int_equal(strlen(v.path), sizeof(v.path) - 1);
	assert_int_equal(strncmp(v.path, "..", 2), 0);
	assert_non_null(strstr(v.path, ".level28.level29[0]"));
	buffer_release(&text);
}

static void errors_of_secret_documents_show_the_place_alone(void **state)
{
	static const char *const cases[] = {
		"{\"a\": SECRET}",
		"{\"a\": \"SECRET}",
		"{\"a\": \"b\" \"SECRET\"}",
		"{\"SECRET\": 1, \"SECRET\": 2}",
		"{\"a\": \"SECRET\"} SECRET",
		"SECRET",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct jdoc *doc;
		struct error err = {0};

		assert_int_equal(jdoc_parse_secret(cases[i], strlen(cases[i]), "a file", &doc,
						   &err),
				 -1);
		assert_error(&err, ERR_INVALID, "a file: line 1 column ");
		for (size_t at = 0; at + 6 <= sizeof(err.cause); at++)
			assert_memory_not_equal(err.cause + at, "SECRET", 6);
	}
}

static void what_documents_held_is_overwritten(void **state)
{
	enum { LEN = 3000, SEED = 1 };
	char *secret = memory_secret(SEED, LEN);
	struct buffer text = {0};
	struct jdoc *doc;
	struct error err = {0};

	(void)state;
	buffer_reserve(&text, LEN + 20);
	buffer_add(&text, "{\"a\": [{\"b\": \"", 14);
	buffer_add(&text, secret, LEN);
	buffer_add(&text, "\"}]}", 4);
	secret_free(secret);
	assert_ok(jdoc_parse_secret(text.data, text.len, "a file", &doc, &err), &err);
	secret_buffer_release(&text);
	assert_int_equal(memory_search(SEED, LEN), 1);
	jdoc_free(doc);
	assert_int_equal(memory_search(SEED, LEN / 2), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(b11_what_is_no_json_is_refused),
		cmocka_unit_test(b11_trailing_data_is_refused),
		cmocka_unit_test(b11_byte_order_mark_is_refused),
		cmocka_unit_test(b11_duplicate_keys_are_refused),
		cmocka_unit_test(b11_bad_text_is_refused),
		cmocka_unit_test(b11_depth_of_64_is_the_last),
		cmocka_unit_test(f49_a_hundred_thousand_brackets_are_refused),
		cmocka_unit_test(brackets_inside_strings_are_no_depth),
		cmocka_unit_test(getters_give_what_is_there),
		cmocka_unit_test(b11_null_counts_as_absent),
		cmocka_unit_test(b07_numbers_must_be_integers),
		cmocka_unit_test(wrong_types_are_named),
		cmocka_unit_test(members_of_what_is_no_object_are_refused),
		cmocka_unit_test(b12_a_key_in_two_cases_is_refused),
		cmocka_unit_test(b12_keys_are_taken_in_their_exact_case_only),
		cmocka_unit_test(each_goes_through_the_members_in_order),
		cmocka_unit_test(long_paths_are_cut_at_the_front),
		cmocka_unit_test(errors_of_secret_documents_show_the_place_alone),
		cmocka_unit_test(what_documents_held_is_overwritten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
