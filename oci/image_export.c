/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer that is made of a tree is read twice: its digest and size stand before it in the tar. So
 * nothing of it is kept in between, and it can go into a pipe.
 */
#include "oci/image_export.h"

#include <stdio.h>
#include <string.h>

#include "oci/config.h"
#include "oci/document.h"
#include "oci/image_tar.h"
#include "oci/manifest.h"
#include "oci/squash.h"
#include "oci/tree_tar.h"
#include "pkg/base/interrupt.h"

/* Where it goes. */
struct sink {
	tar_archive_write_fn *write;
	void *arg;
};

/* The documents of an image here. */
struct documents {
	struct content *content;
	struct oci_descriptor descriptor; /* of the manifest */
	struct buffer manifest_bytes, config_bytes;
	struct oci_manifest manifest;
	struct oci_config config;
};

static void documents_release(struct documents *d)
{
	buffer_release(&d->manifest_bytes);
	buffer_release(&d->config_bytes);
	oci_manifest_release(&d->manifest);
	oci_config_release(&d->config);
}

/* --- documents -------------------------------------------------------------------------------- */

/* Its descriptor, by what it says of itself. */
static int describe_manifest(struct documents *d, const struct digest *digest, struct error *err)
{
	struct oci_descriptor *to = &d->descriptor;

	to->digest = *digest;
	to->size_bytes = d->manifest_bytes.len;
	if (oci_document_sniff(d->manifest_bytes.data, d->manifest_bytes.len, "manifest",
			       &to->media_type, to->media_type_text, sizeof(to->media_type_text),
			       err)
	    < 0)
		return -1;
	if (!to->media_type_text[0])
		snprintf(to->media_type_text, sizeof(to->media_type_text), "%s",
			 oci_document_default_type(MEDIA_MANIFEST));
	return 0;
}

static int read_documents(struct store *s, const struct digest *digest, struct documents *d,
			  struct error *err)
{
	const struct buffer *m = &d->manifest_bytes, *c = &d->config_bytes;

	if (store_content(s, &d->content, err) < 0
	    || content_get(d->content, digest, &d->manifest_bytes, err) < 0
	    || describe_manifest(d, digest, err) < 0
	    || oci_manifest_parse(m->data, m->len, "manifest", &d->manifest, err) < 0
	    || content_get(d->content, &d->manifest.config.digest, &d->config_bytes, err) < 0)
		return -1;
	return oci_config_parse(c->data, c->len, "config", &d->config, err);
}

/* --- as it was pulled ------------------------------------------------------------------------- */

static bool is_kept(const struct documents *d)
{
	const struct oci_manifest *m = &d->manifest;
	bool kept = d->config.n_diff_ids == m->n_layers
		    && d->descriptor.digest.algorithm == DIGEST_SHA256
		    && m->config.digest.algorithm == DIGEST_SHA256;

	for (size_t i = 0; i < m->n_layers && kept; i++)
		kept = m->layers[i].digest.algorithm == DIGEST_SHA256
		       && content_keeps(d->content, &m->layers[i]);
	return kept;
}

static int write_blob(size_t i, tar_archive_write_fn *write, void *write_arg, void *arg,
		      struct error *err)
{
	const struct documents *d = arg;
	const struct oci_descriptor *blob = &d->manifest.layers[i];
	cleanup(stream_close_ptr) struct stream *in = NULL;
	const uint8_t *data;
	size_t len;
	int status;

	if (content_open_kept(d->content, blob, &in, err) < 0
	    || stream_verify(&in, &blob->digest, blob->size_bytes, "blob", err) < 0)
		return -1;
	while ((status = stream_peek(in, &data, &len, err)) == 0) {
		if (interrupt_check(err) < 0 || write(data, len, write_arg, err) < 0)
			return -1;
		stream_advance(in, len);
	}
	return status < 0 ? -1 : stream_finish(in, err);
}

static int export_kept(struct documents *d, const char *name, const struct sink *sink,
		       struct error *err)
{
	struct image_tar image = {
		.manifest = &d->descriptor,
		.config = &d->manifest.config,
		.manifest_bytes = &d->manifest_bytes,
		.config_bytes = &d->config_bytes,
		.layers = d->manifest.layers,
		.diff_ids = d->config.diff_ids,
		.n_layers = d->manifest.n_layers,
		.name = name,
	};

	return image_tar_write(&image, write_blob, d, sink->write, sink->arg, err);
}

/* --- as one layer ----------------------------------------------------------------------------- */

static int write_tree(size_t i, tar_archive_write_fn *write, void *write_arg, void *arg,
		      struct error *err)
{
	(void)i;
	return tree_tar_write(arg, write, write_arg, err);
}

static int write_squashed(const struct squashed *s, struct ext4_reader *fs, const char *name,
			  const struct sink *sink, struct error *err)
{
	struct image_tar image = {
		.manifest = &s->manifest,
		.config = &s->config,
		.manifest_bytes = &s->manifest_bytes,
		.config_bytes = &s->config_bytes,
		.layers = &s->layer,
		.diff_ids = &s->layer.digest,
		.n_layers = 1,
		.name = name,
	};

	return image_tar_write(&image, write_tree, fs, sink->write, sink->arg, err);
}

/* @name: that it will have, or NULL. */
static int export_tree(const struct documents *d, struct thin_volume *volume, const char *name,
		       const struct sink *sink, struct error *err)
{
	cleanup(ext4_reader_close_ptr) struct ext4_reader *fs = NULL;
	cleanup(squashed_release) struct squashed squashed = {0};
	struct digest diff_id;
	uint64_t bytes;

	if (ext4_reader_open(volume, &fs, err) < 0
	    || tree_tar_measure(fs, &diff_id, &bytes, err) < 0
	    || squash(&d->config_bytes, &diff_id, bytes, &squashed, err) < 0)
		return -1;
	return write_squashed(&squashed, fs, name, sink, err);
}

/* --- both ------------------------------------------------------------------------------------- */

static int export_image(struct store *s, const char *ref, const struct sink *sink,
			struct error *err)
{
	/* Closed in reverse order: the session holds the volume. */
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;
	cleanup(thin_volume_close_ptr) struct thin_volume *volume = NULL;
	cleanup(documents_release) struct documents d = {0};
	struct content_image *image;
	struct digest manifest;

	if (store_find_image(s, ref, &image, err) < 0)
		return -1;
	manifest = image->manifest;
	content_images_free(image, 1);
	if (read_documents(s, &manifest, &d, err) < 0)
		return -1;
	if (is_kept(&d))
		return export_kept(&d, ref, sink, err);
	if (store_open_volume(s, ref, &session, &volume, err) < 0)
		return -1;
	return export_tree(&d, volume, ref, sink, err);
}

/* By the manifest that it was made from: its reference may stand for another by now. */
static int export_container(struct store *s, const char *name, const struct sink *sink,
			    struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;
	cleanup(thin_volume_close_ptr) struct thin_volume *volume = NULL;
	cleanup(documents_release) struct documents d = {0};
	const struct record_entry *e;

	if (store_open_volume(s, name, &session, &volume, err) < 0)
		return -1;
	e = record_find_container(snapshots_record(session), name);
	if (!e)
		return error_set(err, ERR_NOT_FOUND, "it was removed meanwhile");
	if (read_documents(s, &e->manifest, &d, err) < 0)
		return -1;
	return export_tree(&d, volume, NULL, sink, err);
}

int image_export(struct store *s, const char *name, bool is_container, tar_archive_write_fn *write,
		 void *arg, struct error *err)
{
	const struct sink sink = {write, arg};

	return is_container ? export_container(s, name, &sink, err)
			    : export_image(s, name, &sink, err);
}
