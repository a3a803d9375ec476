/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the catalog in step: content and record are the truth, each named in a key. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "oci/store_internal.h"
#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/json/jdoc.h"

enum { UPDATE_TRIES = 20, UPDATE_PAUSE_MS = 2 };

static char *digest_text(const struct digest *d)
{
	char text[DIGEST_TEXT_BYTES];

	return d->algorithm == DIGEST_NONE ? NULL : xstrdup(digest_format(d, text));
}

/* --- images ----------------------------------------------------------------------------------- */

static int describe_image(struct store *s, const struct content_image *from,
			  struct catalog_image *ret, struct error *err)
{
	cleanup_free struct digest *chain = NULL;
	size_t n = 0;

	if (store_image_chain(s, &from->manifest, &chain, &n, err) < 0)
		return error_wrap(err, "image %s", from->ref);
	*ret = (struct catalog_image){
		.ref = xstrdup(from->ref),
		.digest = digest_text(&from->target),
		.manifest = digest_text(&from->manifest),
		.platform = xstrdup(from->platform ? from->platform : ""),
		.created = xstrdup(from->created ? from->created : ""),
		.pool = xstrdup(from->pool),
		.chain_id = n ? digest_text(&chain[n - 1]) : NULL,
	};
	return 0;
}

static int collect_images(struct store *s, const struct content_image *from, size_t n,
			  const char *key, struct error *err)
{
	struct catalog_image *images = xcalloc(n + 1, sizeof(*images));
	int status = 0;

	for (size_t i = 0; i < n && status == 0; i++)
		status = describe_image(s, &from[i], &images[i], err);
	if (status == 0)
		status = catalog_rebuild_images(s->catalog, key, images, n, err);
	catalog_images_free(images, n);
	return status;
}

static int images_key(struct store *s, char *key, struct error *err)
{
	struct digest generation;
	struct content *content;

	if (store_content(s, &content, err) < 0
	    || content_generation(content, &generation, err) < 0)
		return -1;
	digest_format(&generation, key);
	return 0;
}

static int update_images(struct store *s, const char *key, struct error *err)
{
	struct content_image *images = NULL;
	bool current;
	size_t n;
	int status;

	if (catalog_is_current(s->catalog, "images", key, &current, err) < 0)
		return -1;
	if (current)
		return 0;
	if (content_images(s->content, &images, &n, err) < 0)
		return -1;
	status = collect_images(s, images, n, key, err);
	content_images_free(images, n);
	return status;
}

/* --- layers and containers of the pool -------------------------------------------------------- */

struct pool_rows {
	struct catalog_layer *layers;
	struct catalog_container *containers;
	size_t n_layers, n_containers;
};

static void pool_rows_release(struct pool_rows *rows)
{
	catalog_layers_free(rows->layers, rows->n_layers);
	catalog_containers_free(rows->containers, rows->n_containers);
}

static char *labels_text(const struct record_entry *e)
{
	struct jout o = {.compact = true};
	char *text;

	jout_object(&o, NULL);
	for (size_t i = 0; i < e->n_labels; i++)
		jout_string(&o, e->labels[i].key, e->labels[i].value);
	jout_end_object(&o);
	text = xstrndup((const char *)o.text.data, o.text.len);
	jout_release(&o);
	return text;
}

static void add_layer(struct pool_rows *rows, const struct record_entry *e, uint64_t mapped_bytes)
{
	rows->layers[rows->n_layers++] = (struct catalog_layer){
		.chain_id = digest_text(&e->chain_id),
		.diff_id = digest_text(&e->diff_id),
		.parent = digest_text(&e->parent),
		.thin_id = e->thin_id,
		.content_bytes = e->content_bytes,
		.mapped_bytes = mapped_bytes,
	};
}

static void add_container(struct pool_rows *rows, const struct record_entry *e,
			  uint64_t mapped_bytes, uint64_t exclusive_bytes)
{
	rows->containers[rows->n_containers++] = (struct catalog_container){
		.name = xstrdup(e->name),
		.image = xstrdup(e->image),
		.manifest = digest_text(&e->manifest),
		.created = xstrdup(e->created),
		.chain_id = digest_text(&e->chain_id),
		.labels = labels_text(e),
		.thin_id = e->thin_id,
		.size_bytes = e->size_bytes,
		.mapped_bytes = mapped_bytes,
		.exclusive_bytes = exclusive_bytes,
		.read_only = e->read_only,
	};
}

/* Since the record was read, whose key is not the pool's any more then: there is no row. */
static int removed_meanwhile(struct error *err)
{
	if (err->kind != ERR_NOT_FOUND)
		return -1;
	error_clear(err);
	return 0;
}

/* What the pool knows of all its devices, asked once: to the kernel a question is not cheap. */
struct pool_devices {
	struct thin_pool *pool;
	struct thin_pool_status status;
	struct thin_device *items; /* owned, ascending */
	size_t n;
};

static void pool_devices_release(struct pool_devices *d)
{
	free(d->items);
}

static int by_id(const void *key, const void *item)
{
	uint32_t id = *(const uint32_t *)key, other = ((const struct thin_device *)item)->id;

	return id < other ? -1 : id > other;
}

static int collect_row(struct pool_rows *rows, const struct pool_devices *devices,
		       const struct record_entry *e, struct error *err)
{
	const struct thin_device *device = NULL;
	uint64_t mapped_bytes, exclusive;

	if (devices->n)
		device = bsearch(&e->thin_id, devices->items, devices->n, sizeof(*device), by_id);
	if (!device) /* as removed_meanwhile() */
		return 0;
	mapped_bytes = device->mapped_blocks * devices->status.block_bytes;
	if (e->kind == RECORD_LAYER) {
		add_layer(rows, e, mapped_bytes);
		return 0;
	}
	if (thin_pool_exclusive(devices->pool, &e->thin_id, 1, &exclusive, err) < 0)
		return removed_meanwhile(err);
	add_container(rows, e, mapped_bytes, exclusive * devices->status.block_bytes);
	return 0;
}

static int collect_rows(struct snapshots *snapshots, struct pool_rows *ret, struct error *err)
{
	const struct record *r = snapshots_record(snapshots);
	cleanup(pool_devices_release) struct pool_devices devices = {
		.pool = snapshots_pool(snapshots)};

	ret->layers = xcalloc(r->n + 1, sizeof(*ret->layers));
	ret->containers = xcalloc(r->n + 1, sizeof(*ret->containers));
	if (thin_pool_room(devices.pool, &devices.status, err) < 0
	    || thin_pool_devices(devices.pool, &devices.items, &devices.n, err) < 0)
		return -1;
	for (size_t i = 0; i < r->n; i++) {
		const struct record_entry *e = &r->entries[i];

		/* A layer whose removal has not ended may be put back, see decide_intent(). */
		if (e->state == RECORD_CREATING
		    || (e->kind == RECORD_CONTAINER && e->state != RECORD_READY)
		    || (e->kind == RECORD_LAYER && e->chain_id.algorithm == DIGEST_NONE))
			continue;
		if (collect_row(ret, &devices, e, err) < 0)
			return -1;
	}
	return 0;
}

/* A pool made anew under the same name starts at the same transaction: its UUID is in the key. */
static char *pool_key(const struct thin_pool_status *status, uint64_t transaction_id)
{
	struct buffer key = {0};

	for (size_t i = 0; i < sizeof(status->uuid); i++)
		buffer_printf(&key, "%02x", status->uuid[i]);
	buffer_printf(&key, ":%llu", (unsigned long long)transaction_id);
	return buffer_detach(&key);
}

static char *pool_part(const struct store *s)
{
	return xasprintf("pool:%s", s->pool);
}

static int rebuild_pool(struct store *s, struct snapshots *snapshots, const char *key,
			struct error *err)
{
	cleanup(pool_rows_release) struct pool_rows rows = {0};

	if (snapshots && collect_rows(snapshots, &rows, err) < 0)
		return -1;
	return catalog_rebuild_pool(s->catalog, s->pool, key, rows.layers, rows.n_layers,
				    rows.containers, rows.n_containers, err);
}

/* @ret_key: owned. */
static int update_pool(struct store *s, char **ret_key, struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *snapshots = NULL;
	cleanup_free char *part = pool_part(s);
	cleanup_free char *key = NULL;
	struct thin_pool_status status;
	bool current;

	if (store_pool_exists(s)
	    && (store_read(s, &snapshots, err) < 0
		|| thin_pool_room(snapshots_pool(snapshots), &status, err) < 0))
		return -1;
	key = snapshots ? pool_key(&status, snapshots_record(snapshots)->transaction_id)
			: xstrdup("none");
	if (catalog_is_current(s->catalog, part, key, &current, err) < 0)
		return -1;
	if (!current && rebuild_pool(s, snapshots, key, err) < 0)
		return -1;
	*ret_key = steal(&key);
	return 0;
}

/* --- both ------------------------------------------------------------------------------------- */

static int open_catalog(struct store *s, struct error *err)
{
	cleanup_free char *path = xasprintf("%s/catalog.db", s->root);

	return s->catalog ? 0 : catalog_open(path, &s->catalog, err);
}

/* Where it cannot be written (a full disk, a root to read only) the index lives in memory. */
static int use_memory(struct store *s, struct error *err)
{
	log_debug("catalog: in memory: %s", err->cause);
	catalog_close(s->catalog);
	s->catalog = NULL;
	s->catalog_in_memory = true;
	return catalog_open(":memory:", &s->catalog, err);
}

/* Is the catalog still what was put there, by this process or by one that saw the same? */
static int both_current(struct store *s, const char *images, const char *pool, bool *ret,
			struct error *err)
{
	cleanup_free char *part = pool_part(s);
	char now[DIGEST_TEXT_BYTES];

	*ret = false;
	if (images_key(s, now, err) < 0)
		return -1;
	/* Images before the pool and the same after it: each has its layers. */
	if (strcmp(now, images) != 0)
		return 0;
	if (catalog_is_current(s->catalog, "images", images, ret, err) < 0)
		return -1;
	return *ret ? catalog_is_current(s->catalog, part, pool, ret, err) : 0;
}

/* @ret_current: false when others changed something meanwhile. Left in a transaction, unless -1. */
static int update_both(struct store *s, bool *ret_current, struct error *err)
{
	cleanup_free char *pool = NULL;
	char images[DIGEST_TEXT_BYTES];

	if (images_key(s, images, err) < 0 || update_images(s, images, err) < 0
	    || update_pool(s, &pool, err) < 0 || catalog_begin(s->catalog, err) < 0)
		return -1;
	if (both_current(s, images, pool, ret_current, err) < 0) {
		catalog_end(s->catalog);
		return -1;
	}
	return 0;
}

/*
 * Others may go on all the time: what is there after some tries is no older than the last of them.
 */
static int update_catalog(struct store *s, struct error *err)
{
	struct timespec pause = {.tv_nsec = UPDATE_PAUSE_MS * 1000000};

	if (open_catalog(s, err) < 0)
		return -1;
	for (unsigned tries = 1;; tries++) {
		bool current = false;
		int status = update_both(s, &current, err);

		/* What went while it was looked at, a thin id or a blob: look again. */
		if (status < 0 && (err->kind != ERR_NOT_FOUND || tries == UPDATE_TRIES))
			return -1;
		if (status == 0 && (current || tries == UPDATE_TRIES))
			return 0;
		catalog_end(s->catalog);
		nanosleep(&pause, NULL);
	}
}

/* Brought up to date, and in a transaction that the caller ends. */
static int store_catalog(struct store *s, struct error *err)
{
	if (update_catalog(s, err) == 0)
		return 0;
	if (s->catalog_in_memory || err->kind == ERR_NOT_FOUND || err->kind == ERR_INTERRUPTED
	    || use_memory(s, err) < 0)
		return -1;
	return update_catalog(s, err);
}

int store_images(struct store *s, struct catalog_image **ret, size_t *ret_n, struct error *err)
{
	int status;

	if (store_catalog(s, err) < 0)
		return -1;
	status = catalog_images(s->catalog, s->pool, ret, ret_n, err);
	catalog_end(s->catalog);
	return status;
}

int store_containers(struct store *s, struct catalog_container **ret, size_t *ret_n,
		     struct error *err)
{
	int status;

	if (store_catalog(s, err) < 0)
		return -1;
	status = catalog_containers(s->catalog, s->pool, ret, ret_n, err);
	catalog_end(s->catalog);
	return status;
}
