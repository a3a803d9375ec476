/* SPDX-License-Identifier: Apache-2.0 */
/* config.json of a container: its name, its flags, its own accounts, its image of then. */
#include "oci/container_config.h"

#include <stdlib.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/host/loop.h"
#include "tests/support/cmocka.h"
#include "tests/support/own_mounts.h"
#include "tests/support/store_fixture.h"

static struct store_fixture f;
static struct error err;

static int begin(void **state)
{
	(void)state;
	error_clear(&err);
	store_fixture_init(&f);
	store_fixture_image(&f, "image", "ab",
			    ",\"config\":{\"Cmd\":[\"/bin/then\"],\"Env\":[\"A=b\"]}");
	store_fixture_container(&f, "image", "box");
	return 0;
}

static int end(void **state)
{
	(void)state;
	store_fixture_release(&f);
	return 0;
}

static int config(const char *name, struct bundle_options options, struct buffer *ret)
{
	cleanup(container_close_ptr) struct container *c = NULL;

	error_clear(&err);
	buffer_release(ret);
	assert_ok(container_open(f.store, name, &c, &err), &err);
	return container_config(c, &options, ret, &err);
}

static bool says(const struct buffer *text, const char *part)
{
	return text->data && strstr((const char *)text->data, part);
}

static void the_hostname_is_the_name_unless_there_is_one(void **state)
{
	cleanup_buffer struct buffer text = {0};

	(void)state;
	assert_ok(config("box", (struct bundle_options){0}, &text), &err);
	assert_true(says(&text, "\"hostname\": \"box\""));
	assert_true(says(&text, "/bin/then") && says(&text, "\"A=b\""));
	assert_ok(config("box", (struct bundle_options){.hostname = "other"}, &text), &err);
	assert_true(says(&text, "\"hostname\": \"other\""));
}

static void a_container_that_is_never_written_has_such_a_root(void **state)
{
	struct store_container_options o = {.name = "fixed", .read_only = true};
	cleanup_buffer struct buffer text = {0};
	cleanup_free char *name = NULL;

	(void)state;
	assert_ok(store_create_container(f.store, "image", &o, &name, &err), &err);
	assert_ok(config("box", (struct bundle_options){0}, &text), &err);
	assert_true(says(&text, "\"readonly\": false"));
	assert_ok(config("fixed", (struct bundle_options){0}, &text), &err);
	assert_true(says(&text, "\"readonly\": true"));
	assert_ok(config("box", (struct bundle_options){.read_only = true}, &text), &err);
	assert_true(says(&text, "\"readonly\": true"));
}

/* Its reference stands for another image by now. */
static void the_image_is_the_one_it_was_made_from(void **state)
{
	cleanup_buffer struct buffer text = {0};

	(void)state;
	assert_ok(store_tag_image(f.store, "image", "kept", &err), &err);
	store_fixture_image(&f, "image", "ac", ",\"config\":{\"Cmd\":[\"/bin/now\"]}");
	assert_ok(config("box", (struct bundle_options){0}, &text), &err);
	assert_true(says(&text, "/bin/then") && !says(&text, "/bin/now"));
}

static void documents_that_are_gone_are_told(void **state)
{
	cleanup_free char *command = xasprintf("rm '%s'/content/blobs/sha256/*", f.root);
	cleanup_buffer struct buffer text = {0};

	(void)state;
	assert_int_equal(system(command), 0);
	assert_int_equal(config("box", (struct bundle_options){0}, &text), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(text.len, 0);
}

/* A user by name is looked for in the container, which has no accounts. */
static void accounts_are_those_of_its_own_files(void **state)
{
	cleanup_buffer struct buffer text = {0};

	(void)state;
	assert_int_equal(config("box", (struct bundle_options){.user = "app"}, &text), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_ok(config("box", (struct bundle_options){.user = "1000:5"}, &text), &err);
	assert_true(says(&text, "\"uid\": 1000"));
}

static void needs_devices(void)
{
	if (geteuid() != 0 || loop_check(&err) < 0)
		skip();
}

/* What a kernel writes to is not whole. */
static void a_mounted_container_is_busy(void **state)
{
	cleanup_buffer struct buffer text = {0};
	cleanup_free char *point = NULL;
	struct container *c;

	(void)state;
	needs_devices();
	assert_ok(container_open(f.store, "box", &c, &err), &err);
	assert_ok(container_mount(c, NULL, &point, &err), &err);
	assert_int_equal(container_config(c, &(struct bundle_options){0}, &text, &err), -1);
	assert_error(&err, ERR_BUSY, "container box is mounted on /");
	assert_int_equal(text.len, 0);
	assert_ok(container_unmount(c, &err), &err);
	assert_ok(container_config(c, &(struct bundle_options){0}, &text, &err), &err);
	container_close(c);
}

/* Attached, not mounted: what its device still holds back is in the file before it is read. */
static void an_attached_container_is_read(void **state)
{
	cleanup_buffer struct buffer text = {0};
	cleanup_free char *device = NULL;
	struct container *c;

	(void)state;
	needs_devices();
	assert_ok(container_open(f.store, "box", &c, &err), &err);
	assert_ok(container_attach(c, &device, &err), &err);
	assert_ok(container_config(c, &(struct bundle_options){0}, &text, &err), &err);
	assert_true(says(&text, "/bin/then"));
	assert_ok(container_unmount(c, &err), &err);
	container_close(c);
}

/* The machine went down while it was mounted: a kernel brings it up to date, if there is one. */
static void a_journal_that_was_left_is_replayed(void **state)
{
	cleanup_buffer struct buffer text = {0};
	cleanup_free char *command = NULL;
	struct container *c;

	(void)state;
	assert_ok(container_open(f.store, "box", &c, &err), &err);
	assert_ok(container_check_out(c, &err), &err);
	command = xasprintf("PATH=$PATH:/sbin:/usr/sbin debugfs -w -R 'feature needs_recovery' "
			    "'%s' >/dev/null 2>&1",
			    container_file(c));
	assert_int_equal(system(command), 0);
	if (geteuid() == 0 && loop_check(&err) == 0) {
		assert_ok(container_config(c, &(struct bundle_options){0}, &text, &err), &err);
		assert_true(says(&text, "/bin/then"));
	} else {
		assert_int_equal(container_config(c, &(struct bundle_options){0}, &text, &err), -1);
		assert_int_equal(err.kind, ERR_UNSUPPORTED);
	}
	container_close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_hostname_is_the_name_unless_there_is_one, begin,
						end),
		cmocka_unit_test_setup_teardown(a_container_that_is_never_written_has_such_a_root,
						begin, end),
		cmocka_unit_test_setup_teardown(the_image_is_the_one_it_was_made_from, begin, end),
		cmocka_unit_test_setup_teardown(documents_that_are_gone_are_told, begin, end),
		cmocka_unit_test_setup_teardown(accounts_are_those_of_its_own_files, begin, end),
		cmocka_unit_test_setup_teardown(a_mounted_container_is_busy, begin, end),
		cmocka_unit_test_setup_teardown(an_attached_container_is_read, begin, end),
		cmocka_unit_test_setup_teardown(a_journal_that_was_left_is_replayed, begin, end),
	};

	own_mounts();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
