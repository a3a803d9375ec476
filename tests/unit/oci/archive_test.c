/* SPDX-License-Identifier: Apache-2.0 */
/* Whole archives of every generation as sources: rules B23, B24. */
#include "oci/archive.h"

#include <stdlib.h>
#include <unistd.h>

#include <lzma.h>

#include "oci/image.h"
#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "tests/support/cmocka.h"
#include "tests/support/docker_save.h"
#include "tests/support/tar_maker.h"

/* An image of two layers, not yet in any archive. */
struct fixture {
	struct buffer layers[2], config, tar;
	struct digest diff_ids[2];
};

static int make(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	save_layer("lower", &f->layers[0], &f->diff_ids[0]);
	save_layer("upper", &f->layers[1], &f->diff_ids[1]);
	save_config(f->diff_ids, 2, &f->config);
	*state = f;
	return 0;
}

static int drop(void **state)
{
	struct fixture *f = *state;

	buffer_release(&f->layers[0]);
	buffer_release(&f->layers[1]);
	buffer_release(&f->config);
	buffer_release(&f->tar);
	free(f);
	return 0;
}

static void add(struct fixture *f, const char *name, const struct buffer *bytes)
{
	save_file(&f->tar, name, bytes->data, bytes->len);
}

static void add_text(struct fixture *f, const char *name, const char *text)
{
	save_file(&f->tar, name, text, strlen(text));
}

static int open_tar(struct fixture *f, enum oci_archive_kind kind, struct oci_archive **ret,
		    struct error *err)
{
	tar_make_end(&f->tar);
	return oci_archive_open(save_fd(&f->tar), "x.tar", kind, "/tmp", ret, err);
}

static void refuses(struct fixture *f, enum oci_archive_kind kind, enum error_kind error,
		    const char *why)
{
	struct oci_archive *a;
	struct error err = {0};

	assert_int_equal(open_tar(f, kind, &a, &err), -1);
	assert_error(&err, error, why);
}

static void refuses_image(struct fixture *f, enum error_kind kind, const char *why)
{
	cleanup(oci_archive_close_ptr) struct oci_archive *a = NULL;
	struct place place = {0};
	struct source *s;
	struct error err = {0};

	assert_ok(open_tar(f, OCI_ARCHIVE_ANY, &a, &err), &err);
	assert_int_equal(oci_archive_source(a, &place, NULL, &s, NULL, &err), -1);
	assert_error(&err, kind, why);
}

/* All of an image can be read, and is what the config says. */
static void is_whole(struct fixture *f, struct source *s)
{
	struct oci_platform platform = {.os = "linux", .architecture = "amd64"};
	struct oci_image image;
	struct error err = {0};

	assert_ok(oci_image_resolve(s, &platform, NULL, &image, &err), &err);
	assert_int_equal(image.manifest.n_layers, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct oci_descriptor *d = &image.manifest.layers[i];
		cleanup(stream_close_ptr) struct stream *in = NULL;
		enum stream_codec codec;

		assert_true(digest_equal(&image.config.diff_ids[i], &f->diff_ids[i]));
		assert_ok(source_fetch(s, d, &in, &err), &err);
		assert_ok(stream_verify(&in, &d->digest, d->size_bytes, "blob", &err), &err);
		assert_ok(stream_sniff(in, &codec, &err), &err);
		assert_ok(stream_decompress(&in, codec, 1 << 20, &err), &err);
		assert_ok(stream_verify(&in, &f->diff_ids[i], STREAM_SIZE_UNKNOWN, "DiffID", &err),
			  &err);
		assert_ok(stream_finish(in, &err), &err);
	}
	oci_image_release(&image);
}

static void has_image(struct fixture *f, const struct place *place)
{
	cleanup(oci_archive_close_ptr) struct oci_archive *a = NULL;
	cleanup(source_close_ptr) struct source *s = NULL;
	const struct oci_archive_image *image;
	struct error err = {0};

	assert_ok(open_tar(f, OCI_ARCHIVE_ANY, &a, &err), &err);
	assert_ok(oci_archive_source(a, place, NULL, &s, &image, &err), &err);
	assert_non_null(image);
	is_whole(f, s);
}

/* A gzip member of one stored block. */
static void zip(struct buffer *bytes)
{
	cleanup_buffer struct buffer plain = *bytes;
	uint8_t head[15] = {0x1f, 0x8b, 8, [9] = 255, [10] = 1}, tail[8];

	*bytes = (struct buffer){0};
	assert_in_range(plain.len, 1, UINT16_MAX);
	put_le16(head + 11, (uint16_t)plain.len);
	put_le16(head + 13, (uint16_t)~plain.len);
	put_le32(tail, lzma_crc32(plain.data, plain.len, 0));
	put_le32(tail + 4, (uint32_t)plain.len);
	buffer_add(bytes, head, sizeof(head));
	buffer_add(bytes, plain.data, plain.len);
	buffer_add(bytes, tail, sizeof(tail));
}

static const struct place any;

/* docker 1.10 to 24: manifest.json last, a layer that is a symlink to another image's. */
static void b24_docker_save_with_symlinks(void **state)
{
	struct fixture *f = *state;
	cleanup_free char *config = save_name(&f->config, "", ".json");
	cleanup_free char *json =
		xasprintf("[{\"Config\":\"%s\",\"RepoTags\":[\"x:1\"],\"Layers\":["
			  "\"a1/layer.tar\",\"b2/layer.tar\"]}]",
			  config);

	save_link(&f->tar, '5', "a1/", NULL);
	save_link(&f->tar, '2', "a1/layer.tar", "../c3/layer.tar");
	add(f, "b2/layer.tar", &f->layers[1]);
	add(f, "c3/layer.tar", &f->layers[0]);
	add(f, config, &f->config);
	add_text(f, "manifest.json", json);
	add_text(f, "repositories", "{}");
	has_image(f, &any);
}

/* docker 25 and later, ctr: both documents; the layout is the one that has digests. */
static void b24_an_archive_that_is_also_a_layout_is_taken_as_one(void **state)
{
	struct fixture *f = *state;
	cleanup_free char *config = save_name(&f->config, "blobs/sha256/", "");
	cleanup_free char *first = save_name(&f->layers[0], "blobs/sha256/", "");
	cleanup_free char *second = save_name(&f->layers[1], "blobs/sha256/", "");
	cleanup_free char *name = NULL, *index = NULL;
	cleanup_buffer struct buffer manifest = {0};

	buffer_printf(&manifest,
		      "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/"
		      "vnd.oci.image.config.v1+json\",\"digest\":\"sha256:%s\",\"size\":%zu},"
		      "\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\","
		      "\"digest\":\"sha256:%s\",\"size\":%zu},{\"mediaType\":\"application/"
		      "vnd.oci.image.layer.v1.tar\",\"digest\":\"sha256:%s\",\"size\":%zu}]}",
		      config + 13, f->config.len, first + 13, f->layers[0].len, second + 13,
		      f->layers[1].len);
	name = save_name(&manifest, "blobs/sha256/", "");
	index = xasprintf("{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/"
			  "vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:%s\",\"size\":%zu,"
			  "\"annotations\":{\"io.containerd.image.name\":\"docker.io/library/x:1\","
			  "\"org.opencontainers.image.ref.name\":\"1\"}}]}",
			  name + 13, manifest.len);
	add_text(f, "index.json", index);
	add(f, first, &f->layers[0]);
	save_link(&f->tar, '1', "hard", first);
	add(f, second, &f->layers[1]);
	add_text(f, "manifest.json", "[]");
	add(f, config, &f->config);
	add(f, name, &manifest);
	add_text(f, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
	has_image(f, &(struct place){.ref = (char *)"1"});
	has_image(f, &any);
}

/* kaniko: the config has its digest for a name, and layers are compressed. */
static void b24_kaniko_and_jib_compress_layers(void **state)
{
	struct fixture *f = *state;

	zip(&f->layers[0]);
	add_text(f, "manifest.json",
		 "[{\"Config\":\"config.json\",\"RepoTags\":null,\"Layers\":[\"1.tar.gz\","
		 "\"2.tar.gz\"]}]");
	add(f, "config.json", &f->config);
	add(f, "1.tar.gz", &f->layers[0]);
	zip(&f->layers[1]);
	add(f, "2.tar.gz", &f->layers[1]);
	has_image(f, &any);
}

static void b24_the_digest_in_the_name_of_a_config_must_be_right(void **state)
{
	struct fixture *f = *state;
	cleanup_free char *config = save_name(&f->config, "sha256:", "");
	cleanup_free char *json =
		xasprintf("[{\"Config\":\"%s\",\"Layers\":[\"1\",\"2\"]}]", config);

	add_text(f, "manifest.json", json);
	add(f, "1", &f->layers[0]);
	add(f, "2", &f->layers[1]);
	f->config.data[f->config.len - 1] = ' ';
	add(f, config, &f->config);
	refuses_image(f, ERR_VERIFICATION, "do not have the digest in its name");
}

static void b24_bazel_lists_a_layer_twice_and_links_it(void **state)
{
	struct fixture *f = *state;
	struct digest twice[2] = {f->diff_ids[0], f->diff_ids[0]};

	buffer_clear(&f->config);
	save_config(twice, 2, &f->config);
	f->diff_ids[1] = f->diff_ids[0];
	add(f, "one.tar", &f->layers[0]);
	save_link(&f->tar, '1', "two.tar", "one.tar");
	add(f, "config.json", &f->config);
	add_text(f, "manifest.json",
		 "[{\"Config\":\"config.json\",\"Layers\":[\"one.tar\",\"two.tar\"]}]");
	has_image(f, &any);
}

static void b24_several_images_are_chosen_by_tag_and_number(void **state)
{
	struct fixture *f = *state;
	char tag[] = "x:1";

	add(f, "c.json", &f->config);
	add(f, "1", &f->layers[0]);
	add(f, "2", &f->layers[1]);
	add_text(
		f, "manifest.json",
		"[{\"Config\":\"no\",\"RepoTags\":[\"y:1\"],\"Layers\":[]},"
		"{\"Config\":\"c.json\",\"RepoTags\":[\"x:2\",\"x:1\"],\"Layers\":[\"1\",\"2\"]}]");
	has_image(f, &(struct place){.ref = tag});
	has_image(f, &(struct place){.has_index = true, .index = 1});
	refuses_image(f, ERR_USAGE, "choose one of: :y:1 :x:2");
}

static void b24_layers_and_diff_ids_must_be_as_many(void **state)
{
	struct fixture *f = *state;

	add(f, "c.json", &f->config);
	add_text(f, "manifest.json", "[{\"Config\":\"c.json\",\"Layers\":[]}]");
	refuses_image(f, ERR_INVALID, "names 0 layers, the config has 2 diff_ids");
}

static void b24_a_config_without_a_digest_must_be_there_once(void **state)
{
	struct fixture *f = *state;

	add(f, "c.json", &f->config);
	add(f, "c.json", &f->config);
	add_text(f, "manifest.json", "[{\"Config\":\"c.json\",\"Layers\":[]}]");
	refuses_image(f, ERR_INVALID, "c.json is there more than once");
}

static void b24_docker_before_1_10_is_refused_by_name(void **state)
{
	struct fixture *f = *state;

	add_text(f, "repositories", "{}");
	add(f, "ab/layer.tar", &f->layers[0]);
	refuses(f, OCI_ARCHIVE_ANY, ERR_UNSUPPORTED, "docker before 1.10");
}

static void b23_b24_documents_that_are_there_twice_are_refused(void **state)
{
	struct fixture *f = *state;

	add_text(f, "manifest.json", "[]");
	add_text(f, "./manifest.json", "[]");
	refuses(f, OCI_ARCHIVE_ANY, ERR_INVALID, "manifest.json is there more than once");
}

static void what_must_be_of_a_kind_is_refused_when_it_is_of_another(void **state)
{
	struct fixture *f = *state;

	add_text(f, "manifest.json", "[]");
	refuses(f, OCI_ARCHIVE_LAYOUT, ERR_INVALID, "oci-layout is not in the archive");
	refuses_image(f, ERR_NOT_FOUND, "no images in it");
}

static void names_to_outside_are_for_no_archive_of_images(void **state)
{
	struct fixture *f = *state;

	add_text(f, "manifest.json", "[]");
	add_text(f, "../x", "x");
	refuses(f, OCI_ARCHIVE_ANY, ERR_INVALID, "without '..'");
}

static void anything_else_is_the_tree_of_a_file_system(void **state)
{
	struct fixture *f = *state;
	struct oci_platform platform = {.os = "linux", .architecture = "arm64", .variant = "v8"};
	cleanup(oci_archive_close_ptr) struct oci_archive *a = NULL;
	cleanup(source_close_ptr) struct source *s = NULL;
	struct oci_image image;
	struct error err = {0};
	struct digest d;

	add_text(f, "manifest.json", "{\"name\": \"an extension\"}");
	add_text(f, "/etc/passwd", "root:x:0:0");
	assert_ok(open_tar(f, OCI_ARCHIVE_ANY, &a, &err), &err);
	assert_int_equal(oci_archive_kind(a), OCI_ARCHIVE_TREE);
	assert_ok(oci_archive_tree_source(a, &platform, &s, &err), &err);
	assert_ok(oci_image_resolve(s, &platform, NULL, &image, &err), &err);
	digest_of(DIGEST_SHA256, f->tar.data, f->tar.len, &d);
	assert_int_equal(image.manifest.n_layers, 1);
	assert_true(digest_equal(&image.config.diff_ids[0], &d));
	assert_true(digest_equal(&image.manifest.layers[0].digest, &d));
	assert_string_equal(image.config.platform.architecture, "arm64");
	oci_image_release(&image);
}

static void an_archive_is_found_by_its_reference(void **state)
{
	cleanup(source_close_ptr) struct source *s = NULL;
	struct error err = {0};

	(void)state;
	assert_int_equal(oci_archive_open_source("/nowhere/x.tar:a", OCI_ARCHIVE_DOCKER, NULL, NULL,
						 &s, &err),
			 -1);
	assert_error(&err, ERR_NOT_FOUND, "docker-archive:/nowhere/x.tar:a: no such file");
}

#define T(test) cmocka_unit_test_setup_teardown(test, make, drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(b24_docker_save_with_symlinks),
		T(b24_an_archive_that_is_also_a_layout_is_taken_as_one),
		T(b24_kaniko_and_jib_compress_layers),
		T(b24_the_digest_in_the_name_of_a_config_must_be_right),
		T(b24_bazel_lists_a_layer_twice_and_links_it),
		T(b24_several_images_are_chosen_by_tag_and_number),
		T(b24_layers_and_diff_ids_must_be_as_many),
		T(b24_a_config_without_a_digest_must_be_there_once),
		T(b24_docker_before_1_10_is_refused_by_name),
		T(b23_b24_documents_that_are_there_twice_are_refused),
		T(what_must_be_of_a_kind_is_refused_when_it_is_of_another),
		T(names_to_outside_are_for_no_archive_of_images),
		T(anything_else_is_the_tree_of_a_file_system),
		T(an_archive_is_found_by_its_reference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
