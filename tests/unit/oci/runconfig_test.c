/* SPDX-License-Identifier: Apache-2.0 */
/* What a config says about running: kept as it stands there; hostile ones F56. */
#include "oci/runconfig.h"

#include <stdio.h>

#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"
#include "tests/support/replace.h"

#define GOOD                                                                                     \
	"{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v7\",\"os.version\":\"5\","    \
	"\"os.features\":[\"a\",\"b\"],\"author\":\"me\",\"created\":\"2024-01-02\","            \
	"\"config\":{\"Env\":[\"A=1\",\"A=2\"],\"Entrypoint\":[\"/init\"],\"Cmd\":[\"x\",\"\"]," \
	"\"WorkingDir\":\"/w\",\"User\":\"u:g\",\"StopSignal\":\"SIGRTMIN+3\","                  \
	"\"Volumes\":{\"/z\":{},\"/b\":{}},\"ExposedPorts\":{\"80/tcp\":{},\"53/udp\":null},"    \
	"\"Labels\":{\"z\":\"1\",\"a\":\"\"},\"ArgsEscaped\":true,\"Healthcheck\":{\"x\":1}},"   \
	"\"history\":[{\"created\":\"c\",\"created_by\":\"b\",\"comment\":\"t\"},"               \
	"{\"empty_layer\":true}]}"

static int parse(const char *json, struct oci_runconfig *ret, struct error *err)
{
	return oci_runconfig_parse(json, strlen(json), "config", ret, err);
}

static struct oci_runconfig good(const char *json)
{
	struct oci_runconfig c;
	struct error err = {0};

	assert_ok(parse(json, &c, &err), &err);
	return c;
}

static void refused(const char *from, const char *to, const char *reason)
{
	cleanup_free char *json = replaced(GOOD, from, to);
	struct oci_runconfig c;
	struct error err = {0};

	if (parse(json, &c, &err) == 0)
		fail_msg("%s was taken", json);
	assert_error(&err, ERR_INVALID, reason);
}

static void assert_strings(const struct oci_strings *s, const char *joined)
{
	cleanup_buffer struct buffer b = {0};

	buffer_add(&b, "", 0);
	for (size_t i = 0; i < s->n; i++)
		buffer_printf(&b, "%s|", s->items[i]);
	assert_string_equal((const char *)b.data, joined);
}

static void a_config_is_kept_as_it_stands_there(void **state)
{
	struct oci_runconfig c = good(GOOD);

	(void)state;
	assert_string_equal(c.os, "linux");
	assert_string_equal(c.architecture, "arm");
	assert_string_equal(c.variant, "v7");
	assert_string_equal(c.os_version, "5");
	assert_string_equal(c.author, "me");
	assert_string_equal(c.created, "2024-01-02");
	assert_strings(&c.os_features, "a|b|");
	assert_strings(&c.env, "A=1|A=2|");
	assert_strings(&c.entrypoint, "/init|");
	assert_strings(&c.cmd, "x||");
	assert_true(c.has_entrypoint && c.has_cmd);
	assert_string_equal(c.working_dir, "/w");
	assert_string_equal(c.user, "u:g");
	assert_string_equal(c.stop_signal, "SIGRTMIN+3");
	oci_runconfig_release(&c);
	assert_null(c.env.items);
}

static void sets_are_sorted_and_labels_are_not(void **state)
{
	struct oci_runconfig c = good(GOOD);

	(void)state;
	assert_strings(&c.volumes, "/b|/z|");
	assert_strings(&c.exposed_ports, "53/udp|80/tcp|");
	assert_int_equal(c.n_labels, 2);
	assert_string_equal(c.labels[0].key, "z");
	assert_string_equal(c.labels[0].value, "1");
	assert_string_equal(c.labels[1].value, "");
	oci_runconfig_release(&c);
}

static void history_tells_layers_from_what_made_none(void **state)
{
	struct oci_runconfig c = good(GOOD);

	(void)state;
	assert_int_equal(c.n_history, 2);
	assert_string_equal(c.history[0].created, "c");
	assert_string_equal(c.history[0].created_by, "b");
	assert_string_equal(c.history[0].comment, "t");
	assert_false(c.history[0].empty_layer);
	assert_null(c.history[1].created_by);
	assert_true(c.history[1].empty_layer);
	oci_runconfig_release(&c);
}

static void all_of_it_is_optional(void **state)
{
	static const char *const documents[] = {
		"{}",
		"{\"config\":null,\"history\":null,\"os\":null}",
		"{\"config\":{\"Env\":null,\"Cmd\":null,\"Volumes\":null,\"Labels\":null}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(documents); i++) {
		struct oci_runconfig c = good(documents[i]);

		assert_false(c.has_cmd || c.has_entrypoint);
		assert_int_equal(c.env.n + c.cmd.n + c.volumes.n + c.n_labels + c.n_history, 0);
		assert_null(c.os);
		assert_null(c.user);
		oci_runconfig_release(&c);
	}
}

static void an_empty_list_is_there(void **state)
{
	struct oci_runconfig c = good("{\"config\":{\"Entrypoint\":[],\"Cmd\":[]}}");

	(void)state;
	assert_true(c.has_entrypoint && c.has_cmd);
	assert_int_equal(c.cmd.n + c.entrypoint.n, 0);
	oci_runconfig_release(&c);
}

static void f56_wrong_types_are_refused(void **state)
{
	(void)state;
	refused("[\"A=1\",\"A=2\"]", "{}", "config.config.Env: not an array");
	refused("\"A=2\"", "7", "config.config.Env[1]: not a string");
	refused("\"A=2\"", "null", "config.config.Env[1]: not a string");
	refused("[\"x\",\"\"]", "\"sh -c x\"", "config.config.Cmd: not an array");
	refused("[\"/init\"]", "true", "config.config.Entrypoint: not an array");
	refused("\"u:g\"", "0", "config.config.User: not a string");
	refused("\"/w\"", "[]", "config.config.WorkingDir: not a string");
	refused("\"SIGRTMIN+3\"", "9", "config.config.StopSignal: not a string");
	refused("{\"/z\":{},\"/b\":{}}", "[\"/z\"]", "config.config.Volumes: not an object");
	refused("\"/b\":{}", "\"/b\":1", "config.config.Volumes./b: not an object");
	refused("\"a\":\"\"", "\"a\":{}", "config.config.Labels.a: not a string");
	refused("{\"empty_layer\":true}", "7", "config.history[1]: not an object");
	refused("{\"empty_layer\":true}", "{\"empty_layer\":1}", "config.history[1].empty_layer");
	refused("[\"a\",\"b\"]", "\"a\"", "config.os.features: not an array");
	refused("\"me\"", "{}", "config.author: not a string");
}

static void f50_a_member_in_two_cases_is_refused(void **state)
{
	(void)state;
	refused("\"User\":\"u:g\"", "\"User\":\"u\",\"user\":\"root\"", "has both");
	refused("\"User\":\"u:g\"", "\"User\":\"u\",\"User\":\"root\"", "config: line 1");
}

static void f55_strings_that_would_be_cut_are_refused(void **state)
{
	(void)state;
	refused("\"u:g\"", "\"u\\u0000:0\"", "config: line 1");
}

/* A million entries fit into a document of 4 MiB. */
static void f56_a_million_entries_are_refused(void **state)
{
	static const char *const lists[] = {"Env", "Cmd", "Entrypoint"};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(lists); k++) {
		cleanup_buffer struct buffer b = {0};
		struct oci_runconfig c;
		struct error err = {0};

		buffer_printf(&b, "{\"config\":{\"%s\":[\"\"", lists[k]);
		for (size_t i = 0; i < 1000000; i++)
			buffer_add(&b, ",\"\"", 3);
		buffer_add(&b, "]}}", 3);
		assert_int_equal(parse((const char *)b.data, &c, &err), -1);
		assert_error(&err, ERR_INVALID, "more than 65536 entries");
	}
}

static void f56_as_many_labels_and_volumes_are_refused(void **state)
{
	static const char *const maps[][2] = {{"Labels", "\"\""}, {"Volumes", "{}"}};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(maps); k++) {
		cleanup_buffer struct buffer b = {0};
		struct oci_runconfig c;
		struct error err = {0};

		buffer_printf(&b, "{\"config\":{\"%s\":{\"x\":%s", maps[k][0], maps[k][1]);
		for (size_t i = 0; i < 70000; i++)
			buffer_printf(&b, ",\"%zu\":%s", i, maps[k][1]);
		buffer_add(&b, "}}}", 3);
		assert_int_equal(parse((const char *)b.data, &c, &err), -1);
		assert_error(&err, ERR_INVALID, "more than 65536 entries");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_config_is_kept_as_it_stands_there),
		cmocka_unit_test(sets_are_sorted_and_labels_are_not),
		cmocka_unit_test(history_tells_layers_from_what_made_none),
		cmocka_unit_test(all_of_it_is_optional),
		cmocka_unit_test(an_empty_list_is_there),
		cmocka_unit_test(f56_wrong_types_are_refused),
		cmocka_unit_test(f50_a_member_in_two_cases_is_refused),
		cmocka_unit_test(f55_strings_that_would_be_cut_are_refused),
		cmocka_unit_test(f56_a_million_entries_are_refused),
		cmocka_unit_test(f56_as_many_labels_and_volumes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
