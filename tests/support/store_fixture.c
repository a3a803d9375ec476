/* SPDX-License-Identifier: Apache-2.0 */
/* Writes layers as plain blocks and documents as text. */
#include "tests/support/store_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "oci/chain.h"
#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"
#include "tests/support/cmocka.h"
#include "tests/support/layout_folder.h"

#define BASE_BYTES  (UINT64_C(32) << 20)
#define FIRST_BLOCK 300 /* of the upper half, which the empty file system does not use */

enum { LAYERS_MAX = 16 };

static struct error err;

void store_fixture_init(struct store_fixture *f)
{
	struct store_options options = {.pool = "default",
					.engine = THIN_ENGINE_FILE,
					.verb = "test",
					.lock_timeout_ms = 1000};
	struct store_pool_params params = {.data_bytes = 256 << 20, .base_bytes = BASE_BYTES};

	f->root = make_folder();
	options.root = f->root;
	assert_ok(store_open(&options, &f->store, &err), &err);
	assert_ok(store_pool_create(f->store, &params, &err), &err);
}

void store_fixture_release(struct store_fixture *f)
{
	store_close(f->store);
	remove_folder(f->root);
}

struct store *store_fixture_open_guarded(const struct store_fixture *f, const char *pool,
					 const struct store_fixture_guard *o)
{
	struct store_options options = {.root = f->root,
					.pool = pool,
					.engine = THIN_ENGINE_FILE,
					.verb = "again",
					.lock_timeout_ms = 100,
					.min_free_data_percent = o->data_percent,
					.min_free_metadata_percent = o->metadata_percent,
					.autoextend = o->autoextend};
	struct store *s;

	assert_ok(store_open(&options, &s, &err), &err);
	return s;
}

struct store *store_fixture_open(const struct store_fixture *f, const char *pool)
{
	return store_fixture_open_guarded(f, pool, &(struct store_fixture_guard){0});
}

/* --- layers ----------------------------------------------------------------------------------- */

struct digest store_fixture_diff_id(char layer)
{
	struct digest d;

	digest_of(DIGEST_SHA256, &layer, 1, &d);
	return d;
}

struct digest store_fixture_chain_id(const char *layers)
{
	struct digest diff_ids[LAYERS_MAX] = {0}, chain[LAYERS_MAX] = {0};
	size_t n = strlen(layers);

	for (size_t i = 0; i < n; i++)
		diff_ids[i] = store_fixture_diff_id(layers[i]);
	oci_chain_ids(diff_ids, n, chain);
	return n ? chain[n - 1] : (struct digest){0};
}

static void write_block(struct thin_volume *v, uint64_t block, char mark)
{
	cleanup_free char *bytes = xmalloc(STORE_FIXTURE_BLOCK);

	memset(bytes, mark, STORE_FIXTURE_BLOCK);
	assert_ok(thin_volume_write(v, bytes, STORE_FIXTURE_BLOCK, block * STORE_FIXTURE_BLOCK,
				    &err),
		  &err);
}

static void add_layer(struct snapshots *s, const char *below, char letter, const char *with)
{
	struct digest parent = store_fixture_chain_id(below);
	struct layer_identity identity = {.chain_id = store_fixture_chain_id(with),
					  .diff_id = store_fixture_diff_id(letter),
					  .content_bytes = 1000 + (uint64_t)letter};
	struct snapshot *snap;

	if (snapshots_find_layer(s, &identity.chain_id))
		return;
	assert_ok(snapshot_prepare(s, *below ? &parent : NULL, &identity.chain_id, &snap, &err),
		  &err);
	write_block(snapshot_volume(snap), FIRST_BLOCK, letter);
	write_block(snapshot_volume(snap), FIRST_BLOCK + (uint64_t)letter, letter);
	assert_ok(snapshot_commit(&snap, &identity, NULL, &err), &err);
}

void store_fixture_layers(struct store_fixture *f, const char *layers)
{
	cleanup(snapshots_close_ptr) struct snapshots *s = NULL;

	assert_ok(store_write(f->store, &s, &err), &err);
	for (size_t i = 0; layers[i]; i++) {
		cleanup_free char *below = xstrndup(layers, i);
		cleanup_free char *with = xstrndup(layers, i + 1);

		add_layer(s, below, layers[i], with);
	}
}

/* --- images ----------------------------------------------------------------------------------- */

static struct digest put(struct store_fixture *f, const struct buffer *text)
{
	struct content *content;
	struct digest d;

	digest_of(DIGEST_SHA256, text->data, text->len, &d);
	assert_ok(store_content(f->store, &content, &err), &err);
	assert_ok(content_put(content, &d, text->data, text->len, &err), &err);
	return d;
}

static struct digest put_config(struct store_fixture *f, const char *layers, const char *more,
				uint64_t *ret_len)
{
	cleanup_buffer struct buffer text = {0};
	char digest[DIGEST_TEXT_BYTES];

	buffer_printf(&text, "{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":"
			     "{\"type\":\"layers\",\"diff_ids\":[");
	for (size_t i = 0; layers[i]; i++) {
		struct digest d = store_fixture_diff_id(layers[i]);

		buffer_printf(&text, "%s\"%s\"", i ? "," : "", digest_format(&d, digest));
	}
	buffer_printf(&text, "]}%s}", more);
	*ret_len = text.len;
	return put(f, &text);
}

/* The blob of a layer is never looked at: any digest will do. */
static struct digest put_manifest(struct store_fixture *f, const char *layers, const char *config,
				  uint64_t *ret_len)
{
	cleanup_buffer struct buffer text = {0};
	char digest[DIGEST_TEXT_BYTES];
	uint64_t len;
	struct digest d = put_config(f, layers, config, &len);

	buffer_printf(&text,
		      "{\"schemaVersion\":2,\"mediaType\":\"" LAYOUT_MANIFEST "\",\"config\":"
		      "{\"mediaType\":\"application/vnd.oci.image.config.v1+json\","
		      "\"digest\":\"%s\",\"size\":%llu},\"layers\":[",
		      digest_format(&d, digest), (unsigned long long)len);
	for (size_t i = 0; layers[i]; i++) {
		d = store_fixture_diff_id(layers[i]);
		buffer_printf(&text,
			      "%s{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\","
			      "\"digest\":\"%s\",\"size\":%d}",
			      i ? "," : "", digest_format(&d, digest), 500 + layers[i]);
	}
	buffer_printf(&text, "]}");
	*ret_len = text.len;
	return put(f, &text);
}

void store_fixture_image(struct store_fixture *f, const char *ref, const char *layers,
			 const char *config)
{
	struct content_image image = {.ref = (char *)(uintptr_t)ref,
				      .platform = (char[]){"linux/amd64"},
				      .created = (char[]){"2026-01-02T03:04:05Z"},
				      .pool = (char[]){"default"}};
	struct content *content;

	store_fixture_layers(f, layers);
	image.manifest = put_manifest(f, layers, config, &image.manifest_bytes);
	image.target = image.manifest;
	assert_ok(store_content(f->store, &content, &err), &err);
	assert_ok(content_set_image(content, &image, &err), &err);
}

/* --- containers ------------------------------------------------------------------------------- */

void store_fixture_container(struct store_fixture *f, const char *ref, const char *name)
{
	struct store_container_options options = {.name = name};
	cleanup_free char *made = NULL;

	assert_ok(store_create_container(f->store, ref, &options, &made, &err), &err);
	assert_string_equal(made, name);
}

void store_fixture_write(struct store_fixture *f, const char *name, uint64_t at, uint64_t n)
{
	cleanup(snapshots_close_ptr) struct snapshots *s = NULL;
	cleanup(thin_volume_close_ptr) struct thin_volume *v = NULL;
	const struct record_entry *e;

	assert_ok(store_write(f->store, &s, &err), &err);
	e = record_find_container(snapshots_record(s), name);
	assert_non_null(e);
	assert_ok(thin_pool_open_volume(snapshots_pool(s), e->thin_id, e->size_bytes, true, &v,
					&err),
		  &err);
	for (uint64_t i = 0; i < n; i++)
		write_block(v, at + i, 'w');
	assert_ok(thin_pool_commit(snapshots_pool(s), snapshots_record(s)->transaction_id, &err),
		  &err);
}

uint64_t store_fixture_used(struct store_fixture *f)
{
	struct thin_pool_status status;

	assert_ok(store_pool_status(f->store, &status, &err), &err);
	return status.data_used_blocks * status.block_bytes;
}
