/* SPDX-License-Identifier: Apache-2.0 */
/* The pipeline on real layers: what is told, what is shared, and that no error leaves a layer. */
#include "oci/unpack.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "oci/layout.h"
#include "pkg/base/alloc.h"
#include "pkg/ext4/read_path.h"
#include "tests/support/cmocka.h"
#include "tests/support/gzip.h"
#include "tests/support/layout_folder.h"
#include "tests/support/scratch.h"
#include "tests/support/tarball.h"

enum { EVENTS_MAX = 400 };

/* What one image of the layout is made of. */
struct recipe {
	const char *layers;	/* a letter for each layer: a file of that name */
	bool gzip;		/* else plain tars */
	size_t bad_diff_id;	/* counted from 1; 0: none */
	size_t cut_tar;		/* that layer's tar ends in its middle */
	uint64_t claimed_bytes; /* size of the last layer in the manifest; 0: the true one */
};

static char *folder; /* the layout is in it, and the root */
static struct store *store;
static struct error err;
static bool keep_blobs; /* of what is pulled */

/* --- a layout --------------------------------------------------------------------------------- */

static void put_bytes(const struct buffer *bytes, struct digest *ret)
{
	char hex[DIGEST_TEXT_BYTES];
	cleanup_free char *path = NULL;
	FILE *file;

	digest_of(DIGEST_SHA256, bytes->data, bytes->len, ret);
	path = xasprintf("%s/layout/blobs/sha256/%s", folder, digest_hex(ret, hex));
	file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes->data, 1, bytes->len, file), bytes->len);
	assert_int_equal(fclose(file), 0);
}

static void make_layer(const struct recipe *r, size_t i, struct buffer *ret, struct digest *diff_id)
{
	cleanup_buffer struct buffer tar = {0};
	char name[] = {r->layers[i], '\0'};

	tarball_add(&tar, '0', name, 0644, "the content of a file");
	tarball_add(&tar, '0', "top", 0644, name);
	tarball_end(&tar);
	if (r->cut_tar == i + 1)
		tar.len = 520; /* within the content of the first file */
	digest_of(DIGEST_SHA256, tar.data, tar.len, diff_id);
	if (r->bad_diff_id == i + 1)
		diff_id->bytes[0] ^= 1;
	if (r->gzip)
		gzip_put_member(ret, tar.data, tar.len);
	else
		buffer_add(ret, tar.data, tar.len);
}

static void add_layer(const struct recipe *r, size_t i, struct buffer *manifest,
		      struct buffer *config)
{
	cleanup_buffer struct buffer blob = {0};
	struct digest diff_id, digest;
	char text[DIGEST_TEXT_BYTES];
	bool last = !r->layers[i + 1];

	make_layer(r, i, &blob, &diff_id);
	put_bytes(&blob, &digest);
	buffer_printf(config, "%s\"%s\"", i ? "," : "", digest_format(&diff_id, text));
	buffer_printf(manifest,
		      "%s{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar%s\","
		      "\"digest\":\"%s\",\"size\":%llu}",
		      i ? "," : "", r->gzip ? "+gzip" : "", digest_format(&digest, text),
		      last && r->claimed_bytes ? (unsigned long long)r->claimed_bytes
					       : (unsigned long long)blob.len);
}

/* The layout with this one image, "image"; the path of its last layer's blob is not kept. */
static void make_image(const struct recipe *r)
{
	cleanup_buffer struct buffer layers = {0}, ids = {0};
	cleanup_free char *layout = xasprintf("%s/layout", folder);
	cleanup_free char *config = NULL, *config_entry = NULL, *manifest = NULL, *entry = NULL;

	layout_begin(layout);
	for (size_t i = 0; r->layers[i]; i++)
		add_layer(r, i, &layers, &ids);
	config = xasprintf("{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"type\":"
			   "\"layers\",\"diff_ids\":[%s]}}",
			   ids.data ? (char *)ids.data : "");
	config_entry = layout_entry(layout, layout_blob(layout, config),
				    "application/vnd.oci.image.config.v1+json", "");
	manifest = xasprintf("{\"schemaVersion\":2,\"mediaType\":\"" LAYOUT_MANIFEST
			     "\",\"config\":%s,\"layers\":[%s]}",
			     config_entry, layers.data ? (char *)layers.data : "");
	entry = layout_entry(layout, layout_blob(layout, manifest), LAYOUT_MANIFEST,
			     ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"image\"}");
	layout_index(layout, entry);
}

/* --- a store ---------------------------------------------------------------------------------- */

static struct store *open_store(unsigned guard_percent)
{
	cleanup_free char *root = xasprintf("%s/root", folder);
	struct store_options options = {.root = root,
					.pool = "default",
					.engine = THIN_ENGINE_FILE,
					.verb = "test",
					.lock_timeout_ms = 1000,
					.min_free_data_percent = guard_percent};
	struct store *s;

	assert_ok(store_open(&options, &s, &err), &err);
	return s;
}

static int begin(void **state)
{
	struct store_pool_params params = {.data_bytes = 256 << 20, .base_bytes = 32 << 20};

	(void)state;
	folder = scratch_new();
	keep_blobs = false;
	store = open_store(0);
	assert_ok(store_pool_create(store, &params, &err), &err);
	return 0;
}

static int end(void **state)
{
	(void)state;
	store_close(store);
	scratch_free(folder);
	return 0;
}

/* Layers in the pool, the base not counted; none of them half made. */
static size_t count_layers(void)
{
	cleanup(snapshots_close_ptr) struct snapshots *s = NULL;
	const struct record *r;

	assert_ok(store_read(store, &s, &err), &err);
	r = snapshots_record(s);
	for (size_t i = 0; i < r->n; i++)
		assert_int_equal(r->entries[i].state, RECORD_READY);
	return r->n - 1;
}

static size_t count_images(void)
{
	struct catalog_image *images;
	size_t n;

	assert_ok(store_images(store, &images, &n, &err), &err);
	catalog_images_free(images, n);
	return n;
}

/* --- pulls ------------------------------------------------------------------------------------ */

/* Events as letters with the layer: "R P1 W2 A2 C2 D"; bytes being fetched are only counted. */
struct told {
	char text[EVENTS_MAX];
	atomic_size_t fetched;
	bool remove_image; /* another process does, when the first layer is told */
};

/* A layer that was found goes before anything stands on it. */
static void remove_image(void)
{
	struct store *other = open_store(0);
	struct catalog_image *images;
	size_t n;

	assert_ok(store_images(other, &images, &n, &err), &err);
	assert_int_equal(n, 1);
	assert_ok(store_remove_image(other, images[0].ref, &err), &err);
	catalog_images_free(images, n);
	store_close(other);
}

static void note(const struct unpack_event *e, void *arg)
{
	static const char letters[] = {
		[UNPACK_RESOLVED] = 'R', [UNPACK_PRESENT] = 'P',   [UNPACK_WAIT] = 'W',
		[UNPACK_APPLY] = 'A',	 [UNPACK_COMMITTED] = 'C', [UNPACK_DONE] = 'D',
	};
	struct told *told = arg;
	size_t len;

	if (e->step == UNPACK_FETCH) { /* from the fetching thread, all else from this one */
		atomic_fetch_add(&told->fetched, 1);
		return;
	}
	len = strlen(told->text);
	snprintf(told->text + len, sizeof(told->text) - len, "%s%c", len ? " " : "",
		 letters[e->step]);
	len = strlen(told->text);
	if (e->layer)
		snprintf(told->text + len, sizeof(told->text) - len, "%zu", e->layer);
	if (e->step == UNPACK_PRESENT && told->remove_image) {
		told->remove_image = false;
		remove_image();
	}
}

/* @local: blobs are read where they are, else they go through the spool. */
static int pull_from(struct store *s, bool local, struct told *told, struct unpack_result *ret)
{
	cleanup_free char *text = xasprintf("%s/layout:image", folder);
	struct unpack_options options = {.platform = {.os = "linux", .architecture = "amd64"},
					 .keep_blobs = keep_blobs,
					 .progress = note,
					 .arg = told};
	cleanup(source_close_ptr) struct source *source = NULL;

	error_clear(&err);
	assert_ok(oci_layout_open(text, &source, &err), &err);
	source->local = local;
	return unpack_image(s, source, &options, ret, &err);
}

static int pull(bool local)
{
	struct told told = {0};
	struct unpack_result result;

	return pull_from(store, local, &told, &result);
}

/* The content of a file of the image's top layer. */
static void assert_content(const char *path, const char *expected)
{
	cleanup_free char *ref = xasprintf("oci:%s/layout:image", folder);
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;
	cleanup(thin_volume_close_ptr) struct thin_volume *volume = NULL;
	cleanup(ext4_reader_close_ptr) struct ext4_reader *reader = NULL;
	cleanup_buffer struct buffer data = {0};

	assert_ok(store_open_volume(store, ref, &session, &volume, &err), &err);
	assert_ok(ext4_reader_open(volume, &reader, &err), &err);
	assert_ok(ext4_reader_read_file(reader, path, 100, &data, &err), &err);
	assert_int_equal(data.len, strlen(expected));
	assert_memory_equal(data.data, expected, data.len);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void layers_are_applied_in_order_and_told(void **state)
{
	struct told told = {0};
	struct unpack_result result;

	(void)state;
	make_image(&(struct recipe){.layers = "abc", .gzip = true});
	assert_ok(pull_from(store, true, &told, &result), &err);
	assert_string_equal(told.text, "R W1 W2 W3 A1 C1 A2 C2 A3 C3 D");
	assert_int_equal(told.fetched, 0);
	assert_int_equal(result.n_layers, 3);
	assert_int_equal(result.n_fetched, 3);
	assert_true(result.fetched_bytes > 0);
	assert_true(digest_equal(&result.digest, &result.manifest));
	assert_int_equal(count_layers(), 3);
	assert_content("top", "c");
	assert_content("a", "the content of a file");
}

static void blobs_from_afar_go_through_the_spool(void **state)
{
	struct told told = {0};
	struct unpack_result result;

	(void)state;
	make_image(&(struct recipe){.layers = "abcde"});
	assert_ok(pull_from(store, false, &told, &result), &err);
	assert_string_equal(told.text, "R W1 W2 W3 W4 W5 A1 C1 A2 C2 A3 C3 A4 C4 A5 C5 D");
	assert_true(told.fetched >= 5);
	assert_int_equal(result.n_fetched, 5);
	assert_content("top", "e");
}

static void what_is_there_is_not_fetched_again(void **state)
{
	struct told again = {0}, more = {0};
	struct unpack_result result;

	(void)state;
	make_image(&(struct recipe){.layers = "ab"});
	assert_ok(pull(true), &err);
	assert_ok(pull_from(store, true, &again, &result), &err);
	assert_string_equal(again.text, "R P1 P2 D");
	assert_int_equal(result.n_fetched, 0);
	/* Compressed they are other blobs of the same layers. */
	make_image(&(struct recipe){.layers = "abc", .gzip = true});
	assert_ok(pull_from(store, false, &more, &result), &err);
	assert_string_equal(more.text, "R P1 P2 W3 A3 C3 D");
	assert_int_equal(result.n_fetched, 1);
	assert_content("top", "c");
	assert_content("b", "the content of a file");
}

static void blobs_are_kept_when_asked_for_also_of_layers_that_are_there(void **state)
{
	struct told told = {0}, again = {0}, third = {0};
	struct unpack_result result;

	(void)state;
	make_image(&(struct recipe){.layers = "ab", .gzip = true});
	assert_ok(pull(false), &err);
	keep_blobs = true;
	make_image(&(struct recipe){.layers = "abc", .gzip = true});
	assert_ok(pull_from(store, false, &told, &result), &err);
	assert_string_equal(told.text, "R P1 P2 W3 A3 C3 D");
	assert_true(told.fetched > 0);
	assert_int_equal(result.n_fetched, 3);
	assert_content("c", "the content of a file");
	assert_ok(pull_from(store, false, &again, &result), &err);
	assert_int_equal(again.fetched, 0);
	assert_int_equal(result.n_fetched, 0);
	/* From a folder they are copied, too, and taken from the copy. */
	make_image(&(struct recipe){.layers = "xy"});
	assert_ok(pull_from(store, true, &third, &result), &err);
	assert_int_equal(result.n_fetched, 2);
	assert_content("y", "the content of a file");
}

static void a_blob_that_cannot_be_kept_ends_it(void **state)
{
	(void)state;
	keep_blobs = true;
	make_image(&(struct recipe){.layers = "ab", .claimed_bytes = 7});
	assert_int_equal(pull(true), -1);
	assert_error(&err, ERR_VERIFICATION, "layer 2/2 sha256:");
	assert_int_equal(count_layers(), 0);
	assert_int_equal(count_images(), 0);
}

static void an_image_without_layers_is_the_empty_file_system(void **state)
{
	struct told told = {0};
	struct unpack_result result;

	(void)state;
	make_image(&(struct recipe){.layers = ""});
	assert_ok(pull_from(store, false, &told, &result), &err);
	assert_string_equal(told.text, "R D");
	assert_int_equal(count_layers(), 0);
	assert_int_equal(count_images(), 1);
}

/* What was committed before stays, and a second try goes on from there. */
static void an_error_commits_nothing_of_its_layer(void **state)
{
	static const struct {
		struct recipe recipe;
		enum error_kind kind;
		const char *text;
	} cases[] = {
		{{.layers = "abc", .bad_diff_id = 2}, ERR_VERIFICATION, "layer 2/3"},
		{{.layers = "abc", .bad_diff_id = 2, .gzip = true}, ERR_VERIFICATION, "DiffID is"},
		{{.layers = "abc", .cut_tar = 2}, ERR_INVALID, "layer 2/3"},
		{{.layers = "ab", .claimed_bytes = 2000}, ERR_VERIFICATION, "layer 2/2"},
		{{.layers = "ab", .claimed_bytes = 4000}, ERR_VERIFICATION, "layer 2/2"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (int local = 0; local < 2; local++) {
			make_image(&cases[i].recipe);
			if (pull(local) != -1)
				fail_msg("case %zu, local %d", i, local);
			assert_error(&err, cases[i].kind, cases[i].text);
			assert_int_equal(count_layers(), 1);
			assert_int_equal(count_images(), 0);
		}
	}
	make_image(&(struct recipe){.layers = "abc"});
	assert_ok(pull(true), &err);
	assert_int_equal(count_layers(), 3);
}

/* Damage shows first in whatever reads the bytes; the blob is what is wrong. */
static void a_damaged_blob_at_hand_is_blamed(void **state)
{
	cleanup_free char *command = xasprintf(
		"cd '%s/layout/blobs/sha256' && for f in $(grep -l 'content of a file' *); do "
		"printf 'xxxx' | dd of=$f bs=1 seek=100 conv=notrunc status=none; done",
		folder);

	(void)state;
	make_image(&(struct recipe){.layers = "a"});
	assert_int_equal(system(command), 0);
	assert_int_equal(pull(true), -1);
	assert_error(&err, ERR_VERIFICATION, "blob is sha256:");
	assert_int_equal(pull(false), -1);
	assert_error(&err, ERR_VERIFICATION, "blob is sha256:");
	assert_int_equal(count_layers(), 0);
}

static void what_does_not_fit_is_refused_before_it_is_fetched(void **state)
{
	/* The last two are such that three times as much is little again, modulo 2^64. */
	static const uint64_t claims[] = {UINT64_C(64) << 20, INT64_MAX,
					  UINT64_C(0x5555555555555556),
					  UINT64_C(0x6aaaaaaaaaaaaaab)};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(claims); i++) {
		struct told told = {0};
		struct unpack_result result;

		make_image(
			&(struct recipe){.layers = "ab", .gzip = true, .claimed_bytes = claims[i]});
		assert_int_equal(pull_from(store, false, &told, &result), -1);
		assert_error(&err, ERR_NO_SPACE, "do not fit into a base file system");
		assert_string_equal(told.text, "R");
		assert_int_equal(told.fetched, 0);
	}
}

static void below_the_guard_nothing_is_pulled(void **state)
{
	struct store *careful = open_store(100);
	struct told told = {0};
	struct unpack_result result;

	(void)state;
	make_image(&(struct recipe){.layers = "ab"});
	assert_int_equal(pull_from(careful, true, &told, &result), -1);
	assert_error(&err, ERR_NO_SPACE, "must stay free");
	store_close(careful);
	assert_int_equal(count_layers(), 0);
	assert_ok(pull(true), &err);
}

/* Removed by another process between the look at the pool and the first write. */
static void a_layer_that_vanishes_is_fetched_after_all(void **state)
{
	struct told told = {.remove_image = true}, all = {.remove_image = true};
	struct unpack_result result;

	(void)state;
	make_image(&(struct recipe){.layers = "a"});
	assert_ok(pull(true), &err);
	make_image(&(struct recipe){.layers = "ab"});
	assert_ok(pull_from(store, false, &told, &result), &err);
	assert_string_equal(told.text, "R P1 W2 A2 W1 W2 A1 C1 A2 C2 D");
	assert_content("top", "b");
	assert_int_equal(count_layers(), 2);
	/* And when nothing was missing at first. */
	assert_ok(pull_from(store, true, &all, &result), &err);
	assert_string_equal(all.text, "R P1 P2 W1 W2 A1 C1 A2 C2 D");
	assert_int_equal(count_images(), 1);
}

static void a_pool_is_made_when_there_is_none(void **state)
{
	cleanup_free char *command = xasprintf("rm -r '%s/root'", folder);

	(void)state;
	store_close(store);
	assert_int_equal(system(command), 0);
	store = open_store(0);
	make_image(&(struct recipe){.layers = "a"});
	assert_ok(pull(true), &err);
	assert_true(store_pool_exists(store));
	assert_content("top", "a");
}

static void nobody_need_be_told(void **state)
{
	cleanup_free char *text = xasprintf("%s/layout:image", folder);
	struct unpack_options options = {.platform = {.os = "linux", .architecture = "amd64"}};
	cleanup(source_close_ptr) struct source *source = NULL;
	struct unpack_result result;

	(void)state;
	make_image(&(struct recipe){.layers = "a"});
	assert_ok(oci_layout_open(text, &source, &err), &err);
	assert_ok(unpack_image(store, source, &options, &result, &err), &err);
	assert_int_equal(result.n_layers, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(layers_are_applied_in_order_and_told),
		CASE(blobs_from_afar_go_through_the_spool),
		CASE(what_is_there_is_not_fetched_again),
		CASE(blobs_are_kept_when_asked_for_also_of_layers_that_are_there),
		CASE(a_blob_that_cannot_be_kept_ends_it),
		CASE(an_image_without_layers_is_the_empty_file_system),
		CASE(an_error_commits_nothing_of_its_layer),
		CASE(a_damaged_blob_at_hand_is_blamed),
		CASE(what_does_not_fit_is_refused_before_it_is_fetched),
		CASE(below_the_guard_nothing_is_pulled),
		CASE(a_layer_that_vanishes_is_fetched_after_all),
		CASE(a_pool_is_made_when_there_is_none),
		CASE(nobody_need_be_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
