/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns images and containers into sets of thin devices, and asks the pool what each set maps and
 * what it alone maps. Which block is whose is the pool's business.
 */
#include "oci/usage.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "oci/store_internal.h"
#include "pkg/base/alloc.h"

enum {
	USAGE_TRIES = 100,
	USAGE_FREE_TRIES = 2, /* before writers are asked to wait for one */
	USAGE_PAUSE_MS = 2,
	USAGE_LOCK_MS = 50,
};

void usage_release(struct usage *u)
{
	for (size_t i = 0; i < u->n_images; i++)
		free(u->images[i].ref);
	free(u->images);
	free(u->layers);
	free(u->containers);
	snapshots_close(u->session);
	*u = (struct usage){0};
}

/* --- sets of devices -------------------------------------------------------------------------- */

struct ids {
	uint32_t *items;
	size_t n, room;
};

static void ids_release(struct ids *ids)
{
	free(ids->items);
}

static void ids_add(struct ids *ids, uint32_t id)
{
	ALLOC_GROW(ids->items, ids->n + 1, ids->room);
	ids->items[ids->n++] = id;
}

static int mapped_bytes(struct usage *u, const struct ids *ids, uint64_t *ret, struct error *err)
{
	if (thin_pool_mapped(snapshots_pool(u->session), ids->items, ids->n, ret, err) < 0)
		return -1;
	*ret *= u->pool.block_bytes;
	return 0;
}

static int exclusive_bytes(struct usage *u, const struct ids *ids, uint64_t *ret, struct error *err)
{
	if (thin_pool_exclusive(snapshots_pool(u->session), ids->items, ids->n, ret, err) < 0)
		return -1;
	*ret *= u->pool.block_bytes;
	return 0;
}

/* What one device maps, and what it alone does. */
static int measure_device(struct usage *u, uint32_t thin_id, uint64_t *ret_mapped,
			  uint64_t *ret_exclusive, struct error *err)
{
	struct thin_device device;
	struct ids one = {.items = &thin_id, .n = 1};

	if (thin_pool_device(snapshots_pool(u->session), thin_id, &device, err) < 0
	    || exclusive_bytes(u, &one, ret_exclusive, err) < 0)
		return -1;
	*ret_mapped = device.mapped_blocks * u->pool.block_bytes;
	return 0;
}

/* --- what is there ---------------------------------------------------------------------------- */

/* While it is measured. By thin id, where they say so. */
struct survey {
	struct usage *usage;
	struct ids system, images, others, containers;
	struct ids *owned;  /* by image: the layers that it alone needs */
	size_t *last_owner; /* by layer: the last image found to need it */
	bool *kept;	    /* by layer: something that is in use stands on it */
};

static void survey_release(struct survey *v)
{
	ids_release(&v->system);
	ids_release(&v->images);
	ids_release(&v->others);
	ids_release(&v->containers);
	for (size_t i = 0; v->owned && i < v->usage->n_images; i++)
		ids_release(&v->owned[i]);
	free(v->owned);
	free(v->last_owner);
	free(v->kept);
}

static struct usage_layer *find_layer(const struct usage *u, const struct digest *chain_id)
{
	for (size_t i = 0; i < u->n_layers; i++)
		if (digest_equal(&u->layers[i].chain_id, chain_id))
			return &u->layers[i];
	return NULL;
}

static int add_layer(struct usage *u, const struct record_entry *e, struct error *err)
{
	struct usage_layer *layer = &u->layers[u->n_layers++];

	*layer = (struct usage_layer){.chain_id = e->chain_id,
				      .parent = e->parent,
				      .thin_id = e->thin_id,
				      .content_bytes = e->content_bytes};
	return measure_device(u, e->thin_id, &layer->mapped_bytes, &layer->exclusive_bytes, err);
}

static int add_base(struct survey *v, const struct record_entry *e, struct error *err)
{
	uint64_t ignored;

	ids_add(&v->system, e->thin_id);
	v->usage->base_thin_id = e->thin_id;
	return measure_device(v->usage, e->thin_id, &v->usage->base_mapped_bytes, &ignored, err);
}

static int add_container(struct survey *v, const struct record_entry *e, struct error *err)
{
	struct usage *u = v->usage;
	struct usage_container *container = &u->containers[u->n_containers++];

	*container = (struct usage_container){.entry = e};
	ids_add(&v->containers, e->thin_id);
	return measure_device(u, e->thin_id, &container->mapped_bytes, &container->exclusive_bytes,
			      err);
}

static int add_entry(struct survey *v, const struct record_entry *e, struct error *err)
{
	if (e->state == RECORD_CREATING || (e->kind == RECORD_CONTAINER && e->state)) {
		ids_add(&v->others, e->thin_id); /* half made or half gone */
		return 0;
	}
	if (e->kind == RECORD_CONTAINER)
		return add_container(v, e, err);
	if (e->chain_id.algorithm == DIGEST_NONE)
		return add_base(v, e, err);
	return add_layer(v->usage, e, err);
}

static int read_record(struct survey *v, struct error *err)
{
	struct usage *u = v->usage;
	const struct record *r = snapshots_record(u->session);

	u->layers = xcalloc(r->n + 1, sizeof(*u->layers));
	u->containers = xcalloc(r->n + 1, sizeof(*u->containers));
	ids_add(&v->system, RECORD_THIN_ID);
	for (size_t i = 0; i < r->n; i++)
		if (add_entry(v, &r->entries[i], err) < 0)
			return -1;
	v->last_owner = xcalloc(u->n_layers + 1, sizeof(*v->last_owner));
	v->kept = xcalloc(u->n_layers + 1, sizeof(*v->kept));
	return 0;
}

/* --- whose it is ------------------------------------------------------------------------------ */

static size_t count_containers(const struct usage *u, const struct digest *manifest)
{
	size_t n = 0;

	for (size_t i = 0; i < u->n_containers; i++)
		n += digest_equal(&u->containers[i].entry->manifest, manifest);
	return n;
}

static int add_image(struct survey *v, struct store *s, const struct content_image *from,
		     struct error *err)
{
	cleanup(ids_release) struct ids ids = {0};
	cleanup_free struct digest *chain = NULL;
	struct usage *u = v->usage;
	struct usage_image *image = &u->images[u->n_images];
	size_t n;

	if (store_image_chain(s, &from->manifest, &chain, &n, err) < 0)
		return error_wrap(err, "image %s", from->ref);
	for (size_t i = 0; i < n; i++) {
		struct usage_layer *layer = find_layer(u, &chain[i]);

		if (!layer)
			continue;
		layer->n_images++;
		v->last_owner[layer - u->layers] = u->n_images;
		ids_add(&ids, layer->thin_id);
	}
	*image = (struct usage_image){
		.ref = xstrdup(from->ref),
		.manifest = from->manifest,
		.n_layers = n,
		.n_containers = count_containers(u, &from->manifest),
	};
	if (n)
		image->chain_id = chain[n - 1];
	u->n_images++;
	return mapped_bytes(u, &ids, &image->mapped_bytes, err);
}

static int add_images(struct survey *v, struct store *s, const struct content_image *images,
		      size_t n, struct error *err)
{
	v->usage->images = xcalloc(n + 1, sizeof(*v->usage->images));
	for (size_t i = 0; i < n; i++)
		if (strcmp(images[i].pool, store_pool_name(s)) == 0
		    && add_image(v, s, &images[i], err) < 0)
			return -1;
	return 0;
}

static int read_images(struct survey *v, struct store *s, struct error *err)
{
	struct content_image *images;
	struct content *content;
	size_t n;
	int status;

	if (store_content(s, &content, err) < 0 || content_images(content, &images, &n, err) < 0)
		return -1;
	status = add_images(v, s, images, n, err);
	content_images_free(images, n);
	return status;
}

static void sort_layers(struct survey *v)
{
	struct usage *u = v->usage;

	v->owned = xcalloc(u->n_images + 1, sizeof(*v->owned));
	for (size_t i = 0; i < u->n_layers; i++) {
		const struct usage_layer *layer = &u->layers[i];

		ids_add(layer->n_images ? &v->images : &v->others, layer->thin_id);
		if (layer->n_images == 1)
			ids_add(&v->owned[v->last_owner[i]], layer->thin_id);
	}
}

/* This layer and all below it cannot go. */
static void keep_chain(struct survey *v, const struct digest *chain_id)
{
	struct usage_layer *layer;

	while ((layer = find_layer(v->usage, chain_id)) && !v->kept[layer - v->usage->layers]) {
		v->kept[layer - v->usage->layers] = true;
		chain_id = &layer->parent;
	}
}

static void keep_what_is_needed(struct survey *v)
{
	const struct usage *u = v->usage;

	for (size_t i = 0; i < u->n_containers; i++)
		keep_chain(v, &u->containers[i].entry->chain_id);
	for (size_t i = 0; i < u->n_images; i++)
		if (u->images[i].n_containers)
			keep_chain(v, &u->images[i].chain_id);
	for (size_t i = 0; i < u->n_layers; i++)
		if (!u->layers[i].n_images)
			keep_chain(v, &u->layers[i].chain_id);
}

/* --- sums ------------------------------------------------------------------------------------- */

/* Bytes of the devices so far and of these, less those so far, which then include these. */
static int add_share(struct usage *u, struct ids *so_far, uint64_t *sum, const struct ids *ids,
		     uint64_t *ret, struct error *err)
{
	uint64_t together;

	for (size_t i = 0; i < ids->n; i++)
		ids_add(so_far, ids->items[i]);
	if (mapped_bytes(u, so_far, &together, err) < 0)
		return -1;
	*ret = together - *sum;
	*sum = together;
	return 0;
}

/* What no device maps any more but a metadata snapshot still holds is the pool's own. */
static void add_held(struct usage *u, uint64_t mapped)
{
	uint64_t held = u->pool.data_used_blocks * u->pool.block_bytes - mapped;

	u->system_sum.bytes += held;
	u->system_sum.exclusive_bytes += held;
}

static int sum_shares(struct survey *v, struct error *err)
{
	cleanup(ids_release) struct ids so_far = {0};
	struct usage *u = v->usage;
	uint64_t sum = 0;

	if (add_share(u, &so_far, &sum, &v->system, &u->system_sum.bytes, err) < 0
	    || add_share(u, &so_far, &sum, &v->images, &u->image_sum.bytes, err) < 0
	    || add_share(u, &so_far, &sum, &v->others, &u->other_sum.bytes, err) < 0
	    || exclusive_bytes(u, &v->containers, &u->container_sum.bytes, err) < 0
	    || exclusive_bytes(u, &v->system, &u->system_sum.exclusive_bytes, err) < 0
	    || exclusive_bytes(u, &v->others, &u->other_sum.exclusive_bytes, err) < 0)
		return -1;
	u->other_sum.n = v->others.n;
	u->system_sum.n = u->system_sum.n_active = v->system.n;
	add_held(u, sum + u->container_sum.bytes);
	return 0;
}

static int sum_images(struct survey *v, struct error *err)
{
	cleanup(ids_release) struct ids unused = {0};
	struct usage *u = v->usage;

	for (size_t i = 0; i < u->n_images; i++) {
		struct usage_image *image = &u->images[i];

		if (exclusive_bytes(u, &v->owned[i], &image->exclusive_bytes, err) < 0)
			return -1;
		u->image_sum.n++;
		u->image_sum.n_active += image->n_containers > 0;
		u->image_sum.exclusive_bytes += image->exclusive_bytes;
	}
	for (size_t i = 0; i < u->n_layers; i++)
		if (!v->kept[i])
			ids_add(&unused, u->layers[i].thin_id);
	return exclusive_bytes(u, &unused, &u->image_sum.reclaimable_bytes, err);
}

static int look_at_container(struct usage_container *container, struct store *s, struct error *err)
{
	struct container_state state;

	if (container_state(s, container->entry, &state, err) < 0)
		return -1;
	container->status = state.status;
	container->active = state.status == CONTAINER_ATTACHED || state.status == CONTAINER_MOUNTED
			    || state.status == CONTAINER_RUNNING;
	container->host_bytes = state.used_bytes;
	container_state_release(&state);
	return 0;
}

static int sum_containers(struct usage *u, struct store *s, struct error *err)
{
	cleanup(ids_release) struct ids idle = {0};

	for (size_t i = 0; i < u->n_containers; i++) {
		struct usage_container *container = &u->containers[i];

		if (look_at_container(container, s, err) < 0)
			return -1;
		u->container_sum.n++;
		u->container_sum.n_active += container->active;
		u->container_sum.exclusive_bytes += container->exclusive_bytes;
		u->host_bytes += container->host_bytes;
		if (!container->active)
			ids_add(&idle, container->entry->thin_id);
	}
	return exclusive_bytes(u, &idle, &u->container_sum.reclaimable_bytes, err);
}

static int sum_up(struct survey *v, struct store *s, struct error *err)
{
	struct usage *u = v->usage;

	if (sum_shares(v, err) < 0 || sum_images(v, err) < 0 || sum_containers(u, s, err) < 0)
		return -1;
	u->shared_bytes = u->pool.data_used_blocks * u->pool.block_bytes
			  - u->image_sum.exclusive_bytes - u->container_sum.exclusive_bytes
			  - u->other_sum.exclusive_bytes - u->system_sum.exclusive_bytes;
	return 0;
}

/* --- at one moment ---------------------------------------------------------------------------- */

/* With writers kept out, if there is none just now: ERR_BUSY otherwise. */
static int read_still(struct store *s, struct snapshots **ret, struct error *err)
{
	struct thin_open how = {.engine = s->engine,
				.mode = THIN_STILL,
				.verb = s->verb,
				.lock_timeout_ms = USAGE_LOCK_MS};
	struct thin_pool *pool = NULL;

	if (thin_open(s->pool_dir, &how, &pool, err) < 0)
		return -1;
	return snapshots_open(&pool, ret, err);
}

static int survey_pool(struct survey *v, struct store *s, bool still, struct error *err)
{
	if ((still ? read_still : store_read)(s, &v->usage->session, err) < 0
	    || thin_pool_status(snapshots_pool(v->usage->session), &v->usage->pool, err) < 0
	    || read_record(v, err) < 0 || read_images(v, s, err) < 0)
		return -1;
	sort_layers(v);
	keep_what_is_needed(v);
	return sum_up(v, s, err);
}

/* Readers go on while others commit: was it one transaction, and one list of images, all along? */
static int measure_once(struct store *s, bool still, struct usage *u, bool *ret_steady,
			struct error *err)
{
	cleanup(survey_release) struct survey v = {.usage = u};
	struct thin_pool_status status;
	struct digest before, after;
	struct content *content;

	if (store_content(s, &content, err) < 0 || content_generation(content, &before, err) < 0
	    || survey_pool(&v, s, still, err) < 0 || content_generation(content, &after, err) < 0
	    || thin_pool_status(snapshots_pool(u->session), &status, err) < 0)
		return -1;
	*ret_steady = digest_equal(&before, &after)
		      && u->pool.transaction_id == status.transaction_id
		      && snapshots_record(u->session)->transaction_id == status.transaction_id;
	return 0;
}

/* Something went while it was looked at, or a writer is at work; what stays wrong is an error. */
static bool is_worth_another_look(struct store *s, bool still, const struct error *err)
{
	if (err->kind == ERR_BUSY)
		return still;
	return err->kind == ERR_NOT_FOUND && store_pool_exists(s);
}

/*
 * A pool with many containers takes longer than others leave it between two changes: then they have
 * to wait for one look. One that works on for long is not waited for, since it changes nothing
 * meanwhile.
 */
int usage_measure(struct store *s, struct usage *ret, struct error *err)
{
	struct timespec pause = {.tv_nsec = USAGE_PAUSE_MS * 1000000};

	for (unsigned tries = 1;; tries++) {
		cleanup(usage_release) struct usage u = {0};
		bool steady = false, still = tries > USAGE_FREE_TRIES && tries % 2;
		int status = measure_once(s, still, &u, &steady, err);

		if (status == 0 && steady) {
			*ret = u;
			u = (struct usage){0};
			return 0;
		}
		if (status < 0 && !is_worth_another_look(s, still, err))
			return -1;
		if (tries == USAGE_TRIES)
			return status < 0 ? -1
					  : error_set(err, ERR_BUSY,
						      "pool %s is being changed all the time",
						      store_pool_name(s));
		nanosleep(&pause, NULL);
	}
}
