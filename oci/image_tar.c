/* SPDX-License-Identifier: Apache-2.0 */
/* Members one after the other; layers are hashed on the way. */
#include "oci/image_tar.h"

#include <stdio.h>
#include <string.h>

#include "oci/document.h"
#include "pkg/base/alloc.h"
#include "pkg/json/jdoc.h"

#define KEY_REF	  "org.opencontainers.image.ref.name"
#define KEY_IMAGE "io.containerd.image.name"

enum { BLOB_PATH_BYTES = 32 + DIGEST_TEXT_BYTES };

/* --- names ------------------------------------------------------------------------------------ */

static const char *blob_path(const struct digest *d, char *buf)
{
	char hex[DIGEST_TEXT_BYTES];

	snprintf(buf, BLOB_PATH_BYTES, "blobs/%s/%s", digest_algorithm_name(d->algorithm),
		 digest_hex(d, hex));
	return buf;
}

/* "host/path:tag" of a recorded reference, NULL when it is none or has no tag. Owned. */
static char *tagged_name(const char *recorded)
{
	cleanup_free char *name = NULL;
	const char *slash;

	if (!recorded)
		return NULL;
	name = xstrndup(recorded, strcspn(recorded, "@"));
	slash = strchr(name, '/');
	/* "oci:/folder:tag" and the like are places, not names. */
	if (!slash || slash == name || slash[-1] == ':' || !strchr(strrchr(name, '/'), ':'))
		return NULL;
	return steal(&name);
}

/* --- the lists -------------------------------------------------------------------------------- */

static void add_descriptor(struct jout *o, const struct oci_descriptor *d)
{
	char text[DIGEST_TEXT_BYTES];

	jout_string(o, "mediaType", d->media_type_text);
	jout_string(o, "digest", digest_format(&d->digest, text));
	jout_uint(o, "size", d->size_bytes);
}

static void make_index(const struct image_tar *image, const char *name, struct jout *o)
{
	jout_object(o, NULL);
	jout_uint(o, "schemaVersion", 2);
	jout_string(o, "mediaType", oci_document_default_type(MEDIA_INDEX));
	jout_array(o, "manifests");
	jout_object(o, NULL);
	add_descriptor(o, image->manifest);
	if (name) {
		jout_object(o, "annotations");
		jout_string(o, KEY_IMAGE, name);
		jout_string(o, KEY_REF, strrchr(name, ':') + 1);
		jout_end_object(o);
	}
	jout_end_object(o);
	jout_end_array(o);
	jout_end_object(o);
}

static void add_sources(const struct image_tar *image, struct jout *o)
{
	char text[DIGEST_TEXT_BYTES];

	jout_object(o, "LayerSources");
	for (size_t i = 0; i < image->n_layers; i++) {
		bool again = false;

		for (size_t k = 0; k < i; k++)
			again |= digest_equal(&image->diff_ids[k], &image->diff_ids[i]);
		if (again)
			continue;
		jout_object(o, digest_format(&image->diff_ids[i], text));
		add_descriptor(o, &image->layers[i]);
		jout_end_object(o);
	}
	jout_end_object(o);
}

static void make_docker_manifest(const struct image_tar *image, const char *name, struct jout *o)
{
	char path[BLOB_PATH_BYTES];

	jout_array(o, NULL);
	jout_object(o, NULL);
	jout_string(o, "Config", blob_path(&image->config->digest, path));
	if (name) {
		jout_array(o, "RepoTags");
		jout_string(o, NULL, name);
		jout_end_array(o);
	} else {
		jout_string(o, "RepoTags", NULL);
	}
	jout_array(o, "Layers");
	for (size_t i = 0; i < image->n_layers; i++)
		jout_string(o, NULL, blob_path(&image->layers[i].digest, path));
	jout_end_array(o);
	add_sources(image, o);
	jout_end_object(o);
	jout_end_array(o);
}

/* --- members ---------------------------------------------------------------------------------- */

static int add_folder(struct tar_archive *a, const char *path, struct error *err)
{
	struct tar_entry entry = {
		.type = TAR_DIRECTORY,
		.path = path,
		.path_len = strlen(path),
		.mode = 0755,
	};

	return tar_archive_entry(a, &entry, NULL, 0, err);
}

static int begin_file(struct tar_archive *a, const char *path, uint64_t size_bytes,
		      struct error *err)
{
	struct tar_entry entry = {
		.type = TAR_REGULAR,
		.path = path,
		.path_len = strlen(path),
		.mode = 0644,
		.size_bytes = size_bytes,
	};

	return tar_archive_entry(a, &entry, NULL, 0, err);
}

static int add_file(struct tar_archive *a, const char *path, const void *data, size_t len,
		    struct error *err)
{
	if (begin_file(a, path, len, err) < 0)
		return -1;
	return len ? tar_archive_data(a, data, len, 0, err) : 0;
}

static int add_list(struct tar_archive *a, const char *path, struct jout *o, struct error *err)
{
	buffer_add(&o->text, "\n", 1);
	return add_file(a, path, o->text.data, o->text.len, err);
}

static int add_lists(struct tar_archive *a, const struct image_tar *image, struct error *err)
{
	static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}\n";
	cleanup_free char *name = tagged_name(image->name);
	cleanup(jout_release) struct jout index = {0}, docker = {0};

	make_index(image, name, &index);
	make_docker_manifest(image, name, &docker);
	if (add_file(a, "oci-layout", layout, strlen(layout), err) < 0
	    || add_list(a, "index.json", &index, err) < 0
	    || add_list(a, "manifest.json", &docker, err) < 0 || add_folder(a, "blobs/", err) < 0)
		return -1;
	return add_folder(a, "blobs/sha256/", err);
}

static int add_blob(struct tar_archive *a, const struct digest *d, const struct buffer *bytes,
		    struct error *err)
{
	char path[BLOB_PATH_BYTES];

	return add_file(a, blob_path(d, path), bytes->data, bytes->len, err);
}

/* --- layers ----------------------------------------------------------------------------------- */

struct layer_member {
	struct tar_archive *archive;
	struct hash *hash;
	uint64_t written, size_bytes;
};

static int layer_changed(struct error *err)
{
	return error_set(err, ERR_VERIFICATION, "it is not what it was when it was looked at");
}

static int take_layer(const void *data, size_t len, void *arg, struct error *err)
{
	struct layer_member *m = arg;

	if (len > m->size_bytes - m->written)
		return layer_changed(err);
	hash_update(m->hash, data, len);
	if (tar_archive_data(m->archive, data, len, m->written, err) < 0)
		return -1;
	m->written += len;
	return 0;
}

static int add_layer(struct tar_archive *a, const struct image_tar *image, size_t i,
		     image_tar_layer_fn *layer, void *layer_arg, struct error *err)
{
	const struct oci_descriptor *d = &image->layers[i];
	cleanup(hash_free_ptr) struct hash *hash = hash_new(d->digest.algorithm);
	struct layer_member m = {a, hash, 0, d->size_bytes};
	char path[BLOB_PATH_BYTES];
	struct digest got;

	if (begin_file(a, blob_path(&d->digest, path), d->size_bytes, err) < 0
	    || layer(i, take_layer, &m, layer_arg, err) < 0)
		return -1;
	hash_final(hash, &got);
	if (m.written != d->size_bytes || !digest_equal(&got, &d->digest))
		return layer_changed(err);
	return 0;
}

/* A blob that several layers have is there once. */
static bool is_repeated(const struct image_tar *image, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (digest_equal(&image->layers[k].digest, &image->layers[i].digest))
			return true;
	return false;
}

static int add_layers(struct tar_archive *a, const struct image_tar *image,
		      image_tar_layer_fn *layer, void *layer_arg, struct error *err)
{
	char text[DIGEST_TEXT_BYTES];

	for (size_t i = 0; i < image->n_layers; i++)
		if (!is_repeated(image, i) && add_layer(a, image, i, layer, layer_arg, err) < 0)
			return error_wrap(err, "layer %zu/%zu %s", i + 1, image->n_layers,
					  digest_format(&image->layers[i].digest, text));
	return 0;
}

static int check_algorithms(const struct image_tar *image, struct error *err)
{
	bool ok = image->manifest->digest.algorithm == DIGEST_SHA256
		  && image->config->digest.algorithm == DIGEST_SHA256;

	for (size_t i = 0; i < image->n_layers; i++)
		ok &= image->layers[i].digest.algorithm == DIGEST_SHA256;
	return ok ? 0 : error_set(err, ERR_UNSUPPORTED, "only digests of sha256 fit into the tar");
}

int image_tar_write(const struct image_tar *image, image_tar_layer_fn *layer, void *layer_arg,
		    tar_archive_write_fn *write, void *arg, struct error *err)
{
	cleanup(tar_archive_close_ptr) struct tar_archive *a = NULL;

	if (check_algorithms(image, err) < 0 || tar_archive_open(write, arg, &a, err) < 0
	    || add_lists(a, image, err) < 0
	    || add_blob(a, &image->manifest->digest, image->manifest_bytes, err) < 0
	    || add_blob(a, &image->config->digest, image->config_bytes, err) < 0
	    || add_layers(a, image, layer, layer_arg, err) < 0)
		return -1;
	return tar_archive_finish(a, err);
}
