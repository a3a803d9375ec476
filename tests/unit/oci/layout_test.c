/* SPDX-License-Identifier: Apache-2.0 */
/* Layout folders: rule B22; hostile ones F57, F61. */
#include "oci/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"
#include "tests/support/layout_folder.h"

#define NAMED(name) ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"" name "\"}"

/* A layout with the images "one" and "two", and the digests of their manifests. */
struct fixture {
	char *dir, *one, *two;
};

static int make_layout(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	cleanup_free char *one = NULL, *two = NULL, *entries = NULL;

	f->dir = make_folder();
	layout_begin(f->dir);
	f->one = xstrdup(layout_image(f->dir, "image one"));
	f->two = xstrdup(layout_image(f->dir, "image two"));
	one = layout_entry(f->dir, f->one, LAYOUT_MANIFEST, NAMED("one"));
	two = layout_entry(f->dir, f->two, LAYOUT_MANIFEST, NAMED("two"));
	entries = xasprintf("%s,%s", one, two);
	layout_index(f->dir, entries);
	*state = f;
	return 0;
}

static int remove_layout(void **state)
{
	struct fixture *f = *state;

	remove_folder(f->dir);
	free(f->one);
	free(f->two);
	free(f);
	return 0;
}

static void finds(const char *text, const char *digest, const char *name)
{
	cleanup(source_close_ptr) struct source *s = NULL;
	struct buffer bytes = {0};
	struct oci_descriptor d;
	struct error err = {0};
	char got[DIGEST_TEXT_BYTES];

	assert_ok(oci_layout_open(text, &s, &err), &err);
	assert_string_equal(s->name, name);
	assert_ok(source_resolve(s, &d, &bytes, &err), &err);
	assert_string_equal(digest_format(&d.digest, got), digest);
	assert_int_equal(d.media_type, MEDIA_MANIFEST);
	assert_ok(source_fetch_document(s, &d, &bytes, &err), &err);
	assert_int_equal(bytes.len, d.size_bytes);
	buffer_release(&bytes);
}

static void refuses(const char *text, enum error_kind kind, const char *reason)
{
	struct source *s = NULL;
	struct error err = {0};

	if (oci_layout_open(text, &s, &err) == 0) {
		source_close(s);
		fail_msg("%s was taken", text);
	}
	assert_error(&err, kind, reason);
}

/* finds() and refuses() with the folder's path in the text, twice in finds(). */
#define FINDS(f, rest, digest, name_rest)                                              \
	do {                                                                           \
		cleanup_free char *text_ = xasprintf("%s%s", (f)->dir, rest);          \
		cleanup_free char *name_ = xasprintf("oci:%s%s", (f)->dir, name_rest); \
		finds(text_, digest, name_);                                           \
	} while (0)
#define REFUSES(f, rest, kind, reason)                                        \
	do {                                                                  \
		cleanup_free char *text_ = xasprintf("%s%s", (f)->dir, rest); \
		refuses(text_, kind, reason);                                 \
	} while (0)

static void b22_an_image_is_found_by_its_ref_name(void **state)
{
	struct fixture *f = *state;

	FINDS(f, ":one", f->one, ":one");
	FINDS(f, ":two", f->two, ":two");
	REFUSES(f, ":three", ERR_NOT_FOUND, "no image named 'three'");
	REFUSES(f, ":on", ERR_NOT_FOUND, "no image named 'on'");
}

static void an_image_is_found_by_its_index(void **state)
{
	struct fixture *f = *state;

	FINDS(f, "@0", f->one, "@0");
	FINDS(f, ":@1", f->two, "@1");
	REFUSES(f, "@2", ERR_NOT_FOUND, "no entry 2");
	REFUSES(f, "@x", ERR_USAGE, "neither an index nor a digest");
	REFUSES(f, ":@", ERR_USAGE, "neither an index nor a digest");
	REFUSES(f, "@-1", ERR_USAGE, "neither an index nor a digest");
	REFUSES(f, "@99999999999999999999", ERR_USAGE, "neither an index nor a digest");
}

static void an_image_is_found_by_its_digest_which_decides(void **state)
{
	struct fixture *f = *state;
	cleanup_free char *alone = xasprintf("@%s", f->two);
	cleanup_free char *with_ref = xasprintf(":one@%s", f->two);
	cleanup_free char *with_index = xasprintf("@0@%s", f->two);
	cleanup_free char *unlisted =
		xasprintf("@%s", layout_image(f->dir, "an image that no entry lists"));

	FINDS(f, alone, f->two, alone);
	FINDS(f, with_ref, f->two, with_ref);
	FINDS(f, with_index, f->two, with_index);
	FINDS(f, unlisted, unlisted + 1, unlisted);
	REFUSES(f, "@sha256:0000000000000000000000000000000000000000000000000000000000000000",
		ERR_NOT_FOUND, "no sha256:0000");
	REFUSES(f, "@sha256:../../etc/passwd", ERR_USAGE, "not a digest");
	REFUSES(f, ":one@sha256:abc", ERR_USAGE, "not a digest");
}

static void a_blob_that_is_no_document_is_no_image(void **state)
{
	struct fixture *f = *state;
	cleanup_free char *text = xasprintf("@%s", layout_blob(f->dir, "no json at all"));
	cleanup_free char *other = xasprintf("@%s", layout_blob(f->dir, "{\"a\":1}"));

	REFUSES(f, text, ERR_INVALID, "line 1");
	REFUSES(f, other, ERR_INVALID, "neither a manifest nor an index");
}

static void b22_several_images_and_no_name_lists_them(void **state)
{
	REFUSES((struct fixture *)*state, "", ERR_USAGE, "choose one of: :one :two");
}

static void b22_a_single_entry_needs_no_name(void **state)
{
	struct fixture *f = *state;
	cleanup_free char *one = layout_entry(f->dir, f->one, LAYOUT_MANIFEST, "");
	cleanup_free char *with_others =
		xasprintf("%s,{\"mediaType\":\"text/plain\",\"digest\":\"%s\",\"size\":1}", one,
			  f->two);

	layout_index(f->dir, one);
	FINDS(f, "", f->one, "");
	FINDS(f, "/", f->one, "");
	layout_index(f->dir, with_others);
	FINDS(f, "", f->one, "");
	layout_index(f->dir, "");
	REFUSES(f, "", ERR_NOT_FOUND, "no image in the layout");
}

static void b22_one_name_twice_is_an_error(void **state)
{
	struct fixture *f = *state;
	cleanup_free char *one = layout_entry(f->dir, f->one, LAYOUT_MANIFEST, NAMED("x"));
	cleanup_free char *two = layout_entry(f->dir, f->two, LAYOUT_MANIFEST, NAMED("x"));
	cleanup_free char *entries = xasprintf("%s,%s", one, two);

	layout_index(f->dir, entries);
	REFUSES(f, ":x", ERR_INVALID, "several entries named 'x'");
}

static void b22_containerds_name_is_known_too(void **state)
{
	struct fixture *f = *state;
	cleanup_free char *one = layout_entry(
		f->dir, f->one, LAYOUT_MANIFEST,
		",\"annotations\":{\"io.containerd.image.name\":\"docker.io/library/x:1\","
		"\"org.opencontainers.image.ref.name\":\"1\"}");

	layout_index(f->dir, one);
	FINDS(f, ":docker.io/library/x:1", f->one, ":docker.io/library/x:1");
	FINDS(f, ":1", f->one, ":1");
}

static void b22_the_version_must_be_1_0_0(void **state)
{
	struct fixture *f = *state;

	put_file(f->dir, "oci-layout", "{\"imageLayoutVersion\":\"1.1.0\"}");
	REFUSES(f, ":one", ERR_INVALID, "'1.1.0', 1.0.0 is expected");
	put_file(f->dir, "oci-layout", "{}");
	REFUSES(f, ":one", ERR_INVALID, "imageLayoutVersion: missing");
	put_file(f->dir, "oci-layout", "1.0.0");
	REFUSES(f, ":one", ERR_INVALID, "oci-layout");
}

static void what_is_no_layout_is_not_found(void **state)
{
	struct fixture *f = *state;
	cleanup_free char *layout = xasprintf("%s/oci-layout", f->dir);

	REFUSES(f, "-missing", ERR_NOT_FOUND, "no such folder");
	REFUSES(f, "/oci-layout", ERR_NOT_FOUND, "no such folder");
	unlink(layout);
	REFUSES(f, ":one", ERR_NOT_FOUND, "not an OCI image layout");
}

static void texts_that_are_no_reference_are_usage_errors(void **state)
{
	struct fixture *f = *state;

	refuses("", ERR_USAGE, "expected");
	refuses("-x", ERR_USAGE, "expected");
	REFUSES(f, ":a b", ERR_USAGE, "no spaces");
	REFUSES(f, ":a\nb", ERR_USAGE, "no spaces");
	REFUSES(f, ":", ERR_USAGE, "nothing follows");
}

static void a_folder_with_a_colon_in_its_name_is_found(void **state)
{
	struct fixture *f = *state;
	cleanup_free char *dir = xasprintf("%s:copy@1", f->dir);
	struct fixture moved = {.dir = dir, .one = f->one};

	assert_int_equal(rename(f->dir, dir), 0);
	FINDS(&moved, ":one", f->one, ":one");
	FINDS(&moved, "@0", f->one, "@0");
	assert_int_equal(rename(dir, f->dir), 0);
}

static void the_recorded_name_is_absolute(void **state)
{
	struct fixture *f = *state;
	cleanup_free char *name = xasprintf("oci:%s:one", f->dir);
	cleanup_free char *cwd = getcwd(NULL, 0);
	const char *last = strrchr(f->dir, '/') + 1;
	cleanup_free char *above = xstrndup(f->dir, (size_t)(last - f->dir));
	cleanup_free char *relative = xasprintf("%s:one", last);
	cleanup_free char *dotted = xasprintf("././/%s/./:one", last);
	cleanup_free char *up = xasprintf("%s/../%s/blobs/..:one", last, last);

	assert_int_equal(chdir(above), 0);
	finds(relative, f->one, name);
	finds(dotted, f->one, name);
	finds(up, f->one, name);
	assert_int_equal(chdir(f->dir), 0);
	finds(".:one", f->one, name);
	assert_int_equal(chdir(cwd), 0);
}

/* @ends: of the folder's path. */
static void expect_split(const char *text, const char *ends, const char *name)
{
	cleanup_free char *dir = NULL, *got = NULL;
	struct error err = {0};

	assert_ok(oci_layout_split(text, &dir, &got, &err), &err);
	assert_int_equal(dir[0], '/');
	assert_true(strlen(dir) >= strlen(ends));
	assert_string_equal(dir + strlen(dir) - strlen(ends), ends);
	if (name)
		assert_string_equal(got, name);
	else
		assert_null(got);
}

static void a_folder_to_write_to_has_a_name_behind_it(void **state)
{
	static const char *const bad[] = {"", ":x", "a b", "/new:", "/new/../../x", "-x"};
	const char *folder = ((struct fixture *)*state)->dir;
	cleanup_free char *there = xasprintf("%s:x:y", folder);
	cleanup_free char *colon = xasprintf("%s/a:b", folder);
	cleanup_free char *deep = xasprintf("%s/a:b:localhost:5000/x:1", folder);

	expect_split(folder, strrchr(folder, '/'), NULL);
	expect_split(there, strrchr(folder, '/'), "x:y");
	expect_split("/new/folder", "/new/folder", NULL);
	expect_split("/new/folder:localhost:5000/x:1", "/new/folder", "localhost:5000/x:1");
	expect_split("new//./folder:x", "/new/folder", "x");
	assert_int_equal(mkdir(colon, 0700), 0);
	expect_split(colon, "/a:b", NULL);
	expect_split(deep, "/a:b", "localhost:5000/x:1");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct error err = {0};
		char *dir, *name;

		assert_int_equal(oci_layout_split(bad[i], &dir, &name, &err), -1);
		assert_true(err.kind == ERR_USAGE || err.kind == ERR_SYSTEM);
	}
}

/* It is kept as JSON, where it would come back as another one. */
static void a_folder_that_cannot_be_recorded_is_refused(void **state)
{
	struct fixture *f = *state;
	cleanup_free char *dir = xasprintf("%s-\xff", f->dir);
	cleanup_free char *text = xasprintf("%s:one", dir);
	struct source *s;
	struct error err = {0};

	assert_int_equal(rename(f->dir, dir), 0);
	assert_int_equal(oci_layout_open(text, &s, &err), -1);
	assert_error(&err, ERR_UNSUPPORTED, "is not UTF-8");
	assert_int_equal(rename(dir, f->dir), 0);
}

/* Opens the blob of manifest one; its file was replaced by something else before. */
static void fetch_fails(struct fixture *f, enum error_kind kind, const char *reason)
{
	cleanup_free char *text = xasprintf("%s:one", f->dir);
	cleanup(source_close_ptr) struct source *s = NULL;
	struct buffer bytes = {0};
	struct oci_descriptor d;
	struct error err = {0};

	assert_ok(oci_layout_open(text, &s, &err), &err);
	assert_ok(source_resolve(s, &d, &bytes, &err), &err);
	assert_int_equal(source_fetch_document(s, &d, &bytes, &err), -1);
	assert_error(&err, kind, reason);
	buffer_release(&bytes);
}

static char *path_of_one(struct fixture *f)
{
	return xasprintf("%s/blobs/sha256/%s", f->dir, strchr(f->one, ':') + 1);
}

static void b22_f61_a_blob_that_is_a_symlink_is_refused(void **state)
{
	struct fixture *f = *state;
	cleanup_free char *path = path_of_one(f);
	cleanup_free char *aside = xasprintf("%s/aside", f->dir);

	/* Also when the bytes behind it are the right ones. */
	assert_int_equal(rename(path, aside), 0);
	assert_int_equal(symlink(aside, path), 0);
	fetch_fails(f, ERR_INVALID, "symlink");
}

static void b22_f61_a_blob_that_is_a_fifo_is_refused_at_once(void **state)
{
	struct fixture *f = *state;
	cleanup_free char *path = path_of_one(f);

	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	fetch_fails(f, ERR_INVALID, "not a regular file");
}

static void b22_f61_a_blob_that_is_a_folder_is_refused(void **state)
{
	struct fixture *f = *state;
	cleanup_free char *path = path_of_one(f);

	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	fetch_fails(f, ERR_INVALID, "not a regular file");
}

static void b22_a_missing_blob_is_named(void **state)
{
	struct fixture *f = *state;
	cleanup_free char *path = path_of_one(f);

	unlink(path);
	fetch_fails(f, ERR_NOT_FOUND, f->one);
}

static void b08_f61_a_blob_of_another_size_fails_verification(void **state)
{
	struct fixture *f = *state;
	cleanup_free char *path = path_of_one(f);

	assert_int_equal(truncate(path, 20), 0);
	fetch_fails(f, ERR_VERIFICATION, "only 20 bytes");
	assert_int_equal(truncate(path, 100000), 0);
	fetch_fails(f, ERR_VERIFICATION, "more than the expected");
}

static void f61_index_json_must_be_a_file(void **state)
{
	struct fixture *f = *state;
	cleanup_free char *path = xasprintf("%s/index.json", f->dir);

	unlink(path);
	REFUSES(f, ":one", ERR_NOT_FOUND, "index.json");
	assert_int_equal(mkdir(path, 0700), 0);
	REFUSES(f, ":one", ERR_INVALID, "not a regular file");
	rmdir(path);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	REFUSES(f, ":one", ERR_INVALID, "symlink");
}

static void b10_f48_index_json_of_more_than_4_mib_is_refused(void **state)
{
	struct fixture *f = *state;
	cleanup_free char *path = xasprintf("%s/index.json", f->dir);

	assert_int_equal(truncate(path, (4 << 20) + 1), 0);
	REFUSES(f, ":one", ERR_INVALID, "at most 4194304");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_layout, remove_layout)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(b22_an_image_is_found_by_its_ref_name),
		TEST(an_image_is_found_by_its_index),
		TEST(an_image_is_found_by_its_digest_which_decides),
		TEST(a_blob_that_is_no_document_is_no_image),
		TEST(b22_several_images_and_no_name_lists_them),
		TEST(b22_a_single_entry_needs_no_name),
		TEST(b22_one_name_twice_is_an_error),
		TEST(b22_containerds_name_is_known_too),
		TEST(b22_the_version_must_be_1_0_0),
		TEST(what_is_no_layout_is_not_found),
		TEST(texts_that_are_no_reference_are_usage_errors),
		TEST(a_folder_with_a_colon_in_its_name_is_found),
		TEST(the_recorded_name_is_absolute),
		TEST(a_folder_to_write_to_has_a_name_behind_it),
		TEST(a_folder_that_cannot_be_recorded_is_refused),
		TEST(b22_f61_a_blob_that_is_a_symlink_is_refused),
		TEST(b22_f61_a_blob_that_is_a_fifo_is_refused_at_once),
		TEST(b22_f61_a_blob_that_is_a_folder_is_refused),
		TEST(b22_a_missing_blob_is_named),
		TEST(b08_f61_a_blob_of_another_size_fails_verification),
		TEST(f61_index_json_must_be_a_file),
		TEST(b10_f48_index_json_of_more_than_4_mib_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
