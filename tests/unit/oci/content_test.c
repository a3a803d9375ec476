/* SPDX-License-Identifier: Apache-2.0 */
/* The content store: blobs, the list of images, sweeping, several handles and processes. */
#include "oci/content.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oci/layout.h"
#include "oci/content_internal.h"
#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "tests/support/cmocka.h"
#include "tests/support/layout_folder.h"

#define MANIFEST                                                                        \
	"{\"schemaVersion\":2,\"config\":{\"mediaType\":"                               \
	"\"application/vnd.oci.image.config.v1+json\",\"digest\":\"%s\",\"size\":%zu}," \
	"\"layers\":[],\"annotations\":{\"n\":\"%s\"}}"

struct fixture {
	char *dir;
	struct content *content;
};

static int make_content(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct error err = {0};

	f->dir = make_folder();
	assert_ok(content_open(f->dir, &f->content, &err), &err);
	*state = f;
	return 0;
}

static int remove_content(void **state)
{
	struct fixture *f = *state;

	content_close(f->content);
	remove_folder(f->dir);
	free(f);
	return 0;
}

static struct digest put(struct content *c, const char *text)
{
	struct error err = {0};
	struct digest d;

	digest_of(DIGEST_SHA256, text, strlen(text), &d);
	assert_ok(content_put(c, &d, text, strlen(text), &err), &err);
	return d;
}

static bool has(struct content *c, const struct digest *d)
{
	struct buffer bytes = {0};
	struct error err = {0};
	int rc = content_get(c, d, &bytes, &err);

	buffer_release(&bytes);
	if (rc < 0)
		assert_int_equal(err.kind, ERR_NOT_FOUND);
	return rc == 0;
}

/* Put config and manifest, and name them. Returns the manifest's digest. */
static struct digest put_image(struct content *c, const char *ref, struct digest *ret_config)
{
	cleanup_free char *config = xasprintf("{\"author\":\"%s\"}", ref);
	cleanup_free char *manifest = NULL;
	char text[DIGEST_TEXT_BYTES];

	*ret_config = put(c, config);
	manifest = xasprintf(MANIFEST, digest_format(ret_config, text), strlen(config), ref);
	return put(c, manifest);
}

static void set(struct content *c, const char *ref, const struct digest *manifest)
{
	cleanup_free char *name = xstrdup(ref);
	struct error err = {0};
	struct content_image image = {.ref = name,
				      .target = *manifest,
				      .manifest = *manifest,
				      .manifest_bytes = 7,
				      .platform = (char[]){"linux/amd64"},
				      .created = (char[]){"2024-05-06T07:08:09Z"},
				      .pool = (char[]){"default"}};
	assert_ok(content_set_image(c, &image, &err), &err);
}

static void expect_refs(struct content *c, const char *expected)
{
	struct content_image *images;
	struct buffer refs = {0};
	struct error err = {0};
	size_t n;

	assert_ok(content_images(c, &images, &n, &err), &err);
	buffer_add(&refs, "", 0);
	for (size_t i = 0; i < n; i++)
		buffer_printf(&refs, "%s%s", i ? " " : "", images[i].ref);
	assert_string_equal((char *)refs.data, expected);
	buffer_release(&refs);
	content_images_free(images, n);
}

static void a_new_store_is_an_empty_layout(void **state)
{
	struct fixture *f = *state;
	struct source *s;
	struct error err = {0};

	expect_refs(f->content, "");
	assert_int_equal(oci_layout_open(f->dir, &s, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "no image in the layout");
}

static void opening_again_keeps_what_is_there(void **state)
{
	struct fixture *f = *state;
	struct content *again;
	struct error err = {0};
	struct digest config, manifest = put_image(f->content, "x", &config);

	set(f->content, "x", &manifest);
	assert_ok(content_open(f->dir, &again, &err), &err);
	expect_refs(again, "x");
	assert_true(has(again, &config));
	content_close(again);
}

static void a_blob_comes_back(void **state)
{
	struct fixture *f = *state;
	struct digest d = put(f->content, "text");
	struct buffer bytes = {0};
	struct error err = {0};

	assert_ok(content_get(f->content, &d, &bytes, &err), &err);
	assert_string_equal((char *)bytes.data, "text");
	buffer_release(&bytes);
	digest_of(DIGEST_SHA512, "text", 4, &d);
	assert_false(has(f->content, &d));
	assert_ok(content_put(f->content, &d, "text", 4, &err), &err);
	assert_true(has(f->content, &d));
}

static char *blob_path(struct fixture *f, const struct digest *d)
{
	char hex[DIGEST_TEXT_BYTES];

	return xasprintf("%s/blobs/sha256/%s", f->dir, digest_hex(d, hex));
}

static void a_damaged_blob_is_noticed_and_put_again(void **state)
{
	struct fixture *f = *state;
	struct digest d = put(f->content, "text");
	cleanup_free char *path = blob_path(f, &d);
	struct buffer bytes = {0};
	struct error err = {0};

	assert_ok(fdio_replace_file(path, "TEXT", 4, &err), &err);
	assert_int_equal(content_get(f->content, &d, &bytes, &err), -1);
	assert_error(&err, ERR_VERIFICATION, "damaged");
	put(f->content, "text");
	assert_true(has(f->content, &d));
	buffer_release(&bytes);
}

static void an_intact_blob_is_not_written_again(void **state)
{
	struct fixture *f = *state;
	struct digest d = put(f->content, "text");
	cleanup_free char *path = blob_path(f, &d);
	struct stat before, after;

	assert_int_equal(stat(path, &before), 0);
	put(f->content, "text");
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
}

static void images_come_back_sorted_with_all_they_had(void **state)
{
	struct fixture *f = *state;
	struct digest config, manifest = put_image(f->content, "b", &config);
	struct content_image *images;
	struct error err = {0};
	size_t n;

	set(f->content, "b", &manifest);
	set(f->content, "oci:/a \"quoted\":1", &manifest);
	set(f->content, "a", &manifest);
	expect_refs(f->content, "a b oci:/a \"quoted\":1");
	assert_ok(content_images(f->content, &images, &n, &err), &err);
	assert_true(digest_equal(&images[1].manifest, &manifest));
	assert_true(digest_equal(&images[1].target, &manifest));
	assert_int_equal(images[1].manifest_bytes, 7);
	assert_string_equal(images[1].platform, "linux/amd64");
	assert_string_equal(images[1].created, "2024-05-06T07:08:09Z");
	assert_string_equal(images[1].pool, "default");
	content_images_free(images, n);
}

static void setting_again_replaces(void **state)
{
	struct fixture *f = *state;
	struct digest config, one = put_image(f->content, "x", &config);
	struct digest two = put_image(f->content, "y", &config);
	struct content_image *images;
	struct error err = {0};
	size_t n;

	set(f->content, "x", &one);
	set(f->content, "x", &two);
	assert_ok(content_images(f->content, &images, &n, &err), &err);
	assert_int_equal(n, 1);
	assert_true(digest_equal(&images[0].manifest, &two));
	content_images_free(images, n);
}

static void an_image_needs_its_manifest(void **state)
{
	struct fixture *f = *state;
	struct content_image image = {.ref = (char[]){"x"}};
	struct error err = {0};

	digest_of(DIGEST_SHA256, "never put", 9, &image.manifest);
	image.target = image.manifest;
	assert_int_equal(content_set_image(f->content, &image, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "content has no sha256:");
	expect_refs(f->content, "");
}

static void removing_takes_one_and_only_one(void **state)
{
	struct fixture *f = *state;
	struct digest config, manifest = put_image(f->content, "x", &config);
	struct error err = {0};

	set(f->content, "a", &manifest);
	set(f->content, "b", &manifest);
	set(f->content, "c", &manifest);
	assert_ok(content_remove_image(f->content, "b", "default", &err), &err);
	expect_refs(f->content, "a c");
	assert_int_equal(content_remove_image(f->content, "b", "default", &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "no image b");
	assert_ok(content_remove_image(f->content, "c", "default", &err), &err);
	assert_ok(content_remove_image(f->content, "a", "default", &err), &err);
	expect_refs(f->content, "");
}

static void the_generation_changes_with_the_list_only(void **state)
{
	struct fixture *f = *state;
	struct digest config, manifest, first, second, third;
	struct error err = {0};

	assert_ok(content_generation(f->content, &first, &err), &err);
	manifest = put_image(f->content, "x", &config);
	assert_ok(content_generation(f->content, &second, &err), &err);
	assert_true(digest_equal(&first, &second));
	set(f->content, "x", &manifest);
	assert_ok(content_generation(f->content, &third, &err), &err);
	assert_false(digest_equal(&first, &third));
	set(f->content, "x", &manifest);
	assert_ok(content_generation(f->content, &second, &err), &err);
	assert_true(digest_equal(&second, &third));
}

static void the_store_is_a_layout_that_others_can_read(void **state)
{
	struct fixture *f = *state;
	struct digest config, manifest = put_image(f->content, "docker.io/library/x:1", &config);
	cleanup(source_close_ptr) struct source *s = NULL;
	cleanup_free char *text = xasprintf("%s:docker.io/library/x:1", f->dir);
	struct oci_descriptor d;
	struct error err = {0};

	set(f->content, "docker.io/library/x:1", &manifest);
	assert_ok(oci_layout_open(text, &s, &err), &err);
	assert_ok(source_resolve(s, &d, NULL, &err), &err);
	assert_true(digest_equal(&d.digest, &manifest));
	assert_int_equal(d.media_type, MEDIA_MANIFEST);
}

static void sweeping_keeps_what_images_name_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	struct digest config, other_config, manifest = put_image(f->content, "x", &config);
	struct digest other = put_image(f->content, "y", &other_config);
	struct digest stray = put(f->content, "stray");
	struct error err = {0};

	put_file(f->dir, "blobs/sha256/0123.tmp.999", "left by a dead writer");
	put_file(f->dir, "blobs/sha256/NOTES", "not ours");
	set(f->content, "x", &manifest);
	set(f->content, "y", &other);
	assert_ok(content_sweep(f->content, &err), &err);
	assert_true(has(f->content, &manifest) && has(f->content, &config));
	assert_true(has(f->content, &other) && has(f->content, &other_config));
	assert_false(has(f->content, &stray));
	assert_ok(content_remove_image(f->content, "y", "default", &err), &err);
	assert_ok(content_sweep(f->content, &err), &err);
	assert_true(has(f->content, &manifest) && has(f->content, &config));
	assert_false(has(f->content, &other) || has(f->content, &other_config));
	{
		cleanup_free char *temporary = xasprintf("%s/blobs/sha256/0123.tmp.999", f->dir);
		cleanup_free char *notes = xasprintf("%s/blobs/sha256/NOTES", f->dir);

		assert_int_equal(access(temporary, F_OK), -1);
		assert_int_equal(access(notes, F_OK), 0);
	}
}

static void what_killed_writers_left_goes_when_nobody_writes(void **state)
{
	static const char *const names[] = {"index.json.tmp.999", "blobs/sha256/0123.tmp.999"};
	struct fixture *f = *state;
	struct content *other;
	struct error err = {0};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_free char *name = xasprintf("%s/%s", f->dir, names[i]);

		put_file(f->dir, names[i], "half");
		assert_ok(content_open(f->dir, &other, &err), &err);
		assert_ok(content_lock(other, &err), &err);
		content_mend(f->content);
		assert_int_equal(access(name, F_OK), 0);
		content_unlock(other);
		content_close(other);
		content_mend(f->content);
		assert_int_equal(access(name, F_OK), -1);
	}
}

static void pools_have_images_of_the_same_name(void **state)
{
	struct fixture *f = *state;
	struct digest config, manifest = put_image(f->content, "x", &config);
	struct content_image image = {.ref = (char[]){"x"},
				      .target = manifest,
				      .manifest = manifest,
				      .pool = (char[]){"second"}};
	struct content_image *images;
	struct error err = {0};
	size_t n;

	set(f->content, "x", &manifest);
	assert_ok(content_set_image(f->content, &image, &err), &err);
	assert_ok(content_images(f->content, &images, &n, &err), &err);
	assert_int_equal(n, 2);
	assert_string_equal(images[0].pool, "default");
	assert_string_equal(images[1].pool, "second");
	content_images_free(images, n);
	assert_int_equal(content_remove_image(f->content, "x", "third", &err), -1);
	assert_ok(content_remove_image(f->content, "x", "default", &err), &err);
	assert_ok(content_images(f->content, &images, &n, &err), &err);
	assert_int_equal(n, 1);
	assert_string_equal(images[0].pool, "second");
	content_images_free(images, n);
}

static void a_sweep_waits_for_images_being_added_by_others(void **state)
{
	struct fixture *f = *state;
	struct digest config, manifest = put_image(f->content, "x", &config);
	struct content *other;
	struct error err = {0};

	assert_ok(content_open(f->dir, &other, &err), &err);
	assert_ok(content_sweep(other, &err), &err); /* not yet named: kept */
	assert_true(has(other, &manifest));
	set(f->content, "x", &manifest);
	assert_ok(content_remove_image(other, "x", "default", &err), &err);
	assert_ok(content_sweep(other, &err), &err); /* nobody adds any more */
	assert_false(has(other, &manifest));
	content_close(other);
}

static void an_image_given_up_is_swept(void **state)
{
	struct fixture *f = *state;
	struct digest config, manifest = put_image(f->content, "x", &config);
	struct error err = {0};

	assert_ok(content_sweep(f->content, &err), &err);
	assert_false(has(f->content, &manifest));
}

static void a_sweep_does_nothing_when_an_image_cannot_be_read(void **state)
{
	struct fixture *f = *state;
	struct digest config, manifest = put_image(f->content, "x", &config);
	cleanup_free char *path = blob_path(f, &manifest);
	struct error err = {0};

	set(f->content, "x", &manifest);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(content_sweep(f->content, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "x");
	assert_true(has(f->content, &config));
	/* It can still be removed, and then there is nothing in the way. */
	assert_ok(content_remove_image(f->content, "x", "default", &err), &err);
	assert_ok(content_sweep(f->content, &err), &err);
	assert_false(has(f->content, &config));
}

static void a_damaged_list_is_inconsistent(void **state)
{
	struct fixture *f = *state;
	struct content_image *images;
	struct error err = {0};
	size_t n;

	put_file(f->dir, "index.json", "{\"schemaVersion\":2,\"manifests\":[{}]}");
	assert_int_equal(content_images(f->content, &images, &n, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "index.json.manifests[0]");
	put_file(f->dir, "index.json", "");
	assert_int_equal(content_images(f->content, &images, &n, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "empty");
}

/* Each of several processes sets images of its own; none gets lost. */
static void processes_do_not_lose_each_others_images(void **state)
{
	enum { PROCESSES = 4, IMAGES = 8 };
	struct fixture *f = *state;
	struct content_image *images;
	struct error err = {0};
	size_t n;

	for (int p = 0; p < PROCESSES; p++) {
		if (fork() != 0)
			continue;
		for (int i = 0; i < IMAGES; i++) {
			cleanup_free char *ref = xasprintf("p%d-%d", p, i);
			struct digest config, manifest;
			struct content *c;

			assert_ok(content_open(f->dir, &c, &err), &err);
			manifest = put_image(c, ref, &config);
			set(c, ref, &manifest);
			content_close(c);
		}
		_exit(0);
	}
	for (int p = 0; p < PROCESSES; p++) {
		int status;

		wait(&status);
		assert_int_equal(status, 0);
	}
	assert_ok(content_images(f->content, &images, &n, &err), &err);
	assert_int_equal(n, PROCESSES * IMAGES);
	content_images_free(images, n);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_content, remove_content)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_new_store_is_an_empty_layout),
		TEST(opening_again_keeps_what_is_there),
		TEST(a_blob_comes_back),
		TEST(a_damaged_blob_is_noticed_and_put_again),
		TEST(an_intact_blob_is_not_written_again),
		TEST(images_come_back_sorted_with_all_they_had),
		TEST(setting_again_replaces),
		TEST(an_image_needs_its_manifest),
		TEST(removing_takes_one_and_only_one),
		TEST(the_generation_changes_with_the_list_only),
		TEST(the_store_is_a_layout_that_others_can_read),
		TEST(sweeping_keeps_what_images_name_and_nothing_else),
		TEST(what_killed_writers_left_goes_when_nobody_writes),
		TEST(pools_have_images_of_the_same_name),
		TEST(a_sweep_waits_for_images_being_added_by_others),
		TEST(an_image_given_up_is_swept),
		TEST(a_sweep_does_nothing_when_an_image_cannot_be_read),
		TEST(a_damaged_list_is_inconsistent),
		TEST(processes_do_not_lose_each_others_images),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
