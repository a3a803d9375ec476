/* SPDX-License-Identifier: Apache-2.0 */
/* Finds or counts the digests of layers, and writes the documents that are missing. */
#include "oci/archive_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oci/config.h"
#include "oci/manifest.h"
#include "pkg/base/alloc.h"

#define DOCKER "application/vnd.docker."
#define OCI    "application/vnd.oci.image."

/* Types of one family; of layers by codec. */
struct types {
	const char *manifest, *config, *plain, *gzip, *zstd;
};

static const struct types docker_types = {
	.manifest = DOCKER "distribution.manifest.v2+json",
	.config = DOCKER "container.image.v1+json",
	.plain = DOCKER "image.rootfs.diff.tar",
	.gzip = DOCKER "image.rootfs.diff.tar.gzip",
	.zstd = DOCKER "image.rootfs.diff.tar.zstd",
};

static const struct types oci_types = {
	.manifest = OCI "manifest.v1+json",
	.config = OCI "config.v1+json",
	.plain = OCI "layer.v1.tar",
};

/* --- documents -------------------------------------------------------------------------------- */

static void write_descriptor(struct jout *o, const char *key, const char *type, uint64_t bytes,
			     const struct digest *d)
{
	char text[DIGEST_TEXT_BYTES];

	jout_object(o, key);
	jout_string(o, "mediaType", type);
	jout_uint(o, "size", bytes);
	jout_string(o, "digest", digest_format(d, text));
	jout_end_object(o);
}

/* The manifest over config and blobs; everything else of p is there. */
static void write_manifest(struct oci_archive_parts *p, const struct types *types)
{
	struct jout o = {.compact = true};

	jout_object(&o, NULL);
	jout_int(&o, "schemaVersion", 2);
	jout_string(&o, "mediaType", types->manifest);
	write_descriptor(&o, "config", types->config, p->config.len, &p->config_digest);
	jout_array(&o, "layers");
	for (size_t i = 0; i < p->n_blobs; i++) {
		const struct oci_archive_blob *b = &p->blobs[i];

		write_descriptor(&o, NULL,
				 b->codec == STREAM_GZIP   ? types->gzip
				 : b->codec == STREAM_ZSTD ? types->zstd
							   : types->plain,
				 b->size_bytes, &b->digest);
	}
	jout_end_array(&o);
	jout_end_object(&o);
	buffer_add(&p->manifest, o.text.data, o.text.len);
	jout_release(&o);

	p->target.media_type = MEDIA_MANIFEST;
	snprintf(p->target.media_type_text, sizeof(p->target.media_type_text), "%s",
		 types->manifest);
	p->target.size_bytes = p->manifest.len;
	digest_of(DIGEST_SHA256, p->manifest.data, p->manifest.len, &p->target.digest);
}

static int hash_stream(struct stream *in, struct digest *ret, struct error *err)
{
	cleanup(hash_free_ptr) struct hash *hash = hash_new(DIGEST_SHA256);
	const uint8_t *piece;
	size_t n;
	int rc;

	while ((rc = stream_peek(in, &piece, &n, err)) == 0) {
		hash_update(hash, piece, n);
		stream_advance(in, n);
	}
	if (rc < 0)
		return -1;
	hash_final(hash, ret);
	return 0;
}

/* --- docker ----------------------------------------------------------------------------------- */

/* The digest in a config's name: HEX.json, sha256:HEX, blobs/sha256/HEX. DIGEST_NONE: none. */
static void named_digest(const char *path, struct digest *ret)
{
	enum { HEX = 64 };
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	const char *hex = strncmp(name, "sha256:", 7) == 0 ? name + 7 : name;
	size_t len = strspn(hex, "0123456789abcdef");
	char text[DIGEST_TEXT_BYTES];
	struct error ignored = {0};

	*ret = (struct digest){0};
	snprintf(text, sizeof(text), "sha256:%.*s", HEX, hex);
	if (len != HEX || (hex[len] && strcmp(hex + len, ".json") != 0)
	    || digest_parse(text, ret, &ignored) < 0)
		*ret = (struct digest){0};
}

/* Of two members of one name, the digest in it says which is right; without one, nobody does. */
static int read_config(const struct oci_members *m, const char *path, struct oci_archive_parts *p,
		       struct error *err)
{
	cleanup(stream_close_ptr) struct stream *in = NULL;
	const struct oci_member *file;
	struct digest named;

	named_digest(path, &named);
	if (oci_members_file(m, path, OCI_MEMBERS_ALL_LINKS, &file, err) < 0)
		return -1;
	if (file->is_double && named.algorithm == DIGEST_NONE)
		return error_set(err, ERR_INVALID, "%.120s is there more than once", path);
	if (file->size_bytes > OCI_DOCUMENT_MAX_BYTES)
		return error_set(err, ERR_INVALID, "%.120s has %llu bytes, at most %d are allowed",
				 path, (unsigned long long)file->size_bytes,
				 OCI_DOCUMENT_MAX_BYTES);
	in = oci_members_open(m, file);
	if (stream_read_all(in, OCI_DOCUMENT_MAX_BYTES, &p->config, err) < 0
	    || stream_finish(in, err) < 0)
		return -1;
	digest_of(DIGEST_SHA256, p->config.data, p->config.len, &p->config_digest);
	if (named.algorithm != DIGEST_NONE && !digest_equal(&named, &p->config_digest))
		return error_set(err, ERR_VERIFICATION,
				 "%.120s: its bytes do not have the digest in its name", path);
	return 0;
}

static int read_layer(const struct oci_members *m, const char *path, const struct digest *diff_id,
		      struct oci_archive_blob *ret, struct error *err)
{
	cleanup(stream_close_ptr) struct stream *in = NULL;
	const struct oci_member *file;

	if (oci_members_file(m, path, OCI_MEMBERS_ALL_LINKS, &file, err) < 0)
		return -1;
	in = oci_members_open(m, file);
	if (stream_sniff(in, &ret->codec, err) < 0)
		return -1;
	ret->offset = file->offset;
	ret->size_bytes = file->size_bytes;
	switch (ret->codec) {
	case STREAM_PLAIN:
		ret->digest = *diff_id;
		return 0;
	case STREAM_GZIP:
	case STREAM_ZSTD:
		return hash_stream(in, &ret->digest, err);
	default:
		return error_set(err, ERR_UNSUPPORTED, "%.120s: a layer compressed with %s", path,
				 stream_codec_name(ret->codec));
	}
}

static int read_layers(const struct oci_members *m, const struct docker_image *image,
		       struct oci_archive_parts *p, struct error *err)
{
	struct oci_config config;
	int rc = 0;

	if (oci_config_parse(p->config.data, p->config.len, image->config, &config, err) < 0)
		return -1;
	if (config.n_diff_ids != image->layers.n)
		rc = error_set(err, ERR_INVALID,
			       "manifest.json names %zu layers, the config has %zu diff_ids",
			       image->layers.n, config.n_diff_ids);
	p->blobs = xcalloc(image->layers.n + 1, sizeof(*p->blobs));
	for (size_t i = 0; i < image->layers.n && rc == 0; i++, p->n_blobs++) {
		rc = read_layer(m, image->layers.items[i], &config.diff_ids[i], &p->blobs[i], err);
		if (rc < 0)
			error_wrap(err, "layer %zu/%zu", i + 1, image->layers.n);
	}
	oci_config_release(&config);
	return rc;
}

int oci_archive_parts_docker(const struct oci_members *m, const struct docker_image *image,
			     struct oci_archive_parts *ret, struct error *err)
{
	struct oci_archive_parts p = {0};

	if (read_config(m, image->config, &p, err) < 0 || read_layers(m, image, &p, err) < 0) {
		oci_archive_parts_release(&p);
		return -1;
	}
	write_manifest(&p, &docker_types);
	*ret = p;
	return 0;
}

/* --- a tree ----------------------------------------------------------------------------------- */

/* No time, no host: the same tree is the same image. */
static void write_config(struct oci_archive_parts *p, const struct oci_platform *platform)
{
	struct jout o = {.compact = true};
	char text[DIGEST_TEXT_BYTES];

	jout_object(&o, NULL);
	jout_string(&o, "architecture", platform->architecture);
	jout_string(&o, "os", platform->os);
	if (platform->variant[0])
		jout_string(&o, "variant", platform->variant);
	jout_object(&o, "config");
	jout_end_object(&o);
	jout_object(&o, "rootfs");
	jout_string(&o, "type", "layers");
	jout_array(&o, "diff_ids");
	jout_string(&o, NULL, digest_format(&p->blobs[0].digest, text));
	jout_end_array(&o);
	jout_end_object(&o);
	jout_array(&o, "history");
	jout_object(&o, NULL);
	jout_string(&o, "comment", "imported from a tar");
	jout_end_object(&o);
	jout_end_array(&o);
	jout_end_object(&o);
	buffer_add(&p->config, o.text.data, o.text.len);
	jout_release(&o);
	digest_of(DIGEST_SHA256, p->config.data, p->config.len, &p->config_digest);
}

int oci_archive_parts_tree(int fd, uint64_t bytes, const struct oci_platform *platform,
			   struct oci_archive_parts *ret, struct error *err)
{
	cleanup(stream_close_ptr) struct stream *in = stream_from_range(fd, 0, bytes, "the tar");
	struct oci_archive_parts p = {0};
	struct digest digest;

	if (hash_stream(in, &digest, err) < 0)
		return -1;
	p.blobs = xcalloc(1, sizeof(*p.blobs));
	p.blobs[0] = (struct oci_archive_blob){.digest = digest, .size_bytes = bytes};
	p.n_blobs = 1;
	write_config(&p, platform);
	write_manifest(&p, &oci_types);
	*ret = p;
	return 0;
}

void oci_archive_parts_release(struct oci_archive_parts *p)
{
	buffer_release(&p->manifest);
	buffer_release(&p->config);
	free(p->blobs);
	*p = (struct oci_archive_parts){0};
}
