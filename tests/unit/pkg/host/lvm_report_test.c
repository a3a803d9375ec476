/* SPDX-License-Identifier: Apache-2.0 */
/* LVM's reports: as it prints them, and each thing in them that could be otherwise. */
#include "tests/support/cmocka.h"

#include <stdlib.h>

#include "pkg/base/cleanup.h"
#include "pkg/host/lvm_internal.h"
#include "tests/support/fake_lvm.h"
#include "tests/support/replace.h"

static void a_pool_is_read(void **state)
{
	cleanup(lvm_pool_rows_release) struct lvm_pool_rows rows = {0};
	const struct lvm_pool *p;
	struct error err = {0};

	(void)state;
	assert_ok(lvm_report_pools(fake_lvm_pool, strlen(fake_lvm_pool), &rows, &err), &err);
	assert_int_equal(rows.n, 1);
	p = rows.items;
	assert_string_equal(p->vg, "vg-one");
	assert_string_equal(p->lv, "pool");
	assert_string_equal(p->device_uuid, "LVM-nB6KJgx5QmUydiSb02zYuLNkfpX5b9ll"
					    "LWFPEfHl45pX3Dh6TtAueTQg4owrvdGl-tpool");
	assert_string_equal(p->profile, "thinpull");
	assert_true(p->thin_pool && p->active && p->monitored && p->queue_when_full && p->zeroing);
	assert_true(p->whole);
	assert_int_equal(p->transaction_id, 0);
	assert_int_equal(p->thin_count, 0);
	assert_int_equal(p->data_bytes, 314572800);
	assert_int_equal(p->metadata_bytes, 4194304);
	assert_int_equal(p->block_bytes, 524288);
	assert_int_equal(p->group_free_bytes, 746586112);
	assert_int_equal(p->extent_bytes, 4194304);
}

static void read_changed(const char *from, const char *to, struct lvm_pool_rows *ret)
{
	cleanup_free char *text = replaced(fake_lvm_pool, from, to);
	struct error err = {0};

	assert_ok(lvm_report_pools(text, strlen(text), ret, &err), &err);
	assert_int_equal(ret->n, 1);
}

#define assert_pool_changed(from, to, condition)                                 \
	do {                                                                     \
		cleanup(lvm_pool_rows_release) struct lvm_pool_rows rows_ = {0}; \
		const struct lvm_pool *p;                                        \
		read_changed(from, to, &rows_);                                  \
		p = rows_.items;                                                 \
		assert_true(condition);                                          \
	} while (0)

static void each_state_of_a_pool_is_told(void **state)
{
	(void)state;
	assert_pool_changed("\"active\"", "\"\"", !p->active);
	assert_pool_changed("\"monitored\"", "\"not monitored\"", !p->monitored);
	assert_pool_changed("\"queue\"", "\"error\"", !p->queue_when_full);
	assert_pool_changed("\"zero\":\"zero\"", "\"zero\":\"\"", !p->zeroing);
	assert_pool_changed("\"vg_partial\":\"\"", "\"vg_partial\":\"partial\"", !p->whole);
	assert_pool_changed("\"thin-pool\"", "\"linear\"", !p->thin_pool);
	assert_pool_changed("\"transaction_id\":\"0\"", "\"transaction_id\":\"113\"",
			    p->transaction_id == 113);
	assert_pool_changed("\"thin_count\":\"0\"", "\"thin_count\":\"2\"", p->thin_count == 2);
	/* what a linear volume has in these columns */
	assert_pool_changed("\"thin_count\":\"0\"", "\"thin_count\":\"\"", p->thin_count == 0);
	assert_pool_changed("\"lv_metadata_size\":\"4194304\"", "\"lv_metadata_size\":\"\"",
			    p->metadata_bytes == 0);
}

static void refuse(const char *from, const char *to, const char *text)
{
	cleanup_free char *json = replaced(fake_lvm_pool, from, to);
	struct lvm_pool_rows rows;
	struct error err = {0};

	assert_int_equal(lvm_report_pools(json, strlen(json), &rows, &err), -1);
	assert_error(&err, ERR_INVALID, text);
}

static void what_is_no_such_report_is_refused(void **state)
{
	(void)state;
	refuse("\"lv\": [", "\"pv\": [", "lv");
	refuse("\"report\": [", "\"report\": [{}, ", "report: there are 2");
	refuse("\"314572800\"", "314572800", "lv_size");
	refuse("\"314572800\"", "\"300.00m\"", "\"300.00m\" is no number");
	refuse("\"314572800\"", "\"18446744073709551616\"", "is no number");
	refuse("\"314572800\"", "\"-1\"", "\"-1\" is no number");
	refuse("nB6KJg-x5Qm-Uydi-Sb02-zYuL-Nkfp-X5b9ll", "nB6KJg-x5Qm", "is no UUID of LVM's");
	refuse("nB6KJg-x5Qm-Uydi-Sb02-zYuL-Nkfp-X5b9ll", "nB6KJg-x5Qm-Uydi-Sb02-zYuL-Nkfp-X5b9lll",
	       "is no UUID of LVM's");
	refuse("nB6KJg-x5Qm-Uydi-Sb02-zYuL-Nkfp-X5b9ll", "nB6KJg-x5Qm-Uydi-Sb02-zYuL-Nkfp-X5b9l/",
	       "is no UUID of LVM's");
	refuse("\"vg_partial\"", "\"vg_else\"", "vg_partial");
	refuse("\"pool\"", "null", "lv_name");
	refuse("      ]\n  }", "      ]\n", "LVM's report");
}

static void no_rows_are_fine(void **state)
{
	static const char json[] = "{\"report\": [{\"lv\": []}]}";
	cleanup(lvm_pool_rows_release) struct lvm_pool_rows rows = {0};
	struct error err = {0};

	(void)state;
	assert_ok(lvm_report_pools(json, strlen(json), &rows, &err), &err);
	assert_int_equal(rows.n, 0);
}

static void groups_and_disks_are_read(void **state)
{
	cleanup(lvm_group_rows_release) struct lvm_group_rows groups = {0}, disks = {0};
	struct error err = {0};

	(void)state;
	assert_ok(lvm_report_groups(fake_lvm_group, strlen(fake_lvm_group), "vg", &groups, &err),
		  &err);
	assert_ok(lvm_report_groups(fake_lvm_disk, strlen(fake_lvm_disk), "pv", &disks, &err),
		  &err);
	assert_int_equal(groups.n, 1);
	assert_null(groups.items->device);
	assert_int_equal(disks.n, 1);
	assert_string_equal(disks.items->device, "/dev/sdx");
	assert_string_equal(disks.items->vg, "vg-one");
	assert_int_equal(disks.items->bytes, 1069547520);
	assert_int_equal(disks.items->free_bytes, 746586112);
	assert_int_equal(disks.items->extent_bytes, 4194304);
	assert_int_equal(disks.items->volumes, 1);
}

static void a_bad_group_is_refused(void **state)
{
	cleanup_free char *json = replaced(fake_lvm_disk, "\"pv_name\":\"/dev/sdx\", ", "");
	struct lvm_group_rows rows;
	struct error err = {0};

	(void)state;
	assert_int_equal(lvm_report_groups(json, strlen(json), "pv", &rows, &err), -1);
	assert_error(&err, ERR_INVALID, "pv_name");
	assert_int_equal(lvm_report_groups("{}", 2, "vg", &rows, &err), -1);
	assert_error(&err, ERR_INVALID, "report");
}

static void settings_are_lines(void **state)
{
	static const char text[] = "thin_pool_autoextend_threshold=80\n"
				   "  profile_dir=\"/etc/lvm/profile\"\nempty=\"\"\nlast=1";
	static const struct {
		const char *name, *value;
	} wanted[] = {
		{"thin_pool_autoextend_threshold", "80"},
		{"profile_dir", "/etc/lvm/profile"},
		{"empty", ""},
		{"last", "1"},
	};
	struct error err = {0};
	char *none;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		cleanup_free char *value = NULL;

		assert_ok(lvm_report_setting(text, strlen(text), wanted[i].name, &value, &err),
			  &err);
		assert_string_equal(value, wanted[i].value);
	}
	assert_int_equal(lvm_report_setting(text, strlen(text), "dir", &none, &err), -1);
	assert_error(&err, ERR_INVALID, "does not say what dir is");
	assert_int_equal(lvm_report_setting(text, strlen(text), "profile", &none, &err), -1);
	assert_int_equal(lvm_report_setting("", 0, "profile", &none, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pool_is_read),
		cmocka_unit_test(each_state_of_a_pool_is_told),
		cmocka_unit_test(what_is_no_such_report_is_refused),
		cmocka_unit_test(no_rows_are_fine),
		cmocka_unit_test(groups_and_disks_are_read),
		cmocka_unit_test(a_bad_group_is_refused),
		cmocka_unit_test(settings_are_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
