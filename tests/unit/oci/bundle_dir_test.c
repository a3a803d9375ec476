/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of a bundle: all of it or nothing, also after a kill at any step. */
#include "oci/bundle_dir.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"

#define CONFIG "{}\n"

/* A bundle of "dir", noted in "intent". */
static struct bundle_dir *make(const char *dir, struct error *err)
{
	struct buffer config = {0};
	struct bundle_dir *d = NULL;
	int rc;

	buffer_add(&config, CONFIG, strlen(CONFIG));
	rc = bundle_dir_make(dir, "intent", &config, &d, err);
	buffer_release(&config);
	assert_true((rc == 0) == (d != NULL));
	return d;
}

static struct bundle_dir *made(const char *dir)
{
	struct error err = {0};
	struct bundle_dir *d = make(dir, &err);

	if (!d)
		fail_msg("%s: %s", dir, err.cause);
	return d;
}

static void refused(const char *dir, enum error_kind kind, const char *reason)
{
	struct error err = {0};

	if (make(dir, &err))
		fail_msg("%s was made", dir);
	assert_error(&err, kind, reason);
	assert_false(scratch_exists("intent"));
}

/* As if the process was killed: nothing is taken back. */
static void forget(struct bundle_dir *d)
{
	assert_int_equal(rename("intent", "kept"), 0);
	bundle_dir_commit(&d);
	assert_int_equal(rename("kept", "intent"), 0);
}

static void mend(const char *used)
{
	struct error err = {0};

	assert_ok(bundle_dir_mend("intent", used, &err), &err);
	assert_false(scratch_exists("intent"));
}

static void a_finished_bundle_has_what_a_runtime_wants_and_no_more(void **state)
{
	cleanup_free char *rootfs = xasprintf("%s/dir/rootfs", (const char *)*state);
	struct bundle_dir *d = made("dir");
	struct stat st;

	assert_string_equal(bundle_dir_rootfs(d), rootfs);
	assert_memory_equal(bundle_dir_path(d), rootfs, strlen(bundle_dir_path(d)));
	assert_true(scratch_exists("intent"));
	assert_true(scratch_exists("dir/.thinpull-bundle"));
	bundle_dir_commit(&d);
	assert_null(d);
	assert_false(scratch_exists("intent"));
	assert_false(scratch_exists("dir/.thinpull-bundle"));
	assert_int_equal(stat("dir", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat("dir/config.json", &st), 0);
	assert_int_equal(st.st_size, strlen(CONFIG));
	assert_int_equal(rmdir("dir/rootfs"), 0);
}

static void what_was_not_finished_leaves_no_trace(void **state)
{
	struct bundle_dir *d = made("dir");

	(void)state;
	scratch_mkdir("dir/rootfs/a", 0755);
	scratch_write("dir/rootfs/a/b", "x");
	scratch_mkdir("dir/rootfs/closed", 0);
	bundle_dir_abort(d);
	assert_false(scratch_exists("dir"));
	assert_false(scratch_exists("intent"));
}

static void a_folder_that_was_there_stays_with_what_was_in_it(void **state)
{
	struct bundle_dir *d;

	(void)state;
	scratch_mkdir("dir", 0700);
	bundle_dir_abort(made("dir"));
	assert_true(scratch_exists("dir"));
	assert_int_equal(rmdir("dir"), 0);
	scratch_mkdir("dir", 0700);
	scratch_write("dir/other", "x");
	d = made("dir/");
	bundle_dir_abort(d);
	assert_true(scratch_exists("dir/other"));
	assert_false(scratch_exists("dir/rootfs"));
	assert_false(scratch_exists("dir/config.json"));
	assert_false(scratch_exists("dir/.thinpull-bundle"));
}

static void nothing_is_overwritten(void **state)
{
	(void)state;
	scratch_mkdir("dir", 0700);
	scratch_write("dir/config.json", "mine");
	refused("dir", ERR_BUSY, "dir/config.json is there already");
	assert_true(scratch_exists("dir/config.json"));
	assert_int_equal(unlink("dir/config.json"), 0);
	assert_int_equal(symlink("nowhere", "dir/rootfs"), 0);
	refused("dir", ERR_BUSY, "dir/rootfs is there already");
	assert_true(scratch_exists("dir/rootfs"));
}

static void places_that_are_none_are_refused(void **state)
{
	(void)state;
	refused("no/dir", ERR_SYSTEM, "no: No such file or directory");
	refused("no/..", ERR_SYSTEM, "No such file or directory");
	scratch_write("file", "");
	refused("file", ERR_INVALID, "file is not a folder");
	refused("file/dir", ERR_SYSTEM, "Not a directory");
	assert_int_equal(symlink("nowhere", "dangling"), 0);
	refused("dangling", ERR_SYSTEM, "File exists");
}

static void a_link_to_a_folder_is_that_folder(void **state)
{
	cleanup_free char *path = xasprintf("%s/dir", (const char *)*state);
	struct bundle_dir *d;

	scratch_mkdir("dir", 0700);
	assert_int_equal(symlink("dir", "link"), 0);
	d = made("link");
	assert_string_equal(bundle_dir_path(d), path);
	bundle_dir_commit(&d);
	assert_true(scratch_exists("dir/config.json"));
}

static void two_are_not_made_in_one_folder(void **state)
{
	struct bundle_dir *d = made("dir");
	struct buffer config = {0};
	struct bundle_dir *other;
	struct error err = {0};

	(void)state;
	assert_int_equal(unlink("dir/config.json"), 0);
	assert_int_equal(rmdir("dir/rootfs"), 0);
	assert_int_equal(bundle_dir_make("dir", "intent2", &config, &other, &err), -1);
	assert_error(&err, ERR_BUSY, "another bundle is being made");
	assert_false(scratch_exists("intent2"));
	assert_true(scratch_exists("dir/.thinpull-bundle"));
	bundle_dir_abort(d);
	assert_false(scratch_exists("dir"));
}

/* --- after a kill ----------------------------------------------------------------------------- */

static void a_killed_one_is_cleared_later(void **state)
{
	(void)state;
	forget(made("dir"));
	scratch_write("dir/rootfs/file", "x");
	assert_true(scratch_exists("dir/.thinpull-bundle"));
	mend(NULL);
	assert_false(scratch_exists("dir"));
}

static void a_killed_one_is_cleared_at_any_step(void **state)
{
	static const char *const missing[] = {"dir/rootfs", "dir/config.json"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(missing); i++) {
		forget(made("dir"));
		for (size_t k = 0; k <= i; k++)
			assert_int_equal(remove(missing[k]), 0);
		mend(NULL);
		assert_false(scratch_exists("dir"));
	}
	/* killed before the mark, before the folder, and with nothing at all */
	scratch_mkdir("dir", 0700);
	assert_int_equal(symlink("dir", "intent"), 0);
	mend(NULL);
	assert_false(scratch_exists("dir"));
	assert_int_equal(symlink("dir", "intent"), 0);
	mend(NULL);
	mend(NULL);
}

static void a_killed_one_in_a_folder_that_was_there_leaves_it(void **state)
{
	(void)state;
	scratch_mkdir("dir", 0700);
	forget(made("dir"));
	mend(NULL);
	assert_true(scratch_exists("dir"));
	assert_int_equal(rmdir("dir"), 0);
}

static void a_bundle_in_use_only_loses_its_mark(void **state)
{
	cleanup_free char *rootfs = xasprintf("%s/dir/rootfs", (const char *)*state);

	forget(made("dir"));
	mend(rootfs);
	assert_true(scratch_exists("dir/rootfs"));
	assert_true(scratch_exists("dir/config.json"));
	assert_false(scratch_exists("dir/.thinpull-bundle"));
}

static void only_what_has_our_mark_is_cleared(void **state)
{
	static const char *const marks[] = {NULL, "intent", "other", "intent2", "inten"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		forget(made("dir"));
		assert_int_equal(unlink("dir/.thinpull-bundle"), 0);
		if (i == 1)
			scratch_write("dir/.thinpull-bundle", marks[i]);
		else if (marks[i])
			assert_int_equal(symlink(marks[i], "dir/.thinpull-bundle"), 0);
		mend(NULL);
		assert_true(scratch_exists("dir/rootfs"));
		assert_true(scratch_exists("dir/config.json"));
		assert_int_equal(rmdir("dir/rootfs"), 0);
		assert_int_equal(unlink("dir/config.json"), 0);
		if (marks[i])
			assert_int_equal(unlink("dir/.thinpull-bundle"), 0);
		assert_int_equal(rmdir("dir"), 0);
	}
}

/* The mark is not looked for behind a link, nor is what a link in place of rootfs leads to removed. */
static void links_in_the_way_of_clearing_lead_nowhere(void **state)
{
	struct error err = {0};

	(void)state;
	scratch_mkdir("victim", 0700);
	scratch_write("victim/file", "x");
	forget(made("dir"));
	assert_int_equal(rmdir("dir/rootfs"), 0);
	assert_int_equal(symlink("../victim", "dir/rootfs"), 0);
	if (bundle_dir_mend("intent", NULL, &err) < 0)
		assert_int_not_equal(err.kind, ERR_NONE);
	assert_true(scratch_exists("victim/file"));
}

static char warned[200];

static void sink(enum log_level level, const char *text)
{
	if (level == LOG_LEVEL_WARNING)
		snprintf(warned, sizeof(warned), "%s", text);
}

static void others_who_can_enter_are_warned_about(void **state)
{
	(void)state;
	log_set_sink(sink, LOG_LEVEL_WARNING);
	scratch_mkdir("dir", 0700);
	bundle_dir_abort(made("dir"));
	assert_string_equal(warned, "");
	assert_int_equal(chmod("dir", 0711), 0);
	bundle_dir_abort(made("dir"));
	log_set_sink(NULL, LOG_LEVEL_WARNING);
	assert_non_null(strstr(warned, "dir can be entered by others"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_set_up, scratch_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_finished_bundle_has_what_a_runtime_wants_and_no_more),
		TEST(what_was_not_finished_leaves_no_trace),
		TEST(a_folder_that_was_there_stays_with_what_was_in_it),
		TEST(nothing_is_overwritten),
		TEST(places_that_are_none_are_refused),
		TEST(a_link_to_a_folder_is_that_folder),
		TEST(two_are_not_made_in_one_folder),
		TEST(a_killed_one_is_cleared_later),
		TEST(a_killed_one_is_cleared_at_any_step),
		TEST(a_killed_one_in_a_folder_that_was_there_leaves_it),
		TEST(a_bundle_in_use_only_loses_its_mark),
		TEST(only_what_has_our_mark_is_cleared),
		TEST(links_in_the_way_of_clearing_lead_nowhere),
		TEST(others_who_can_enter_are_warned_about),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
