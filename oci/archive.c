/* SPDX-License-Identifier: Apache-2.0 */
/* Tells kinds of archives apart, chooses an image, and hands out its parts. */
#include "oci/archive.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oci/archive_images.h"
#include "oci/archive_input.h"
#include "oci/archive_parts.h"
#include "oci/docker_choose.h"
#include "oci/layout.h"
#include "oci/layout_choose.h"
#include "oci/manifest.h"
#include "pkg/base/alloc.h"

struct oci_archive {
	int fd; /* -1: a folder, whose path is the name */
	uint64_t bytes;
	char *name;
	struct oci_members *members; /* NULL: of a folder */
	enum oci_archive_kind kind;
	struct oci_index index;		 /* of a layout */
	struct docker_manifest manifest; /* of docker's */
	struct oci_archive_images images;
};

struct archive_source {
	struct source source;
	struct oci_archive *archive;
	bool owns_archive;
	struct oci_descriptor target;
	struct oci_archive_parts parts; /* of what is no layout */
	size_t docker_index;
};

/* --- what it is ------------------------------------------------------------------------------- */

static bool has(const struct oci_archive *a, const char *name)
{
	return oci_members_find(a->members, name) != NULL;
}

static int read_layout(struct oci_archive *a, struct error *err)
{
	cleanup_buffer struct buffer mark = {0}, text = {0};

	a->kind = OCI_ARCHIVE_LAYOUT;
	if (oci_members_read(a->members, "oci-layout", OCI_DOCUMENT_MAX_BYTES, &mark, err) < 0
	    || oci_layout_check_mark(mark.data, mark.len, err) < 0
	    || oci_members_read(a->members, "index.json", OCI_DOCUMENT_MAX_BYTES, &text, err) < 0)
		return -1;
	if (oci_index_parse(text.data, text.len, "index.json", &a->index, err) < 0)
		return -1;
	oci_archive_images_of_index(&a->index, &a->images);
	return 0;
}

static int parse_docker(struct oci_archive *a, const struct buffer *text, struct error *err)
{
	a->kind = OCI_ARCHIVE_DOCKER;
	if (docker_manifest_parse(text->data, text->len, &a->manifest, err) < 0)
		return -1;
	oci_archive_images_of_docker(&a->manifest, &a->images);
	return 0;
}

static int read_docker(struct oci_archive *a, struct error *err)
{
	cleanup_buffer struct buffer text = {0};

	if (!has(a, "manifest.json") && has(a, "repositories"))
		return error_set(err, ERR_UNSUPPORTED,
				 "of docker before 1.10: it has 'repositories' and no "
				 "manifest.json");
	if (oci_members_read(a->members, "manifest.json", DOCKER_MANIFEST_MAX_BYTES, &text, err)
	    < 0)
		return -1;
	return parse_docker(a, &text, err);
}

/* A file system may have a manifest.json of its own, which is hardly ever a list. */
static bool is_docker(const struct oci_archive *a)
{
	cleanup_buffer struct buffer text = {0};
	struct error ignored = {0};
	size_t i = 0;

	if (!has(a, "manifest.json"))
		return has(a, "repositories") && !has(a, "etc") && !has(a, "bin");
	if (oci_members_read(a->members, "manifest.json", DOCKER_MANIFEST_MAX_BYTES, &text,
			     &ignored)
	    < 0)
		return !has(a, "etc") && !has(a, "bin");
	while (i < text.len && strchr(" \t\r\n", text.data[i]))
		i++;
	return i == text.len || text.data[i] != '{';
}

static int read_as(struct oci_archive *a, enum oci_archive_kind want, struct error *err)
{
	if (want == OCI_ARCHIVE_ANY)
		want = has(a, "oci-layout") && has(a, "index.json") ? OCI_ARCHIVE_LAYOUT
		       : is_docker(a)				    ? OCI_ARCHIVE_DOCKER
								    : OCI_ARCHIVE_TREE;
	if (want == OCI_ARCHIVE_TREE) {
		a->kind = want;
		if (oci_members_count(a->members) == 0)
			return error_set(err, ERR_INVALID, "an archive of nothing");
		return 0;
	}
	if (oci_members_check(a->members, err) < 0)
		return -1;
	if (want == OCI_ARCHIVE_LAYOUT ? read_layout(a, err) == 0 : read_docker(a, err) == 0)
		return 0;
	/* The image may be there: what it is in is of another kind. */
	if (err->kind == ERR_NOT_FOUND)
		err->kind = ERR_INVALID;
	return -1;
}

int oci_archive_open(int fd, const char *name, enum oci_archive_kind want, const char *spool_dir,
		     struct oci_archive **ret, struct error *err)
{
	cleanup(oci_archive_close_ptr) struct oci_archive *a = xcalloc(1, sizeof(*a));

	a->fd = -1;
	a->name = xstrdup(name);
	if (oci_archive_input(fd, name, spool_dir, &a->fd, &a->bytes, err) < 0
	    || oci_members_scan(a->fd, a->bytes, name, &a->members, err) < 0)
		return -1;
	if (read_as(a, want, err) < 0)
		return error_wrap(err, "%s", name);
	*ret = steal(&a);
	return 0;
}

int oci_archive_open_folder(const char *dir, struct oci_archive **ret, struct error *err)
{
	cleanup(oci_archive_close_ptr) struct oci_archive *a = xcalloc(1, sizeof(*a));

	a->fd = -1;
	a->name = xstrdup(dir);
	a->kind = OCI_ARCHIVE_LAYOUT;
	if (oci_layout_read_index(dir, &a->index, err) < 0)
		return error_wrap(err, "%s", dir);
	oci_archive_images_of_index(&a->index, &a->images);
	*ret = steal(&a);
	return 0;
}

void oci_archive_close(struct oci_archive *a)
{
	oci_archive_images_release(&a->images);
	oci_index_release(&a->index);
	docker_manifest_release(&a->manifest);
	if (a->members)
		oci_members_free(a->members);
	if (a->fd >= 0)
		close(a->fd);
	free(a->name);
	free(a);
}

enum oci_archive_kind oci_archive_kind(const struct oci_archive *a)
{
	return a->kind;
}

const struct oci_archive_image *oci_archive_images(const struct oci_archive *a, size_t *ret_n)
{
	*ret_n = a->images.n;
	return a->images.items;
}

/* --- the source ------------------------------------------------------------------------------- */

static int archive_resolve(struct source *s, struct oci_descriptor *ret, struct buffer *ret_bytes,
			   struct error *err)
{
	(void)ret_bytes;
	(void)err;
	*ret = ((struct archive_source *)s)->target;
	return 0;
}

/* Symlinks are for docker's alone: in a layout a blob is a file (rule B22). */
static int open_blob(const struct oci_archive *a, const struct digest *d, struct stream **ret,
		     struct error *err)
{
	char hex[DIGEST_TEXT_BYTES];
	cleanup_free char *path =
		xasprintf("blobs/%s/%s", digest_algorithm_name(d->algorithm), digest_hex(d, hex));
	cleanup_free char *in_folder = NULL;
	const struct oci_member *file;

	if (!a->members) {
		in_folder = xasprintf("%s/%s", a->name, path);
		return stream_open_file(in_folder, ret, err);
	}
	if (oci_members_file(a->members, path, OCI_MEMBERS_HARD_LINKS, &file, err) < 0)
		return -1;
	*ret = oci_members_open(a->members, file);
	return 0;
}

static int fetch_part(struct archive_source *s, const struct digest *d, struct stream **ret,
		      struct error *err)
{
	const struct oci_archive_parts *p = &s->parts;
	char text[DIGEST_TEXT_BYTES];

	if (digest_equal(d, &p->target.digest)) {
		*ret = stream_from_memory(p->manifest.data, p->manifest.len);
		return 0;
	}
	if (digest_equal(d, &p->config_digest)) {
		*ret = stream_from_memory(p->config.data, p->config.len);
		return 0;
	}
	for (size_t i = 0; i < p->n_blobs; i++)
		if (digest_equal(d, &p->blobs[i].digest)) {
			*ret = stream_from_range(s->archive->fd, p->blobs[i].offset,
						 p->blobs[i].size_bytes, s->archive->name);
			return 0;
		}
	return error_set(err, ERR_NOT_FOUND, "no %s in the archive", digest_format(d, text));
}

static int archive_fetch(struct source *s, const struct oci_descriptor *d, struct stream **ret,
			 struct error *err)
{
	struct archive_source *source = (struct archive_source *)s;

	if (source->archive->kind != OCI_ARCHIVE_LAYOUT)
		return fetch_part(source, &d->digest, ret, err);
	return open_blob(source->archive, &d->digest, ret, err);
}

static void archive_close(struct source *s)
{
	struct archive_source *source = (struct archive_source *)s;

	oci_archive_parts_release(&source->parts);
	if (source->owns_archive)
		oci_archive_close(source->archive);
	free(source->source.name);
	free(source);
}

static struct archive_source *make_source(struct oci_archive *a)
{
	static const struct source_ops ops = {archive_resolve, archive_fetch, archive_close, NULL};
	struct archive_source *s = xcalloc(1, sizeof(*s));

	s->source.ops = &ops;
	s->source.local = true;
	s->archive = a;
	return s;
}

/* --- choosing --------------------------------------------------------------------------------- */

static int read_blob(void *arg, const struct digest *d, struct buffer *ret, struct error *err)
{
	cleanup(stream_close_ptr) struct stream *in = NULL;

	if (open_blob(arg, d, &in, err) < 0)
		return -1;
	return stream_read_all(in, OCI_DOCUMENT_MAX_BYTES, ret, err);
}

/* The digest of a manifest that is not there yet: each image is put together and looked at. */
static int docker_by_digest(struct archive_source *s, const struct digest *d, struct error *err)
{
	const struct docker_manifest *m = &s->archive->manifest;
	char text[DIGEST_TEXT_BYTES];

	for (size_t i = 0; i < m->n; i++) {
		if (oci_archive_parts_docker(s->archive->members, &m->images[i], &s->parts, err)
		    < 0)
			return -1;
		s->docker_index = i;
		if (digest_equal(&s->parts.target.digest, d))
			return 0;
		oci_archive_parts_release(&s->parts);
	}
	return error_set(err, ERR_NOT_FOUND, "no image %s in it", digest_format(d, text));
}

static int fill_docker(struct archive_source *s, const struct place *place,
		       oci_archive_same_fn *same, struct error *err)
{
	const struct docker_manifest *m = &s->archive->manifest;

	if (place->digest.algorithm != DIGEST_NONE) {
		if (docker_by_digest(s, &place->digest, err) < 0)
			return -1;
	} else if (docker_choose(m, place, same, &s->docker_index, err) < 0
		   || oci_archive_parts_docker(s->archive->members, &m->images[s->docker_index],
					       &s->parts, err)
			      < 0) {
		return -1;
	}
	s->target = s->parts.target;
	return 0;
}

/* All entries that are images are one and the same: which of them does not matter. */
static bool is_one_image(const struct oci_archive *a, const struct place *place)
{
	return a->images.n == 1 && !place->ref && !place->has_index
	       && place->digest.algorithm == DIGEST_NONE;
}

/* A name for other tools may be written in a shorter way, too. */
static int choose_by_name(const struct oci_archive *a, const char *ref, oci_archive_same_fn *same,
			  struct oci_descriptor *ret)
{
	for (size_t i = 0; same && i < a->images.n; i++)
		for (size_t j = 0; j < a->images.items[i].names.n; j++)
			if (same(a->images.items[i].names.items[j], ref)) {
				*ret = a->index.entries[a->images.items[i].index];
				return 0;
			}
	return -1;
}

static int fill_layout(struct archive_source *s, const struct place *place,
		       oci_archive_same_fn *same, struct error *err)
{
	struct oci_archive *a = s->archive;

	if (is_one_image(a, place)) {
		s->target = a->index.entries[a->images.items[0].index];
		return 0;
	}
	if (layout_choose(&a->index, place, read_blob, a, &s->target, err) == 0)
		return 0;
	if (err->kind != ERR_NOT_FOUND || !place->ref || place->digest.algorithm != DIGEST_NONE
	    || choose_by_name(a, place->ref, same, &s->target) < 0)
		return -1;
	error_clear(err);
	return 0;
}

/* The image that was chosen, if it is one of those that are listed. */
static const struct oci_archive_image *find_image(const struct archive_source *s)
{
	const struct oci_archive *a = s->archive;

	for (size_t i = 0; i < a->images.n; i++) {
		const struct oci_archive_image *image = &a->images.items[i];

		if (a->kind == OCI_ARCHIVE_LAYOUT
			    ? digest_equal(&a->index.entries[image->index].digest,
					   &s->target.digest)
			    : image->index == s->docker_index)
			return image;
	}
	return NULL;
}

int oci_archive_source(struct oci_archive *a, const struct place *place, oci_archive_same_fn *same,
		       struct source **ret, const struct oci_archive_image **ret_image,
		       struct error *err)
{
	struct archive_source *s = make_source(a);
	int rc;

	if (a->kind == OCI_ARCHIVE_TREE)
		rc = error_set(err, ERR_INVALID, "the tree of a file system, no archive of images");
	else
		rc = a->kind == OCI_ARCHIVE_LAYOUT ? fill_layout(s, place, same, err)
						   : fill_docker(s, place, same, err);
	if (rc < 0) {
		archive_close(&s->source);
		return error_wrap(err, "%s", a->name);
	}
	if (ret_image)
		*ret_image = find_image(s);
	*ret = &s->source;
	return 0;
}

int oci_archive_tree_source(struct oci_archive *a, const struct oci_platform *platform,
			    struct source **ret, struct error *err)
{
	struct archive_source *s = make_source(a);

	if (oci_archive_parts_tree(a->fd, a->bytes, platform, &s->parts, err) < 0) {
		archive_close(&s->source);
		return error_wrap(err, "%s", a->name);
	}
	s->target = s->parts.target;
	*ret = &s->source;
	return 0;
}

/* --- by reference ----------------------------------------------------------------------------- */

const char *oci_archive_prefix(enum oci_archive_kind kind)
{
	return kind == OCI_ARCHIVE_LAYOUT ? "oci-archive:" : "docker-archive:";
}

int oci_archive_open_source(const char *text, enum oci_archive_kind kind, const char *spool_dir,
			    oci_archive_same_fn *same, struct source **ret, struct error *err)
{
	cleanup(place_release) struct place place = {0};
	cleanup(oci_archive_close_ptr) struct oci_archive *a = NULL;
	const char *prefix = oci_archive_prefix(kind);
	int fd;

	if (place_parse(text, prefix, PLACE_FILE, &place, err) < 0)
		return error_wrap(err, "%s%s", prefix, text);
	fd = open(place.path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return error_sys(err, "open %s", place.path);
	if (oci_archive_open(fd, place.path, kind, spool_dir, &a, err) < 0
	    || oci_archive_source(a, &place, same, ret, NULL, err) < 0)
		return -1;
	(*ret)->name = place_name(&place, prefix);
	((struct archive_source *)*ret)->owns_archive = true;
	a = NULL;
	return 0;
}
