/* SPDX-License-Identifier: Apache-2.0 */
/* The list of images of the content store: index.json, read whole, replaced whole. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oci/content.h"
#include "oci/content_internal.h"
#include "oci/document.h"
#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/json/jdoc.h"

#define KEY_REF	     "org.opencontainers.image.ref.name"
#define KEY_TARGET   "thinpull.target"
#define KEY_PLATFORM "thinpull.platform"
#define KEY_CREATED  "thinpull.created"
#define KEY_POOL     "thinpull.pool"

enum { INDEX_MAX_BYTES = 256 << 20 };

struct list_entry {
	struct content_image image;
	char *media_type; /* of the manifest */
};

struct image_list {
	struct list_entry *items;
	size_t n, room;
};

/* --- reading ---------------------------------------------------------------------------------- */

static void release_image(struct content_image *image)
{
	free(image->ref);
	free(image->platform);
	free(image->created);
	free(image->pool);
}

void content_images_free(struct content_image *images, size_t n)
{
	for (size_t i = 0; i < n; i++)
		release_image(&images[i]);
	free(images);
}

static void release_entry(struct list_entry *entry)
{
	release_image(&entry->image);
	free(entry->media_type);
}

static void release_list(struct image_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		release_entry(&list->items[i]);
	free(list->items);
}

static int get_text(struct jval annotations, const char *key, char **ret, struct error *err)
{
	const char *text;

	if (jdoc_string(annotations, key, JDOC_REQUIRED, &text, err) < 0)
		return -1;
	*ret = xstrdup(text);
	return 0;
}

static int get_digest(struct jval object, const char *key, struct digest *ret, struct error *err)
{
	const char *text;

	if (jdoc_string(object, key, JDOC_REQUIRED, &text, err) < 0)
		return -1;
	if (digest_parse(text, ret, err) < 0)
		return error_wrap(err, "%s.%s", object.path, key);
	return 0;
}

static int parse_entry(struct jval value, struct list_entry *entry, struct error *err)
{
	struct content_image *image = &entry->image;
	struct jval notes;

	if (get_text(value, "mediaType", &entry->media_type, err) < 0
	    || get_digest(value, "digest", &image->manifest, err) < 0
	    || jdoc_uint(value, "size", JDOC_REQUIRED, &image->manifest_bytes, err) < 0
	    || jdoc_object(value, "annotations", JDOC_REQUIRED, &notes, err) < 0
	    || get_text(notes, KEY_REF, &image->ref, err) < 0
	    || get_digest(notes, KEY_TARGET, &image->target, err) < 0
	    || get_text(notes, KEY_PLATFORM, &image->platform, err) < 0
	    || get_text(notes, KEY_CREATED, &image->created, err) < 0)
		return -1;
	return get_text(notes, KEY_POOL, &image->pool, err);
}

static int parse_list(const struct buffer *text, struct image_list *list, struct error *err)
{
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	struct jval entries;
	int rc = 0;

	if (jdoc_parse(text->data, text->len, "index.json", &doc, err) < 0
	    || jdoc_array(jdoc_root(doc), "manifests", JDOC_REQUIRED, &entries, err) < 0)
		return -1;
	for (size_t i = 0; i < jdoc_length(entries) && rc == 0; i++) {
		ALLOC_GROW(list->items, list->n + 1, list->room);
		list->items[list->n] = (struct list_entry){0};
		rc = parse_entry(jdoc_at(entries, i), &list->items[list->n++], err);
	}
	return rc;
}

static int compare_refs(const void *a, const void *b)
{
	const struct content_image *x = &((const struct list_entry *)a)->image;
	const struct content_image *y = &((const struct list_entry *)b)->image;
	int order = strcmp(x->ref, y->ref);

	return order ? order : strcmp(x->pool, y->pool);
}

static void sort_list(struct image_list *list)
{
	if (list->n > 0)
		qsort(list->items, list->n, sizeof(*list->items), compare_refs);
}

static int read_text(struct content *c, struct buffer *ret, struct error *err)
{
	cleanup_free char *path = content_path(c, "index.json");

	return fdio_read_file(path, INDEX_MAX_BYTES, ret, err);
}

/* After an error the list holds what was read so far. */
static int read_list(struct content *c, struct image_list *list, struct error *err)
{
	cleanup_buffer struct buffer text = {0};

	if (read_text(c, &text, err) < 0)
		return -1;
	if (parse_list(&text, list, err) < 0) {
		err->kind = ERR_INCONSISTENT; /* the file is ours: nobody else's mistake */
		return -1;
	}
	sort_list(list);
	return 0;
}

int content_images(struct content *c, struct content_image **ret, size_t *ret_n, struct error *err)
{
	cleanup(release_list) struct image_list list = {0};
	struct content_image *images;

	if (read_list(c, &list, err) < 0)
		return error_wrap(err, "content");
	images = xcalloc(list.n + 1, sizeof(*images));
	for (size_t i = 0; i < list.n; i++) {
		images[i] = list.items[i].image;
		list.items[i].image = (struct content_image){0};
	}
	*ret = images;
	*ret_n = list.n;
	return 0;
}

int content_generation(struct content *c, struct digest *ret, struct error *err)
{
	cleanup_buffer struct buffer text = {0};

	if (read_text(c, &text, err) < 0)
		return error_wrap(err, "content");
	digest_of(DIGEST_SHA256, text.data, text.len, ret);
	return 0;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* The media type belongs to the descriptor; the manifest says it itself, or the specification. */
static int media_type_of(struct content *c, const struct content_image *image, char *buf,
			 size_t size, struct error *err)
{
	cleanup_buffer struct buffer bytes = {0};
	enum oci_media_type type;

	if (content_get(c, &image->manifest, &bytes, err) < 0
	    || oci_document_sniff(bytes.data, bytes.len, "manifest", &type, buf, size, err) < 0)
		return -1;
	if (!buf[0])
		snprintf(buf, size, "%s", oci_document_default_type(MEDIA_MANIFEST));
	return 0;
}

static void write_entry(struct jout *o, const struct list_entry *entry)
{
	const struct content_image *image = &entry->image;
	char text[DIGEST_TEXT_BYTES];

	jout_object(o, NULL);
	jout_string(o, "mediaType", entry->media_type);
	jout_string(o, "digest", digest_format(&image->manifest, text));
	jout_uint(o, "size", image->manifest_bytes);
	jout_object(o, "annotations");
	jout_string(o, KEY_REF, image->ref);
	jout_string(o, KEY_TARGET, digest_format(&image->target, text));
	jout_string(o, KEY_PLATFORM, image->platform);
	jout_string(o, KEY_CREATED, image->created);
	jout_string(o, KEY_POOL, image->pool);
	jout_end_object(o);
	jout_end_object(o);
}

static int write_list(struct content *c, const struct image_list *list, struct error *err)
{
	cleanup_free char *path = content_path(c, "index.json");
	cleanup(jout_release) struct jout o = {0};

	jout_object(&o, NULL);
	jout_uint(&o, "schemaVersion", 2);
	jout_string(&o, "mediaType", oci_document_default_type(MEDIA_INDEX));
	jout_array(&o, "manifests");
	for (size_t i = 0; i < list->n; i++)
		write_entry(&o, &list->items[i]);
	jout_end_array(&o);
	jout_end_object(&o);
	buffer_add(&o.text, "\n", 1);
	return fdio_replace_file(path, o.text.data, o.text.len, err);
}

static struct list_entry *find(struct image_list *list, const char *ref, const char *pool)
{
	for (size_t i = 0; i < list->n; i++)
		if (!strcmp(list->items[i].image.ref, ref)
		    && !strcmp(list->items[i].image.pool, pool))
			return &list->items[i];
	return NULL;
}

static char *copy_text(const char *text)
{
	return xstrdup(text ? text : "");
}

static struct list_entry make_entry(const struct content_image *image, const char *media_type)
{
	struct list_entry entry = {.image = *image, .media_type = xstrdup(media_type)};

	entry.image.ref = copy_text(image->ref);
	entry.image.platform = copy_text(image->platform);
	entry.image.created = copy_text(image->created);
	entry.image.pool = copy_text(image->pool);
	return entry;
}

static int set_locked(struct content *c, const struct content_image *image, struct error *err)
{
	cleanup(release_list) struct image_list list = {0};
	struct list_entry *old;
	char type[128];

	if (read_list(c, &list, err) < 0 || media_type_of(c, image, type, sizeof(type), err) < 0)
		return -1;
	old = find(&list, image->ref, image->pool ? image->pool : "");
	if (old) {
		release_entry(old);
	} else {
		ALLOC_GROW(list.items, list.n + 1, list.room);
		old = &list.items[list.n++];
	}
	*old = make_entry(image, type);
	sort_list(&list);
	return write_list(c, &list, err);
}

int content_set_image(struct content *c, const struct content_image *image, struct error *err)
{
	int rc;

	if (content_lock(c, err) < 0)
		return error_wrap(err, "content");
	content_remove_temporary(c);
	rc = set_locked(c, image, err);
	content_unlock(c);
	if (rc < 0)
		return error_wrap(err, "content");
	content_release_blobs(c);
	return 0;
}

static int remove_locked(struct content *c, const char *ref, const char *pool, struct error *err)
{
	cleanup(release_list) struct image_list list = {0};
	struct list_entry *entry;

	if (read_list(c, &list, err) < 0)
		return -1;
	entry = find(&list, ref, pool);
	if (!entry)
		return error_set(err, ERR_NOT_FOUND, "no image %s", ref);
	release_entry(entry);
	memmove(entry, entry + 1, (size_t)(list.items + list.n - (entry + 1)) * sizeof(*entry));
	list.n--;
	return write_list(c, &list, err);
}

int content_remove_image(struct content *c, const char *ref, const char *pool, struct error *err)
{
	int rc;

	if (content_lock(c, err) < 0)
		return error_wrap(err, "content");
	content_remove_temporary(c);
	rc = remove_locked(c, ref, pool, err);
	content_unlock(c);
	return rc;
}
