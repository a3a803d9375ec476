/* SPDX-License-Identifier: Apache-2.0 */
/* A pool in files, activated and deactivated by the real kernel, from whatever a kill leaves. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/host/loop.h"
#include "pkg/thin/file/fsck.h"
#include "pkg/thin/kernel/activate.h"
#include "pkg/thin/kernel/devmap.h"
#include "pkg/thin/kernel/engine.h"
#include "pkg/thin/kernel/status.h"
#include "pkg/thin/kernel/table.h"
#include "tests/support/cmocka.h"
#include "tests/support/lab.h"
#include "tests/support/scratch.h"
#include "tests/support/thin_fixture.h"

enum { BLOCKS = 64, TIMEOUT_MS = 200 };

static struct thin_fixture f;
static struct error err;
static struct kernel_names pool, record;

/* A pool with the record's device and thin 1, closed. */
static int set_up(void **state)
{
	uint8_t uuid[THIN_UUID_BYTES];

	(void)state;
	thin_fixture_init(&f, BLOCKS, 0);
	thin_fixture_create(&f, 0);
	thin_fixture_create(&f, 1);
	thin_fixture_write(&f, 1, 0, FIXTURE_BLOCK, 1);
	thin_fixture_commit(&f);
	thin_fixture_close(&f);
	assert_ok(kernel_loop_uuid(f.dir, uuid, &err), &err);
	kernel_names_part(uuid, "pool", &pool);
	kernel_names_thin(uuid, 0, &record);
	return 0;
}

static char *path_of(const char *name)
{
	return xasprintf("%s/%s", f.dir, name);
}

static void remove_file(const char *name)
{
	cleanup_free char *path = path_of(name);

	unlink(path);
}

static int tear_down(void **state)
{
	(void)state;
	if (!lab_may_skip())
		assert_ok(thin_kernel_deactivate(f.dir, TIMEOUT_MS, &err), &err);
	remove_file("lock");
	remove_file("lock.owner");
	remove_file("gone");
	remove_file("place.json");
	thin_fixture_release(&f);
	return 0;
}

static void activate(void)
{
	assert_ok(thin_kernel_activate(f.dir, TIMEOUT_MS, &err), &err);
}

static void deactivate(void)
{
	assert_ok(thin_kernel_deactivate(f.dir, TIMEOUT_MS, &err), &err);
}

static bool is_active(void)
{
	struct thin_place place;
	bool active;

	assert_ok(thin_place_load(f.dir, &place, &err), &err);
	active = thin_kernel_is_active(f.dir, &place);
	thin_place_release(&place);
	return active;
}

static struct devmap_info look(const char *uuid)
{
	struct devmap_info info;

	assert_ok(devmap_info(uuid, &info, &err), &err);
	return info;
}

/* All of it is there once, and runs. */
static void expect_up(void)
{
	cleanup(loop_list_release) struct loop_list loops = {0};
	cleanup(devmap_list_release) struct devmap_list devices = {0};

	assert_true(is_active());
	assert_true(look(pool.uuid).live && !look(pool.uuid).suspended);
	assert_ok(loop_find_in(f.dir, &loops, &err), &err);
	assert_int_equal(loops.n, 2);
	assert_ok(devmap_list("THINPULL-", &devices, &err), &err);
	assert_int_equal(devices.n, 2);
	assert_true(look(record.uuid).live);
}

static void expect_down(void)
{
	cleanup(loop_list_release) struct loop_list loops = {0};
	cleanup(devmap_list_release) struct devmap_list devices = {0};

	assert_false(is_active());
	assert_ok(loop_find_in(f.dir, &loops, &err), &err);
	assert_int_equal(loops.n, 0);
	assert_ok(devmap_list("THINPULL-", &devices, &err), &err);
	assert_int_equal(devices.n, 0);
}

static void attach(const char *name, enum loop_flags flags)
{
	cleanup_free char *file = path_of(name);
	char device[LOOP_PATH_BYTES];
	int fd;

	assert_ok(loop_attach(file, flags, &fd, device, &err), &err);
	close(fd);
}

/* thin_check wants O_DIRECT, which memory knows not. */
static void check(void)
{
	cleanup(thin_findings_release) struct thin_findings findings = {0};

	assert_ok(thin_file_check(f.dir, TIMEOUT_MS, &findings, &err), &err);
	assert_int_equal(findings.total, 0);
}

/* --- the way there and back ------------------------------------------------------------------- */

static void a_pool_is_up_once_however_often_it_is_activated(void **state)
{
	(void)state;
	lab_need("thin-pool");
	assert_false(is_active());
	activate();
	expect_up();
	activate();
	expect_up();
	deactivate();
	expect_down();
	deactivate();
}

static void the_kernel_reads_what_the_file_engine_wrote_and_the_other_way_round(void **state)
{
	(void)state;
	lab_need("thin-pool");
	for (int i = 0; i < 2; i++) {
		activate();
		assert_ok(devmap_message(pool.uuid, &err, "create_thin %d", 10 + i), &err);
		deactivate();
		thin_fixture_open(&f, THIN_FILE_WRITE);
		thin_fixture_expect(&f, 1, 0, FIXTURE_BLOCK, 1);
		assert_int_equal(thin_fixture_device(&f, (uint32_t)(10 + i)).mapped_blocks, 0);
		thin_fixture_create(&f, (uint32_t)(20 + i));
		thin_fixture_commit(&f);
		thin_fixture_close(&f);
		check();
	}
}

static void the_file_engine_is_refused_while_the_kernel_has_it(void **state)
{
	struct thin_file_open how = {.mode = THIN_FILE_READ, .lock_timeout_ms = TIMEOUT_MS};
	struct thin_pool *p;

	(void)state;
	lab_need("thin-pool");
	activate();
	assert_int_equal(thin_file_open(f.dir, &how, &p, &err), -1);
	assert_error(&err, ERR_BUSY, "the kernel engine has the pool");
	assert_int_equal(err.detail, ERR_DETAIL_KERNEL_POOL);
}

static void the_kernel_waits_for_the_file_engine(void **state)
{
	(void)state;
	lab_need("thin-pool");
	thin_fixture_open(&f, THIN_FILE_WRITE);
	/* the second one is told by whom, too: the first has not put its own name there */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(thin_kernel_activate(f.dir, TIMEOUT_MS, &err), -1);
		assert_error(&err, ERR_BUSY, "(test) since");
	}
	thin_fixture_close(&f);
	expect_down();
}

static void the_table_says_what_the_place_says(void **state)
{
	cleanup_free char *type = NULL, *params = NULL;
	struct thin_place place = {.queue_when_full = true, .no_zero = true};
	struct kernel_pool_table table;
	struct devmap_target target;

	(void)state;
	lab_need("thin-pool");
	assert_ok(kernel_loop_uuid(f.dir, place.uuid, &err), &err);
	assert_ok(thin_place_store(f.dir, &place, &err), &err);
	activate();
	assert_ok(devmap_table(pool.uuid, &target, &type, &params, &err), &err);
	assert_ok(kernel_pool_table_parse(params, &table, &err), &err);
	assert_true(table.skip_zeroing && !table.error_if_no_space);
	assert_int_equal(table.block_sectors, FIXTURE_BLOCK / DEVMAP_SECTOR_BYTES);
	assert_int_equal(table.low_water_blocks, BLOCKS / 5);
	assert_int_equal(target.length, BLOCKS * table.block_sectors);
}

/* --- half of it ------------------------------------------------------------------------------- */

static void half_an_activation_is_completed(void **state)
{
	(void)state;
	lab_need("thin-pool");
	attach("meta", 0);
	activate();
	expect_up();
	deactivate();
	attach("data", 0);
	activate();
	expect_up();
	deactivate();
	/* the file engine is refused then, and told */
	attach("data", 0);
	deactivate();
	expect_down();
}

static void a_pool_without_a_table_is_made_anew(void **state)
{
	char command[2 * DEVMAP_UUID_BYTES + 64];

	(void)state;
	lab_need("thin-pool");
	/* as a kill between two ioctls leaves it */
	snprintf(command, sizeof(command), "dmsetup create --notable -u %s %s", pool.uuid,
		 pool.name);
	assert_int_equal(system(command), 0);
	activate();
	expect_up();
}

static void a_pool_that_is_suspended_goes_on(void **state)
{
	(void)state;
	lab_need("thin-pool");
	activate();
	assert_ok(devmap_suspend(pool.uuid, 0, &err), &err);
	activate();
	expect_up();
	assert_ok(devmap_suspend(pool.uuid, 0, &err), &err);
	deactivate();
	expect_down();
}

static void a_loop_device_that_is_not_for_us_is_left_alone(void **state)
{
	char device[LOOP_PATH_BYTES];
	cleanup_free char *meta = NULL;

	(void)state;
	lab_need("thin-pool");
	meta = path_of("meta");
	attach("meta", LOOP_READ_ONLY);
	assert_int_equal(thin_kernel_activate(f.dir, TIMEOUT_MS, &err), -1);
	assert_error(&err, ERR_BUSY, "only to read");
	assert_ok(loop_find(meta, device, &err), &err);
	assert_ok(loop_detach(device, &err), &err);
}

/* --- whose is it ------------------------------------------------------------------------------ */

static bool dir_is_active(const char *dir)
{
	struct thin_place place;
	bool active;

	assert_ok(thin_place_load(dir, &place, &err), &err);
	active = thin_kernel_is_active(dir, &place);
	thin_place_release(&place);
	return active;
}

static void refused_as_a_copy(int status)
{
	assert_int_equal(status, -1);
	assert_error(&err, ERR_BUSY, "one of them is a copy");
}

/* What it would write were the other one's bytes, and what it takes away the other one's devices. */
static void a_copy_is_refused_while_the_pool_that_it_was_made_of_is_active(void **state)
{
	struct thin_open how = {.mode = THIN_READ, .verb = "test", .lock_timeout_ms = TIMEOUT_MS};
	cleanup_free char *copy = NULL, *command = NULL;
	struct thin_pool *session;

	(void)state;
	lab_need("thin-pool");
	copy = xasprintf("%s.copy", f.dir);
	command = xasprintf("cp -a %s %s", f.dir, copy);
	assert_int_equal(system(command), 0);
	activate();
	assert_false(dir_is_active(copy));
	refused_as_a_copy(thin_kernel_activate(copy, TIMEOUT_MS, &err));
	refused_as_a_copy(thin_kernel_deactivate(copy, TIMEOUT_MS, &err));
	for (how.mode = THIN_READ; how.mode <= THIN_STILL; how.mode++)
		refused_as_a_copy(thin_kernel_open(copy, &how, &session, &err));
	expect_up();
	deactivate();
	assert_ok(thin_kernel_activate(copy, TIMEOUT_MS, &err), &err);
	assert_true(dir_is_active(copy));
	refused_as_a_copy(thin_kernel_activate(f.dir, TIMEOUT_MS, &err));
	assert_ok(thin_kernel_deactivate(copy, TIMEOUT_MS, &err), &err);
	scratch_free(steal(&copy));
}

static void a_folder_that_was_renamed_has_its_pool(void **state)
{
	cleanup_free char *there = NULL;

	(void)state;
	lab_need("thin-pool");
	there = xasprintf("%s.there", f.dir);
	activate();
	assert_int_equal(rename(f.dir, there), 0);
	assert_true(dir_is_active(there));
	assert_ok(thin_kernel_activate(there, TIMEOUT_MS, &err), &err);
	assert_int_equal(rename(there, f.dir), 0);
	expect_up();
}

/* --- what is refused -------------------------------------------------------------------------- */

static void damage_is_refused_and_leaves_nothing(void **state)
{
	cleanup_free char *meta = NULL;
	cleanup_fd int fd = -1;
	uint8_t whole, broken = 0xff;

	(void)state;
	lab_need("thin-pool");
	meta = path_of("meta");
	fd = open(meta, O_RDWR | O_CLOEXEC);
	assert_int_equal(pread(fd, &whole, 1, 64), 1);
	assert_int_equal(pwrite(fd, &broken, 1, 64), 1);
	assert_int_equal(thin_kernel_activate(f.dir, TIMEOUT_MS, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "checksum");
	assert_int_equal(pwrite(fd, &whole, 1, 64), 1);
	expect_down();
}

static void a_device_in_use_is_named_and_nothing_goes(void **state)
{
	struct devmap_info info = {0};
	struct kernel_names thin, idle;
	struct devmap_target target = {.length = 128, .type = "thin"};
	char params[2][64];
	cleanup_free char *path = NULL;
	cleanup_fd int fd = -1;
	uint8_t uuid[THIN_UUID_BYTES];

	(void)state;
	lab_need("thin-pool");
	activate();
	info = look(pool.uuid);
	assert_ok(kernel_loop_uuid(f.dir, uuid, &err), &err);
	kernel_names_thin(uuid, 1, &thin);
	kernel_names_thin(uuid, 2, &idle);
	assert_ok(devmap_message(pool.uuid, &err, "create_thin 2"), &err);
	for (int i = 0; i < 2; i++) {
		snprintf(params[i], sizeof(params[i]), "%u:%u %d", info.major, info.minor, i + 1);
		target.params = params[i];
		assert_ok(devmap_create(i ? idle.name : thin.name, i ? idle.uuid : thin.uuid,
					&target, 1, DEVMAP_READ_ONLY, &err),
			  &err);
	}
	path = devmap_path(thin.name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(thin_kernel_deactivate(f.dir, TIMEOUT_MS, &err), -1);
	assert_error(&err, ERR_BUSY, thin.name);
	assert_true(look(thin.uuid).live && look(idle.uuid).live && look(record.uuid).live);
	close(steal_fd(&fd));
	/* Somebody has the pool itself: all that went before it was noticed is back. */
	free(path);
	path = devmap_path(pool.name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(thin_kernel_deactivate(f.dir, TIMEOUT_MS, &err), -1);
	assert_error(&err, ERR_BUSY, pool.uuid);
	close(steal_fd(&fd));
	assert_true(look(thin.uuid).live && look(idle.uuid).live && look(record.uuid).live);
	assert_true(look(thin.uuid).read_only && !look(record.uuid).read_only);
}

static void one_has_the_lock_and_says_who(void **state)
{
	int fd = -1, held = -1;

	(void)state;
	assert_ok(kernel_lock_take(f.dir, "test", TIMEOUT_MS, &held, &err), &err);
	assert_int_equal(kernel_lock_take(f.dir, "again", TIMEOUT_MS, &fd, &err), -1);
	assert_error(&err, ERR_BUSY, "(test)");
	assert_int_equal(kernel_lock_take_shared(f.dir, TIMEOUT_MS, &fd, &err), -1);
	assert_error(&err, ERR_BUSY, "(test)");
	kernel_lock_drop(f.dir, &held);
	assert_int_equal(held, -1);
}

/* The one who has it removes the pool; who waits must not take the lock of what is gone for its. */
static void a_pool_that_was_removed_meanwhile_is_not_locked(void **state)
{
	cleanup_free char *lock = path_of("lock"), *gone = path_of("gone");
	int status, fd = -1, held = -1;
	pid_t child;

	(void)state;
	assert_ok(kernel_lock_take(f.dir, "test", TIMEOUT_MS, &held, &err), &err);
	child = fork();
	if (child == 0) {
		usleep(50000);
		_exit(rename(lock, gone) < 0);
	}
	/* our own copy of the lock ends with the child's */
	cleanup_fd_ptr(&held);
	assert_int_equal(kernel_lock_take(f.dir, "again", 10 * TIMEOUT_MS, &fd, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "removed meanwhile");
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		CASE(a_pool_is_up_once_however_often_it_is_activated),
		CASE(the_kernel_reads_what_the_file_engine_wrote_and_the_other_way_round),
		CASE(the_file_engine_is_refused_while_the_kernel_has_it),
		CASE(the_kernel_waits_for_the_file_engine),
		CASE(the_table_says_what_the_place_says),
		CASE(half_an_activation_is_completed),
		CASE(a_pool_without_a_table_is_made_anew),
		CASE(a_pool_that_is_suspended_goes_on),
		CASE(a_loop_device_that_is_not_for_us_is_left_alone),
		CASE(a_copy_is_refused_while_the_pool_that_it_was_made_of_is_active),
		CASE(a_folder_that_was_renamed_has_its_pool),
		CASE(damage_is_refused_and_leaves_nothing),
		CASE(a_device_in_use_is_named_and_nothing_goes),
		CASE(one_has_the_lock_and_says_who),
		CASE(a_pool_that_was_removed_meanwhile_is_not_locked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
