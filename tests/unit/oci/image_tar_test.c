/* SPDX-License-Identifier: Apache-2.0 */
/* The tar of an image: its members, in which order, and what they say. */
#include "oci/image_tar.h"

#include <stdio.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/stream/stream.h"
#include "pkg/tar/reader.h"
#include "tests/support/cmocka.h"

enum { LAYERS_MAX = 3 };

static struct error err;
static const char *contents[LAYERS_MAX];
static struct buffer manifest_bytes, config_bytes, tar;
static struct oci_descriptor manifest, config, layers[LAYERS_MAX];
static struct digest diff_ids[LAYERS_MAX];
static struct image_tar image;

static struct oci_descriptor describe(const char *type, const void *data, size_t len)
{
	struct oci_descriptor d = {.size_bytes = len};

	snprintf(d.media_type_text, sizeof(d.media_type_text), "%s", type);
	digest_of(DIGEST_SHA256, data, len, &d.digest);
	return d;
}

static int begin(void **state)
{
	static const char m[] = "{the manifest}", c[] = "{the config}";
	static const char *const content[] = {"layer one", "layer two", "layer one"};

	(void)state;
	error_clear(&err);
	buffer_add(&manifest_bytes, m, strlen(m));
	buffer_add(&config_bytes, c, strlen(c));
	manifest = describe("x/manifest", m, strlen(m));
	config = describe("x/config", c, strlen(c));
	for (size_t i = 0; i < LAYERS_MAX; i++) {
		contents[i] = content[i];
		layers[i] = describe("x/layer", content[i], strlen(content[i]));
		diff_ids[i] = layers[i].digest;
	}
	image = (struct image_tar){
		.manifest = &manifest,
		.config = &config,
		.manifest_bytes = &manifest_bytes,
		.config_bytes = &config_bytes,
		.layers = layers,
		.diff_ids = diff_ids,
		.n_layers = LAYERS_MAX,
		.name = "docker.io/library/x:1",
	};
	return 0;
}

static int end(void **state)
{
	(void)state;
	buffer_release(&manifest_bytes);
	buffer_release(&config_bytes);
	buffer_release(&tar);
	return 0;
}

/* A byte at a time. */
static int give_layer(size_t i, tar_archive_write_fn *write, void *write_arg, void *arg,
		      struct error *e)
{
	const char *const *from = arg;

	for (const char *p = from[i]; *p; p++)
		if (write(p, 1, write_arg, e) < 0)
			return -1;
	return 0;
}

static int append(const void *data, size_t len, void *arg, struct error *e)
{
	(void)e;
	buffer_add(arg, data, len);
	return 0;
}

static int make(void)
{
	buffer_clear(&tar);
	error_clear(&err);
	return image_tar_write(&image, give_layer, contents, append, &tar, &err);
}

/* The names of all members, a line each; the content of one of them, or NULL, is added to *ret. */
static char *read_members(const char *wanted, struct buffer *ret)
{
	struct stream *in = stream_from_memory(tar.data, tar.len);
	cleanup(tar_reader_close_ptr) struct tar_reader *reader = NULL;
	struct buffer names = {0};
	const struct tar_entry *entry;
	int rc;

	assert_ok(tar_reader_open(&in, &reader, &err), &err);
	while ((rc = tar_reader_next(reader, &entry, &err)) == 0) {
		const uint8_t *data;
		uint64_t offset;
		size_t len;

		assert_int_equal(entry->mtime.sec, 0);
		assert_int_equal(entry->uid + entry->gid, 0);
		buffer_printf(&names, "%s\n", entry->path);
		if (!wanted || strcmp(entry->path, wanted) != 0)
			continue;
		while (tar_reader_data(reader, &data, &len, &offset, &err) == 0)
			buffer_add(ret, data, len);
		assert_int_equal(ret->len, entry->size_bytes);
	}
	assert_int_equal(rc, 1);
	return buffer_detach(&names);
}

static char *content_of(const char *member)
{
	struct buffer content = {0};
	cleanup_free char *names = read_members(member, &content);

	assert_non_null(strstr(names, member));
	return buffer_detach(&content);
}

static void b23_what_names_others_stands_before_them(void **state)
{
	char m[DIGEST_TEXT_BYTES], c[DIGEST_TEXT_BYTES], one[DIGEST_TEXT_BYTES],
		two[DIGEST_TEXT_BYTES];
	cleanup_free char *want =
		xasprintf("oci-layout\nindex.json\nmanifest.json\nblobs/\nblobs/sha256/\n"
			  "blobs/sha256/%s\nblobs/sha256/%s\nblobs/sha256/%s\nblobs/sha256/%s\n",
			  digest_hex(&manifest.digest, m), digest_hex(&config.digest, c),
			  digest_hex(&layers[0].digest, one), digest_hex(&layers[1].digest, two));
	cleanup_free char *names = NULL, *path = xasprintf("blobs/sha256/%s", two), *layer = NULL;

	(void)state;
	assert_ok(make(), &err);
	names = read_members(NULL, NULL);
	assert_string_equal(names, want); /* the third layer is the first once more */
	layer = content_of(path);
	assert_string_equal(layer, "layer two");
}

static void b24_docker_finds_config_layers_and_the_tag(void **state)
{
	cleanup_free char *list = NULL;
	const char *first, *last;
	char hex[DIGEST_TEXT_BYTES];

	(void)state;
	assert_ok(make(), &err);
	list = content_of("manifest.json");
	assert_non_null(strstr(list, "\"docker.io/library/x:1\""));
	assert_non_null(strstr(list, "\"Config\": \"blobs/sha256/"));
	digest_hex(&layers[0].digest, hex);
	first = strstr(list, hex);
	assert_non_null(first);
	last = strstr(first + 1, hex);
	assert_non_null(last); /* in Layers it stands twice */
	assert_non_null(strstr(list, "\"LayerSources\""));
}

static void the_index_has_names_as_docker_and_containerd_write_them(void **state)
{
	cleanup_free char *index = NULL;

	(void)state;
	assert_ok(make(), &err);
	index = content_of("index.json");
	assert_non_null(strstr(index, "\"io.containerd.image.name\": \"docker.io/library/x:1\""));
	assert_non_null(strstr(index, "\"org.opencontainers.image.ref.name\": \"1\""));
	assert_non_null(strstr(index, "\"mediaType\": \"x/manifest\""));
}

/* @name: recorded.   @want: in both lists, or NULL. */
static void expect_name(const char *name, const char *want)
{
	cleanup_free char *index = NULL, *list = NULL, *text = NULL;

	image.name = name;
	assert_ok(make(), &err);
	index = content_of("index.json");
	list = content_of("manifest.json");
	if (!want) {
		assert_null(strstr(index, "annotations"));
		assert_non_null(strstr(list, "\"RepoTags\": null"));
		return;
	}
	text = xasprintf("\"%s\"", want);
	assert_non_null(strstr(index, text));
	assert_non_null(strstr(list, text));
}

static void only_tags_of_registries_are_names(void **state)
{
	char at[32 + DIGEST_TEXT_BYTES], tagged[32 + DIGEST_TEXT_BYTES], text[DIGEST_TEXT_BYTES];

	(void)state;
	snprintf(at, sizeof(at), "quay.io/a/b@%s", digest_format(&config.digest, text));
	snprintf(tagged, sizeof(tagged), "localhost:5000/b:t@%s", text);
	expect_name("localhost:5000/a/b:1.2", "localhost:5000/a/b:1.2");
	expect_name(tagged, "localhost:5000/b:t");
	expect_name(at, NULL);
	expect_name("localhost:5000/b", NULL);
	expect_name("oci:/folder/x:1", NULL);
	expect_name("oci-archive:/folder/x:1", NULL);
	expect_name("/folder/x:1", NULL);
	expect_name(NULL, NULL);
}

static void the_same_image_gives_the_same_bytes(void **state)
{
	cleanup_buffer struct buffer first = {0};

	(void)state;
	assert_ok(make(), &err);
	buffer_add(&first, tar.data, tar.len);
	assert_ok(make(), &err);
	assert_int_equal(first.len, tar.len);
	assert_memory_equal(first.data, tar.data, tar.len);
}

static void a_layer_that_changed_meanwhile_is_told(void **state)
{
	static const char *const other[] = {"layer twO", "layer tw", "layer two!"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		contents[1] = other[i];
		assert_int_equal(make(), -1);
		assert_error(&err, ERR_VERIFICATION, "layer 2/3 sha256:");
	}
}

static int refuse(const void *data, size_t len, void *arg, struct error *e)
{
	(void)data;
	(void)len;
	(void)arg;
	return error_set(e, ERR_NO_SPACE, "full");
}

static void errors_of_the_file_come_out(void **state)
{
	(void)state;
	assert_int_equal(image_tar_write(&image, give_layer, contents, refuse, NULL, &err), -1);
	assert_error(&err, ERR_NO_SPACE, "full");
}

static void other_digests_do_not_fit(void **state)
{
	(void)state;
	digest_of(DIGEST_SHA512, "x", 1, &layers[2].digest);
	assert_int_equal(make(), -1);
	assert_error(&err, ERR_UNSUPPORTED, "sha256");
}

static void an_image_may_have_no_layer(void **state)
{
	cleanup_free char *list = NULL;

	(void)state;
	image.n_layers = 0;
	assert_ok(make(), &err);
	list = content_of("manifest.json");
	assert_non_null(strstr(list, "\"Layers\": []"));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		CASE(b23_what_names_others_stands_before_them),
		CASE(b24_docker_finds_config_layers_and_the_tag),
		CASE(the_index_has_names_as_docker_and_containerd_write_them),
		CASE(only_tags_of_registries_are_names),
		CASE(the_same_image_gives_the_same_bytes),
		CASE(a_layer_that_changed_meanwhile_is_told),
		CASE(errors_of_the_file_come_out),
		CASE(other_digests_do_not_fit),
		CASE(an_image_may_have_no_layer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
