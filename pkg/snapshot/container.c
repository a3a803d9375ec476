/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers: writable snapshots with a name. Knows nothing of what is done with their files
 * outside the pool, only where the record says that these are.
 */
#include "pkg/snapshot/snapshot.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/uuid.h"
#include "pkg/ext4/superblock.h"
#include "pkg/json/jdoc.h"
#include "pkg/snapshot/snapshot_internal.h"

/* A UUID of its own, so that two containers mounted on one host are told apart. */
static int set_uuid(struct snapshots *s, uint32_t thin_id, uint64_t size_bytes, struct error *err)
{
	cleanup(thin_volume_close_ptr) struct thin_volume *volume = NULL;
	uint8_t uuid[16];

	if (uuid_random(uuid, err) < 0
	    || thin_pool_open_volume(s->pool, thin_id, size_bytes, true, &volume, err) < 0)
		return -1;
	return ext4_set_uuid(volume, uuid, err);
}

/* Made now it need be made but once. */
static int give_device(struct snapshots *s, uint32_t thin_id, uint64_t size_bytes,
		       struct error *err)
{
	cleanup_free char *path = NULL;

	if (thin_pool_is_atomic(s->pool))
		return 0;
	return thin_pool_activate(s->pool, thin_id, size_bytes, false, &path, err);
}

/*
 * The record is JSON: other bytes would come back changed, and two keys that become one would make
 * it unreadable.
 */
static int check_labels(const struct container_spec *spec, struct error *err)
{
	for (size_t i = 0; i < spec->n_labels; i++) {
		const struct record_label *label = &spec->labels[i];

		if (!jout_is_text(label->key) || !jout_is_text(label->value))
			return error_set(err, ERR_USAGE, "label '%.60s' is not UTF-8", label->key);
		for (size_t j = 0; j < i; j++)
			if (strcmp(spec->labels[j].key, label->key) == 0)
				return error_set(err, ERR_USAGE, "label '%.60s' is there twice",
						 label->key);
	}
	return 0;
}

static void fill_container(struct record_entry *e, const struct container_spec *spec)
{
	e->kind = RECORD_CONTAINER;
	e->chain_id = spec->chain_id;
	e->name = xstrdup(spec->name);
	e->image = xstrdup(spec->image);
	e->manifest = spec->manifest;
	e->created = xstrdup(spec->created);
	e->read_only = spec->read_only;
	e->temporary = spec->temporary;
	e->labels = xcalloc(spec->n_labels, sizeof(*e->labels));
	e->n_labels = spec->n_labels;
	for (size_t i = 0; i < spec->n_labels; i++)
		e->labels[i] = (struct record_label){.key = xstrdup(spec->labels[i].key),
						     .value = xstrdup(spec->labels[i].value)};
}

static int create_container(struct snapshots *s, const struct container_spec *spec,
			    struct error *err)
{
	const struct record_entry *layer = snapshots_find_layer(s, &spec->chain_id);
	uint64_t size_bytes;
	struct record_entry *e;
	uint32_t thin_id, origin;

	if (check_labels(spec, err) < 0)
		return -1;
	if (record_find_container(&s->record, spec->name))
		return error_set(err, ERR_BUSY, "a container named %s is there already",
				 spec->name);
	if (!layer)
		return error_set(err, ERR_NOT_FOUND, "the image's top layer is not in the pool");
	size_bytes = layer->size_bytes;
	origin = layer->thin_id;
	if (snapshots_take_id(s, &thin_id, err) < 0)
		return -1;
	e = record_add(&s->record, thin_id);
	e->state = RECORD_CREATING;
	e->size_bytes = size_bytes;
	fill_container(e, spec);
	if (snapshots_intend(s, thin_id, err) < 0
	    || thin_pool_create_snap(s->pool, thin_id, origin, err) < 0
	    || (spec->attach && !spec->read_only && give_device(s, thin_id, size_bytes, err) < 0)
	    || set_uuid(s, thin_id, size_bytes, err) < 0)
		return -1;
	record_find_id(&s->record, thin_id)->state = RECORD_READY;
	return 0;
}

int snapshots_create_container(struct snapshots *s, const struct container_spec *spec,
			       struct error *err)
{
	return snapshots_end_change(s, create_container(s, spec, err), err);
}

static int remove_container(struct snapshots *s, const char *name, struct error *err)
{
	struct record_entry *e = record_find_container(&s->record, name);
	uint32_t thin_id;

	if (!e)
		return error_set(err, ERR_NOT_FOUND, "no container named %s", name);
	thin_id = e->thin_id;
	if (snapshots_delete(s, thin_id, err) < 0)
		return -1;
	record_remove(&s->record, thin_id);
	return 0;
}

int snapshots_remove_container(struct snapshots *s, const char *name, struct error *err)
{
	return snapshots_end_change(s, remove_container(s, name, err), err);
}

static int set_place(struct snapshots *s, const char *name, enum record_place place,
		     const char *folder, struct error *err)
{
	struct record_entry *e = record_find_container(&s->record, name);

	if (!e)
		return error_set(err, ERR_NOT_FOUND, "no container named %s", name);
	if (folder && !jout_is_text(folder))
		return error_set(err, ERR_UNSUPPORTED, "the name of folder %s is not UTF-8",
				 folder);
	free(e->folder);
	e->place = place;
	e->folder = folder ? xstrdup(folder) : NULL;
	return 0;
}

int snapshots_set_place(struct snapshots *s, const char *name, enum record_place place,
			const char *folder, struct error *err)
{
	assert((place == RECORD_IN_FOLDER) == (folder != NULL));
	return snapshots_end_change(s, set_place(s, name, place, folder, err), err);
}

static int rename_container(struct snapshots *s, const char *name, const char *new_name,
			    struct error *err)
{
	struct record_entry *e = record_find_container(&s->record, name);
	const struct record_entry *taken = record_find_container(&s->record, new_name);

	if (!e)
		return error_set(err, ERR_NOT_FOUND, "no container named %s", name);
	if (taken)
		return error_set(err, ERR_BUSY, "a container named %s is there already", new_name);
	free(e->name);
	e->name = xstrdup(new_name);
	return 0;
}

int snapshots_rename_container(struct snapshots *s, const char *name, const char *new_name,
			       struct error *err)
{
	return snapshots_end_change(s, rename_container(s, name, new_name, err), err);
}
