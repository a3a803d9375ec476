/* SPDX-License-Identifier: Apache-2.0 */
/* Check-out: the same bytes in a file, known to the record, or nothing at all. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/container_internal.h"
#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/store_fixture.h"

enum { STEP = 1 << 20 };

static struct store_fixture f;
static struct error err;

static int begin(void **state)
{
	(void)state;
	store_fixture_init(&f);
	store_fixture_image(&f, "image", "ab", "");
	store_fixture_container(&f, "image", "box");
	f.store->lock_timeout_ms = 50;
	return 0;
}

static int end(void **state)
{
	(void)state;
	store_fixture_release(&f);
	return 0;
}

static struct container *hold(void)
{
	struct container *c;

	assert_ok(container_open(f.store, "box", &c, &err), &err);
	return c;
}

static enum record_place recorded_place(void)
{
	struct snapshots *session;
	enum record_place place;

	assert_ok(store_read(f.store, &session, &err), &err);
	place = record_find_container(snapshots_record(session), "box")->place;
	snapshots_close(session);
	return place;
}

static bool exists(const struct container *c, const char *suffix)
{
	cleanup_free char *path = container_path(f.store, container_entry(c)->thin_id, suffix);

	return access(path, F_OK) == 0;
}

static uint8_t *whole_volume(struct container *c, size_t *ret_len)
{
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;
	cleanup(thin_volume_close_ptr) struct thin_volume *v = NULL;
	uint8_t *bytes;

	assert_ok(container_open_volume(c, &session, &v, &err), &err);
	*ret_len = thin_volume_size(v);
	bytes = xmalloc(*ret_len);
	for (size_t at = 0; at < *ret_len; at += STEP)
		assert_ok(thin_volume_read(v, bytes + at, STEP, at, &err), &err);
	return bytes;
}

static void the_file_has_the_bytes_of_the_volume(void **state)
{
	struct container *c = hold();
	cleanup_free uint8_t *before = NULL, *after = NULL;
	size_t n, m;
	struct stat st;

	(void)state;
	store_fixture_write(&f, "box", 3, 2);
	store_fixture_write(&f, "box", 511, 1);
	before = whole_volume(c, &n);
	assert_ok(container_check_out(c, &err), &err);
	assert_int_equal(recorded_place(), RECORD_IN_FILE);
	after = whole_volume(c, &m);
	assert_int_equal(n, m);
	assert_memory_equal(before, after, n);
	assert_int_equal(stat(container_file(c), &st), 0);
	assert_int_equal(st.st_size, n);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true((uint64_t)st.st_blocks * 512 < n / 4);
	assert_false(exists(c, ".new"));
	container_close(c);
}

static void a_second_check_out_changes_nothing(void **state)
{
	struct container *c = hold();
	struct stat before, after;

	(void)state;
	assert_ok(container_check_out(c, &err), &err);
	assert_int_equal(stat(container_file(c), &before), 0);
	container_close(c);
	c = hold();
	assert_ok(container_check_out(c, &err), &err);
	assert_int_equal(stat(container_file(c), &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	container_close(c);
}

static void without_the_record_there_is_no_file(void **state)
{
	struct container *c = hold();
	struct snapshots *other;

	(void)state;
	assert_ok(store_write(f.store, &other, &err), &err);
	assert_int_equal(container_check_out(c, &err), -1);
	assert_error(&err, ERR_BUSY, "in use by process");
	snapshots_close(other);
	assert_int_equal(recorded_place(), RECORD_IN_POOL);
	assert_null(container_file(c));
	assert_false(exists(c, ".ext4") || exists(c, ".new"));
	assert_ok(container_check_out(c, &err), &err);
	container_close(c);
}

static void what_cannot_be_made_leaves_the_container_in_the_pool(void **state)
{
	struct container *c = hold();
	cleanup_free char *new = container_path(f.store, container_entry(c)->thin_id, ".new");

	(void)state;
	assert_int_equal(mkdir(new, 0700), 0);
	assert_int_equal(container_check_out(c, &err), -1);
	assert_error(&err, ERR_SYSTEM, new);
	assert_int_equal(recorded_place(), RECORD_IN_POOL);
	assert_int_equal(rmdir(new), 0);
	assert_ok(container_check_out(c, &err), &err);
	container_close(c);
}

static void an_extracted_one_stays_where_it_is(void **state)
{
	struct container *c = hold();

	(void)state;
	assert_ok(container_set_place(c, RECORD_IN_FOLDER, "/some/folder", &err), &err);
	assert_int_equal(container_check_out(c, &err), -1);
	assert_error(&err, ERR_UNSUPPORTED, "/some/folder");
	container_close(c);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_file_has_the_bytes_of_the_volume),
		CASE(a_second_check_out_changes_nothing),
		CASE(without_the_record_there_is_no_file),
		CASE(what_cannot_be_made_leaves_the_container_in_the_pool),
		CASE(an_extracted_one_stays_where_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
