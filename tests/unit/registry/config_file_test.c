/* SPDX-License-Identifier: Apache-2.0 */
/* Files and folders of other tools' configuration. */
#include "registry/config_file.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/toml/toml.h"
#include "tests/support/cmocka.h"
#include "tests/support/layout_folder.h"
#include "tests/support/scratch.h"

static char said[400];

static void hear(enum log_level level, const char *text)
{
	if (level == LOG_LEVEL_WARNING)
		strncat(said, text, sizeof(said) - strlen(said) - 1);
}

static void the_user_has_a_folder(void **state)
{
	char *path;

	(void)state;
	setenv("XDG_CONFIG_HOME", "/x", 1);
	setenv("HOME", "/home/me", 1);
	path = config_file_of_user("a/b");
	assert_string_equal(path, "/x/a/b");
	free(path);
	setenv("XDG_CONFIG_HOME", "", 1);
	path = config_file_of_user("a/b");
	assert_string_equal(path, "/home/me/.config/a/b");
	free(path);
	setenv("HOME", "me", 1);
	assert_null(config_file_of_user("a"));
	unsetenv("HOME");
	assert_null(config_file_of_user("a"));
}

static void a_file_is_read_through_links(void **state)
{
	cleanup_buffer struct buffer text = {0};
	struct error err = {0};

	scratch_write("a", "content");
	assert_int_equal(symlink("a", "b"), 0);
	assert_ok(config_file_read("b", &text, &err), &err);
	assert_string_equal((char *)text.data, "content");
	(void)state;
}

static void what_is_not_there_is_no_error(void **state)
{
	cleanup_buffer struct buffer text = {0};
	struct error err = {0};

	(void)state;
	scratch_write("a", "");
	assert_int_equal(symlink("nowhere", "dangling"), 0);
	assert_int_equal(config_file_read("none", &text, &err), 1);
	assert_int_equal(config_file_read("a/b", &text, &err), 1);
	assert_int_equal(config_file_read("dangling", &text, &err), 1);
}

static void c15_other_kinds_and_large_files_are_refused(void **state)
{
	cleanup_buffer struct buffer text = {0};
	struct error err = {0};

	(void)state;
	scratch_mkdir("dir", 0755);
	assert_int_equal(config_file_read("dir", &text, &err), -1);
	assert_error(&err, ERR_INVALID, "dir is no regular file");
	assert_int_equal(mkfifo("fifo", 0644), 0);
	assert_int_equal(config_file_read("fifo", &text, &err), -1);
	assert_error(&err, ERR_INVALID, "fifo is no regular file");
	scratch_write("large", "x");
	assert_int_equal(truncate("large", CONFIG_FILE_MAX_BYTES + 1), 0);
	assert_int_equal(config_file_read("large", &text, &err), -1);
	assert_error(&err, ERR_INVALID, "large: 1048577 bytes");
}

static void c15_a_file_that_may_not_be_read_is_an_error(void **state)
{
	cleanup_buffer struct buffer text = {0};
	struct error err = {0};

	scratch_write("a", "x");
	assert_int_equal(chmod("a", 0), 0);
	scratch_drop_root(*state);
	assert_int_equal(config_file_read("a", &text, &err), -1);
	assert_error(&err, ERR_SYSTEM, "open a: Permission denied");
}

static void toml_is_read_or_refused_with_file_and_line(void **state)
{
	struct error err = {0};
	struct jdoc *doc;

	(void)state;
	put_file(".", "d/good.toml", "a = 1");
	put_file(".", "d/bad.toml", "a = 1\nb");
	assert_ok(config_file_read_toml("d/good.toml", &doc, &err), &err);
	jdoc_free(doc);
	assert_int_equal(config_file_read_toml("d/none.toml", &doc, &err), 1);
	assert_int_equal(config_file_read_toml("d/bad.toml", &doc, &err), -1);
	assert_error(&err, ERR_INVALID, "d/bad.toml: line 2: ");
}

static void files_of_a_folder_come_in_order(void **state)
{
	struct config_files files;
	struct error err = {0};

	(void)state;
	put_file(".", "d/20.conf", "");
	put_file(".", "d/10.conf", "");
	put_file(".", "d/10.conf~", "");
	put_file(".", "d/.conf", "");
	assert_ok(config_files_list("d", ".conf", &files, &err), &err);
	assert_int_equal(files.n, 2);
	assert_string_equal(files.names[0], "10.conf");
	assert_string_equal(files.names[1], "20.conf");
	config_files_release(&files);
	assert_ok(config_files_list("none", ".conf", &files, &err), &err);
	assert_int_equal(files.n, 0);
	assert_ok(config_files_list("d/10.conf", ".conf", &files, &err), &err);
	assert_int_equal(files.n, 0);
}

static void a_folder_that_may_not_be_read_is_left_aside(void **state)
{
	struct config_files files;
	struct error err = {0};

	scratch_mkdir("d", 0);
	scratch_drop_root(*state);
	said[0] = '\0';
	log_set_sink(hear, LOG_LEVEL_WARNING);
	assert_ok(config_files_list("d", ".conf", &files, &err), &err);
	log_set_sink(NULL, LOG_LEVEL_WARNING);
	assert_int_equal(files.n, 0);
	assert_string_equal(said, "d may not be read: left aside");
}

static int collect(void *arg, const char *text, struct error *err)
{
	if (!strcmp(text, "stop"))
		return error_set(err, ERR_INVALID, "stopped");
	buffer_printf(arg, "%s;", text);
	return 0;
}

static void strings_come_one_by_one(void **state)
{
	static const char *const keys[] = {"a", "b", "none"};
	static const char toml[] = "a = 'x'\nb = ['y', 'z']\nc = ['y', 1]\nd = 2\ne = 'stop'\n";
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	cleanup_buffer struct buffer text = {0};
	struct error err = {0};
	struct jval root;

	(void)state;
	assert_ok(toml_parse(toml, strlen(toml), "doc", &doc, &err), &err);
	root = jdoc_root(doc);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		assert_ok(config_each_string(config_member(root, keys[i]), collect, &text, &err),
			  &err);
	assert_string_equal((char *)text.data, "x;y;z;");
	assert_int_equal(config_each_string(config_member(root, "c"), collect, &text, &err), -1);
	assert_error(&err, ERR_INVALID, "doc.c[1]: not a string");
	assert_int_equal(config_each_string(config_member(root, "d"), collect, &text, &err), -1);
	assert_error(&err, ERR_INVALID, "doc.d: not a string");
	assert_int_equal(config_each_string(config_member(root, "e"), collect, &text, &err), -1);
	assert_error(&err, ERR_INVALID, "stopped");
}

static void unknown_keys_are_told_and_other_cases_refused(void **state)
{
	static const char *const known[] = {"location", "insecure", NULL};
	static const char toml[] = "location = 1\nskip-all = 2\n", twin[] = "Location = 1";
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL, *other = NULL;
	struct error err = {0};

	(void)state;
	assert_ok(toml_parse(toml, strlen(toml), "doc", &doc, &err), &err);
	assert_ok(toml_parse(twin, strlen(twin), "doc", &other, &err), &err);
	said[0] = '\0';
	log_set_sink(hear, LOG_LEVEL_WARNING);
	assert_ok(config_check_keys(jdoc_root(doc), known, &err), &err);
	log_set_sink(NULL, LOG_LEVEL_WARNING);
	assert_string_equal(said, "doc.skip-all: not known, left aside");
	assert_int_equal(config_check_keys(jdoc_root(other), known, &err), -1);
	assert_error(&err, ERR_INVALID, "doc.Location: is 'location' meant?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_user_has_a_folder),
		cmocka_unit_test_setup_teardown(a_file_is_read_through_links, scratch_set_up,
						scratch_tear_down),
		cmocka_unit_test_setup_teardown(what_is_not_there_is_no_error, scratch_set_up,
						scratch_tear_down),
		cmocka_unit_test_setup_teardown(c15_other_kinds_and_large_files_are_refused,
						scratch_set_up, scratch_tear_down),
		cmocka_unit_test_setup_teardown(c15_a_file_that_may_not_be_read_is_an_error,
						scratch_set_up, scratch_tear_down),
		cmocka_unit_test_setup_teardown(toml_is_read_or_refused_with_file_and_line,
						scratch_set_up, scratch_tear_down),
		cmocka_unit_test_setup_teardown(files_of_a_folder_come_in_order, scratch_set_up,
						scratch_tear_down),
		cmocka_unit_test_setup_teardown(a_folder_that_may_not_be_read_is_left_aside,
						scratch_set_up, scratch_tear_down),
		cmocka_unit_test(strings_come_one_by_one),
		cmocka_unit_test(unknown_keys_are_told_and_other_cases_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
