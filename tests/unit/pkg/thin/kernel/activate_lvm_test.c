/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What LVM is asked for, and when it is not: a script has its place, the device is a real one.
 * tests/kernel/35_lvm.sh has the real LVM.
 */
#include "pkg/thin/kernel/activate_lvm.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"
#include "tests/support/fake_lvm.h"
#include "tests/support/lab.h"
#include "tests/support/lab_lvm.h"
#include "tests/support/scratch.h"

#define NAME LAB_LVM_NAME
#define UUID LAB_LVM_UUID
#define FIND                                                                                       \
	"lvs --reportformat json --units b --nosuffix -o vg_name,lv_name,vg_uuid,lv_uuid,segtype," \
	"lv_active,lv_size,lv_metadata_size,chunk_size,transaction_id,thin_count,zero,"            \
	"lv_when_full,seg_monitor,lv_profile,vg_free,vg_extent_size,vg_partial -S "                \
	"vg_uuid=\"nB6KJg-x5Qm-Uydi-Sb02-zYuL-Nkfp-X5b9ll\" && "                                   \
	"lv_uuid=\"LWFPEf-Hl45-pX3D-h6Tt-AueT-Qg4o-wrvdGl\"\n"

enum { EXTENT = 4 << 20 };

static struct error err;
static struct thin_place place = {.kind = THIN_PLACE_LVM,
				  .vg = (char[]){"vg-one"},
				  .lv = (char[]){"pool"},
				  .lvm_uuid = (char[]){UUID}};

static int set_up(void **state)
{
	if (scratch_set_up(state) < 0)
		return -1;
	place.adopted = false;
	scratch_write("answer", fake_lvm_pool);
	fake_lvm(*state, "[ \"$1\" != lvs ] || cat answer\n");
	return 0;
}

static void assert_calls(const char *want)
{
	cleanup_free char *calls = fake_lvm_calls();

	assert_string_equal(calls, want);
}

static void a_pool_is_found_by_uuid_and_target(void **state)
{
	static const struct devmap_target other = {0, 8, "error", ""};
	struct devmap_info info;
	struct lab_lvm d;

	(void)state;
	lab_need("thin-pool");
	assert_ok(kernel_lvm_find(&place, &info, &err), &err);
	assert_false(info.exists);
	lab_lvm_make(&d);
	assert_ok(kernel_lvm_find(&place, &info, &err), &err);
	assert_true(info.exists && info.live && !info.suspended);
	assert_string_equal(info.name, NAME);
	lab_lvm_free(&d);
	assert_ok(devmap_create(NAME, UUID, &other, 1, 0, &err), &err);
	assert_int_equal(kernel_lvm_find(&place, &info, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, NAME " is no thin pool but \"error\"");
	assert_ok(devmap_remove(UUID, 0, &err), &err);
	assert_calls("");
}

static void an_active_pool_is_left_to_itself(void **state)
{
	struct lab_lvm d;

	lab_need("thin-pool");
	lab_lvm_make(&d);
	assert_ok(kernel_lvm_activate(*state, &place, &err), &err);
	assert_calls("");
	assert_false(scratch_exists("activated"));
	lab_lvm_free(&d);
}

static void an_inactive_pool_is_activated_by_lvm(void **state)
{
	lab_need("thin-pool");
	assert_ok(kernel_lvm_activate(*state, &place, &err), &err);
	assert_calls(FIND "lvchange -y --activate y vg-one/pool\n");
	assert_true(scratch_exists("activated"));
}

/* A killed lvextend leaves it so, perhaps with tables that only LVM knows the order of. */
static void a_suspended_pool_is_refreshed_by_lvm(void **state)
{
	struct lab_lvm d;

	lab_need("thin-pool");
	lab_lvm_make(&d);
	assert_ok(devmap_suspend(UUID, 0, &err), &err);
	assert_ok(kernel_lvm_activate(*state, &place, &err), &err);
	assert_calls(FIND "lvchange -y --refresh vg-one/pool\n");
	assert_ok(devmap_resume(UUID, &err), &err);
	lab_lvm_free(&d);
}

static void a_pool_that_lvm_does_not_have_is_not_found(void **state)
{
	lab_need("thin-pool");
	unlink("answer");
	scratch_write("answer", "{\"report\": [{\"lv\": []}]}");
	assert_int_equal(kernel_lvm_activate(*state, &place, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "vg-one/pool");
}

static void ours_is_deactivated_by_lvm(void **state)
{
	struct lab_lvm d;

	lab_need("thin-pool");
	assert_ok(kernel_lvm_deactivate(*state, &place, &err), &err);
	assert_calls(""); /* it is not active */
	lab_lvm_make(&d);
	assert_ok(kernel_lvm_deactivate(*state, &place, &err), &err);
	assert_calls(FIND "lvchange -y --activate n vg-one/pool\n");
	lab_lvm_free(&d);
}

static void an_adopted_one_only_when_we_activated_it_in_this_boot(void **state)
{
	struct lab_lvm d;

	lab_need("thin-pool");
	place.adopted = true;
	lab_lvm_make(&d);
	assert_ok(kernel_lvm_deactivate(*state, &place, &err), &err);
	assert_calls("");
	scratch_write("activated", "another boot\n");
	assert_ok(kernel_lvm_deactivate(*state, &place, &err), &err);
	assert_calls("");
	lab_lvm_free(&d);

	assert_ok(kernel_lvm_activate(*state, &place, &err), &err);
	free(fake_lvm_calls());
	lab_lvm_make(&d);
	assert_ok(kernel_lvm_deactivate(*state, &place, &err), &err);
	assert_calls(FIND "lvchange -y --activate n vg-one/pool\n");
	assert_false(scratch_exists("activated"));
	lab_lvm_free(&d);
}

static void one_that_is_open_stays(void **state)
{
	struct lab_lvm d;
	FILE *f;

	lab_need("thin-pool");
	lab_lvm_make(&d);
	f = fopen("/dev/mapper/" NAME, "re");
	assert_non_null(f);
	assert_int_equal(kernel_lvm_deactivate(*state, &place, &err), -1);
	assert_error(&err, ERR_BUSY, NAME " is in use");
	assert_calls("");
	fclose(f);
	lab_lvm_free(&d);
}

/* --- growing: of a pool of 75 extents and metadata of one, 178 free ------------------------------- */

#define DATA	 UINT64_C(314572800)
#define METADATA UINT64_C(4194304)
#define FREE	 UINT64_C(746586112)

static void sizes_are_rounded_up_to_extents(void **state)
{
	(void)state;
	assert_ok(kernel_lvm_grow(&place, DATA + 1, 0, &err), &err);
	assert_calls(FIND "lvextend -y --size 318767104b vg-one/pool\n");
	assert_ok(kernel_lvm_grow(&place, 0, METADATA + 1, &err), &err);
	assert_calls(FIND "lvextend -y --poolmetadatasize 8388608b vg-one/pool\n");
	assert_ok(kernel_lvm_grow(&place, DATA + FREE - EXTENT, METADATA + EXTENT, &err), &err);
	assert_calls(FIND "lvextend -y --size 1056964608b --poolmetadatasize 8388608b "
			  "vg-one/pool\n");
}

static void what_it_has_already_is_not_asked_for(void **state)
{
	(void)state;
	assert_ok(kernel_lvm_grow(&place, DATA, METADATA, &err), &err);
	assert_calls(FIND);
	assert_ok(kernel_lvm_grow(&place, 0, 0, &err), &err);
	assert_calls(FIND);
}

static void no_pool_shrinks_or_outgrows_its_group(void **state)
{
	(void)state;
	assert_int_equal(kernel_lvm_grow(&place, DATA - 1, 0, &err), -1);
	assert_error(&err, ERR_USAGE, "data has 300 MiB already");
	assert_int_equal(kernel_lvm_grow(&place, 0, 1, &err), -1);
	assert_error(&err, ERR_USAGE, "metadata has 4 MiB already");
	assert_int_equal(kernel_lvm_grow(&place, UINT64_MAX, 0, &err), -1);
	assert_error(&err, ERR_USAGE, "too many");
	assert_int_equal(kernel_lvm_grow(&place, DATA + FREE + 1, 0, &err), -1);
	assert_error(&err, ERR_NO_SPACE, "vg-one has 712 MiB free, 716 MiB are needed");
	assert_int_equal(kernel_lvm_grow(&place, DATA + FREE, METADATA + 1, &err), -1);
	assert_error(&err, ERR_NO_SPACE, "vg-one has 712 MiB free, 716 MiB are needed");
	assert_calls(FIND FIND FIND FIND FIND);
}

static void what_was_never_made_is_not_found(void **state)
{
	struct thin_place unmade = {.vg = (char[]){"vg"}, .lv = (char[]){"pool"}};
	struct devmap_info info = {.exists = true};

	(void)state;
	assert_ok(kernel_lvm_find(&unmade, &info, &err), &err);
	assert_false(info.exists);
	assert_int_equal(kernel_lvm_grow(&unmade, DATA, 0, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "vg/pool was never made");
	assert_int_equal(kernel_lvm_activate(*state, &unmade, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "vg/pool was never made");
	assert_calls("");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, scratch_tear_down)
		TEST(a_pool_is_found_by_uuid_and_target),
		TEST(an_active_pool_is_left_to_itself),
		TEST(an_inactive_pool_is_activated_by_lvm),
		TEST(a_suspended_pool_is_refreshed_by_lvm),
		TEST(a_pool_that_lvm_does_not_have_is_not_found),
		TEST(ours_is_deactivated_by_lvm),
		TEST(an_adopted_one_only_when_we_activated_it_in_this_boot),
		TEST(one_that_is_open_stays),
		TEST(sizes_are_rounded_up_to_extents),
		TEST(what_it_has_already_is_not_asked_for),
		TEST(no_pool_shrinks_or_outgrows_its_group),
		TEST(what_was_never_made_is_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
