/* SPDX-License-Identifier: Apache-2.0 */
/* Disks that are to be taken, real ones in memory: what is said of them, and when they are not taken. */
#include "pkg/host/blockdev.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/fs.h>

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "tests/support/cmocka.h"
#include "tests/support/lab.h"
#include "tests/support/scratch.h"

#define MIB (UINT64_C(1) << 20)

static struct error err;
static char *disk;

static int set_up(void **state)
{
	disk = NULL;
	return scratch_set_up(state);
}

static int tear_down(void **state)
{
	if (disk)
		lab_loop_free(disk);
	return scratch_tear_down(state);
}

static void need_disk(void)
{
	lab_need("thin-pool");
	disk = lab_loop_new(8 * MIB);
}

static void put(uint64_t at, const void *bytes, size_t len)
{
	cleanup_fd int fd = open(disk, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_ok(fdio_pwrite(fd, bytes, len, at, disk, &err), &err);
	assert_int_equal(fsync(fd), 0);
}

static void expect_signature(const char *want)
{
	cleanup_free char *text = NULL;
	int status = blockdev_signature(disk, &text, &err);

	if (!want) {
		assert_int_equal(status, 1);
		return;
	}
	assert_ok(status, &err);
	assert_string_equal(text, want);
}

/* --- no disk at all ------------------------------------------------------------------------------ */

static void what_is_no_block_device_is_told(void **state)
{
	cleanup_free char *file = xasprintf("%s/file", (char *)*state);
	struct blockdev d = {0};

	scratch_write(file, "text");
	assert_int_equal(blockdev_look(file, &d, &err), -1);
	assert_error(&err, ERR_USAGE, "is no block device");
	assert_int_equal(blockdev_look("/dev/null", &d, &err), -1);
	assert_error(&err, ERR_USAGE, "/dev/null is no block device");
	assert_int_equal(blockdev_look("sda", &d, &err), -1);
	assert_error(&err, ERR_USAGE, "starts with a slash");
	unlink(file);
	assert_int_equal(blockdev_look(file, &d, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "no such device");
	assert_null(d.name);
}

/* --- looking ------------------------------------------------------------------------------------- */

static void size_sectors_and_rights_are_the_kernels(void **state)
{
	struct blockdev d;
	struct stat st;
	int on = 1;

	(void)state;
	need_disk();
	assert_ok(blockdev_look(disk, &d, &err), &err);
	assert_int_equal(d.size_bytes, 8 * MIB);
	assert_int_equal(d.sector_bytes, 512);
	assert_false(d.read_only);
	assert_int_equal(stat(d.name, &st), 0);
	assert_true(st.st_rdev == d.number);
	blockdev_release(&d);
	{
		cleanup_fd int fd = open(disk, O_RDONLY | O_CLOEXEC);

		assert_int_equal(ioctl(fd, BLKROSET, &on), 0);
	}
	assert_ok(blockdev_look(disk, &d, &err), &err);
	assert_true(d.read_only);
	blockdev_release(&d);
	on = 0; /* the next user of it has it so */
	{
		cleanup_fd int fd = open(disk, O_RDONLY | O_CLOEXEC);

		assert_int_equal(ioctl(fd, BLKROSET, &on), 0);
	}
}

static void one_that_somebody_has_is_busy(void **state)
{
	int fd;

	(void)state;
	need_disk();
	assert_ok(blockdev_check_unused(disk, &err), &err);
	fd = open(disk, O_RDONLY | O_EXCL | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(blockdev_check_unused(disk, &err), -1);
	assert_error(&err, ERR_BUSY, disk);
	close(fd);
	/* open is not in use: a shell may read it */
	fd = open(disk, O_RDONLY | O_CLOEXEC);
	assert_ok(blockdev_check_unused(disk, &err), &err);
	close(fd);
}

/* --- what is on it ------------------------------------------------------------------------------- */

static void signatures_are_named_and_wiped(void **state)
{
	static const uint8_t table[] = {0x55, 0xaa};
	uint8_t entry[16] = {0, 0, 2, 0, 0x83, 0, 8, 0, 1, 0, 0, 0, 0xff, 0x1f, 0, 0};
	uint8_t thin[8];

	(void)state;
	need_disk();
	expect_signature(NULL);
	put(1024, (uint8_t[8]){1, 0, 0, 0, 9}, 8); /* version, last page */
	put(4096 - 10, "SWAPSPACE2", 10);
	expect_signature("swap signature");
	put(0, (uint8_t[4096]){0}, 4096);
	put_le32(thin, 27022010);
	put_le32(thin + 4, 0);
	put(32, thin, sizeof(thin));
	expect_signature("thin pool metadata");
	put(446, entry, sizeof(entry));
	put(510, table, sizeof(table));
	expect_signature("dos partition table");
	{
		cleanup_fd int fd = open(disk, O_RDWR | O_EXCL | O_CLOEXEC);

		assert_true(fd >= 0);
		assert_ok(blockdev_wipe(fd, disk, MIB, &err), &err);
	}
	expect_signature(NULL);
}

static void what_is_behind_the_front_stays_but_for_signatures(void **state)
{
	uint8_t got[4] = {0};
	cleanup_fd int fd = -1;

	(void)state;
	need_disk();
	put(0, "front", 5);
	put(2 * MIB, "data", 4);
	fd = open(disk, O_RDWR | O_EXCL | O_CLOEXEC);
	assert_ok(blockdev_wipe(fd, disk, MIB, &err), &err);
	assert_ok(fdio_pread(fd, got, 4, 2 * MIB, disk, &err), &err);
	assert_memory_equal(got, "data", 4);
	assert_ok(fdio_pread(fd, got, 4, 0, disk, &err), &err);
	assert_memory_equal(got, "\0\0\0\0", 4);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_is_no_block_device_is_told),
		CASE(size_sectors_and_rights_are_the_kernels),
		CASE(one_that_somebody_has_is_busy),
		CASE(signatures_are_named_and_wiped),
		CASE(what_is_behind_the_front_stays_but_for_signatures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
