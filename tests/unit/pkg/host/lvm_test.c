/* SPDX-License-Identifier: Apache-2.0 */
/* What LVM is told to do, word by word; and what is made of its answers. tests/kernel has the real one. */
#include "pkg/host/lvm.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"
#include "tests/support/fake_lvm.h"
#include "tests/support/replace.h"
#include "tests/support/scratch.h"

static const uint8_t disk[LVM_UUID_BYTES] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
					     0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe};
static const char device_uuid[] = "LVM-nB6KJgx5QmUydiSb02zYuLNkfpX5b9ll"
				  "LWFPEfHl45pX3Dh6TtAueTQg4owrvdGl-tpool";

/* One that prints this. */
static void answer(const char *dir, const char *text)
{
	unlink("answer");
	scratch_write("answer", text);
	fake_lvm(dir, "cat answer\n");
}

static void assert_calls(const char *want)
{
	cleanup_free char *calls = fake_lvm_calls();

	assert_string_equal(calls, want);
}

/* --- asking ----------------------------------------------------------------------------------- */

static void assert_asked(const char *verb, const char *selection)
{
	cleanup_free char *calls = fake_lvm_calls();

	if (strncmp(calls, verb, strlen(verb)) != 0 || !strstr(calls, selection)
	    || !strstr(calls, " --reportformat json --units b --nosuffix "))
		fail_msg("asked: %s", calls);
}

static void a_pool_is_found_by_name_and_by_device(void **state)
{
	cleanup_lvm_pool struct lvm_pool by_name = {0}, by_device = {0};
	struct error err = {0};

	answer(*state, fake_lvm_pool);
	assert_ok(lvm_pool_find("vg-one", "pool", &by_name, &err), &err);
	assert_asked("lvs", "-S vg_name=\"vg-one\" && lv_name=\"pool\"\n");
	assert_string_equal(by_name.device_uuid, device_uuid);
	assert_ok(lvm_pool_find_device(device_uuid, &by_device, &err), &err);
	assert_asked("lvs", "-S vg_uuid=\"nB6KJg-x5Qm-Uydi-Sb02-zYuL-Nkfp-X5b9ll\" && "
			    "lv_uuid=\"LWFPEf-Hl45-pX3D-h6Tt-AueT-Qg4o-wrvdGl\"\n");
	assert_string_equal(by_device.lv, "pool");
}

static void groups_are_found_by_name_and_by_disk(void **state)
{
	cleanup_lvm_group struct lvm_group by_name = {0}, by_disk = {0};
	struct error err = {0};

	answer(*state, fake_lvm_group);
	assert_ok(lvm_group_find("vg-one", &by_name, &err), &err);
	assert_asked("vgs", "-S vg_name=\"vg-one\"\n");
	answer(*state, fake_lvm_disk);
	assert_ok(lvm_group_find_disk(disk, &by_disk, &err), &err);
	assert_asked("pvs", "-S pv_uuid=\"012345-6789-abcd-ef10-3254-7698-badcfe\"\n");
	assert_string_equal(by_disk.device, "/dev/sdx");
}

static void the_group_of_a_device_is_asked_for_by_its_path(void **state)
{
	cleanup_lvm_group struct lvm_group group = {0};
	struct lvm_group none;
	struct error err = {0};

	answer(*state, fake_lvm_disk);
	assert_ok(lvm_group_find_device("/dev/sdx", &group, &err), &err);
	assert_string_equal(group.vg, "vg-one");
	assert_asked("pvs", "vg_extent_size,lv_count /dev/sdx\n");
	fake_lvm(*state, "echo '  No PV found on device /dev/sdx' >&2\n"
			 "echo '{\"report\": [{\"pv\": []}]}'; exit 5\n");
	assert_int_equal(lvm_group_find_device("/dev/sdx", &none, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "no such disk");
	fake_lvm(*state, "echo '  No locks' >&2; exit 5\n");
	assert_int_equal(lvm_group_find_device("/dev/sdx", &none, &err), -1);
	assert_error(&err, ERR_SYSTEM, "No locks");
}

static void what_is_not_there_is_not_found(void **state)
{
	struct lvm_group group;
	struct lvm_pool pool;
	struct error err = {0};

	answer(*state, "{\"report\": [{\"lv\": [], \"vg\": [], \"pv\": []}]}");
	assert_int_equal(lvm_pool_find("vg", "lv", &pool, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "LVM has no volume vg/lv");
	assert_int_equal(lvm_pool_find_device(device_uuid, &pool, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, device_uuid);
	assert_int_equal(lvm_group_find("vg", &group, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "no such volume group");
	assert_int_equal(lvm_group_find_disk(disk, &group, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "no such disk");
}

/* Another volume group that misses a disk makes LVM fail, but it says all that it knows. */
static void a_report_counts_though_lvm_fails(void **state)
{
	cleanup_lvm_pool struct lvm_pool pool = {0};
	struct error err = {0};

	scratch_write("answer", fake_lvm_pool);
	fake_lvm(*state, "cat answer; echo '  Volume group \"other\" is broken' >&2; exit 5\n");
	assert_ok(lvm_pool_find("vg-one", "pool", &pool, &err), &err);
}

static void without_a_report_its_words_are_the_cause(void **state)
{
	struct lvm_pool pool;
	struct error err = {0};

	fake_lvm(*state,
		 "echo '  /run/lock/lvm: mkdir failed: Read-only file system' >&2; exit 4\n");
	assert_int_equal(lvm_pool_find("vg", "lv", &pool, &err), -1);
	assert_error(&err, ERR_SYSTEM, "lvm lvs: /run/lock/lvm: mkdir failed");
	fake_lvm(*state, "echo '{\"report\": [{\"lv\": []}]}'; echo '  No locks' >&2; exit 5\n");
	assert_int_equal(lvm_pool_find("vg", "lv", &pool, &err), -1);
	assert_error(&err, ERR_SYSTEM, "lvm lvs: No locks");
	fake_lvm(*state, "echo nonsense\n");
	assert_int_equal(lvm_pool_find("vg", "lv", &pool, &err), -1);
	assert_error(&err, ERR_INVALID, "LVM's report");
}

static void names_that_lvm_cannot_have_are_not_asked_for(void **state)
{
	static const char *const names[] = {"",	  "-x", ".", "..", "a b", "a\" || vg_name=\"b",
					    "a/b"};
	struct lvm_group group;
	struct lvm_pool pool;
	struct error err = {0};

	answer(*state, fake_lvm_pool);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(lvm_pool_find(names[i], "lv", &pool, &err), -1);
		assert_error(&err, ERR_USAGE, "is no name in LVM");
		assert_int_equal(lvm_pool_find("vg", names[i], &pool, &err), -1);
		assert_error(&err, ERR_USAGE, "is no name in LVM");
		assert_int_equal(lvm_group_find(names[i], &group, &err), -1);
		assert_int_equal(lvm_group_create(names[i], "/dev/x", disk, &err), -1);
		assert_int_equal(lvm_pool_activate("vg", names[i], &err), -1);
	}
	assert_int_equal(lvm_pool_find_device("LVM-short-tpool", &pool, &err), -1);
	assert_error(&err, ERR_INVALID, "is no UUID of LVM's");
	assert_calls("");
}

/* --- settings --------------------------------------------------------------------------------- */

static void the_policy_is_that_of_the_profile(void **state)
{
	struct lvm_pool pool = {.profile = (char[]){"thinpull"}, .monitored = true};
	struct lvm_policy policy;
	struct error err = {0};

	answer(*state, "thin_pool_autoextend_threshold=80\nthin_pool_autoextend_percent=20\n");
	assert_ok(lvm_policy_of(&pool, &policy, &err), &err);
	assert_true(policy.monitored);
	assert_int_equal(policy.threshold, 80);
	assert_int_equal(policy.percent, 20);
	assert_calls("lvmconfig --type full --metadataprofile thinpull "
		     "activation/thin_pool_autoextend_threshold "
		     "activation/thin_pool_autoextend_percent\n");
	pool.profile = (char[]){""};
	assert_ok(lvm_policy_of(&pool, &policy, &err), &err);
	assert_calls("lvmconfig --type full activation/thin_pool_autoextend_threshold "
		     "activation/thin_pool_autoextend_percent\n");
	answer(*state, "thin_pool_autoextend_threshold=80\nthin_pool_autoextend_percent=much\n");
	assert_int_equal(lvm_policy_of(&pool, &policy, &err), -1);
	assert_error(&err, ERR_INVALID, "thin_pool_autoextend_percent is \"much\"");
}

static void check_profile(const char *want)
{
	size_t len;
	cleanup_free char *text = scratch_read("lvm/profile/thinpull.profile", &len);

	assert_non_null(strstr(text, want));
}

/* lvmconfig says where, lvs who still has it. */
static void profile_script(const char *dir, const char *users)
{
	cleanup_free char *script =
		xasprintf("[ \"$1\" = lvs ] || { echo 'profile_dir=\"%s/lvm/profile\"'; exit; }\n"
			  "cat '%s'\n",
			  dir, users);

	fake_lvm(dir, script);
}

static void the_profile_comes_with_its_folder_and_goes_with_its_last_user(void **state)
{
	struct error err = {0};

	scratch_write("one", fake_lvm_pool);
	scratch_write("none", "{\"report\": [{\"lv\": []}]}");
	profile_script(*state, "one");
	assert_ok(lvm_profile_remove(&err), &err); /* not there: fine */
	assert_ok(lvm_profile_store(&err), &err);
	check_profile("\tthin_pool_autoextend_threshold=80\n");
	check_profile("\tthin_pool_autoextend_percent=20\n");
	assert_ok(lvm_profile_remove(&err), &err);
	check_profile("threshold=80"); /* a volume has it */
	profile_script(*state, "none");
	assert_ok(lvm_profile_remove(&err), &err);
	assert_false(scratch_exists("lvm/profile/thinpull.profile"));
}

static void a_profile_that_somebody_changed_is_left_alone(void **state)
{
	struct error err = {0};

	scratch_write("none", "{\"report\": [{\"lv\": []}]}");
	profile_script(*state, "none");
	assert_ok(lvm_profile_store(&err), &err);
	unlink("lvm/profile/thinpull.profile");
	scratch_write("lvm/profile/thinpull.profile", "activation { }\n");
	assert_ok(lvm_profile_store(&err), &err);
	assert_ok(lvm_profile_remove(&err), &err);
	check_profile("activation { }");
}

/* --- changes ---------------------------------------------------------------------------------- */

static void a_group_is_made_and_taken_away(void **state)
{
	struct error err = {0};

	fake_lvm(*state, "");
	assert_ok(lvm_group_create("vg", "/dev/sdx", disk, &err), &err);
	assert_calls("pvcreate -y --uuid 012345-6789-abcd-ef10-3254-7698-badcfe --norestorefile "
		     "/dev/sdx\nvgcreate -y vg /dev/sdx\n");
	assert_ok(lvm_group_remove("vg", "/dev/sdx", false, &err), &err);
	assert_calls("vgremove vg\npvremove -y /dev/sdx\n");
	assert_ok(lvm_group_remove("vg", "/dev/sdx", true, &err), &err);
	assert_calls("vgremove -y vg\npvremove -y /dev/sdx\n");
	assert_ok(lvm_group_remove("", "/dev/sdx", false, &err), &err);
	assert_calls("pvremove -y /dev/sdx\n");
}

static void what_fails_is_the_last_thing_done(void **state)
{
	struct error err = {0};

	fake_lvm(*state, "echo '  no' >&2; exit 5\n");
	assert_int_equal(lvm_group_create("vg", "/dev/sdx", disk, &err), -1);
	assert_error(&err, ERR_SYSTEM, "lvm pvcreate: no");
	assert_int_equal(lvm_group_remove("vg", "/dev/sdx", false, &err), -1);
	assert_error(&err, ERR_SYSTEM, "lvm vgremove: no");
	assert_calls("pvcreate -y --uuid 012345-6789-abcd-ef10-3254-7698-badcfe --norestorefile "
		     "/dev/sdx\nvgremove vg\n");
}

static void a_pool_is_made_as_it_is_wanted(void **state)
{
	struct lvm_pool_params p = {.vg = "vg",
				    .lv = "pool",
				    .data_bytes = UINT64_C(5) << 40,
				    .metadata_bytes = 8 << 20,
				    .block_bytes = 512 << 10};
	struct error err = {0};

	fake_lvm(*state, "");
	assert_ok(lvm_pool_create(&p, &err), &err);
	assert_calls("lvcreate -y --thin vg/pool --size 5497558138880b --poolmetadatasize 8388608b "
		     "--poolmetadataspare y --chunksize 524288b --zero y --errorwhenfull y "
		     "--metadataprofile thinpull --monitor y\n");
	p.queue_when_full = p.no_zero = true;
	assert_ok(lvm_pool_create(&p, &err), &err);
	assert_calls("lvcreate -y --thin vg/pool --size 5497558138880b --poolmetadatasize 8388608b "
		     "--poolmetadataspare y --chunksize 524288b --zero n --errorwhenfull n "
		     "--metadataprofile thinpull --monitor y\n");
}

static void the_other_changes_are_one_command_each(void **state)
{
	struct error err = {0};

	fake_lvm(*state, "");
	assert_ok(lvm_pool_activate("vg", "lv", &err), &err);
	assert_calls("lvchange -y --activate y vg/lv\n");
	assert_ok(lvm_pool_deactivate("vg", "lv", &err), &err);
	assert_calls("lvchange -y --activate n vg/lv\n");
	assert_ok(lvm_pool_refresh("vg", "lv", &err), &err);
	assert_calls("lvchange -y --refresh vg/lv\n");
	assert_ok(lvm_pool_remove("vg", "lv", &err), &err);
	assert_calls("lvremove -y vg/lv\n");
	assert_ok(lvm_pool_extend("vg", "lv", 1 << 30, 0, &err), &err);
	assert_calls("lvextend -y --size 1073741824b vg/lv\n");
	assert_ok(lvm_pool_extend("vg", "lv", 0, 8 << 20, &err), &err);
	assert_calls("lvextend -y --poolmetadatasize 8388608b vg/lv\n");
	assert_ok(lvm_pool_extend("vg", "lv", 1 << 30, 8 << 20, &err), &err);
	assert_calls("lvextend -y --size 1073741824b --poolmetadatasize 8388608b vg/lv\n");
}

static void only_what_is_otherwise_is_set(void **state)
{
	struct lvm_pool pool = {.vg = (char[]){"vg"},
				.lv = (char[]){"lv"},
				.queue_when_full = true,
				.zeroing = true};
	struct error err = {0};

	fake_lvm(*state, "");
	assert_ok(lvm_pool_set(&pool, true, true, &err), &err);
	assert_calls("");
	assert_ok(lvm_pool_set(&pool, false, true, &err), &err);
	assert_calls("lvchange -y --errorwhenfull y vg/lv\n");
	assert_ok(lvm_pool_set(&pool, true, false, &err), &err);
	assert_calls("lvchange -y --zero n vg/lv\n");
	pool.queue_when_full = pool.zeroing = false;
	assert_ok(lvm_pool_set(&pool, true, true, &err), &err);
	assert_calls("lvchange -y --errorwhenfull n vg/lv\nlvchange -y --zero y vg/lv\n");
}

static void it_is_looked_for(void **state)
{
	struct error err = {0};

	fake_lvm(*state, "");
	assert_ok(lvm_check(&err), &err);
	assert_calls("");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_set_up, scratch_tear_down)
		TEST(a_pool_is_found_by_name_and_by_device),
		TEST(groups_are_found_by_name_and_by_disk),
		TEST(the_group_of_a_device_is_asked_for_by_its_path),
		TEST(what_is_not_there_is_not_found),
		TEST(a_report_counts_though_lvm_fails),
		TEST(without_a_report_its_words_are_the_cause),
		TEST(names_that_lvm_cannot_have_are_not_asked_for),
		TEST(the_policy_is_that_of_the_profile),
		TEST(the_profile_comes_with_its_folder_and_goes_with_its_last_user),
		TEST(a_profile_that_somebody_changed_is_left_alone),
		TEST(a_group_is_made_and_taken_away),
		TEST(what_fails_is_the_last_thing_done),
		TEST(a_pool_is_made_as_it_is_wanted),
		TEST(the_other_changes_are_one_command_each),
		TEST(only_what_is_otherwise_is_set),
		TEST(it_is_looked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
