/* SPDX-License-Identifier: Apache-2.0 */
/* A real thin pool by tables, messages, statuses and events. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/interrupt.h"
#include "pkg/thin/kernel/devmap.h"
#include "pkg/thin/kernel/status.h"
#include "pkg/thin/kernel/table.h"
#include "tests/support/cmocka.h"
#include "tests/support/lab.h"

enum { BLOCK = 128, BLOCKS = 64, LOW_WATER = 60, THIN_SECTORS = 16 * BLOCK };

static struct error err;
static const uint8_t uuid[THIN_UUID_BYTES] = {0xab, 0xcd};
static struct kernel_names pool, thin;
static char *meta, *data;

static void device_number(const char *path, char *ret, size_t size)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	snprintf(ret, size, "%u:%u", major(st.st_rdev), minor(st.st_rdev));
}

static int set_up(void **state)
{
	struct kernel_pool_table t = {.block_sectors = BLOCK,
				      .low_water_blocks = LOW_WATER,
				      .error_if_no_space = true};
	struct devmap_target line = {0, BLOCKS * BLOCK, "thin-pool", NULL};
	cleanup_free char *params = NULL;

	(void)state;
	if (lab_may_skip())
		return 0;
	meta = lab_loop_new(2 << 20);
	data = lab_loop_new((uint64_t)BLOCKS * BLOCK * DEVMAP_SECTOR_BYTES);
	device_number(meta, t.metadata, sizeof(t.metadata));
	device_number(data, t.data, sizeof(t.data));
	kernel_names_part(uuid, "pool", &pool);
	kernel_names_thin(uuid, 1, &thin);
	params = kernel_pool_table_format(&t);
	line.params = params;
	assert_ok(devmap_create(pool.name, pool.uuid, &line, 1, 0, &err), &err);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (!meta)
		return 0;
	assert_ok(devmap_remove(thin.uuid, 0, &err), &err);
	assert_ok(devmap_remove(pool.uuid, 0, &err), &err);
	lab_loop_free(steal(&data));
	lab_loop_free(steal(&meta));
	return 0;
}

static struct kernel_pool_status status(void)
{
	struct kernel_pool_status s;
	cleanup_free char *type = NULL, *params = NULL;

	assert_ok(devmap_status(pool.uuid, true, &type, &params, &err), &err);
	assert_string_equal(type, "thin-pool");
	assert_ok(kernel_pool_status_parse(params, &s, &err), &err);
	return s;
}

static void thin_up(enum devmap_create_flags flags)
{
	struct devmap_info i;
	char params[64];
	struct devmap_target line = {0, THIN_SECTORS, "thin", params};

	assert_ok(devmap_info(pool.uuid, &i, &err), &err);
	snprintf(params, sizeof(params), "%u:%u 1", i.major, i.minor);
	assert_ok(devmap_create(thin.name, thin.uuid, &line, 1, flags, &err), &err);
}

static void write_blocks(unsigned n)
{
	cleanup_free char *path = devmap_path(thin.name);
	cleanup_free void *block = xaligned(4096, BLOCK * DEVMAP_SECTOR_BYTES);
	cleanup_fd int fd = open(path, O_WRONLY | O_DIRECT | O_CLOEXEC);

	assert_true(fd >= 0);
	memset(block, 'x', BLOCK * DEVMAP_SECTOR_BYTES);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(write(fd, block, BLOCK * DEVMAP_SECTOR_BYTES),
				 BLOCK * DEVMAP_SECTOR_BYTES);
}

static void table_and_status_come_back(void **state)
{
	struct kernel_pool_status s;
	struct kernel_pool_table t;
	struct devmap_target line;
	cleanup_free char *type = NULL, *params = NULL;

	(void)state;
	lab_need("thin-pool");
	s = status();
	assert_int_equal(s.mode, KERNEL_POOL_WRITE);
	assert_int_equal(s.data_total, BLOCKS);
	assert_int_equal(s.metadata_total, 512);
	assert_true(s.error_if_no_space && !s.needs_check && s.metadata_low_water > 0);
	assert_ok(devmap_table(pool.uuid, &line, &type, &params, &err), &err);
	assert_int_equal(line.length, BLOCKS * BLOCK);
	assert_ok(kernel_pool_table_parse(line.params, &t, &err), &err);
	assert_int_equal(t.low_water_blocks, LOW_WATER);
	assert_true(t.error_if_no_space && !t.skip_zeroing);
}

static void one_look_tells_of_the_device_and_of_its_target(void **state)
{
	cleanup_free char *type = NULL, *params = NULL;
	struct devmap_info look, known;
	struct kernel_pool_status s;
	uint64_t before;

	(void)state;
	lab_need("thin-pool");
	assert_ok(devmap_info(pool.uuid, &known, &err), &err);
	before = devmap_ioctls();
	assert_ok(devmap_look(pool.uuid, &look, &type, &params, &err), &err);
	assert_int_equal(devmap_ioctls() - before, 1);
	assert_memory_equal(&look, &known, sizeof(look));
	assert_string_equal(type, "thin-pool");
	assert_ok(kernel_pool_status_parse(params, &s, &err), &err);
	assert_int_equal(s.data_total, BLOCKS);
	assert_int_equal(devmap_look("THINPULL-none", &look, &type, &params, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "no device THINPULL-none");
}

static void messages_fail_with_the_kernels_number(void **state)
{
	static const struct {
		const char *text;
		int sys;
		enum error_kind kind;
	} bad[] = {
		{"create_thin 1", EEXIST, ERR_SYSTEM},
		{"create_snap 2 99", ENODATA, ERR_SYSTEM},
		{"delete 99", ENODATA, ERR_SYSTEM},
		{"delete 1", EBUSY, ERR_BUSY},
		{"create_thin 16777216", EINVAL, ERR_SYSTEM},
		{"set_transaction_id 7 8", EINVAL, ERR_SYSTEM},
		{"no_such_message", EINVAL, ERR_SYSTEM},
	};

	(void)state;
	lab_need("thin-pool");
	assert_ok(devmap_message(pool.uuid, &err, "create_thin %u", 1U), &err);
	thin_up(0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(devmap_message(pool.uuid, &err, "%s", bad[i].text), -1);
		assert_error(&err, bad[i].kind, bad[i].text);
		assert_int_equal(err.sys, bad[i].sys);
	}
	assert_ok(devmap_message(pool.uuid, &err, "set_transaction_id %u %u", 0U, 5U), &err);
	assert_int_equal(status().transaction_id, 5);
}

static void thin_device_counts_what_it_maps(void **state)
{
	struct kernel_thin_status s;
	cleanup_free char *type = NULL, *params = NULL;

	(void)state;
	lab_need("thin-pool");
	assert_ok(devmap_message(pool.uuid, &err, "create_thin 1"), &err);
	thin_up(0);
	write_blocks(3);
	assert_ok(devmap_status(thin.uuid, true, &type, &params, &err), &err);
	assert_string_equal(type, "thin");
	assert_ok(kernel_thin_status_parse(params, &s, &err), &err);
	assert_int_equal(s.mapped_sectors, 3 * BLOCK);
	assert_int_equal(s.highest_sector, 3 * BLOCK - 1);
	assert_int_equal(status().data_used, 3);
}

static void read_only_is_read_only(void **state)
{
	static const char zeros[DEVMAP_SECTOR_BYTES];
	cleanup_free char *path = NULL;
	struct devmap_info i;
	cleanup_fd int fd = -1;

	(void)state;
	lab_need("thin-pool");
	assert_ok(devmap_message(pool.uuid, &err, "create_thin 1"), &err);
	thin_up(DEVMAP_READ_ONLY);
	assert_ok(devmap_info(thin.uuid, &i, &err), &err);
	assert_true(i.read_only);
	assert_string_equal(thin.name, "thinpull-abcd00000000-1");
	path = devmap_path(thin.name);
	fd = open(path, O_WRONLY | O_CLOEXEC); /* this much a kernel may allow */
	assert_int_equal(write(fd, zeros, sizeof(zeros)), -1);
}

static uint32_t events(void)
{
	struct devmap_info i;

	assert_ok(devmap_info(pool.uuid, &i, &err), &err);
	return i.event_nr;
}

static void event_wakes_who_waits(void **state)
{
	uint32_t before;
	int status;
	pid_t writer;

	(void)state;
	lab_need("thin-pool");
	assert_ok(devmap_message(pool.uuid, &err, "create_thin 1"), &err);
	thin_up(0);
	before = events();
	assert_int_equal(devmap_wait(pool.uuid, before, 50, &err), 1);
	assert_int_equal(devmap_wait(pool.uuid, before, 0, &err), 1);
	writer = fork();
	assert_true(writer >= 0);
	if (writer == 0) {
		usleep(50000);
		write_blocks(BLOCKS - LOW_WATER + 2); /* over the low water mark */
		_exit(0);
	}
	assert_int_equal(devmap_wait(pool.uuid, before, 10000, &err), 0);
	assert_int_equal(waitpid(writer, &status, 0), writer);
	assert_int_equal(status, 0);
	assert_int_not_equal(events(), before);
	assert_int_equal(devmap_wait(pool.uuid, before, 0, &err), 0); /* it was: no waiting */
	assert_int_equal(devmap_wait(pool.uuid, before, -1, &err), 0);
}

static void waiting_ends_when_the_device_goes(void **state)
{
	pid_t child;

	(void)state;
	lab_need("thin-pool");
	assert_ok(devmap_message(pool.uuid, &err, "create_thin 1"), &err);
	thin_up(0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		usleep(50000);
		_exit(devmap_remove(thin.uuid, 0, &err) < 0);
	}
	assert_int_equal(devmap_wait(thin.uuid, 0, 10000, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, thin.uuid);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

/* The last one, for the signal stays known. */
static void signal_ends_the_waiting(void **state)
{
	pid_t child, self = getpid();

	(void)state;
	lab_need("thin-pool");
	interrupt_install();
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		usleep(50000);
		_exit(kill(self, SIGTERM) < 0);
	}
	assert_int_equal(devmap_wait(pool.uuid, events(), -1, &err), -1);
	assert_error(&err, ERR_INTERRUPTED, "signal 15");
	assert_int_equal(waitpid(child, NULL, 0), child);
}

#define with_pool(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_pool(table_and_status_come_back),
		with_pool(one_look_tells_of_the_device_and_of_its_target),
		with_pool(messages_fail_with_the_kernels_number),
		with_pool(thin_device_counts_what_it_maps),
		with_pool(read_only_is_read_only),
		with_pool(event_wakes_who_waits),
		with_pool(waiting_ends_when_the_device_goes),
		with_pool(signal_ends_the_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
