/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layer is read twice: its digest and size stand before it in the tar. So nothing of it is kept
 * in between, and it can go into a pipe.
 */
#include "oci/image_export.h"

#include <string.h>

#include "oci/image_tar.h"
#include "oci/manifest.h"
#include "oci/squash.h"
#include "oci/tree_tar.h"

/* Closed in reverse order. */
struct image_export {
	struct store *store;
	const char *name;
	bool is_container;
	struct snapshots *session;
	struct thin_volume *volume;
	struct ext4_reader *fs;
	struct buffer config; /* of the image */
	struct squashed squashed;
};

static void export_release(struct image_export *x)
{
	squashed_release(&x->squashed);
	buffer_release(&x->config);
	ext4_reader_close(x->fs);
	thin_volume_close(x->volume);
	snapshots_close(x->session);
}

/* By the manifest that a container was made from: its reference may stand for another by now. */
static int find_manifest(struct image_export *x, struct digest *ret, struct error *err)
{
	const struct record_entry *e;
	struct content_image *image;

	if (!x->is_container) {
		if (store_find_image(x->store, x->name, &image, err) < 0)
			return -1;
		*ret = image->manifest;
		content_images_free(image, 1);
		return 0;
	}
	e = record_find_container(snapshots_record(x->session), x->name);
	if (!e)
		return error_set(err, ERR_NOT_FOUND, "it was removed meanwhile");
	*ret = e->manifest;
	return 0;
}

static int read_config(struct image_export *x, struct error *err)
{
	cleanup(oci_manifest_release) struct oci_manifest manifest = {0};
	cleanup_buffer struct buffer text = {0};
	struct content *content;
	struct digest digest;

	if (find_manifest(x, &digest, err) < 0 || store_content(x->store, &content, err) < 0
	    || content_get(content, &digest, &text, err) < 0
	    || oci_manifest_parse(text.data, text.len, "manifest", &manifest, err) < 0)
		return -1;
	return content_get(content, &manifest.config.digest, &x->config, err);
}

static int write_tree(size_t i, tar_archive_write_fn *write, void *write_arg, void *arg,
		      struct error *err)
{
	struct image_export *x = arg;

	(void)i;
	return tree_tar_write(x->fs, write, write_arg, err);
}

static int write_image(struct image_export *x, tar_archive_write_fn *write, void *arg,
		       struct error *err)
{
	const struct squashed *s = &x->squashed;
	struct image_tar image = {
		.manifest = &s->manifest,
		.config = &s->config,
		.manifest_bytes = &s->manifest_bytes,
		.config_bytes = &s->config_bytes,
		.layers = &s->layer,
		.diff_ids = &s->layer.digest,
		.n_layers = 1,
		.name = x->is_container ? NULL : x->name,
	};

	return image_tar_write(&image, write_tree, x, write, arg, err);
}

int image_export(struct store *s, const char *name, bool is_container, tar_archive_write_fn *write,
		 void *arg, struct error *err)
{
	cleanup(export_release) struct image_export x = {
		.store = s,
		.name = name,
		.is_container = is_container,
	};
	struct digest diff_id;
	uint64_t bytes;

	if (store_open_volume(s, name, &x.session, &x.volume, err) < 0
	    || ext4_reader_open(x.volume, &x.fs, err) < 0 || read_config(&x, err) < 0
	    || tree_tar_measure(x.fs, &diff_id, &bytes, err) < 0
	    || squash(&x.config, &diff_id, bytes, &x.squashed, err) < 0)
		return -1;
	return write_image(&x, write, arg, err);
}
