/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How large what is made is; and that nothing is left of what fails at any step, before or after
 * LVM did it. LVM is a script that remembers; tests/kernel/35_lvm.sh and 36_adopt.sh have the real one.
 */
#include "pkg/thin/kernel/make_lvm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/kernel/devmap.h"
#include "pkg/thin/kernel/status.h"
#include "tests/support/cmocka.h"
#include "tests/support/fake_lvm.h"
#include "tests/support/lab.h"
#include "tests/support/lab_lvm.h"
#include "tests/support/replace.h"
#include "tests/support/scratch.h"

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

/* --- how large -------------------------------------------------------------------------------- */

static struct thin_lvm_plan plan(uint64_t group, uint64_t extent, struct thin_lvm_params p)
{
	struct thin_lvm_plan plan;
	struct error err = {0};

	assert_ok(thin_lvm_plan(group, extent, &p, &plan, &err), &err);
	return plan;
}

/* As LVM reckons it: a fifth more, in whole extents, of what is left. */
static void there_is_room_to_be_extended_once(void **state)
{
	(void)state;
	for (uint64_t group = 32 * MIB; group < UINT64_C(1) << 46; group += group / 7 + 4 * MIB) {
		uint64_t size = group - group % (4 * MIB);
		struct thin_lvm_plan p = plan(size, 4 * MIB, (struct thin_lvm_params){0});
		uint64_t extents = p.data_bytes / (4 * MIB), more = (extents + 4) / 5;

		assert_int_equal(p.data_bytes % (4 * MIB), 0);
		assert_int_equal(p.metadata_bytes % (4 * MIB), 0);
		assert_true((extents + more) * 4 * MIB + 2 * p.metadata_bytes <= size);
		/* and no more is left over than rounding makes */
		assert_true((extents + more + 3) * 4 * MIB + 2 * p.metadata_bytes > size);
	}
}

static void metadata_is_for_all_that_the_group_could_hold(void **state)
{
	struct thin_lvm_plan p;

	(void)state;
	/* 48 bytes for each of 2 Mi blocks of 512 KiB */
	p = plan(1024 * GIB, 4 * MIB, (struct thin_lvm_params){0});
	assert_int_equal(p.metadata_bytes, 96 * MIB);
	p = plan(1024 * GIB, 4 * MIB, (struct thin_lvm_params){.block_bytes = 64 << 10});
	assert_int_equal(p.metadata_bytes, 768 * MIB);
	p = plan(64 * MIB, 4 * MIB, (struct thin_lvm_params){0});
	assert_int_equal(p.metadata_bytes, 4 * MIB); /* the least is 2 MiB */
}

static void what_is_asked_for_is_rounded_up(void **state)
{
	struct thin_lvm_plan p;

	(void)state;
	p = plan(GIB, 4 * MIB, (struct thin_lvm_params){.data_bytes = 1, .metadata_bytes = 1});
	assert_int_equal(p.data_bytes, 4 * MIB);
	assert_int_equal(p.metadata_bytes, 4 * MIB);
	p = plan(GIB, 4 * MIB,
		 (struct thin_lvm_params){.data_bytes = GIB - 16 * MIB, .metadata_bytes = 8 * MIB});
	assert_int_equal(p.data_bytes, GIB - 16 * MIB); /* nothing left: as it was asked for */
}

static void refuse(uint64_t group, struct thin_lvm_params p, enum error_kind kind, const char *text)
{
	struct thin_lvm_plan ret;
	struct error err = {0};

	assert_int_equal(thin_lvm_plan(group, 4 * MIB, &p, &ret, &err), -1);
	assert_error(&err, kind, text);
}

static void what_does_not_fit_is_refused(void **state)
{
	(void)state;
	refuse(8 * MIB, (struct thin_lvm_params){0}, ERR_NO_SPACE, "has 8 MiB, of which metadata");
	refuse(GIB, (struct thin_lvm_params){.data_bytes = GIB}, ERR_NO_SPACE, "the data 1024");
	refuse(GIB, (struct thin_lvm_params){.metadata_bytes = GIB}, ERR_NO_SPACE, "need 2048");
	refuse(GIB, (struct thin_lvm_params){.data_bytes = UINT64_MAX}, ERR_USAGE, "so large");
	refuse(GIB, (struct thin_lvm_params){.metadata_bytes = UINT64_MAX}, ERR_USAGE, "so large");
	refuse(0, (struct thin_lvm_params){0}, ERR_INVALID, "0 bytes");
}

/* --- steps ------------------------------------------------------------------------------------ */

/*
 * What there is are the files disk, group and volume; its N-th call fails, where the file fail_before
 * or fail_after says N.
 */
static const char memory[] =
	"echo >>count; n=$(wc -l <count)\n"
	"no() { echo '  it is told to fail' >&2; exit 5; }\n"
	"none() { echo \"{\\\"report\\\": [{\\\"$1\\\": []}]}\"; }\n"
	"[ \"$n\" != \"$(cat fail_before)\" ] || no\n"
	"case $1 in\n"
	"pvcreate) >disk ;;\n"
	"vgcreate) [ -e disk ] && >group ;;\n"
	"lvcreate) [ -e group ] && >volume ;;\n"
	"lvremove) rm volume ;;\n"
	"vgremove) { [ \"$2\" = -y ] || [ ! -e volume ]; } && rm -f group volume ;;\n"
	"pvremove) [ ! -e group ] && rm disk ;;\n"
	"lvmconfig) echo \"profile_dir=\\\"$PWD/profile\\\"\" ;;\n"
	"pvs) if [ -e volume ] || [ -e others ]; then cat disk.json\n"
	"     elif [ -e group ]; then sed 's/\"1\"/\"0\"/' disk.json\n"
	"     elif [ -e disk ]; then cat orphan.json\n"
	"     else none pv; fi ;;\n"
	"vgs) if [ -e group ]; then cat group.json; else none vg; fi ;;\n"
	"lvs) if [ -e volume ]; then cat volume.json; else none lv; fi ;;\n"
	"esac || no\n"
	"[ \"$n\" != \"$(cat fail_after)\" ] || no\n";

static char *folder; /* of the pool */

static int set_up(void **state)
{
	if (scratch_set_up(state) < 0)
		return -1;
	scratch_write("disk.json", fake_lvm_disk);
	scratch_write("orphan.json",
		      "{\"report\": [{\"pv\": [{\"pv_name\":\"/dev/sdx\", \"vg_name\":\"\", "
		      "\"vg_size\":\"0\", \"vg_free\":\"0\", \"vg_extent_size\":\"0\", "
		      "\"lv_count\":\"0\"}]}]}");
	scratch_write("group.json", fake_lvm_group);
	scratch_write("volume.json", fake_lvm_pool);
	scratch_mkdir("pool", 0700);
	folder = xasprintf("%s/pool", (char *)*state);
	fake_lvm(*state, memory);
	return 0;
}

static int tear_down(void **state)
{
	free(folder);
	return scratch_tear_down(state);
}

static void fail_at(unsigned before, unsigned after)
{
	cleanup_free char *text_before = xasprintf("%u", before);
	cleanup_free char *text_after = xasprintf("%u", after);

	unlink("fail_before");
	unlink("fail_after");
	unlink("count");
	scratch_write("fail_before", text_before);
	scratch_write("fail_after", text_after);
}

static int create(struct error *err)
{
	struct thin_lvm_params p = {.uuid = {1, 2, 3}, .vg = "vg-one", .device = "/dev/sdx"};

	return thin_lvm_create(folder, &p, err);
}

/* As callers do when it fails. */
static void take_back(void)
{
	cleanup(thin_place_release) struct thin_place place = {0};
	struct error err = {0};

	fail_at(0, 0);
	if (thin_place_load(folder, &place, &err) == 0)
		assert_ok(thin_lvm_end(folder, &place, &err), &err);
}

static bool something_is_left(void)
{
	return scratch_exists("disk") || scratch_exists("group") || scratch_exists("volume")
	       || scratch_exists("profile/thinpull.profile");
}

static void made_in_this_order(void **state)
{
	cleanup(thin_place_release) struct thin_place place = {0};
	cleanup_free char *calls = NULL;
	struct error err = {0};

	(void)state;
	fail_at(0, 0);
	assert_ok(create(&err), &err);
	calls = fake_lvm_calls();
	assert_non_null(strstr(calls, "\npvcreate -y --uuid 010203-0000-0000-0000-0000-0000-000000 "
				      "--norestorefile /dev/sdx\nvgcreate -y vg-one /dev/sdx\n"));
	/* of 255 extents: 1 each for metadata and spare, 210 are data and 42 a fifth of it */
	assert_non_null(strstr(calls, "\nlvcreate -y --thin vg-one/pool --size 880803840b "
				      "--poolmetadatasize 4194304b --poolmetadataspare y "
				      "--chunksize 524288b --zero y --errorwhenfull y "
				      "--metadataprofile thinpull --monitor y\n"));
	assert_ok(thin_place_load(folder, &place, &err), &err);
	assert_int_equal(place.kind, THIN_PLACE_LVM);
	assert_string_equal(place.vg, "vg-one");
	assert_string_equal(place.lv, "pool");
	assert_string_equal(place.data_device, "/dev/sdx");
	assert_string_equal(place.lvm_uuid, "LVM-nB6KJgx5QmUydiSb02zYuLNkfpX5b9ll"
					    "LWFPEfHl45pX3Dh6TtAueTQg4owrvdGl-tpool");
	assert_false(place.adopted);
	assert_true(scratch_exists("profile/thinpull.profile"));
}

static unsigned calls_made(void)
{
	size_t len;

	free(scratch_read("count", &len));
	return (unsigned)len;
}

static void forget_all(void)
{
	static const char *const files[] = {"disk", "group", "volume", "pool/place.json",
					    "profile/thinpull.profile"};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		unlink(files[i]);
}

/* A report that is complete counts, whatever LVM says at its end. */
static void a_failure_at_any_step_leaves_nothing(void **state)
{
	unsigned at = 0, n = 0, failed = 0, made = 0;
	struct error err = {0};

	(void)state;
	do {
		at++;
		for (unsigned after = 0; after < 2; after++) {
			error_clear(&err);
			fail_at(after ? 0 : at, after ? at : 0);
			if (create(&err) == 0) {
				made++;
				n = calls_made();
			} else {
				failed++;
				n = calls_made();
				assert_error(&err, ERR_SYSTEM, "it is told to fail");
				take_back();
				if (something_is_left())
					fail_msg("left after call %u failed", at);
			}
			forget_all();
		}
	} while (n >= at);
	/* seven calls, of which three are reports, one of these empty; then it was not told to */
	assert_int_equal(failed, 2 * 7 - 2);
	assert_int_equal(made, 2 + 2);
}

/* Killed before the place had the volume's UUID: whatever is on the disk that is ours goes. */
static void what_a_kill_left_goes(void **state)
{
	static const char *const left[] = {"disk", "group", "volume"};
	struct thin_place place = {.kind = THIN_PLACE_LVM,
				   .vg = (char[]){"vg-one"},
				   .lv = (char[]){"pool"},
				   .data_device = (char[]){"/dev/sdx"}};
	struct error err = {0};

	(void)state;
	fail_at(0, 0);
	for (size_t n = 0; n <= ARRAY_SIZE(left); n++) {
		for (size_t i = 0; i < n; i++)
			scratch_write(left[i], "");
		assert_ok(thin_lvm_end(folder, &place, &err), &err);
		assert_false(something_is_left());
	}
}

static void a_group_that_exists_is_not_touched(void **state)
{
	cleanup_free char *calls = NULL;
	struct error err = {0};

	(void)state;
	fail_at(0, 0);
	scratch_write("disk", "");
	scratch_write("group", "");
	assert_int_equal(create(&err), -1);
	assert_error(&err, ERR_BUSY, "there is a volume group vg-one already");
	assert_true(scratch_exists("group"));
	assert_false(scratch_exists("pool/place.json"));
	calls = fake_lvm_calls();
	assert_ptr_equal(strstr(calls, "vgs "), calls);
	assert_null(strstr(calls, "\nv"));
}

/* LVM would take the name of the group, and then find no name for the devices. */
static void a_name_that_devices_cannot_have_is_refused_before(void **state)
{
	struct thin_lvm_params p = {.device = "/dev/sdx"};
	cleanup_free char *calls = NULL;
	struct error err = {0};
	char name[128];

	(void)state;
	fail_at(0, 0);
	memset(name, 'x', sizeof(name));
	name[DEVMAP_NAME_BYTES - 1 - strlen("--lvol0_pmspare")] = 0;
	p.vg = name;
	assert_ok(thin_lvm_create(folder, &p, &err), &err);
	forget_all();
	free(fake_lvm_calls());
	name[10] = '-';
	assert_int_equal(thin_lvm_create(folder, &p, &err), -1);
	assert_error(&err, ERR_USAGE, "too long for LVM");
	calls = fake_lvm_calls();
	assert_string_equal(calls, "");
}

/* --- the end of what was finished: the device is looked for --------------------------------------- */

static void a_finished_pool_goes_with_its_group_and_disk(void **state)
{
	cleanup(thin_place_release) struct thin_place place = {0};
	struct error err = {0};

	(void)state;
	lab_need("thin-pool");
	fail_at(0, 0);
	assert_ok(create(&err), &err);
	assert_ok(thin_place_load(folder, &place, &err), &err);
	assert_ok(thin_lvm_end(folder, &place, &err), &err);
	assert_false(something_is_left());
	assert_ok(thin_lvm_end(folder, &place, &err), &err);
}

static void a_group_that_others_use_stays(void **state)
{
	cleanup(thin_place_release) struct thin_place place = {0};
	struct error err = {0};

	(void)state;
	lab_need("thin-pool");
	scratch_write("others", "");
	fail_at(0, 0);
	assert_ok(create(&err), &err);
	assert_ok(thin_place_load(folder, &place, &err), &err);
	assert_int_equal(thin_lvm_end(folder, &place, &err), -1);
	assert_error(&err, ERR_BUSY, "volume group vg-one has other volumes");
	assert_false(scratch_exists("volume"));
	assert_true(scratch_exists("group"));
}

/* --- adopting: what LVM says of it ---------------------------------------------------------------- */

static void refuse_adopting(const char *from, const char *to, enum error_kind kind,
			    const char *text)
{
	struct thin_lvm_params p = {.vg = "vg-one", .lv = "pool"};
	cleanup_free char *changed = replaced(fake_lvm_pool, from, to);
	struct error err = {0};

	unlink("volume.json");
	scratch_write("volume.json", changed);
	assert_int_equal(thin_lvm_adopt(folder, &p, &err), -1);
	assert_error(&err, kind, text);
	assert_false(scratch_exists("pool/place.json"));
}

static void what_lvm_uses_is_not_adopted(void **state)
{
	(void)state;
	fail_at(0, 0);
	scratch_write("volume", "");
	refuse_adopting("\"thin-pool\"", "\"linear\"", ERR_UNSUPPORTED,
			"vg-one/pool: it is no thin pool");
	refuse_adopting("\"vg_partial\":\"\"", "\"vg_partial\":\"partial\"", ERR_UNSUPPORTED,
			"disks of its volume group are missing");
	refuse_adopting("\"thin_count\":\"0\"", "\"thin_count\":\"3\"", ERR_BUSY,
			"LVM has 3 thin volumes in it");
	refuse_adopting("\"transaction_id\":\"0\"", "\"transaction_id\":\"7\"", ERR_BUSY,
			"its transaction id is 7");
	assert_int_equal(unlink("volume"), 0);
	refuse_adopting("\"pool\"", "\"pool\"", ERR_NOT_FOUND, "LVM has no volume vg-one/pool");
}

/* --- adopting: a real device, of which the fake LVM says that it is active -------------------------- */

static void message(const char *text)
{
	struct error err = {0};

	assert_ok(devmap_message(LAB_LVM_UUID, &err, "%s", text), &err);
}

static void look_at_pool(struct kernel_pool_status *ret)
{
	cleanup_free char *type = NULL, *params = NULL;
	struct error err = {0};

	assert_ok(devmap_status(LAB_LVM_UUID, true, &type, &params, &err), &err);
	assert_ok(kernel_pool_status_parse(params, ret, &err), &err);
}

static int adopt(struct error *err)
{
	struct thin_lvm_params p = {.uuid = {1, 2, 3},
				    .vg = "vg-one",
				    .lv = "pool",
				    .no_zero = true};

	free(fake_lvm_calls());
	return thin_lvm_adopt(folder, &p, err);
}

static void assert_changes(const char *want)
{
	cleanup_free char *calls = fake_lvm_calls();
	cleanup_buffer struct buffer changes = {0};

	for (char *line = strtok(calls, "\n"); line; line = strtok(NULL, "\n"))
		if (strncmp(line, "lvs ", 4) != 0)
			buffer_printf(&changes, "%s\n", line);
	assert_string_equal(changes.len ? (char *)changes.data : "", want);
}

/* Others use such pools, and say nothing of it to LVM. */
static void what_others_use_is_not_adopted_and_not_changed(void **state)
{
	struct kernel_pool_status st;
	struct error err = {0};
	struct lab_lvm d;

	(void)state;
	lab_need("thin-pool");
	fail_at(0, 0);
	scratch_write("volume", "");
	lab_lvm_make(&d);
	message("create_thin 7");
	assert_int_equal(adopt(&err), -1);
	assert_error(&err, ERR_BUSY, "vg-one/pool: somebody uses it: it has 1 thin devices");
	take_back();
	assert_int_equal(unlink("pool/place.json"), 0);
	message("set_transaction_id 0 5");
	assert_int_equal(adopt(&err), -1);
	assert_error(&err, ERR_BUSY, "its transaction id is 5");
	take_back();
	assert_changes("");
	look_at_pool(&st);
	assert_int_equal(st.transaction_id, 5);
	message("delete 7"); /* it is still there */
	lab_lvm_free(&d);
}

static void adopted_proved_and_given_back_as_it_was(void **state)
{
	cleanup(thin_place_release) struct thin_place place = {0};
	struct kernel_pool_status st;
	struct error err = {0};
	struct lab_lvm d;

	(void)state;
	lab_need("thin-pool");
	fail_at(0, 0);
	scratch_write("volume", "");
	lab_lvm_make(&d);
	assert_ok(adopt(&err), &err);
	assert_changes("lvchange -y --errorwhenfull y vg-one/pool\n"
		       "lvchange -y --zero n vg-one/pool\n");
	assert_ok(thin_place_load(folder, &place, &err), &err);
	assert_true(place.adopted && place.was_queueing && place.was_zeroing && place.no_zero);
	assert_null(place.data_device);
	assert_string_equal(place.lvm_uuid, LAB_LVM_UUID);

	assert_ok(thin_lvm_prove(folder, &err), &err);
	assert_changes("lvchange -y --activate n vg-one/pool\n"
		       "lvchange -y --activate y vg-one/pool\n");

	message("create_thin 0");
	message("create_thin 1");
	message("create_snap 9 1");
	message("set_transaction_id 0 4");
	assert_ok(thin_lvm_end(folder, &place, &err), &err);
	assert_changes(""); /* the fake one still says that it is as it was */
	look_at_pool(&st);
	assert_int_equal(st.transaction_id, 0);
	assert_int_equal(devmap_message(LAB_LVM_UUID, &err, "delete 9"), -1);
	assert_int_equal(err.sys, ENODATA);
	assert_ok(thin_lvm_end(folder, &place, &err), &err);
	lab_lvm_free(&d);
}

static void one_that_is_open_is_not_taken_from_who_has_it_open(void **state)
{
	struct error err = {0};
	struct lab_lvm d;
	FILE *f;

	(void)state;
	lab_need("thin-pool");
	fail_at(0, 0);
	scratch_write("volume", "");
	lab_lvm_make(&d);
	assert_ok(adopt(&err), &err);
	free(fake_lvm_calls());
	f = fopen("/dev/mapper/" LAB_LVM_NAME, "re");
	assert_non_null(f);
	assert_ok(thin_lvm_prove(folder, &err), &err);
	assert_changes("");
	fclose(f);
	lab_lvm_free(&d);
}

static void the_policy_is_told_with_present_names(void **state)
{
	struct thin_place place = {.vg = (char[]){"old"},
				   .lv = (char[]){"name"},
				   .lvm_uuid = (char[]){"LVM-nB6KJgx5QmUydiSb02zYuLNkfpX5b9ll"
							"LWFPEfHl45pX3Dh6TtAueTQg4owrvdGl-tpool"}};
	cleanup(thin_lvm_policy_release) struct thin_lvm_policy policy = {0};
	struct error err = {0};

	fake_lvm(*state, "if [ \"$1\" = lvs ]; then cat volume.json; else\n"
			 "echo thin_pool_autoextend_threshold=70\n"
			 "echo thin_pool_autoextend_percent=30; fi\n");
	assert_ok(thin_lvm_policy(&place, &policy, &err), &err);
	assert_string_equal(policy.vg, "vg-one");
	assert_string_equal(policy.lv, "pool");
	assert_true(policy.monitored);
	assert_int_equal(policy.threshold_percent, 70);
	assert_int_equal(policy.extend_percent, 30);
	assert_int_equal(policy.group_free_bytes, 746586112);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		cmocka_unit_test(there_is_room_to_be_extended_once),
		cmocka_unit_test(metadata_is_for_all_that_the_group_could_hold),
		cmocka_unit_test(what_is_asked_for_is_rounded_up),
		cmocka_unit_test(what_does_not_fit_is_refused),
		TEST(made_in_this_order),
		TEST(a_failure_at_any_step_leaves_nothing),
		TEST(what_a_kill_left_goes),
		TEST(a_group_that_exists_is_not_touched),
		TEST(a_name_that_devices_cannot_have_is_refused_before),
		TEST(a_finished_pool_goes_with_its_group_and_disk),
		TEST(a_group_that_others_use_stays),
		TEST(what_lvm_uses_is_not_adopted),
		TEST(what_others_use_is_not_adopted_and_not_changed),
		TEST(adopted_proved_and_given_back_as_it_was),
		TEST(one_that_is_open_is_not_taken_from_who_has_it_open),
		TEST(the_policy_is_told_with_present_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
