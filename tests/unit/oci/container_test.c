/* SPDX-License-Identifier: Apache-2.0 */
/* Containers found, held, looked at; where their files are read from. */
#include "oci/container.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "oci/container_internal.h"
#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/thin/raw.h"
#include "tests/support/cmocka.h"
#include "tests/support/store_fixture.h"

#define AT (UINT64_C(310) * STORE_FIXTURE_BLOCK)

static struct store_fixture f;
static struct error err;
static char warning[512];

static int begin(void **state)
{
	(void)state;
	store_fixture_init(&f);
	store_fixture_image(&f, "image", "ab", "");
	store_fixture_container(&f, "image", "box");
	f.store->lock_timeout_ms = 50;
	warning[0] = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	log_set_sink(NULL, LOG_LEVEL_WARNING);
	store_fixture_release(&f);
	return 0;
}

static struct container *hold(const char *name)
{
	struct container *c;

	assert_ok(container_open(f.store, name, &c, &err), &err);
	return c;
}

static struct container_state look(const char *name)
{
	struct snapshots *session;
	struct container_state st;
	const struct record_entry *e;

	assert_ok(store_read(f.store, &session, &err), &err);
	e = record_find_container(snapshots_record(session), name);
	assert_non_null(e);
	assert_ok(container_state(f.store, e, &st, &err), &err);
	snapshots_close(session);
	return st;
}

static enum container_status status_of(const char *name)
{
	struct container_state st = look(name);
	enum container_status status = st.status;

	container_state_release(&st);
	return status;
}

static char read_byte(const char *name)
{
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;
	cleanup(thin_volume_close_ptr) struct thin_volume *v = NULL;
	char byte;

	assert_ok(store_open_volume(f.store, name, &session, &v, &err), &err);
	assert_ok(thin_volume_read(v, &byte, 1, AT, &err), &err);
	return byte;
}

static int open_volume(const char *name)
{
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;
	cleanup(thin_volume_close_ptr) struct thin_volume *v = NULL;

	return store_open_volume(f.store, name, &session, &v, &err);
}

static void write_to_file(const struct container *c, char byte)
{
	cleanup(thin_volume_close_ptr) struct thin_volume *v = NULL;

	assert_ok(thin_raw_open(container_file(c), true, &v, &err), &err);
	assert_ok(thin_volume_write(v, &byte, 1, AT, &err), &err);
}

/* --- held ------------------------------------------------------------------------------------- */

static void one_at_a_time_holds_a_container(void **state)
{
	struct container *c = hold("box"), *other;

	(void)state;
	assert_string_equal(container_entry(c)->name, "box");
	assert_null(container_file(c));
	assert_int_equal(container_open(f.store, "box", &other, &err), -1);
	assert_error(&err, ERR_BUSY, "box");
	container_close(c);
	container_close(hold("box"));
	assert_int_equal(container_open(f.store, "none", &other, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "none");
}

static void a_running_one_is_busy_at_once(void **state)
{
	struct container *c = hold("box"), *other;

	(void)state;
	f.store->lock_timeout_ms = 60000;
	assert_ok(container_set_running(c, &err), &err);
	assert_ok(container_set_alive(c, &err), &err);
	assert_int_equal(status_of("box"), CONTAINER_RUNNING);
	assert_int_equal(container_open(f.store, "box", &other, &err), -1);
	assert_error(&err, ERR_BUSY, "running");
	assert_int_equal(store_remove_container(f.store, "box", true, &err), -1);
	assert_error(&err, ERR_BUSY, "running");
	assert_int_equal(store_rename_container(f.store, "box", "new", &err), -1);
	assert_error(&err, ERR_BUSY, "running");
	container_close(c);
	assert_int_equal(status_of("box"), CONTAINER_READY);
}

/* Remove it once the pipe is closed. The parent lets go of what the child has. */
static pid_t remove_in_child(struct container *c, int *ret_go)
{
	int go[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(go), 0);
	pid = fork();
	if (pid == 0) {
		close(go[1]);
		f.store->lock_timeout_ms = 20000;
		_exit(read(go[0], &byte, 1) == 0 && container_remove(&c, false, &err) == 0 ? 0 : 1);
	}
	close(go[0]);
	container_close(c);
	*ret_go = go[1];
	return pid;
}

/* As soon as the record has lost it, its id may be that of another one, which does not run. */
static void what_is_being_removed_is_not_running_any_more(void **state)
{
	struct container *c = hold("box");
	uint32_t id = container_entry(c)->thin_id;
	struct snapshots *session;
	int fd, go, status;
	pid_t pid;

	(void)state;
	assert_ok(container_lock_open(f.store, true, &fd, &err), &err);
	assert_ok(container_set_running(c, &err), &err);
	assert_ok(container_set_alive(c, &err), &err);
	pid = remove_in_child(c, &go);
	assert_int_equal(container_lock_run(fd, id), CONTAINER_RUN_ALIVE);
	/* It cannot get at the record now. */
	assert_ok(store_write(f.store, &session, &err), &err);
	close(go);
	for (int i = 0; i < 1000 && container_lock_run(fd, id) != CONTAINER_NO_RUN; i++)
		usleep(10000);
	assert_int_equal(container_lock_run(fd, id), CONTAINER_NO_RUN);
	snapshots_close(session);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(fd);
}

/* In a child, who does not hold what we hold: wait for the container. Its thin id is this one? */
static pid_t wait_for(const char *name, uint32_t id, struct container *held)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct container *c;

		container_close(held);
		f.store->lock_timeout_ms = 20000;
		if (container_open(f.store, name, &c, &err) < 0)
			_exit(1);
		_exit(container_entry(c)->thin_id == id ? 0 : 2);
	}
	return pid;
}

static void who_waits_gets_the_one_that_has_the_name_by_then(void **state)
{
	struct timespec a_while = {.tv_nsec = 100000000};
	struct container *c = hold("box");
	uint32_t id = container_entry(c)->thin_id;
	struct snapshots *session;
	int status;
	pid_t pid;

	(void)state;
	pid = wait_for("box", id + 1, c);
	nanosleep(&a_while, NULL);
	/* While it is held it goes, another container gets its id, and a new one its name. */
	assert_ok(store_write(f.store, &session, &err), &err);
	assert_ok(snapshots_remove_container(session, "box", &err), &err);
	snapshots_close(session);
	store_fixture_container(&f, "image", "other");
	store_fixture_container(&f, "image", "box");
	container_close(c);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void a_temporary_one_is_made_and_held(void **state)
{
	struct store_container_options options = {.name = "tmp", .temporary = true};
	struct container *c;

	(void)state;
	assert_ok(container_create(f.store, "image", &options, &c, &err), &err);
	assert_true(container_entry(c)->temporary);
	assert_ok(containers_mend(f.store, &err), &err);
	assert_int_equal(status_of("tmp"), CONTAINER_READY);
	container_close(c);
	assert_int_equal(container_create(f.store, "image", &options, &c, &err), -1);
	assert_error(&err, ERR_BUSY, "tmp");
	assert_int_equal(container_create(f.store, "nothing", &options, &c, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "nothing");
	assert_ok(containers_mend(f.store, &err), &err);
	assert_ok(container_create(f.store, "image", &options, &c, &err), &err);
	container_close(c);
}

/* --- looked at -------------------------------------------------------------------------------- */

static void every_state_has_a_name(void **state)
{
	static const char *const names[] = {"ready",   "checked_out", "attached",
					    "mounted", "running",     "extracted"};

	(void)state;
	for (enum container_status i = CONTAINER_READY; i <= CONTAINER_EXTRACTED; i++)
		assert_string_equal(container_status_name(i), names[i]);
}

static void the_state_tells_where_the_files_are(void **state)
{
	struct container *c = hold("box");
	struct container_state st;

	(void)state;
	assert_ok(container_check_out(c, &err), &err);
	st = look("box");
	assert_int_equal(st.status, CONTAINER_CHECKED_OUT);
	assert_string_equal(st.file, container_file(c));
	assert_null(st.device);
	assert_in_range(st.used_bytes, STORE_FIXTURE_BLOCK, 8 << 20);
	container_state_release(&st);
	assert_ok(container_set_place(c, RECORD_IN_FOLDER, "/some/folder", &err), &err);
	st = look("box");
	assert_int_equal(st.status, CONTAINER_EXTRACTED);
	assert_string_equal(st.folder, "/some/folder");
	assert_null(st.file);
	container_state_release(&st);
	container_close(c);
}

/* --- read ------------------------------------------------------------------------------------- */

static void a_checked_out_container_is_read_from_its_file(void **state)
{
	struct container *c = hold("box");

	(void)state;
	store_fixture_write(&f, "box", 310, 1);
	assert_int_equal(read_byte("box"), 'w');
	assert_ok(container_check_out(c, &err), &err);
	write_to_file(c, 'f');
	container_close(c);
	assert_int_equal(read_byte("box"), 'f');
	assert_int_equal(read_byte("image"), 0);
}

static void while_it_is_read_nobody_changes_it(void **state)
{
	struct container *c = hold("box"), *other;

	(void)state;
	assert_ok(container_check_out(c, &err), &err);
	assert_int_equal(open_volume("box"), -1);
	assert_error(&err, ERR_BUSY, "box");
	container_close(c);
	/* The store keeps the lock, so that the volume stays as it is. */
	assert_ok(open_volume("box"), &err);
	assert_int_equal(container_open(f.store, "box", &other, &err), -1);
	assert_error(&err, ERR_BUSY, "box");
	/* Another one is not in the way, and ends it. */
	store_fixture_container(&f, "image", "two");
	assert_ok(open_volume("two"), &err);
	assert_ok(open_volume("box"), &err);
}

static void a_file_that_was_taken_away_is_reported(void **state)
{
	struct container *c = hold("box");

	(void)state;
	assert_ok(container_check_out(c, &err), &err);
	assert_int_equal(unlink(container_file(c)), 0);
	assert_int_equal(container_check_out(c, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "is not there");
	container_close(c);
	assert_int_equal(open_volume("box"), -1);
	assert_error(&err, ERR_INCONSISTENT, "is not there");
	assert_int_equal(status_of("box"), CONTAINER_CHECKED_OUT);
	assert_ok(store_remove_container(f.store, "box", false, &err), &err);
}

static void keep_warning(enum log_level level, const char *text)
{
	if (level == LOG_LEVEL_WARNING)
		snprintf(warning, sizeof(warning), "%s", text);
}

static void an_extracted_one_is_read_from_the_pool_with_a_warning(void **state)
{
	struct container *c = hold("box");

	(void)state;
	log_set_sink(keep_warning, LOG_LEVEL_WARNING);
	store_fixture_write(&f, "box", 310, 1);
	assert_ok(container_set_place(c, RECORD_IN_FOLDER, "/some/folder", &err), &err);
	container_close(c);
	assert_int_equal(read_byte("box"), 'w');
	assert_non_null(strstr(warning, "/some/folder"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(one_at_a_time_holds_a_container),
		CASE(a_running_one_is_busy_at_once),
		CASE(what_is_being_removed_is_not_running_any_more),
		CASE(who_waits_gets_the_one_that_has_the_name_by_then),
		CASE(a_temporary_one_is_made_and_held),
		CASE(every_state_has_a_name),
		CASE(the_state_tells_where_the_files_are),
		CASE(a_checked_out_container_is_read_from_its_file),
		CASE(while_it_is_read_nobody_changes_it),
		CASE(a_file_that_was_taken_away_is_reported),
		CASE(an_extracted_one_is_read_from_the_pool_with_a_warning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
