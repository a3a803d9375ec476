/* SPDX-License-Identifier: Apache-2.0 */
/* place.json: written and read back, and what is refused. */
#include "pkg/thin/place.h"

#include <stdlib.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"

static struct error err;

static void assert_same_text(const char *a, const char *b)
{
	assert_int_equal(!a, !b);
	if (a)
		assert_string_equal(a, b);
}

static void assert_same(const struct thin_place *a, const struct thin_place *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_memory_equal(a->uuid, b->uuid, sizeof(a->uuid));
	assert_same_text(a->data_device, b->data_device);
	assert_same_text(a->metadata_device, b->metadata_device);
	assert_int_equal(a->metadata_start, b->metadata_start);
	assert_int_equal(a->metadata_bytes, b->metadata_bytes);
	assert_int_equal(a->data_start, b->data_start);
	assert_int_equal(a->data_bytes, b->data_bytes);
	assert_int_equal(a->block_bytes, b->block_bytes);
	assert_same_text(a->vg, b->vg);
	assert_same_text(a->lv, b->lv);
	assert_same_text(a->lvm_uuid, b->lvm_uuid);
	assert_int_equal(a->adopted, b->adopted);
	assert_int_equal(a->was_queueing, b->was_queueing);
	assert_int_equal(a->was_zeroing, b->was_zeroing);
	assert_int_equal(a->queue_when_full, b->queue_when_full);
	assert_int_equal(a->no_zero, b->no_zero);
}

static void what_is_written_is_read(void **state)
{
	static const struct thin_place places[] = {
		{.kind = THIN_PLACE_FILES, .uuid = {1, 2, 0xfe}, .no_zero = true},
		{.kind = THIN_PLACE_FILES, .queue_when_full = true},
		{.kind = THIN_PLACE_DEVICE,
		 .uuid = {[15] = 9},
		 .data_device = (char *)"/dev/disk/by-id/wwn-0x5\\x20\"\xc3\xa4",
		 .metadata_start = 1 << 20,
		 .metadata_bytes = 2 << 20,
		 .data_start = 3 << 20,
		 .data_bytes = UINT64_C(16) << 40,
		 .block_bytes = 65536},
		{.kind = THIN_PLACE_DEVICE,
		 .data_device = (char *)"/dev/vdb",
		 .metadata_device = (char *)"/dev/vdc",
		 .metadata_bytes = 2 << 20,
		 .data_bytes = 1 << 30,
		 .block_bytes = 1 << 30},
		{.kind = THIN_PLACE_LVM, .vg = (char *)"vg", .lv = (char *)"pool"},
		{.kind = THIN_PLACE_LVM,
		 .data_device = (char *)"/dev/vdb",
		 .vg = (char *)"vg",
		 .lv = (char *)"pool",
		 .lvm_uuid = (char *)"LVM-abc-tpool",
		 .adopted = true,
		 .was_queueing = true,
		 .was_zeroing = true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct thin_place back;

		assert_ok(thin_place_store(*state, &places[i], &err), &err);
		assert_ok(thin_place_load(*state, &back, &err), &err);
		assert_same(&places[i], &back);
		thin_place_release(&back);
	}
	assert_false(scratch_exists("place.json.tmp"));
}

static void a_pool_without_the_file_is_one_in_files(void **state)
{
	struct thin_place place, plain = {.kind = THIN_PLACE_FILES};

	assert_int_equal(thin_place_load(*state, &place, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "no pool in");
	scratch_write("meta", "");
	assert_ok(thin_place_load(*state, &place, &err), &err);
	assert_same(&place, &plain);
	thin_place_release(&place);
}

#define START "{\"version\":1,\"kind\":"
#define UUID  "\"uuid\":\"000102030405060708090a0b0c0d0e0f\""
#define FLAGS "\"queue_when_full\":false,\"zeroing\":true"

static void what_is_malformed_is_refused(void **state)
{
	static const struct {
		const char *text, *part;
	} cases[] = {
		{"", "place"},
		{"[]", "place"},
		{"{}", "version"},
		{START "\"files\"," UUID "," FLAGS, "place"},
		{START "\"other\"," UUID "," FLAGS "}", "\"other\""},
		{START "\"files\",\"uuid\":\"00\"," FLAGS "}", "uuid"},
		{START "\"files\",\"uuid\":\"000102030405060708090a0b0c0d0e0f0\"," FLAGS "}",
		 "uuid"},
		{START "\"files\",\"uuid\":\"000102030405060708090A0B0C0D0E0F\"," FLAGS "}",
		 "uuid"},
		{START "\"files\"," UUID ",\"zeroing\":true}", "queue_when_full"},
		{START "\"files\"," UUID "," FLAGS ",\"block_bytes\":65537}", "sectors"},
		{START "\"files\"," UUID "," FLAGS ",\"block_bytes\":4294967296}", "too large"},
		{START "\"files\"," UUID "," FLAGS ",\"block_bytes\":-512}", "block_bytes"},
		{START "\"device\"," UUID "," FLAGS "}", "data_device"},
		{START "\"device\"," UUID "," FLAGS ",\"data_device\":\"/dev/a\"}", "start"},
		{START "\"device\"," UUID "," FLAGS ",\"data_device\":\"/dev/a\","
		       "\"metadata_start\":0,\"metadata_bytes\":1,\"data_start\":0,"
		       "\"data_bytes\":0}",
		 "metadata_bytes"},
		{START "\"lvm\"," UUID "," FLAGS ",\"vg\":\"v\"}", "lv"},
		{START "\"lvm\"," UUID "," FLAGS ",\"vg\":\"v\",\"lv\":\"l\"}", "adopted"},
	};
	struct thin_place place;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(thin_place_parse(cases[i].text, strlen(cases[i].text), &place,
						  &err),
				 -1);
		assert_error(&err, ERR_INCONSISTENT, cases[i].part);
	}
	scratch_write("place.json", "{");
	assert_int_equal(thin_place_load(*state, &place, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "place.json");
}

static void a_later_version_is_told(void **state)
{
	static const char text[] = "{\"version\":2}";
	struct thin_place place;

	(void)state;
	assert_int_equal(thin_place_parse(text, strlen(text), &place, &err), -1);
	assert_error(&err, ERR_UNSUPPORTED, "version 2");
}

static void a_name_that_json_cannot_hold_is_refused(void **state)
{
	struct thin_place place = {.kind = THIN_PLACE_DEVICE, .data_device = (char *)"/dev/\xff"};

	assert_int_equal(thin_place_store(*state, &place, &err), -1);
	assert_error(&err, ERR_UNSUPPORTED, "UTF-8");
	assert_false(scratch_exists("place.json"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_set_up, scratch_tear_down)
		CASE(what_is_written_is_read),
		CASE(a_pool_without_the_file_is_one_in_files),
		CASE(what_is_malformed_is_refused),
		CASE(a_later_version_is_told),
		CASE(a_name_that_json_cannot_hold_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
