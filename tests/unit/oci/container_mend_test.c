/* SPDX-License-Identifier: Apache-2.0 */
/* What is taken away with a container, what killed commands left, and what must stay. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/container_internal.h"
#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "tests/support/cmocka.h"
#include "tests/support/layout_folder.h"
#include "tests/support/store_fixture.h"

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

static struct container *hold(const char *name)
{
	struct container *c;

	assert_ok(container_open(f.store, name, &c, &err), &err);
	return c;
}

static void put(const char *name)
{
	put_file(f.store->containers_dir, name, "x");
}

static bool has(const char *name)
{
	cleanup_free char *path = xasprintf("%s/%s", f.store->containers_dir, name);

	return access(path, F_OK) == 0;
}

static bool is_container(const char *name)
{
	bool is;

	assert_ok(store_is_container(f.store, name, &is, &err), &err);
	return is;
}

static void mend(void)
{
	assert_ok(containers_mend(f.store, &err), &err);
	assert_int_equal(f.store->lock_timeout_ms, 50);
}

/* --- files and folders ------------------------------------------------------------------------ */

static void a_removed_container_leaves_nothing(void **state)
{
	struct container *c = hold("box");
	cleanup_free char *private = container_private_dir(c);
	cleanup_free char *inside = xasprintf("%s/rootfs", private);
	cleanup_free char *lock = xasprintf("%s/lock", f.store->containers_dir);

	(void)state;
	assert_ok(container_check_out(c, &err), &err);
	put_file(inside, "etc/passwd", "root");
	assert_ok(container_remove(&c, false, &err), &err);
	assert_null(c);
	assert_false(is_container("box"));
	/* Only the locks are left. */
	assert_true(has("lock"));
	assert_int_equal(unlink(lock), 0);
	assert_int_equal(rmdir(f.store->containers_dir), 0);
}

static void what_no_record_names_goes(void **state)
{
	(void)state;
	put("77.ext4");
	put("77.new");
	put("78.new");
	put("79/rootfs/etc/shadow");
	put("notes");
	put("77.ext4.bak");
	put("0.ext4");
	put("007.ext4");
	put("99999999999999999999.ext4");
	put("16777216.ext4");
	mend();
	assert_false(has("77.ext4") || has("77.new") || has("78.new") || has("79"));
	assert_true(has("notes") && has("77.ext4.bak") && has("0.ext4") && has("007.ext4"));
	assert_true(has("99999999999999999999.ext4") && has("16777216.ext4"));
}

static void what_the_record_names_stays(void **state)
{
	struct container *c = hold("box");
	uint32_t id = container_entry(c)->thin_id;
	cleanup_free char *new = xasprintf("%u.new", id), *file = xasprintf("%u.ext4", id);
	cleanup_free char *folder = xasprintf("%u", id), *below = xasprintf("%u/rootfs/a", id);

	(void)state;
	assert_ok(container_check_out(c, &err), &err);
	put(new);
	put(below);
	container_close(c);
	mend();
	assert_true(has(file));
	assert_false(has(new) || has(folder));
	c = hold("box");
	assert_ok(container_set_place(c, RECORD_IN_FOLDER, "/moved/rootfs", &err), &err);
	put(below);
	container_close(c);
	mend();
	assert_true(has(below));
	assert_false(has(file));
	/* A layer has no files beside the pool. */
	put("1.ext4");
	mend();
	assert_false(has("1.ext4"));
}

static void what_somebody_holds_stays(void **state)
{
	struct container *c = hold("box");
	cleanup_free char *new = xasprintf("%u.new", container_entry(c)->thin_id);
	int fd;

	(void)state;
	put(new);
	mend();
	assert_true(has(new));
	container_close(c);
	/* A run may have let go of all but its own bytes. */
	assert_ok(container_lock_open(f.store, true, &fd, &err), &err);
	put("50.ext4");
	assert_int_equal(container_lock_try(fd, CONTAINER_RUN_BYTES + 50, CONTAINER_LOCK_EXCLUSIVE,
					    &err),
			 0);
	assert_int_equal(container_lock_try(fd, CONTAINER_ALIVE_BYTES + 50,
					    CONTAINER_LOCK_EXCLUSIVE, &err),
			 0);
	mend();
	assert_true(has("50.ext4"));
	assert_false(has(new));
	close(fd);
	mend();
	assert_false(has("50.ext4"));
}

static void opening_a_container_finds_its_place_clean(void **state)
{
	struct container *c = hold("box");
	cleanup_free char *private = container_private_dir(c);
	cleanup_free char *file = xasprintf("%u.ext4", container_entry(c)->thin_id);

	(void)state;
	container_close(c);
	put_file(private, "config.json", "{}");
	put(file);
	c = hold("box");
	assert_int_equal(access(private, F_OK), -1);
	assert_false(has(file));
	container_close(c);
}

/* --- temporary containers --------------------------------------------------------------------- */

static void a_temporary_container_goes_when_nobody_holds_it(void **state)
{
	struct store_container_options options = {.name = "tmp", .temporary = true};
	struct container *c;
	int fd;

	(void)state;
	assert_ok(container_create(f.store, "image", &options, &c, &err), &err);
	assert_ok(container_check_out(c, &err), &err);
	mend();
	assert_true(is_container("tmp"));
	container_close(c);
	/* Nor while somebody is making one. */
	assert_ok(container_lock_open(f.store, true, &fd, &err), &err);
	assert_int_equal(container_lock_try(fd, CONTAINER_MAKERS_BYTE, CONTAINER_LOCK_SHARED, &err),
			 0);
	mend();
	assert_true(is_container("tmp"));
	close(fd);
	mend();
	assert_false(is_container("tmp"));
	assert_true(is_container("box"));
	/* With its file: a new one takes the id, and finds none. */
	store_fixture_container(&f, "image", "next");
	c = hold("next");
	assert_int_equal(access(c->file, F_OK), -1);
	container_close(c);
}

static void a_pool_in_use_is_not_waited_for(void **state)
{
	struct store_container_options options = {.name = "tmp", .temporary = true};
	struct snapshots *writer;
	struct container *c;

	(void)state;
	assert_ok(container_create(f.store, "image", &options, &c, &err), &err);
	container_close(c);
	assert_ok(store_write(f.store, &writer, &err), &err);
	mend();
	assert_true(is_container("tmp"));
	snapshots_close(writer);
	mend();
	assert_false(is_container("tmp"));
}

/* --- mount points ----------------------------------------------------------------------------- */

static bool has_mount_point(const char *name)
{
	cleanup_free char *path = xasprintf("%s/%s", store_run_dir(f.store), name);

	return access(path, F_OK) == 0;
}

static void empty_mount_points_go(void **state)
{
	struct container *c = hold("box");
	cleanup_free char *point = container_mount_point(c);
	cleanup_free char *gone = xasprintf("%s/gone", store_run_dir(f.store));
	cleanup_free char *above = xasprintf("%s/..", store_run_dir(f.store));
	cleanup_free char *precious = xasprintf("%s/precious", gone), *outer = NULL;

	(void)state;
	assert_ok(fdio_mkdirs(point, &err), &err);
	assert_ok(fdio_mkdirs(gone, &err), &err);
	mend();
	assert_true(has_mount_point("box"));
	assert_false(has_mount_point("gone"));
	container_close(c);
	put_file(gone, "precious", "x");
	mend();
	assert_false(has_mount_point("box"));
	assert_true(has_mount_point("gone/precious"));
	assert_int_equal(unlink(precious), 0);
	mend();
	assert_int_equal(access(above, F_OK), -1);
	/* Also when a kill left the outer folder alone. */
	outer = xstrndup(store_run_dir(f.store),
			 (size_t)(strrchr(store_run_dir(f.store), '/') - store_run_dir(f.store)));
	assert_ok(fdio_mkdirs(outer, &err), &err);
	mend();
	assert_int_equal(access(outer, F_OK), -1);
}

/* --- where nothing can be mended -------------------------------------------------------------- */

static void what_cannot_be_mended_is_no_error(void **state)
{
	cleanup_free char *lock = xasprintf("%s/lock", f.store->containers_dir);
	cleanup_free char *meta = xasprintf("%s/meta", store_pool_dir(f.store));

	(void)state;
	put("77.ext4");
	assert_int_equal(mkdir(lock, 0700), 0);
	mend();
	assert_true(has("77.ext4"));
	assert_int_equal(rmdir(lock), 0);
	assert_int_equal(truncate(meta, 0), 0);
	mend();
	assert_true(has("77.ext4"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_removed_container_leaves_nothing),
		CASE(what_no_record_names_goes),
		CASE(what_the_record_names_stays),
		CASE(what_somebody_holds_stays),
		CASE(opening_a_container_finds_its_place_clean),
		CASE(a_temporary_container_goes_when_nobody_holds_it),
		CASE(a_pool_in_use_is_not_waited_for),
		CASE(empty_mount_points_go),
		CASE(what_cannot_be_mended_is_no_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
