/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every read of a file system fails once, for good or only that time, while it is read, written as a
 * tar or extracted: the error says where that was, and nothing ends well.
 */
#include "oci/tree_tar.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/ext4/extract.h"
#include "pkg/host/folder.h"
#include "tests/support/cmocka.h"
#include "tests/support/ext4_sample.h"
#include "tests/support/scratch.h"

static struct ext4_sample sample;

typedef int look_fn(struct memory_volume *v, struct error *err);

static int read_it(struct memory_volume *v, struct error *err)
{
	size_t names;

	return ext4_sample_read_all(&v->volume, &names, err);
}

/* Where the tar goes: the n-th write fails, 0 = none. */
static size_t fail_write;

static int take(const void *data, size_t len, void *arg, struct error *err)
{
	(void)data;
	*(size_t *)arg += len;
	if (fail_write && --fail_write == 0)
		return error_set(err, ERR_NO_SPACE, "injected fault: write");
	return 0;
}

static int make_tar(struct memory_volume *v, struct error *err)
{
	cleanup(ext4_reader_close_ptr) struct ext4_reader *r = NULL;
	size_t bytes = 0;

	if (ext4_reader_open(&v->volume, &r, err) < 0)
		return -1;
	return tree_tar_write(r, take, &bytes, err);
}

static int extract(struct memory_volume *v, struct error *err)
{
	cleanup(ext4_reader_close_ptr) struct ext4_reader *r = NULL;
	struct ext4_extract_lost lost;
	cleanup_fd int fd = -1;

	scratch_mkdir("out", 0700);
	fd = open("out", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	if (ext4_reader_open(&v->volume, &r, err) < 0)
		return -1;
	return ext4_extract(r, fd, &lost, err);
}

static int make_folder(struct memory_volume *v, struct error *err)
{
	int rc = extract(v, err);
	struct error failure = {0};

	assert_ok(folder_remove("out", &failure), &failure);
	return rc;
}

/* Whether the n-th read was still reached. */
static bool fail_at(look_fn *look, uint64_t n, bool once)
{
	struct memory_volume *v = sample.v;
	struct error err = {0};
	int rc;

	v->fail_read = n;
	v->fail_once = once;
	v->faults = 0;
	rc = look(v, &err);
	v->fail_read = 0;
	if (v->faults == 0) {
		assert_ok(rc, &err);
		return false;
	}
	assert_int_equal(rc, -1);
	assert_error(&err, ERR_SYSTEM, "injected fault: read");
	if (!err.context[0])
		fail_msg("read %llu: nobody says what was being read", (unsigned long long)n);
	return true;
}

/* @step: between the reads that fail for good; of those that fail once it is every one. */
static void fail_everywhere(look_fn *look, uint64_t step)
{
	for (int once = 0; once <= 1; once++) {
		uint64_t n = 1;

		while (fail_at(look, n, once))
			n += once ? 1 : step;
		assert_true(n > 50);
	}
}

static void each_read_of_the_reader_may_fail(void **state)
{
	(void)state;
	fail_everywhere(read_it, 1);
}

static void each_read_for_a_tar_may_fail(void **state)
{
	(void)state;
	fail_everywhere(make_tar, 1);
}

static void each_write_of_a_tar_may_fail(void **state)
{
	size_t n, left;

	(void)state;
	for (n = 1, left = 0; left == 0; n++) {
		struct error err = {0};
		int rc;

		fail_write = n;
		rc = make_tar(sample.v, &err);
		left = fail_write; /* it was not reached any more */
		fail_write = 0;
		assert_int_equal(rc, left ? 0 : -1);
		if (rc < 0)
			assert_error(&err, ERR_NO_SPACE, "injected fault: write");
	}
	assert_true(n > 300);
}

static void each_read_for_a_folder_may_fail(void **state)
{
	(void)state;
	fail_everywhere(make_folder, 10);
}

static int set_up(void **state)
{
	sample = ext4_sample_make();
	return scratch_set_up(state);
}

static int tear_down(void **state)
{
	memory_volume_free(sample.v);
	return scratch_tear_down(state);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_read_of_the_reader_may_fail),
		cmocka_unit_test(each_read_for_a_tar_may_fail),
		cmocka_unit_test(each_write_of_a_tar_may_fail),
		cmocka_unit_test(each_read_for_a_folder_may_fail),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
