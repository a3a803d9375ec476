/* SPDX-License-Identifier: Apache-2.0 */
/* The record to JSON and back. */
#include "pkg/snapshot/record_text.h"

#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/json/jdoc.h"

static const char *const kind_names[] = {
	[RECORD_LAYER] = "layer",
	[RECORD_CONTAINER] = "container",
};

static const char *const state_names[] = {
	[RECORD_READY] = "ready",
	[RECORD_CREATING] = "creating",
	[RECORD_DELETING] = "deleting",
};

/* What a version that knew no places wrote is in the pool: there the key is left out. */
static const char *const place_names[] = {
	[RECORD_IN_POOL] = "pool",
	[RECORD_IN_FILE] = "file",
	[RECORD_IN_FOLDER] = "folder",
};

/* --- out -------------------------------------------------------------------------------------- */

static void write_digest(struct jout *o, const char *key, const struct digest *d)
{
	char text[DIGEST_TEXT_BYTES];

	if (d->algorithm != DIGEST_NONE)
		jout_string(o, key, digest_format(d, text));
}

static void write_layer(struct jout *o, const struct record_entry *e)
{
	write_digest(o, "parent", &e->parent);
	write_digest(o, "diff_id", &e->diff_id);
	jout_uint(o, "layout_version", e->layout_version);
	jout_uint(o, "content_bytes", e->content_bytes);
}

static void write_container(struct jout *o, const struct record_entry *e)
{
	jout_string(o, "name", e->name);
	jout_string(o, "image", e->image);
	write_digest(o, "manifest", &e->manifest);
	jout_string(o, "created", e->created);
	jout_bool(o, "read_only", e->read_only);
	if (e->temporary)
		jout_bool(o, "temporary", true);
	if (e->place != RECORD_IN_POOL)
		jout_string(o, "place", place_names[e->place]);
	if (e->folder)
		jout_string(o, "folder", e->folder);
	jout_object(o, "labels");
	for (size_t i = 0; i < e->n_labels; i++)
		jout_string(o, e->labels[i].key, e->labels[i].value);
	jout_end_object(o);
}

static void write_entry(struct jout *o, const struct record_entry *e)
{
	jout_object(o, NULL);
	jout_uint(o, "id", e->thin_id);
	jout_string(o, "kind", kind_names[e->kind]);
	jout_string(o, "state", state_names[e->state]);
	jout_uint(o, "size_bytes", e->size_bytes);
	write_digest(o, "chain_id", &e->chain_id);
	if (e->kind == RECORD_LAYER)
		write_layer(o, e);
	else
		write_container(o, e);
	jout_end_object(o);
}

void record_text_write(const struct record *r, struct buffer *ret)
{
	struct jout o = {.compact = true};

	jout_object(&o, NULL);
	jout_uint(&o, "base_bytes", r->base_bytes);
	jout_uint(&o, "base_inodes", r->base_inodes);
	jout_array(&o, "entries");
	for (size_t i = 0; i < r->n; i++)
		write_entry(&o, &r->entries[i]);
	jout_end_array(&o);
	jout_end_object(&o);
	buffer_add(ret, o.text.data, o.text.len);
	jout_release(&o);
}

/* --- in --------------------------------------------------------------------------------------- */

/* One of a list of names; absent and optional: the first. */
static int get_name(struct jval object, const char *key, enum jdoc_need need,
		    const char *const *names, size_t n, unsigned *ret, struct error *err)
{
	const char *text;

	if (jdoc_string(object, key, need, &text, err) < 0)
		return -1;
	*ret = 0;
	if (!text)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		if (strcmp(names[i], text) == 0) {
			*ret = i;
			return 0;
		}
	}
	return error_set(err, ERR_INCONSISTENT, "%s.%s: \"%s\" is not known to this version",
			 object.path, key, text);
}

static int get_digest(struct jval object, const char *key, struct digest *ret, struct error *err)
{
	const char *text;

	if (jdoc_string(object, key, JDOC_OPTIONAL, &text, err) < 0)
		return -1;
	*ret = (struct digest){0};
	return text ? digest_parse(text, ret, err) : 0;
}

static int get_text(struct jval object, const char *key, char **ret, struct error *err)
{
	const char *text;

	if (jdoc_string(object, key, JDOC_REQUIRED, &text, err) < 0)
		return -1;
	*ret = xstrdup(text);
	return 0;
}

static int parse_labels(struct jval object, struct record_entry *e, struct error *err)
{
	struct jval labels, value;
	const char *key, *text;
	void *iter = NULL;
	size_t room = 0;

	if (jdoc_object(object, "labels", JDOC_OPTIONAL, &labels, err) < 0)
		return -1;
	while (jdoc_each(labels, &iter, &key, &value)) {
		if (jdoc_string_value(value, &text, err) < 0)
			return -1;
		ALLOC_GROW(e->labels, e->n_labels + 1, room);
		e->labels[e->n_labels++] =
			(struct record_label){.key = xstrdup(key), .value = xstrdup(text)};
	}
	return 0;
}

static int parse_place(struct jval v, struct record_entry *e, struct error *err)
{
	const char *folder;
	unsigned place = 0;

	if (get_name(v, "place", JDOC_OPTIONAL, place_names, ARRAY_SIZE(place_names), &place, err)
		    < 0
	    || jdoc_string(v, "folder", JDOC_OPTIONAL, &folder, err) < 0)
		return -1;
	if ((place == RECORD_IN_FOLDER) != (folder != NULL) || (folder && folder[0] != '/'))
		return error_set(err, ERR_INCONSISTENT, "%s: place and folder do not match",
				 v.path);
	e->place = place;
	e->folder = folder ? xstrdup(folder) : NULL;
	return 0;
}

static int parse_container(struct jval v, struct record_entry *e, struct error *err)
{
	if (get_text(v, "name", &e->name, err) < 0 || get_text(v, "image", &e->image, err) < 0
	    || get_digest(v, "manifest", &e->manifest, err) < 0
	    || get_text(v, "created", &e->created, err) < 0
	    || jdoc_bool(v, "read_only", JDOC_REQUIRED, &e->read_only, err) < 0
	    || jdoc_bool(v, "temporary", JDOC_OPTIONAL, &e->temporary, err) < 0
	    || parse_place(v, e, err) < 0)
		return -1;
	return parse_labels(v, e, err);
}

static int parse_layer(struct jval v, struct record_entry *e, struct error *err)
{
	uint64_t version;

	if (get_digest(v, "parent", &e->parent, err) < 0
	    || get_digest(v, "diff_id", &e->diff_id, err) < 0
	    || jdoc_uint(v, "layout_version", JDOC_REQUIRED, &version, err) < 0)
		return -1;
	if (version > UINT32_MAX)
		return error_set(err, ERR_INCONSISTENT, "%s.layout_version: %llu is out of range",
				 v.path, (unsigned long long)version);
	e->layout_version = (uint32_t)version;
	return jdoc_uint(v, "content_bytes", JDOC_REQUIRED, &e->content_bytes, err);
}

static int parse_entry(struct jval v, struct record *r, struct error *err)
{
	unsigned kind = 0, state = 0;
	struct record_entry *e;
	uint64_t id;

	if (jdoc_uint(v, "id", JDOC_REQUIRED, &id, err) < 0
	    || get_name(v, "kind", JDOC_REQUIRED, kind_names, ARRAY_SIZE(kind_names), &kind, err)
		       < 0
	    || get_name(v, "state", JDOC_REQUIRED, state_names, ARRAY_SIZE(state_names), &state,
			err)
		       < 0)
		return -1;
	if (id == RECORD_THIN_ID || id > THIN_ID_MAX || record_find_id(r, (uint32_t)id))
		return error_set(err, ERR_INCONSISTENT,
				 "%s.id: %llu is out of range or there twice", v.path,
				 (unsigned long long)id);
	e = record_add(r, (uint32_t)id);
	e->kind = kind;
	e->state = state;
	if (jdoc_uint(v, "size_bytes", JDOC_REQUIRED, &e->size_bytes, err) < 0
	    || get_digest(v, "chain_id", &e->chain_id, err) < 0)
		return -1;
	return kind == RECORD_LAYER ? parse_layer(v, e, err) : parse_container(v, e, err);
}

static int parse_document(struct jval root, struct record *ret, struct error *err)
{
	struct jval entries;

	if (jdoc_uint(root, "base_bytes", JDOC_REQUIRED, &ret->base_bytes, err) < 0
	    || jdoc_uint(root, "base_inodes", JDOC_OPTIONAL, &ret->base_inodes, err) < 0
	    || jdoc_array(root, "entries", JDOC_REQUIRED, &entries, err) < 0)
		return -1;
	for (size_t i = 0; i < jdoc_length(entries); i++)
		if (parse_entry(jdoc_at(entries, i), ret, err) < 0)
			return -1;
	return 0;
}

int record_text_parse(const void *text, size_t len, struct record *ret, struct error *err)
{
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;

	if (jdoc_parse(text, len, "record", &doc, err) < 0
	    || parse_document(jdoc_root(doc), ret, err) < 0) {
		err->kind = ERR_INCONSISTENT;
		return -1;
	}
	return 0;
}
