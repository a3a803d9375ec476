/* SPDX-License-Identifier: Apache-2.0 */
/* config.json of a container: its name, its flags, its own accounts, its image of then. */
#include "oci/container_config.h"

#include <stdlib.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
