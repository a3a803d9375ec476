/* SPDX-License-Identifier: Apache-2.0 */
/* Members by name, in any order; links; what an archive of images must not have (rule B23). */
#include "oci/archive_members.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/docker_save.h"
#include "tests/support/tar_maker.h"

struct fixture {
	struct buffer tar;
	int fd;
	struct oci_members *members;
};

static int make(void **state)
{
	*state = xcalloc(1, sizeof(struct fixture));
	((struct fixture *)*state)->fd = -1;
	return 0;
}

static int drop(void **state)
{
	struct fixture *f = *state;

	if (f->members)
		oci_members_free(f->members);
	if (f->fd >= 0)
		close(f->fd);
	buffer_release(&f->tar);
	free(f);
	return 0;
}

static const struct oci_members *scan(struct fixture *f)
{
	struct error err = {0};

	tar_make_end(&f->tar);
	f->fd = save_fd(&f->tar);
	assert_ok(oci_members_scan(f->fd, f->tar.len, "x.tar", &f->members, &err), &err);
	return f->members;
}

static void holds(const struct oci_members *m, const char *name, const char *text)
{
	cleanup_buffer struct buffer got = {0};
	cleanup(stream_close_ptr) struct stream *in = NULL;
	const struct oci_member *file;
	struct error err = {0};

	assert_ok(oci_members_file(m, name, OCI_MEMBERS_ALL_LINKS, &file, &err), &err);
	in = oci_members_open(m, file);
	assert_ok(stream_read_all(in, 100, &got, &err), &err);
	assert_string_equal((char *)got.data, text);
}

static void refuses(const struct oci_members *m, const char *name, enum oci_members_links links,
		    enum error_kind kind, const char *why)
{
	const struct oci_member *file;
	struct error err = {0};

	assert_int_equal(oci_members_file(m, name, links, &file, &err), -1);
	assert_error(&err, kind, why);
}

static void b23_names_are_found_however_they_are_written(void **state)
{
	struct fixture *f = *state;
	const struct oci_members *m;

	save_file(&f->tar, "./z/one", "1", 1);
	save_file(&f->tar, "a//./two", "22", 2);
	save_file(&f->tar, "three", "333", 3);
	m = scan(f);
	holds(m, "z/one", "1");
	holds(m, "a/two", "22");
	holds(m, "./a/two", "22");
	holds(m, "three", "333");
	refuses(m, "thre", OCI_MEMBERS_ALL_LINKS, ERR_NOT_FOUND, "not in the archive");
	assert_int_equal(oci_members_count(m), 3);
}

static void what_is_behind_large_members_is_found(void **state)
{
	enum { BYTES = (3 << 20) + 1 };
	struct fixture *f = *state;
	cleanup_free uint8_t *large = xcalloc(1, BYTES);

	for (int i = 0; i < 3; i++) {
		char name[] = {(char)('a' + i), 0};

		save_file(&f->tar, name, large, BYTES);
		name[0] = (char)('n' + i);
		save_file(&f->tar, name, name, 1);
	}
	scan(f);
	holds(f->members, "n", "n");
	holds(f->members, "o", "o");
	holds(f->members, "p", "p");
	assert_int_equal(oci_members_find(f->members, "c")->size_bytes, BYTES);
}

static void b23_f62_of_two_of_one_name_the_last_counts_and_documents_are_there_once(void **state)
{
	struct fixture *f = *state;
	cleanup_buffer struct buffer got = {0};
	struct error err = {0};

	save_file(&f->tar, "x", "old", 3);
	save_file(&f->tar, "y", "y", 1);
	save_file(&f->tar, "./x", "new", 3);
	scan(f);
	holds(f->members, "x", "new");
	assert_int_equal(oci_members_read(f->members, "x", 10, &got, &err), -1);
	assert_error(&err, ERR_INVALID, "x is there more than once");
	error_clear(&err);
	assert_ok(oci_members_read(f->members, "y", 1, &got, &err), &err);
}

static void b10_a_document_that_is_too_large_is_refused_before_it_is_read(void **state)
{
	struct fixture *f = *state;
	cleanup_buffer struct buffer got = {0};
	struct error err = {0};

	save_file(&f->tar, "x", "four", 4);
	scan(f);
	assert_int_equal(oci_members_read(f->members, "x", 3, &got, &err), -1);
	assert_error(&err, ERR_INVALID, "x has 4 bytes, at most 3");
	assert_int_equal(got.len, 0);
}

static void b24_links_are_followed_inside_the_archive(void **state)
{
	struct fixture *f = *state;

	save_link(&f->tar, '2', "b/layer.tar", "../a/layer.tar");
	save_link(&f->tar, '2', "c/layer.tar", "./../b/layer.tar");
	save_link(&f->tar, '1', "d/layer.tar", "./a/layer.tar");
	save_file(&f->tar, "a/layer.tar", "A", 1);
	scan(f);
	holds(f->members, "b/layer.tar", "A");
	holds(f->members, "c/layer.tar", "A");
	holds(f->members, "d/layer.tar", "A");
	refuses(f->members, "b/layer.tar", OCI_MEMBERS_HARD_LINKS, ERR_INVALID, "no regular file");
}

static void b24_f60_links_to_outside_and_in_circles_are_refused(void **state)
{
	struct fixture *f = *state;

	save_link(&f->tar, '2', "up", "../etc/passwd");
	save_link(&f->tar, '2', "a/up", "../../etc/passwd");
	save_link(&f->tar, '2', "root", "/etc/passwd");
	save_link(&f->tar, '1', "hard", "../etc/passwd");
	save_link(&f->tar, '2', "one", "two");
	save_link(&f->tar, '2', "two", "one");
	save_link(&f->tar, '2', "gone", "nothing");
	save_link(&f->tar, '5', "dir", NULL);
	scan(f);
	refuses(f->members, "up", OCI_MEMBERS_ALL_LINKS, ERR_INVALID, "out of the archive");
	refuses(f->members, "a/up", OCI_MEMBERS_ALL_LINKS, ERR_INVALID, "out of the archive");
	refuses(f->members, "root", OCI_MEMBERS_ALL_LINKS, ERR_INVALID, "out of the archive");
	refuses(f->members, "hard", OCI_MEMBERS_ALL_LINKS, ERR_INVALID, "out of the archive");
	refuses(f->members, "one", OCI_MEMBERS_ALL_LINKS, ERR_INVALID, "in a circle");
	refuses(f->members, "gone", OCI_MEMBERS_ALL_LINKS, ERR_INVALID, "which is not in");
	refuses(f->members, "dir", OCI_MEMBERS_ALL_LINKS, ERR_INVALID, "no regular file");
	refuses(f->members, "../x", OCI_MEMBERS_ALL_LINKS, ERR_INVALID, "out of the archive");
	refuses(f->members, "/etc/passwd", OCI_MEMBERS_ALL_LINKS, ERR_INVALID, "out of the");
}

static void check_refuses(const char *name)
{
	struct fixture *f;
	struct error err = {0};

	make((void **)&f);
	save_file(&f->tar, name, "x", 1);
	scan(f);
	assert_int_equal(oci_members_check(f->members, &err), -1);
	assert_error(&err, ERR_INVALID, "names in an archive of images are relative");
	drop((void **)&f);
}

static void names_that_lead_outside_are_refused(void **state)
{
	(void)state;
	check_refuses("/etc/passwd");
	check_refuses("../x");
	check_refuses("a/../../x");
	check_refuses("a/..");
}

static void a_file_with_holes_is_no_blob(void **state)
{
	struct fixture *f = *state;
	cleanup_buffer struct buffer records = {0};

	tar_make_text_record(&records, "GNU.sparse.size", "1099511627776");
	tar_make_text_record(&records, "GNU.sparse.numblocks", "1");
	tar_make_text_record(&records, "GNU.sparse.map", "0,1");
	tar_make_pax(&f->tar, 'x', &records);
	save_file(&f->tar, "blob", "x", 1);
	scan(f);
	refuses(f->members, "blob", OCI_MEMBERS_ALL_LINKS, ERR_INVALID, "holes");
}

static void what_is_no_tar_and_what_is_cut_is_refused(void **state)
{
	struct fixture *f = *state;
	const uint8_t block[1000] = {0};
	struct error err = {0};

	buffer_printf(&f->tar, "%0600d", 1);
	f->fd = save_fd(&f->tar);
	assert_int_equal(oci_members_scan(f->fd, f->tar.len, "x.tar", &f->members, &err), -1);
	assert_error(&err, ERR_INVALID, "x.tar: not a tar archive");
	close(f->fd);
	buffer_clear(&f->tar);
	error_clear(&err);
	save_file(&f->tar, "a", "1", 1);
	save_file(&f->tar, "b", block, sizeof(block));
	f->fd = save_fd(&f->tar);
	assert_int_equal(oci_members_scan(f->fd, f->tar.len - 100, "x.tar", &f->members, &err), -1);
	assert_error(&err, ERR_INVALID, "archive ends");
}

static void too_many_members_are_no_archive_of_images_but_the_top_is_known(void **state)
{
	struct fixture *f = *state;
	struct error err = {0};

	save_file(&f->tar, "first", "1", 1);
	for (int i = 0; i <= OCI_MEMBERS_MAX; i++) {
		char name[32];

		snprintf(name, sizeof(name), "usr/%d", i);
		save_link(&f->tar, '5', name, NULL);
	}
	save_file(&f->tar, "last", "2", 1);
	scan(f);
	assert_int_equal(oci_members_check(f->members, &err), -1);
	assert_error(&err, ERR_INVALID, "no archive of images has more than 65536");
	holds(f->members, "first", "1");
	holds(f->members, "last", "2");
	assert_null(oci_members_find(f->members, "usr/7"));
}

#define T(test) cmocka_unit_test_setup_teardown(test, make, drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(b23_names_are_found_however_they_are_written),
		T(what_is_behind_large_members_is_found),
		T(b23_f62_of_two_of_one_name_the_last_counts_and_documents_are_there_once),
		T(b10_a_document_that_is_too_large_is_refused_before_it_is_read),
		T(b24_links_are_followed_inside_the_archive),
		T(b24_f60_links_to_outside_and_in_circles_are_refused),
		T(names_that_lead_outside_are_refused),
		T(a_file_with_holes_is_no_blob),
		T(what_is_no_tar_and_what_is_cut_is_refused),
		T(too_many_members_are_no_archive_of_images_but_the_top_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
