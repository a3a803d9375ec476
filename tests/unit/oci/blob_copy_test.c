/* SPDX-License-Identifier: Apache-2.0 */
/* A blob that comes whole, or in the end not at all. */
#include "oci/blob_copy.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/part.h"
#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/stream/stage.h"
#include "tests/support/cmocka.h"
#include "tests/support/layout_folder.h"

/* Gives a text; the first bodies break, or are another text. */
struct fake {
	struct source source;
	const char *text;
	unsigned breaks, fetches;
	enum error_kind refuses; /* before any byte */
};

static char *dir;
static struct layout_writer *w;
static struct fake fake;
static struct oci_descriptor blob;
static struct error err;
static struct blob_copied copied;
static uint64_t told;
static unsigned here, done;

/* Three bytes, and then the network is gone. */
struct cut {
	struct stream stream;
	bool gone;
};

static int cut_fill(struct stream *s, const uint8_t **ret, size_t *ret_len, struct error *e)
{
	struct cut *c = (struct cut *)s;

	if (c->gone)
		return error_set(e, ERR_NETWORK, "the body was cut");
	c->gone = true;
	*ret = (const uint8_t *)"con";
	*ret_len = 3;
	return 0;
}

static void cut_release(struct stream *s)
{
	(void)s;
}

static struct stream *cut_stream(void)
{
	static const struct stream_ops ops = {.fill = cut_fill, .release = cut_release};
	struct cut *c = xcalloc(1, sizeof(*c));

	c->stream.ops = &ops;
	return &c->stream;
}

static int fetch(struct source *s, const struct oci_descriptor *d, struct stream **ret,
		 struct error *e)
{
	struct fake *f = (struct fake *)s;

	(void)d;
	f->fetches++;
	if (f->refuses)
		return error_set(e, f->refuses, "refused");
	if (f->breaks) {
		f->breaks--;
		*ret = cut_stream();
		return 0;
	}
	*ret = stream_from_memory(f->text, strlen(f->text));
	return 0;
}

static void tell(size_t i, enum blob_copy_step step, uint64_t bytes, void *arg)
{
	assert_ptr_equal(arg, &told);
	assert_int_equal(i, 0);
	if (step == BLOB_COPY_COMES)
		told = bytes;
	here += step == BLOB_COPY_HERE;
	done += step == BLOB_COPY_DONE;
}

static int begin(void **state)
{
	static const struct source_ops ops = {NULL, fetch, NULL, NULL};

	(void)state;
	dir = make_folder();
	fake = (struct fake){.source = {.ops = &ops}, .text = "content"};
	blob = (struct oci_descriptor){.media_type = MEDIA_LAYER, .size_bytes = 7};
	digest_of(DIGEST_SHA256, "content", 7, &blob.digest);
	error_clear(&err);
	told = here = done = 0;
	assert_ok(layout_writer_open(dir, &w, &err), &err);
	return 0;
}

static int end(void **state)
{
	(void)state;
	layout_writer_close(w);
	remove_folder(dir);
	return 0;
}

static bool is_there(void)
{
	char hex[DIGEST_TEXT_BYTES];
	cleanup_free char *path =
		xasprintf("%s/blobs/sha256/%s", dir, digest_hex(&blob.digest, hex));
	struct stat st;

	return lstat(path, &st) == 0;
}

/* Whether anything of it waits for another try; the folder is gone then. */
static bool is_begun(void)
{
	cleanup_free char *spool = layout_writer_spool_dir(w);
	bool empty = rmdir(spool) == 0 || errno == ENOENT;

	part_tidy(spool, -1, 0);
	rmdir(spool);
	return !empty;
}

static int copy_to(const char *spool_dir)
{
	const struct oci_descriptor *const blobs[] = {&blob};
	const struct blob_copy how = {&fake.source, w, spool_dir, 1, "blob", tell, &told};

	error_clear(&err);
	return blob_copy(&how, blobs, 1, &copied, &err);
}

static int copy(void)
{
	cleanup_free char *spool = layout_writer_spool_dir(w);

	return copy_to(spool);
}

static void it_is_copied_once(void **state)
{
	(void)state;
	assert_ok(copy(), &err);
	assert_int_equal(copied.n, 1);
	assert_int_equal(copied.fetched_bytes, 7);
	assert_int_equal(told, 7);
	assert_true(here == 0 && done == 1);
	assert_true(is_there());
	assert_ok(copy(), &err);
	assert_int_equal(copied.n, 0);
	assert_true(here == 1 && done == 1);
	assert_int_equal(fake.fetches, 1);
	assert_false(is_begun());
}

/* A file system of its own: the bytes are copied. */
static void the_spool_may_be_elsewhere(void **state)
{
	cleanup_free char *spool = xasprintf("/dev/shm/thinpull-unit.%d", (int)getpid());

	(void)state;
	assert_ok(copy_to(spool), &err);
	assert_int_equal(copied.n, 1);
	assert_true(is_there());
	assert_int_equal(rmdir(spool), 0);
}

static void b08_f65_other_bytes_are_not_kept(void **state)
{
	static const char *const bad[] = {"Content", "conten", "content and more"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		fake.text = bad[i];
		assert_int_equal(copy(), -1);
		assert_int_equal(err.kind, ERR_VERIFICATION);
		assert_false(is_there());
		assert_false(is_begun());
	}
	assert_int_equal(fake.fetches, 3); /* no second try of what is wrong */
}

static void a_body_that_is_cut_is_asked_for_again_twice(void **state)
{
	(void)state;
	fake.breaks = 2;
	assert_ok(copy(), &err);
	assert_true(copied.n == 1 && is_there());
	assert_int_equal(fake.fetches, 3);
}

static void a_body_that_is_always_cut_is_given_up(void **state)
{
	(void)state;
	fake.breaks = 3;
	assert_int_equal(copy(), -1);
	assert_error(&err, ERR_NETWORK, "cut");
	assert_int_equal(fake.fetches, 3);
	assert_false(is_there());
	assert_true(is_begun());
}

static void what_is_refused_is_not_asked_for_again(void **state)
{
	(void)state;
	fake.refuses = ERR_NETWORK; /* the source has tried again itself */
	assert_int_equal(copy(), -1);
	assert_error(&err, ERR_NETWORK, "refused");
	assert_int_equal(fake.fetches, 1);
	assert_false(is_begun());
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		CASE(it_is_copied_once),
		CASE(the_spool_may_be_elsewhere),
		CASE(b08_f65_other_bytes_are_not_kept),
		CASE(a_body_that_is_cut_is_asked_for_again_twice),
		CASE(a_body_that_is_always_cut_is_given_up),
		CASE(what_is_refused_is_not_asked_for_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
