/* SPDX-License-Identifier: Apache-2.0 */
/* The record as JSON: what is written is read, and what is not ours is refused. */
#include "pkg/snapshot/record_text.h"

#include "pkg/base/alloc.h"
#include "pkg/snapshot/snapshot.h"
#include "tests/support/cmocka.h"
#include "tests/support/replace.h"

static struct error err;

static void a_place_that_makes_no_sense_is_refused(void **state)
{
	static const char *const places[] = {
		"\"place\":\"moon\"",
		"\"place\":\"folder\"",
		"\"place\":\"folder\",\"folder\":\"rel\"",
		"\"place\":\"file\",\"folder\":\"/x\"",
		"\"folder\":\"/x\"",
		"\"temporary\":1",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		cleanup_free char *text = xasprintf(
			"{\"base_bytes\":1,\"entries\":[{\"id\":1,\"kind\":\"container\",\"state\":"
			"\"ready\",\"size_bytes\":1,\"name\":\"a\",\"image\":\"b\",\"created\":\"c\","
			"\"read_only\":false,%s}]}",
			places[i]);
		struct record r = {0};

		assert_int_equal(record_text_parse(text, strlen(text), &r, &err), -1);
		assert_int_equal(err.kind, ERR_INCONSISTENT);
		record_release(&r);
	}
}

#define DIGEST_A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LAYER                                                                               \
	"{\"id\":1,\"kind\":\"layer\",\"state\":\"deleting\",\"size_bytes\":4096,"          \
	"\"chain_id\":\"" DIGEST_A "\",\"parent\":\"" DIGEST_A "\",\"diff_id\":\"" DIGEST_A \
	"\",\"layout_version\":3,\"content_bytes\":9007199254740992}"
#define CONTAINER                                                                        \
	"{\"id\":16777215,\"kind\":\"container\",\"state\":\"ready\",\"size_bytes\":1,"  \
	"\"name\":\"web\",\"image\":\"x:1\",\"manifest\":\"" DIGEST_A                    \
	"\",\"created\":\"2026-01-01T00:00:00Z\",\"read_only\":true,\"temporary\":true," \
	"\"place\":\"folder\",\"folder\":\"/srv/web\",\"labels\":{\"k\":\"v\",\"\":\"\"}}"
#define RECORD(entries) "{\"base_bytes\":65536,\"base_inodes\":9,\"entries\":[" entries "]}"

static int parse(const char *text, struct record *ret)
{
	*ret = (struct record){0};
	return record_text_parse(text, strlen(text), ret, &err);
}

static void what_was_read_is_written_as_it_was(void **state)
{
	static const char text[] = RECORD(LAYER "," CONTAINER);
	cleanup_buffer struct buffer out = {0};
	struct record r;

	(void)state;
	assert_ok(parse(text, &r), &err);
	assert_int_equal(r.n, 2);
	assert_int_equal(r.entries[0].state, RECORD_DELETING);
	assert_int_equal(r.entries[0].content_bytes, SNAPSHOT_CONTENT_MAX);
	assert_int_equal(r.entries[1].n_labels, 2);
	record_text_write(&r, &out);
	assert_int_equal(out.len, sizeof(text) - 1);
	assert_memory_equal(out.data, text, out.len);
	record_release(&r);
}

/* What is left out in the pools of older versions. */
static void what_older_versions_did_not_write_may_be_missing(void **state)
{
	struct record r;

	(void)state;
	assert_ok(
		parse("{\"base_bytes\":1,\"entries\":[{\"id\":2,\"kind\":\"container\",\"state\":"
		      "\"ready\",\"size_bytes\":1,\"name\":\"a\",\"image\":\"b\",\"created\":\"c\","
		      "\"read_only\":false}]}",
		      &r),
		&err);
	assert_int_equal(r.base_inodes, 0);
	assert_int_equal(r.entries[0].n_labels, 0);
	assert_int_equal(r.entries[0].manifest.algorithm, DIGEST_NONE);
	assert_int_equal(r.entries[0].place, RECORD_IN_POOL);
	record_release(&r);
}

/* A record is all or nothing: one value that is not understood, and no id is touched. */
static void each_spoiled_value_makes_it_inconsistent(void **state)
{
	static const char good[] = RECORD(LAYER "," CONTAINER);
	static const char *const spoilt[][2] = {
		{"\"base_bytes\":65536", "\"base_bytes\":-1"},
		{"\"base_inodes\":9", "\"base_inodes\":\"9\""},
		{"\"entries\":[", "\"entries\":[1,"},
		{"\"entries\"", "\"Entries\""},
		{"\"id\":1,", "\"id\":0,"},
		{"\"id\":1,", "\"id\":16777215,"},
		{"\"id\":1,", "\"id\":16777216,"},
		{"\"id\":1,", "\"id\":4294967297,"},
		{"\"kind\":\"layer\"", "\"kind\":\"Layer\""},
		{"\"kind\":\"layer\",", ""},
		{"\"state\":\"deleting\"", "\"state\":\"paused\""},
		{"\"state\":\"deleting\",", ""},
		{"\"size_bytes\":4096", "\"size_bytes\":4096.0"},
		{"\"chain_id\":\"sha256:aa", "\"chain_id\":\"sha256:AA"},
		{"\"parent\":\"sha256:aa", "\"parent\":\"sha256:a"},
		{"\"diff_id\":\"sha256:", "\"diff_id\":\"md5:"},
		{"\"layout_version\":3,", ""},
		{"\"layout_version\":3", "\"layout_version\":4294967299"},
		{"\"content_bytes\":9007199254740992", "\"content_bytes\":null"},
		{"\"name\":\"web\",", ""},
		{"\"image\":\"x:1\",", ""},
		{"\"manifest\":\"sha256:aa", "\"manifest\":\"sha256 aa"},
		{"\"created\":\"2026-01-01T00:00:00Z\",", ""},
		{"\"read_only\":true,", ""},
		{"\"temporary\":true", "\"temporary\":\"yes\""},
		{"\"labels\":{", "\"labels\":{\"n\":1,"},
		{"\"labels\":{", "\"labels\":{\"k\":\"again\","},
		{"\"labels\":{\"k\":\"v\",\"\":\"\"}", "\"labels\":[]"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(spoilt); i++) {
		cleanup_free char *text = replaced(good, spoilt[i][0], spoilt[i][1]);
		struct record r;

		if (parse(text, &r) != -1)
			fail_msg("'%s' for '%s' is taken", spoilt[i][1], spoilt[i][0]);
		assert_int_equal(err.kind, ERR_INCONSISTENT);
		record_release(&r);
	}
	for (size_t len = 0; len < sizeof(good) - 1; len++) {
		struct record r = {0};

		assert_int_equal(record_text_parse(good, len, &r, &err), -1);
		assert_int_equal(err.kind, ERR_INCONSISTENT);
		record_release(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_place_that_makes_no_sense_is_refused),
		cmocka_unit_test(what_was_read_is_written_as_it_was),
		cmocka_unit_test(what_older_versions_did_not_write_may_be_missing),
		cmocka_unit_test(each_spoiled_value_makes_it_inconsistent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
