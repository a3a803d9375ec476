/* SPDX-License-Identifier: Apache-2.0 */
/* THE FILE TO READ FIRST: how an image becomes thin snapshots. */
#include "oci/unpack.h"

#include <stdlib.h>
#include <string.h>

#include "oci/chain.h"
#include "oci/image.h"
#include "oci/layer.h"
#include "oci/spool.h"
#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/base/timestamp.h"
#include "pkg/base/uuid.h"

enum {
	/* Read-ahead between inflating on one core, and hashing and writing on the other. */
	READ_AHEAD_BYTES = 4 << 20,
	/* Layers can vanish under a pull when another process removes the image that shares them.
	 */
	UNPACK_TRIES = 6,
};

struct unpack {
	struct store *store;
	struct source *source;
	const struct unpack_options *options;
	struct oci_image image;
	struct digest *chain_ids; /* of the layers, lowest first */
	struct ext4_tree *tree; /* what is known of the layer below, handed from one to the next */
	struct spool *spool;	/* NULL when blobs are at hand */
	struct snapshots
		*session; /* between two layers: of a pool that others may have then; or NULL */
	size_t first;	  /* the first layer that is missing */
	enum stream_codec nested;	/* what the layer at work is once it has been unpacked */
	bool vanished;			/* a layer that was there has been removed meanwhile */
	struct thin_pool_counts counts; /* of the session, up to the layer before */
	uint64_t commits;
	struct unpack_result result;
};

static void unpack_release(struct unpack *u)
{
	spool_close(u->spool);
	snapshots_close(u->session);
	ext4_tree_free(u->tree);
	oci_image_release(&u->image);
	free(u->chain_ids);
}

static void tell(struct unpack *u, enum unpack_step step, size_t layer, uint64_t bytes)
{
	const struct oci_manifest *m = &u->image.manifest;
	bool in_range = layer > 0 && layer <= m->n_layers;
	struct unpack_event event = {
		.step = step,
		.layer = layer,
		.n_layers = m->n_layers,
		.digest = in_range ? &m->layers[layer - 1].digest : NULL,
		.bytes = bytes,
		.total_bytes = in_range ? m->layers[layer - 1].size_bytes : 0,
	};

	if (u->options->progress)
		u->options->progress(&event, u->options->arg);
}

/* --- one layer -------------------------------------------------------------------------------- */

static int open_kept(struct unpack *u, const struct oci_descriptor *blob, struct stream **ret,
		     struct error *err)
{
	struct content *content;

	if (store_content(u->store, &content, err) < 0
	    || content_open_kept(content, blob, ret, err) < 0)
		return -1;
	return stream_verify(ret, &blob->digest, blob->size_bytes, "blob", err);
}

/* The blob's bytes, whole: verified already when spooled, on the way when they are at hand. */
static int open_blob(struct unpack *u, size_t i, struct stream **ret, uint64_t *ret_fetched,
		     struct error *err)
{
	const struct oci_descriptor *blob = &u->image.manifest.layers[i];

	if (u->spool)
		return spool_take(u->spool, ret, ret_fetched, err);
	*ret_fetched = blob->size_bytes;
	if (u->options->keep_blobs)
		return open_kept(u, blob, ret, err);
	if (source_fetch(u->source, blob, ret, err) < 0)
		return -1;
	return stream_verify(ret, &blob->digest, blob->size_bytes, "blob", err);
}

/* The type of a layer may be wrong about its compression; the bytes are right (rule A70). */
static void note_codec(const struct unpack *u, size_t i, enum stream_codec is)
{
	const struct oci_descriptor *blob = &u->image.manifest.layers[i];
	char text[DIGEST_TEXT_BYTES];
	enum stream_codec said;

	if (oci_media_type_codec(blob->media_type_text, &said) && said != is)
		log_warning("layer %zu/%zu %s: its type is %s, its content is %s and taken as that",
			    i + 1, u->image.manifest.n_layers, digest_format(&blob->digest, text),
			    blob->media_type_text, stream_codec_name(is));
}

/* Stack the stages from blob to tar members. */
static int open_members(struct unpack *u, size_t i, struct stream **blob, uint64_t limit_bytes,
			struct tar_reader **ret, struct error *err)
{
	enum stream_codec codec;

	if (stream_sniff(*blob, &codec, err) < 0
	    || stream_decompress(blob, codec, limit_bytes, err) < 0)
		return -1;
	note_codec(u, i, codec);
	if (stream_async(blob, READ_AHEAD_BYTES, err) < 0
	    || stream_verify(blob, &u->image.config.diff_ids[i], STREAM_SIZE_UNKNOWN, "DiffID", err)
		       < 0
	    || stream_sniff(*blob, &u->nested, err) < 0)
		return -1;
	return tar_reader_open(blob, ret, err);
}

/* Write a layer into its snapshot; everything is verified when this has succeeded. */
static int fill_snapshot(struct unpack *u, size_t i, struct stream **blob,
			 struct snapshot *snapshot, struct layer_totals *ret, struct error *err)
{
	struct thin_volume *volume = snapshot_volume(snapshot);
	cleanup(tar_reader_close_ptr) struct tar_reader *tar = NULL;
	cleanup(ext4_writer_abort_ptr) struct ext4_writer *fs = NULL;
	uint8_t uuid[UUID_BYTES];

	uuid_from_bytes(u->chain_ids[i].bytes, uuid);
	if (open_members(u, i, blob, 2 * thin_volume_size(volume), &tar, err) < 0
	    || ext4_writer_open(volume, u->tree, uuid, &fs, err) < 0
	    || layer_apply(tar, fs, ret, err) < 0
	    || tar_reader_finish(tar, err) < 0 /* drains; size, digests and checksums hold */
	    || ext4_writer_finish(&fs, err) < 0)
		return -1;
	return 0;
}

/* The parent's content is known only if this process wrote it just before. */
static void forget_tree(struct unpack *u)
{
	ext4_tree_free(u->tree);
	u->tree = ext4_tree_new();
}

/* What the engine of the pool was asked for since the last layer, where it counts. */
static void tell_cost(struct unpack *u, size_t i)
{
	struct thin_pool_counts now;
	uint64_t commits = snapshots_commits(u->session);

	thin_pool_counts(snapshots_pool(u->session), &now);
	if (now.ioctls)
		log_debug("layer %zu: %llu ioctls, %llu flushes, %llu record commits", i + 1,
			  (unsigned long long)(now.ioctls - u->counts.ioctls),
			  (unsigned long long)(now.flushes - u->counts.flushes),
			  (unsigned long long)(commits - u->commits));
	u->counts = now;
	u->commits = commits;
}

/* Another process was faster. */
static int find_present(struct unpack *u, size_t i)
{
	forget_tree(u);
	tell(u, UNPACK_PRESENT, i + 1, 0);
	return 0;
}

static int apply_in_session(struct unpack *u, size_t i, struct stream **blob, struct error *err)
{
	const struct digest *chain = &u->chain_ids[i];
	const struct digest *parent = i ? &chain[-1] : NULL;
	bool last = i + 1 == u->image.manifest.n_layers;
	cleanup(snapshot_abort_ptr) struct snapshot *snapshot = NULL;
	struct layer_totals totals = {0};
	struct layer_identity identity = {
		.chain_id = *chain,
		.diff_id = u->image.config.diff_ids[i],
	};
	int there;

	if (snapshots_find_layer(u->session, chain))
		return find_present(u, i);
	tell(u, UNPACK_APPLY, i + 1, 0);
	there = snapshot_prepare(u->session, parent, chain, &snapshot, err);
	if (there == 1)
		return find_present(u, i);
	u->vanished = there < 0 && parent && !snapshots_find_layer(u->session, parent);
	if (there < 0 || fill_snapshot(u, i, blob, snapshot, &totals, err) < 0)
		return -1;
	identity.content_bytes = totals.content_bytes;
	if (snapshot_commit(&snapshot, &identity, last ? NULL : &chain[1], err) < 0)
		return -1;
	log_debug("layer %zu: %llu entries, %llu bytes", i + 1, (unsigned long long)totals.entries,
		  (unsigned long long)totals.content_bytes);
	tell_cost(u, i);
	tell(u, UNPACK_COMMITTED, i + 1, totals.content_bytes);
	return 0;
}

/*
 * A blob at hand is verified while it is read, and damage shows first in whatever reads it. When it
 * is not what its digest says, that is the error to report.
 */
static void blame_blob(struct unpack *u, size_t i, struct error *err)
{
	const struct oci_descriptor *blob = &u->image.manifest.layers[i];
	cleanup(stream_close_ptr) struct stream *in = NULL;
	struct error why = {0};

	if (u->spool || u->options->keep_blobs || err->kind != ERR_INVALID)
		return;
	if (source_fetch(u->source, blob, &in, &why) < 0
	    || stream_verify(&in, &blob->digest, blob->size_bytes, "blob", &why) < 0
	    || stream_finish(in, &why) < 0)
		*err = why;
}

/* A member's name may look like a codec, so it counts only where no tar was found. */
static void blame_nesting(const struct unpack *u, struct error *err)
{
	if (u->nested != STREAM_PLAIN && err->kind == ERR_INVALID)
		error_wrap(err, "compressed twice (%s inside), which is never undone",
			   stream_codec_name(u->nested));
}

/* The pool as it is now, for this layer alone to change. */
static int begin_session(struct unpack *u, struct error *err)
{
	if (u->session)
		return snapshots_go_on(u->session, err);
	u->counts = (struct thin_pool_counts){0};
	u->commits = 0;
	return store_write(u->store, &u->session, err);
}

static void count_fetched(struct unpack *u, uint64_t bytes)
{
	u->result.n_fetched++;
	u->result.fetched_bytes += bytes;
}

/* It will be no better another time. */
static bool is_of_the_blob(const struct error *err)
{
	return err->kind == ERR_INVALID || err->kind == ERR_UNSUPPORTED
	       || err->kind == ERR_VERIFICATION;
}

static int unpack_layer(struct unpack *u, size_t i, struct error *err)
{
	cleanup(stream_close_ptr) struct stream *blob = NULL;
	uint64_t fetched = 0;

	/* The pool is locked only now that the whole blob is here. */
	if (open_blob(u, i, &blob, &fetched, err) < 0 || begin_session(u, err) < 0)
		return -1;
	if (!u->options->keep_blobs)
		count_fetched(u, fetched);
	if (apply_in_session(u, i, &blob, err) < 0) {
		if (u->spool && is_of_the_blob(err))
			spool_drop(u->spool);
		return -1;
	}
	if (u->spool)
		spool_drop(u->spool);
	return snapshots_rest(&u->session, err);
}

/* --- all layers ------------------------------------------------------------------------------- */

/* Everything up to the highest layer that is there need not be fetched. */
static void find_first_missing(struct unpack *u, const struct snapshots *snapshots)
{
	u->first = u->image.manifest.n_layers;
	while (u->first > 0 && !snapshots_find_layer(snapshots, &u->chain_ids[u->first - 1]))
		u->first--;
}

/* 3.1 was measured for gzip, 3.6 for zstd. */
uint64_t unpack_estimate(const struct oci_descriptor *d)
{
	enum stream_codec codec;
	uint64_t factor = 1, bytes;

	if (oci_media_type_codec(d->media_type_text, &codec))
		factor = codec == STREAM_GZIP ? 3 : codec == STREAM_ZSTD ? 4 : 1;
	return __builtin_mul_overflow(d->size_bytes, factor, &bytes) ? UINT64_MAX / 2 : bytes;
}

/* What is missing, and whether there is room for it, before anything is fetched. */
static int plan(struct unpack *u, struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *snapshots = NULL;
	uint64_t need = 0;

	if (store_read(u->store, &snapshots, err) < 0)
		return -1;
	find_first_missing(u, snapshots);
	for (size_t i = u->first; i < u->image.manifest.n_layers; i++) {
		uint64_t bytes = unpack_estimate(&u->image.manifest.layers[i]);

		need = need + bytes < need ? UINT64_MAX / 2 : need + bytes;
	}
	if (!need)
		return 0;
	if (need > snapshots_record(snapshots)->base_bytes)
		return error_set(err, ERR_NO_SPACE,
				 "about %llu MiB do not fit into a base file system of %llu MiB; "
				 "make a pool with a larger --base-size",
				 (unsigned long long)(need >> 20),
				 (unsigned long long)(snapshots_record(snapshots)->base_bytes
						      >> 20));
	if (store_make_room(u->store, snapshots_pool(snapshots), need, err) < 0)
		return -1;
	return store_guard(u->store, snapshots_pool(snapshots), need, err);
}

static void spool_told(size_t i, uint64_t bytes, void *arg)
{
	struct unpack *u = arg;

	tell(u, UNPACK_FETCH, u->first + i + 1, bytes);
}

static void kept_told(size_t i, enum blob_copy_step step, uint64_t bytes, void *arg)
{
	if (step == BLOB_COPY_COMES)
		tell(arg, UNPACK_FETCH, i + 1, bytes);
}

/* Is there a lower layer with the same blob? It is one blob. */
static bool is_same_as_before(const struct oci_manifest *m, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (digest_equal(&m->layers[j].digest, &m->layers[i].digest))
			return true;
	return false;
}

/* All of them before the first is unpacked, from where they are then: they are at hand. */
static int keep_blobs(struct unpack *u, struct error *err)
{
	const struct oci_manifest *m = &u->image.manifest;
	const struct blob_copy how = {
		.source = u->source,
		.spool_dir = store_spool_dir(u->store),
		.at_once = u->options->downloads,
		.what = "layer",
		.progress = kept_told,
		.arg = u,
	};
	cleanup_free const struct oci_descriptor **blobs = xcalloc(m->n_layers + 1, sizeof(*blobs));
	struct blob_copied copied;
	struct content *content;
	size_t n = 0;

	for (size_t i = 0; i < m->n_layers; i++)
		if (!is_same_as_before(m, i))
			blobs[n++] = &m->layers[i];
	if (store_content(u->store, &content, err) < 0
	    || content_keep(content, &how, blobs, n, &copied, err) < 0)
		return -1;
	u->result.n_fetched += copied.n;
	u->result.fetched_bytes += copied.fetched_bytes;
	return 0;
}

static int unpack_missing(struct unpack *u, struct error *err)
{
	const struct oci_manifest *m = &u->image.manifest;

	for (size_t i = 0; i < u->first; i++)
		tell(u, UNPACK_PRESENT, i + 1, 0);
	for (size_t i = u->first; i < m->n_layers; i++)
		tell(u, UNPACK_WAIT, i + 1, 0);
	if (u->options->keep_blobs && keep_blobs(u, err) < 0)
		return -1;
	if (!u->options->keep_blobs && !u->source->local && u->first < m->n_layers)
		u->spool = spool_open(store_spool_dir(u->store), u->source, m->layers + u->first,
				      m->n_layers - u->first, u->options->downloads, spool_told, u);
	for (size_t i = u->first; i < m->n_layers; i++) {
		char text[DIGEST_TEXT_BYTES];

		u->nested = STREAM_PLAIN;
		if (unpack_layer(u, i, err) < 0) {
			blame_nesting(u, err);
			blame_blob(u, i, err);
			return error_wrap(err, "layer %zu/%zu %s", i + 1, m->n_layers,
					  digest_format(&m->layers[i].digest, text));
		}
	}
	return 0;
}

static int unpack_layers(struct unpack *u, struct error *err)
{
	int status;

	forget_tree(u);
	if (plan(u, err) < 0)
		return -1;
	status = unpack_missing(u, err);
	spool_close(u->spool);
	u->spool = NULL;
	snapshots_close(u->session);
	u->session = NULL;
	return status;
}

/* --- the image -------------------------------------------------------------------------------- */

static int put_documents(struct unpack *u, struct content *content, struct error *err)
{
	for (size_t i = 0; i < u->image.n_documents; i++) {
		const struct oci_document *d = &u->image.documents[i];

		if (content_put(content, &d->digest, d->bytes.data, d->bytes.len, err) < 0)
			return -1;
	}
	return 0;
}

static int set_image(struct unpack *u, struct content *content, struct error *err)
{
	char platform[112], created[TIMESTAMP_BYTES];
	struct content_image entry = {
		.ref = u->source->name,
		.target = u->image.target.digest,
		.manifest = u->image.descriptor.digest,
		.manifest_bytes = u->image.descriptor.size_bytes,
		.platform = platform,
		.created = timestamp_now(created),
		.pool = xstrdup(store_pool_name(u->store)),
	};
	int status;

	oci_platform_format(&u->image.config.platform, platform, sizeof(platform));
	status = content_set_image(content, &entry, err);
	free(entry.pool);
	return status;
}

/*
 * Name the image. Under the pool's lock, so that its layers cannot be removed meanwhile.
 * ERR_NOT_FOUND when they were.
 */
static int register_image(struct unpack *u, struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *snapshots = NULL;
	size_t n = u->image.manifest.n_layers;
	struct content *content;

	if (store_content(u->store, &content, err) < 0
	    || store_write(u->store, &snapshots, err) < 0)
		return -1;
	u->vanished = n && !snapshots_find_layer(snapshots, &u->chain_ids[n - 1]);
	if (u->vanished)
		return error_set(err, ERR_NOT_FOUND, "its layers were removed meanwhile");
	if (put_documents(u, content, err) < 0)
		return -1;
	return set_image(u, content, err);
}

static int ensure_pool(struct store *store, struct error *err)
{
	struct store_pool_params defaults = {0};

	if (store_pool_exists(store))
		return 0;
	if (store_pool_create(store, &defaults, err) < 0) {
		if (err->kind != ERR_BUSY || !store_pool_exists(store))
			return -1;
		/* Another process made it at the same time. */
		error_clear(err);
	}
	return 0;
}

/* Down to the manifest, and the names of what its layers will be. */
static int resolve_image(struct unpack *u, struct error *err)
{
	const struct oci_config *config = &u->image.config;
	struct content *content;

	if (store_content(u->store, &content, err) < 0
	    || oci_image_resolve(u->source, &u->options->platform, content, &u->image, err) < 0)
		return -1;
	u->chain_ids = xcalloc(config->n_diff_ids + 1, sizeof(*u->chain_ids));
	oci_chain_ids(config->diff_ids, config->n_diff_ids, u->chain_ids);
	return 0;
}

int unpack_image(struct store *store, struct source *source, const struct unpack_options *options,
		 struct unpack_result *ret, struct error *err)
{
	cleanup(unpack_release) struct unpack u = {.store = store,
						   .source = source,
						   .options = options};

	if (resolve_image(&u, err) < 0 || ensure_pool(store, err) < 0)
		return -1;
	tell(&u, UNPACK_RESOLVED, 0, 0);
	for (unsigned tries = 1;; tries++) {
		if (unpack_layers(&u, err) == 0 && register_image(&u, err) == 0)
			break;
		if (!u.vanished || tries == UNPACK_TRIES)
			return -1;
		u.vanished = false;
		log_debug("pull: %s; trying again", err->cause);
	}
	u.result.digest = u.image.target.digest;
	u.result.manifest = u.image.descriptor.digest;
	u.result.n_layers = u.image.manifest.n_layers;
	*ret = u.result;
	tell(&u, UNPACK_DONE, 0, 0);
	return 0;
}
