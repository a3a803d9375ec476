/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of documents come out as they went in. */
#include "pkg/json/jdoc.h"

#include "tests/support/cmocka.h"

static struct error err;

/* The member "v" of a document, written compactly under the key "k". */
static void expect_copy(const char *value, const char *want)
{
	struct jout o = {.compact = true};
	struct buffer text = {0};
	struct jdoc *doc;
	void *iter = NULL;
	struct jval v;
	const char *key;

	buffer_printf(&text, "{\"v\":%s}", value);
	assert_ok(jdoc_parse(text.data, text.len, "doc", &doc, &err), &err);
	assert_true(jdoc_each(jdoc_root(doc), &iter, &key, &v));
	jout_object(&o, NULL);
	jout_copy(&o, "k", v);
	jout_string(&o, "after", "x");
	jout_end_object(&o);
	buffer_clear(&text);
	buffer_printf(&text, "{\"k\":%s,\"after\":\"x\"}", want);
	buffer_add(&o.text, "", 1);
	assert_string_equal(o.text.data, text.data);
	buffer_release(&text);
	jout_release(&o);
	jdoc_free(doc);
}

static void scalars_stay_what_they_are(void **state)
{
	(void)state;
	expect_copy("\"a\\nb\\u00e9\\\"\\\\\"", "\"a\\nb\xc3\xa9\\\"\\\\\"");
	expect_copy("true", "true");
	expect_copy("false", "false");
	expect_copy("null", "null");
	expect_copy("0", "0");
	expect_copy("-9223372036854775808", "-9223372036854775808");
	expect_copy("9223372036854775807", "9223372036854775807");
	expect_copy("0.1", "0.10000000000000001");
	expect_copy("-2.5", "-2.5");
}

static void members_and_elements_keep_their_order(void **state)
{
	(void)state;
	expect_copy("{ \"b\" : [ 1 , [ ] , { } ], \"a\": {\"z\":null,\"A\":\"\"} }",
		    "{\"b\":[1,[],{}],\"a\":{\"z\":null,\"A\":\"\"}}");
	expect_copy("[]", "[]");
	expect_copy("{}", "{}");
}

static void what_is_absent_is_null(void **state)
{
	struct jout o = {.compact = true};

	(void)state;
	jout_array(&o, NULL);
	jout_copy(&o, NULL, (struct jval){0});
	jout_end_array(&o);
	assert_memory_equal(o.text.data, "[null]", 6);
	jout_release(&o);
}

static void lines_are_broken_like_the_rest(void **state)
{
	static const char json[] = "{\"a\":[1,2]}";
	struct jout o = {0};
	struct jdoc *doc;

	(void)state;
	assert_ok(jdoc_parse(json, sizeof(json) - 1, "doc", &doc, &err), &err);
	jout_object(&o, NULL);
	jout_copy(&o, "config", jdoc_root(doc));
	jout_end_object(&o);
	buffer_add(&o.text, "", 1);
	assert_string_equal(o.text.data,
			    "{\n  \"config\": {\n    \"a\": [\n      1,\n      2\n    ]"
			    "\n  }\n}");
	jout_release(&o);
	jdoc_free(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scalars_stay_what_they_are),
		cmocka_unit_test(members_and_elements_keep_their_order),
		cmocka_unit_test(what_is_absent_is_null),
		cmocka_unit_test(lines_are_broken_like_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
