/* SPDX-License-Identifier: Apache-2.0 */
/* Extraction of a container: from the pool or its file, known to the record, losses told. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/container_internal.h"
#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/ext4/writer.h"
#include "tests/support/cmocka.h"
#include "tests/support/ext4_edit.h"
#include "tests/support/scratch.h"
#include "tests/support/store_fixture.h"

static struct store_fixture f;
static struct error err;
static struct buffer log_text;
static void *scratch;
static char *out, *out2; /* absolute */

static void note(enum log_level level, const char *text)
{
	assert_int_equal(level, LOG_LEVEL_WARNING);
	buffer_printf(&log_text, "%s\n", text);
}

/* A tree on the volume of the container, as its base leaves it empty. */
static void fill_volume(struct ext4_writer *w)
{
	struct ext4_meta device = {.mode = S_IFCHR | 0666, .rdev_major = 1, .rdev_minor = 3};
	struct ext4_meta theirs = {.mode = 0640, .gid = 42};
	struct ext4_node *node;

	edit_dir(w, "bin");
	edit_file(w, "bin/ping", "ping");
	edit_xattr(w, "bin/ping", "security.capability", 20);
	edit_file(w, "shadow", "secret");
	assert_ok(ext4_writer_set_meta(w, edit_find(w, "shadow"), &theirs, &err), &err);
	assert_ok(ext4_writer_make(w, ext4_writer_root(w), "null", 4, &device, &node, &err), &err);
}

static void make_tree(void)
{
	static const uint8_t uuid[16] = {1};
	cleanup(snapshots_close_ptr) struct snapshots *s = NULL;
	cleanup(thin_volume_close_ptr) struct thin_volume *v = NULL;
	cleanup(ext4_tree_free_ptr) struct ext4_tree *tree = ext4_tree_new();
	const struct record_entry *e;
	struct ext4_writer *w;

	assert_ok(store_write(f.store, &s, &err), &err);
	e = record_find_container(snapshots_record(s), "box");
	assert_ok(thin_pool_open_volume(snapshots_pool(s), e->thin_id, e->size_bytes, true, &v,
					&err),
		  &err);
	assert_ok(ext4_writer_open(v, tree, uuid, &w, &err), &err);
	fill_volume(w);
	assert_ok(ext4_writer_finish(&w, &err), &err);
	assert_ok(thin_pool_commit(snapshots_pool(s), snapshots_record(s)->transaction_id, &err),
		  &err);
}

static int begin(void **state)
{
	(void)state;
	store_fixture_init(&f);
	store_fixture_image(&f, "image", "", "");
	store_fixture_container(&f, "image", "box");
	f.store->lock_timeout_ms = 50;
	make_tree();
	log_set_sink(note, LOG_LEVEL_WARNING);
	if (scratch_set_up(&scratch) < 0)
		return -1;
	out = xasprintf("%s/out", (char *)scratch);
	out2 = xasprintf("%s/out2", (char *)scratch);
	scratch_mkdir("out", 0700);
	scratch_mkdir("out2", 0700);
	return 0;
}

static int end(void **state)
{
	(void)state;
	log_set_sink(NULL, LOG_LEVEL_WARNING);
	buffer_release(&log_text);
	free(out);
	free(out2);
	store_fixture_release(&f);
	return scratch_tear_down(&scratch);
}

static struct container *hold(void)
{
	struct container *c;

	assert_ok(container_open(f.store, "box", &c, &err), &err);
	return c;
}

/* By the record, read anew. */
static void assert_place(enum record_place place, const char *folder)
{
	struct snapshots *session;
	const struct record_entry *e;

	assert_ok(store_read(f.store, &session, &err), &err);
	e = record_find_container(snapshots_record(session), "box");
	assert_int_equal(e->place, place);
	if (folder)
		assert_string_equal(e->folder, folder);
	else
		assert_null(e->folder);
	snapshots_close(session);
}

static void assert_content(const char *path, const char *want)
{
	cleanup_free char *got = scratch_read(path, NULL);

	assert_string_equal(got, want);
}

static void assert_warning(const char *text)
{
	if (!log_text.data || !strstr((const char *)log_text.data, text))
		fail_msg("no warning '%s' in:\n%s", text, (const char *)log_text.data);
}

static void the_tree_is_in_the_folder_and_the_record_names_it(void **state)
{
	struct container_state st;
	struct container *c = hold();

	(void)state;
	assert_ok(container_extract(c, out, &err), &err);
	assert_string_equal(container_entry(c)->folder, out);
	assert_place(RECORD_IN_FOLDER, out);
	assert_content("out/bin/ping", "ping");
	assert_content("out/shadow", "secret");
	assert_int_equal(scratch_mode("out/null"), S_IFREG);
	assert_ok(container_state(f.store, container_entry(c), &st, &err), &err);
	assert_int_equal(st.status, CONTAINER_EXTRACTED);
	assert_string_equal(st.folder, out);
	container_state_release(&st);
	container_close(c);
}

static void each_kind_of_loss_is_named_in_one_warning(void **state)
{
	struct container *c = hold();

	(void)state;
	assert_ok(container_extract(c, out, &err), &err);
	assert_string_equal((const char *)log_text.data,
			    "container box, not kept without root: owners 1 (shadow), devices 1 "
			    "(null), file capabilities 1 (security.capability of bin/ping)\n");
	container_close(c);
}

static void the_last_of_two_folders_is_named(void **state)
{
	struct container *c = hold();

	(void)state;
	assert_ok(container_extract(c, out, &err), &err);
	scratch_write("out/new", "written there");
	buffer_clear(&log_text);
	assert_ok(container_extract(c, out2, &err), &err);
	assert_place(RECORD_IN_FOLDER, out2);
	assert_content("out2/bin/ping", "ping");
	assert_false(scratch_exists("out2/new"));
	assert_true(scratch_exists("out/new"));
	assert_warning("container box was extracted into ");
	assert_warning("/out2, which is its folder from now on");
	container_close(c);
}

static void one_in_its_file_stays_there(void **state)
{
	struct container *c = hold();

	(void)state;
	assert_ok(container_check_out(c, &err), &err);
	assert_ok(container_extract(c, out, &err), &err);
	assert_place(RECORD_IN_FILE, NULL);
	assert_content("out/bin/ping", "ping");
	assert_int_equal(access(container_file(c), F_OK), 0);
	assert_warning("container box stays in ");
	container_close(c);
}

/* What a kernel has not unmounted has a journal that only a kernel replays. */
static void a_file_that_is_not_whole_is_refused(void **state)
{
	struct container *c = hold();
	cleanup_free char *command = NULL;

	(void)state;
	assert_ok(container_check_out(c, &err), &err);
	command =
		xasprintf("debugfs -w -R 'feature needs_recovery' %s >log 2>&1", container_file(c));
	assert_int_equal(system(command), 0);
	assert_int_equal(container_extract(c, out, &err), -1);
	assert_error(&err, ERR_UNSUPPORTED, "not unmounted cleanly");
	assert_int_equal(rmdir("out"), 0);
	container_close(c);
}

static void a_folder_that_cannot_be_it_is_refused(void **state)
{
	cleanup_free char *link = xasprintf("%s/link", (char *)scratch);
	cleanup_free char *missing = xasprintf("%s/missing", (char *)scratch);
	struct container *c = hold();

	(void)state;
	scratch_write("out/file", "mine");
	assert_int_equal(container_extract(c, out, &err), -1);
	assert_error(&err, ERR_USAGE, "/out is not empty");
	assert_content("out/file", "mine");
	assert_int_equal(symlink("out2", "link"), 0);
	assert_int_equal(container_extract(c, link, &err), -1);
	assert_error(&err, ERR_SYSTEM, "open folder");
	assert_int_equal(container_extract(c, missing, &err), -1);
	assert_error(&err, ERR_SYSTEM, "missing");
	assert_place(RECORD_IN_POOL, NULL);
	assert_int_equal(rmdir("out2"), 0);
	container_close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH_STORE(f) cmocka_unit_test_setup_teardown(f, begin, end)
		WITH_STORE(the_tree_is_in_the_folder_and_the_record_names_it),
		WITH_STORE(each_kind_of_loss_is_named_in_one_warning),
		WITH_STORE(the_last_of_two_folders_is_named),
		WITH_STORE(one_in_its_file_stays_there),
		WITH_STORE(a_file_that_is_not_whole_is_refused),
		WITH_STORE(a_folder_that_cannot_be_it_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
