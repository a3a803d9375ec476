/* SPDX-License-Identifier: Apache-2.0 */
/* A layout folder that is added to. */
#include "oci/layout_writer.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/document.h"
#include "oci/layout.h"
#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/stream/stream.h"
#include "tests/support/cmocka.h"
#include "tests/support/layout_folder.h"

static char *dir;
static struct layout_writer *w;
static struct error err;

static int begin(void **state)
{
	(void)state;
	dir = make_folder();
	w = NULL;
	error_clear(&err);
	return 0;
}

static int end(void **state)
{
	(void)state;
	layout_writer_close(w);
	remove_folder(dir);
	return 0;
}

static void open_writer(void)
{
	layout_writer_close(w);
	w = NULL;
	assert_ok(layout_writer_open(dir, &w, &err), &err);
}

static struct oci_descriptor describe(const char *data)
{
	struct oci_descriptor d = {.media_type = MEDIA_MANIFEST, .size_bytes = strlen(data)};

	strcpy(d.media_type_text, LAYOUT_MANIFEST);
	digest_of(DIGEST_SHA256, data, strlen(data), &d.digest);
	return d;
}

static struct oci_descriptor put(const char *data)
{
	struct oci_descriptor d = describe(data);

	assert_ok(layout_writer_put(w, &d, data, strlen(data), &err), &err);
	return d;
}

static char *path_of(const struct oci_descriptor *d)
{
	char hex[DIGEST_TEXT_BYTES];

	return xasprintf("%s/blobs/sha256/%s", dir, digest_hex(&d->digest, hex));
}

static char *text_of(const char *name)
{
	cleanup_free char *path = xasprintf("%s/%s", dir, name);
	struct buffer text = {0};

	assert_ok(fdio_read_file(path, 1 << 20, &text, &err), &err);
	return buffer_detach(&text);
}

/* A source finds the image by its name. */
static void expect_named(const char *name, const struct oci_descriptor *d)
{
	cleanup_free char *ref = xasprintf("%s:%s", dir, name);
	cleanup(source_close_ptr) struct source *s = NULL;
	struct oci_descriptor found;

	assert_ok(oci_layout_open(ref, &s, &err), &err);
	assert_ok(source_resolve(s, &found, NULL, &err), &err);
	assert_true(digest_equal(&found.digest, &d->digest));
	assert_int_equal(found.size_bytes, d->size_bytes);
}

static void a_new_folder_becomes_a_layout(void **state)
{
	cleanup_free char *deep = xasprintf("%s/a/b", dir);

	(void)state;
	open_writer(); /* it was empty */
	assert_ok(oci_layout_check(dir, &err), &err);
	layout_writer_close(steal(&w));
	assert_ok(layout_writer_open(deep, &w, &err), &err);
	assert_ok(oci_layout_check(deep, &err), &err);
	open_writer(); /* as it is */
}

static void what_is_something_else_is_left_alone(void **state)
{
	cleanup_free char *file = xasprintf("%s/file", dir);

	(void)state;
	put_file(dir, "file", "x");
	assert_int_equal(layout_writer_open(dir, &w, &err), -1);
	assert_error(&err, ERR_USAGE, "no image layout, and not empty");
	assert_int_equal(layout_writer_open(file, &w, &err), -1);
	put_file(dir, "oci-layout", "{\"imageLayoutVersion\":\"2.0.0\"}");
	assert_int_equal(layout_writer_open(dir, &w, &err), -1);
	assert_error(&err, ERR_INVALID, "1.0.0 is expected");
	assert_null(w);
}

static void what_a_kill_left_while_it_was_made_is_nobodys(void **state)
{
	cleanup_free char *one = xasprintf("%s/oci-layout.tmp.1", dir);
	cleanup_free char *two = xasprintf("%s/index.json.tmp.22", dir);
	struct stat st;

	(void)state;
	put_file(dir, "oci-layout.tmp.1", "{\"image");
	open_writer();
	assert_int_equal(stat(one, &st), -1);
	put_file(dir, "index.json.tmp.22", "{");
	open_writer();
	assert_int_equal(stat(two, &st), -1);
}

static void a_blob_is_there_when_it_is_committed(void **state)
{
	struct oci_descriptor d = describe("content");
	cleanup_free char *path = path_of(&d);
	struct stat st;
	int fd;

	(void)state;
	open_writer();
	assert_ok(layout_writer_begin(w, &d, &fd, &err), &err);
	assert_true(fd >= 0);
	assert_ok(fdio_write(fd, "content", 7, "x", &err), &err);
	assert_int_equal(stat(path, &st), -1);
	assert_ok(layout_writer_commit(w, &d, &fd, &err), &err);
	assert_int_equal(fd, -1);
	assert_int_equal(stat(path, &st), 0);
	assert_ok(layout_writer_begin(w, &d, &fd, &err), &err);
	assert_int_equal(fd, -1); /* there already */
}

static void what_a_kill_left_is_begun_anew(void **state)
{
	struct oci_descriptor d = describe("content");
	char hex[DIGEST_TEXT_BYTES];
	cleanup_free char *part = xasprintf("blobs/sha256/.%s.part", digest_hex(&d.digest, hex));
	cleanup_free char *whole = path_of(&d), *text = NULL, *name = NULL;
	struct stat st;
	int fd;

	(void)state;
	open_writer();
	put_file(dir, part, "half of something longer");
	put(("content"));
	name = xasprintf("blobs/sha256/%s", hex);
	text = text_of(name);
	assert_string_equal(text, "content");
	/* Given up, nothing is left. */
	unlink(whole);
	assert_ok(layout_writer_begin(w, &d, &fd, &err), &err);
	layout_writer_abort(w, &d, &fd);
	free(part);
	part = xasprintf("%s/blobs/sha256/.%s.part", dir, hex);
	assert_int_equal(stat(part, &st), -1);
	assert_int_equal(stat(whole, &st), -1);
}

static void what_killed_writers_left_can_be_removed(void **state)
{
	struct oci_descriptor d = describe("content");
	char hex[DIGEST_TEXT_BYTES];
	cleanup_free char *mine =
		xasprintf("%s/blobs/sha256/.%s.part", dir, digest_hex(&d.digest, hex));
	cleanup_free char *left = xasprintf("%s/blobs/sha256/.0123.part", dir);
	struct stat st;
	int fd;

	(void)state;
	open_writer();
	assert_ok(layout_writer_begin(w, &d, &fd, &err), &err);
	put_file(dir, "blobs/sha256/.0123.part", "x");
	put_file(dir, "blobs/sha256/.other", "x");
	layout_writer_mend(dir);
	assert_int_equal(stat(left, &st), -1);
	assert_int_equal(stat(mine, &st), 0); /* it is being written */
	layout_writer_abort(w, &d, &fd);
	layout_writer_mend("/nonexistent");
	free(left);
	left = xasprintf("%s/blobs/sha256/.other", dir);
	assert_int_equal(stat(left, &st), 0);
}

static void a_damaged_blob_is_written_again(void **state)
{
	cleanup_free char *path = NULL, *target = xasprintf("%s/elsewhere", dir);
	struct oci_descriptor d;
	struct stat st;

	(void)state;
	open_writer();
	d = put("content");
	path = path_of(&d);
	assert_int_equal(truncate(path, 3), 0);
	put("content");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 7);
	/* Not what a link points to, which may be anybody's. */
	assert_int_equal(unlink(path), 0);
	put_file(dir, "elsewhere", "another");
	assert_int_equal(symlink(target, path), 0);
	put("content");
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(stat(target, &st), 0);
}

static void a_digest_that_is_none_is_no_file_name(void **state)
{
	struct oci_descriptor d = {.size_bytes = 1};
	int fd;

	(void)state;
	open_writer();
	assert_int_equal(layout_writer_begin(w, &d, &fd, &err), -1);
	assert_error(&err, ERR_UNSUPPORTED, "unknown algorithm");
}

static void names_are_given_and_move(void **state)
{
	struct oci_descriptor one, two;

	(void)state;
	open_writer();
	one = put("{\"one\":1}");
	two = put("{\"two\":2}");
	assert_ok(layout_writer_name(w, &one, "a", &err), &err);
	assert_ok(layout_writer_name(w, &two, "b", &err), &err);
	assert_ok(layout_writer_name(w, &one, "docker.io/library/x:1", &err), &err);
	expect_named("a", &one);
	expect_named("b", &two);
	expect_named("docker.io/library/x:1", &one);
	assert_ok(layout_writer_name(w, &two, "a", &err), &err);
	expect_named("a", &two);
}

static void what_the_index_has_besides_stays(void **state)
{
	static const char before[] =
		"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"x/y\",\"digest\":"
		"\"sha256:9994d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde\","
		"\"size\":1,\"platform\":{\"os\":\"plan9\"},\"odd\":[1.5,null]},7],"
		"\"annotations\":{\"z\":\"1\",\"a\":\"2\"}}";
	cleanup_free char *text = NULL, *compact = NULL;
	struct oci_descriptor d;
	size_t n = 0;

	(void)state;
	open_writer();
	d = put("{}");
	put_file(dir, "index.json", before);
	assert_ok(layout_writer_name(w, &d, "a", &err), &err);
	text = text_of("index.json");
	compact = xstrdup(text);
	for (const char *p = text; *p; p++)
		if (*p != ' ' && *p != '\n')
			compact[n++] = *p;
	compact[n] = '\0';
	assert_non_null(strstr(compact, "\"platform\":{\"os\":\"plan9\"},\"odd\":[1.5,null]},7,{"));
	assert_non_null(strstr(compact, "\"annotations\":{\"z\":\"1\",\"a\":\"2\"}}"));
}

static void an_index_that_is_none_is_not_touched(void **state)
{
	cleanup_free char *text = NULL;
	struct oci_descriptor d;

	(void)state;
	open_writer();
	d = put("{}");
	put_file(dir, "index.json", "{\"schemaVersion\":2,\"layers\":[],\"manifests\":[]}");
	assert_int_equal(layout_writer_name(w, &d, "a", &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	put_file(dir, "index.json", "nothing");
	assert_int_equal(layout_writer_name(w, &d, "a", &err), -1);
	assert_error(&err, ERR_INVALID, "index.json");
	text = text_of("index.json");
	assert_string_equal(text, "nothing");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		CASE(a_new_folder_becomes_a_layout),
		CASE(what_is_something_else_is_left_alone),
		CASE(what_a_kill_left_while_it_was_made_is_nobodys),
		CASE(a_blob_is_there_when_it_is_committed),
		CASE(what_a_kill_left_is_begun_anew),
		CASE(what_killed_writers_left_can_be_removed),
		CASE(a_damaged_blob_is_written_again),
		CASE(a_digest_that_is_none_is_no_file_name),
		CASE(names_are_given_and_move),
		CASE(what_the_index_has_besides_stays),
		CASE(an_index_that_is_none_is_not_touched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
