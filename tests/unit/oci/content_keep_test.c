/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs of layers in the content store: kept, read, swept when no image names them. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/content.h"
#include "oci/content_internal.h"
#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/layout_folder.h"

static char *dir;
static struct content *content;
static struct error err;
static struct blob_copied copied;

static int fetch(struct source *s, const struct oci_descriptor *d, struct stream **ret,
		 struct error *e)
{
	(void)s;
	(void)d;
	(void)e;
	*ret = stream_from_memory("layer", 5);
	return 0;
}

static int begin(void **state)
{
	(void)state;
	dir = make_folder();
	error_clear(&err);
	assert_ok(content_open(dir, &content, &err), &err);
	return 0;
}

static int end(void **state)
{
	(void)state;
	content_close(content);
	remove_folder(dir);
	return 0;
}

static struct oci_descriptor layer(void)
{
	struct oci_descriptor d = {.media_type = MEDIA_LAYER, .size_bytes = 5};

	digest_of(DIGEST_SHA256, "layer", 5, &d.digest);
	return d;
}

static struct oci_descriptor keep(void)
{
	static const struct source_ops ops = {NULL, fetch, NULL, NULL};
	struct source source = {.ops = &ops};
	struct oci_descriptor d = layer();
	const struct oci_descriptor *const blobs[] = {&d};
	cleanup_free char *spool = xasprintf("%s/spool", dir);
	const struct blob_copy how = {.source = &source, .spool_dir = spool, .what = "layer"};

	assert_ok(content_keep(content, &how, blobs, 1, &copied, &err), &err);
	rmdir(spool);
	return d;
}

static void a_kept_blob_is_there_and_can_be_read(void **state)
{
	struct oci_descriptor d = layer();
	cleanup(stream_close_ptr) struct stream *in = NULL;
	cleanup_buffer struct buffer bytes = {0};

	(void)state;
	assert_false(content_keeps(content, &d));
	assert_int_equal(content_open_kept(content, &d, &in, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "content has no sha256:");
	keep();
	assert_int_equal(copied.n, 1);
	assert_true(content_keeps(content, &d));
	assert_ok(content_open_kept(content, &d, &in, &err), &err);
	assert_ok(stream_read_all(in, 100, &bytes, &err), &err);
	assert_int_equal(bytes.len, 5);
	keep();
	assert_int_equal(copied.n, 0);
}

static void one_of_another_size_is_not_kept(void **state)
{
	struct oci_descriptor d = keep();
	cleanup_free char *path = content_blob_path(content, &d.digest);

	(void)state;
	assert_int_equal(truncate(path, 4), 0);
	assert_false(content_keeps(content, &d));
	keep();
	assert_true(copied.n == 1 && content_keeps(content, &d));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc/hostname", path), 0);
	d.size_bytes = 0;
	assert_false(content_keeps(content, &d));
}

static void until_it_is_named_nobody_sweeps_it(void **state)
{
	struct oci_descriptor d = keep();
	struct content *other;

	(void)state;
	assert_ok(content_open(dir, &other, &err), &err);
	assert_ok(content_sweep(other, &err), &err);
	assert_true(content_keeps(other, &d));
	/* Given up, it goes. */
	content_close(content);
	content = other;
	assert_ok(content_sweep(other, &err), &err);
	assert_false(content_keeps(other, &d));
}

/* It may be another process's, which is about to rename it. */
static void nothing_but_blobs_is_touched(void **state)
{
	cleanup_free char *path = xasprintf("%s/index.json.tmp.1", dir);
	struct stat st;

	(void)state;
	put_file(dir, "index.json.tmp.1", "{}");
	keep();
	assert_int_equal(stat(path, &st), 0);
}

static void what_a_kill_left_is_mended(void **state)
{
	cleanup_free char *path = xasprintf("%s/blobs/sha256/.0123.part", dir);
	struct stat st;

	(void)state;
	put_file(dir, "blobs/sha256/.0123.part", "half");
	content_mend(content);
	assert_int_equal(stat(path, &st), -1);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		CASE(a_kept_blob_is_there_and_can_be_read), CASE(one_of_another_size_is_not_kept),
		CASE(until_it_is_named_nobody_sweeps_it),   CASE(nothing_but_blobs_is_touched),
		CASE(what_a_kill_left_is_mended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
