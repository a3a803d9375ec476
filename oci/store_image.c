/* SPDX-License-Identifier: Apache-2.0 */
/* Images and containers of a store: finding, making, removing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "oci/chain.h"
#include "oci/config.h"
#include "oci/container_internal.h"
#include "oci/manifest.h"
#include "oci/store_internal.h"
#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/base/timestamp.h"

/* What the new superblock and a first mount write, with room to spare. */
enum { CONTAINER_NEED_BYTES = 1 << 20, NAME_WORD_MAX = 100, OPEN_TRIES = 5 };

/* --- what an image consists of ---------------------------------------------------------------- */

int store_image_chain(struct store *s, const struct digest *manifest_digest, struct digest **ret,
		      size_t *ret_n, struct error *err)
{
	cleanup_buffer struct buffer text = {0};
	cleanup(oci_manifest_release) struct oci_manifest manifest = {0};
	cleanup(oci_config_release) struct oci_config config = {0};
	struct content *content;

	if (store_content(s, &content, err) < 0
	    || content_get(content, manifest_digest, &text, err) < 0
	    || oci_manifest_parse(text.data, text.len, "manifest", &manifest, err) < 0)
		return -1;
	buffer_clear(&text);
	if (content_get(content, &manifest.config.digest, &text, err) < 0
	    || oci_config_parse(text.data, text.len, "config", &config, err) < 0)
		return -1;
	*ret_n = config.n_diff_ids;
	*ret = xcalloc(config.n_diff_ids + 1, sizeof(**ret));
	oci_chain_ids(config.diff_ids, config.n_diff_ids, *ret);
	return 0;
}

/* Release an array of content images with the rest of a scope. */
struct image_list {
	struct content_image *items;
	size_t n;
};

static void image_list_release(struct image_list *l)
{
	content_images_free(l->items, l->n);
}

static int load_images(struct store *s, struct image_list *ret, struct error *err)
{
	struct content *content;

	if (store_content(s, &content, err) < 0)
		return -1;
	return content_images(content, &ret->items, &ret->n, err);
}

/* Each pool has its images: a reference is told from the same one in another pool. */
static bool is_image(const struct store *s, const struct content_image *image, const char *ref)
{
	return strcmp(image->pool, s->pool) == 0 && strcmp(image->ref, ref) == 0;
}

/* 1 when the layer is one of this image, 0 when not. */
static int image_has_layer(struct store *s, const struct content_image *image,
			   const struct digest *chain_id, struct error *err)
{
	cleanup_free struct digest *chain = NULL;
	size_t n;

	if (strcmp(image->pool, s->pool) != 0)
		return 0;
	if (store_image_chain(s, &image->manifest, &chain, &n, err) < 0)
		return error_wrap(err, "image %s", image->ref);
	for (size_t i = 0; i < n; i++)
		if (digest_equal(&chain[i], chain_id))
			return 1;
	return 0;
}

int store_layer_wanted(const struct digest *chain_id, void *arg, struct error *err)
{
	struct store *s = arg;
	cleanup(image_list_release) struct image_list images = {0};
	int wanted = 0;

	if (load_images(s, &images, err) < 0)
		return -1;
	for (size_t i = 0; i < images.n && wanted == 0; i++)
		wanted = image_has_layer(s, &images.items[i], chain_id, err);
	return wanted;
}

int store_find_image(struct store *s, const char *ref, struct content_image **ret,
		     struct error *err)
{
	cleanup(image_list_release) struct image_list images = {0};

	if (load_images(s, &images, err) < 0)
		return -1;
	for (size_t i = 0; i < images.n; i++) {
		if (!is_image(s, &images.items[i], ref))
			continue;
		*ret = xmemdup(&images.items[i], sizeof(**ret));
		/* Its strings went to the copy. */
		images.items[i] = (struct content_image){0};
		return 0;
	}
	return error_set(err, ERR_NOT_FOUND, "no image %s", ref);
}

static void free_image_ptr(struct content_image **image)
{
	if (*image)
		content_images_free(*image, 1);
}

/* --- containers ------------------------------------------------------------------------------- */

int store_is_container(struct store *s, const char *name, bool *ret, struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *snapshots = NULL;

	*ret = false;
	if (!store_pool_exists(s))
		return 0;
	if (store_read(s, &snapshots, err) < 0)
		return -1;
	*ret = record_find_container(snapshots_record(snapshots), name) != NULL;
	return 0;
}

/* "debian-3f9a2c" from docker.io/library/debian:12: the last word of the reference and chance. */
static char *make_name(const struct record *r, const char *ref)
{
	const char *slash = strrchr(ref, '/');
	const char *word = slash ? slash + 1 : ref;
	size_t len = strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789_-");

	while (len > 0 && strchr("_-", *word)) {
		word++;
		len--;
	}
	if (len > NAME_WORD_MAX)
		len = NAME_WORD_MAX;
	for (;;) {
		uint32_t chance = 0;
		char *name;

		if (getrandom(&chance, sizeof(chance), 0) != sizeof(chance))
			chance = (uint32_t)time(NULL);
		name = xasprintf("%.*s-%06x", len ? (int)len : 5, len ? word : "image",
				 chance & 0xffffff);
		if (!record_find_container(r, name))
			return name;
		free(name);
	}
}

static int create_in_session(struct store *s, struct snapshots *snapshots,
			     const struct content_image *image,
			     const struct store_container_options *o, const char *name,
			     struct error *err)
{
	cleanup_free struct digest *chain = NULL;
	char created[TIMESTAMP_BYTES];
	size_t n;
	struct container_spec spec = {
		.name = name,
		.image = image->ref,
		.manifest = image->manifest,
		.created = timestamp_now(created),
		.read_only = o->read_only,
		.temporary = o->temporary,
		.attach = o->attach,
		.labels = o->labels,
		.n_labels = o->n_labels,
	};

	if (store_image_chain(s, &image->manifest, &chain, &n, err) < 0)
		return error_wrap(err, "image %s", image->ref);
	if (n > 0)
		spec.chain_id = chain[n - 1];
	if (store_guard(s, snapshots_pool(snapshots), CONTAINER_NEED_BYTES, err) < 0)
		return -1;
	return snapshots_create_container(snapshots, &spec, err);
}

int store_create_container(struct store *s, const char *ref,
			   const struct store_container_options *o, char **ret_name,
			   struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *snapshots = NULL;
	cleanup(free_image_ptr) struct content_image *image = NULL;
	cleanup_free char *name = NULL;

	if (o->name && !store_is_name(o->name))
		return error_set(err, ERR_USAGE,
				 "\"%s\" is no name for a container: letters, digits, _ . - and "
				 "no sign in front",
				 o->name);
	/* Under the pool's lock, so that it stays until the container has its layers. */
	if (store_write(s, &snapshots, err) < 0 || store_find_image(s, ref, &image, err) < 0)
		return -1;
	name = o->name ? xstrdup(o->name) : make_name(snapshots_record(snapshots), ref);
	if (create_in_session(s, snapshots, image, o, name, err) < 0)
		return -1;
	store_keep_written(s, &snapshots);
	*ret_name = steal(&name);
	return 0;
}

/* --- removing an image ------------------------------------------------------------------------ */

/* An image under its last reference is not removed while a container was made from it. */
static int check_containers(const struct record *r, const struct image_list *images,
			    const struct content_image *image, struct error *err)
{
	for (size_t i = 0; i < images->n; i++)
		if (strcmp(images->items[i].pool, image->pool) == 0
		    && strcmp(images->items[i].ref, image->ref) != 0
		    && digest_equal(&images->items[i].manifest, &image->manifest))
			return 0;
	for (size_t i = 0; i < r->n; i++)
		if (r->entries[i].kind == RECORD_CONTAINER
		    && digest_equal(&r->entries[i].manifest, &image->manifest)) {
			error_set(err, ERR_BUSY, "container %s was made from %s",
				  r->entries[i].name, image->ref);
			return error_set_detail(err, ERR_DETAIL_MADE_FROM);
		}
	return 0;
}

/*
 * Does another image, a container, or a layer other than `above` stand on this layer? A layer may
 * belong to a pull that has not ended. 1, 0, -1.
 */
static int layer_has_other_user(struct store *s, struct snapshots *snapshots,
				const struct image_list *images, const char *ref,
				const struct digest *chain_id, const struct digest *above,
				struct error *err)
{
	if (record_entry_on(snapshots_record(snapshots), chain_id, above))
		return 1;
	for (size_t i = 0; i < images->n; i++) {
		int has;

		if (strcmp(images->items[i].ref, ref) == 0)
			continue;
		has = image_has_layer(s, &images->items[i], chain_id, err);
		if (has != 0)
			return has;
	}
	return 0;
}

/*
 * The layers only this image needs, topmost first: going down, the first one with another user
 * ends it, since all below it is needed as well.
 */
static int choose_layers(struct store *s, struct snapshots *snapshots,
			 const struct image_list *images, const struct content_image *image,
			 struct digest **ret, size_t *ret_n, struct error *err)
{
	cleanup_free struct digest *chain = NULL;
	cleanup_free struct digest *chosen = NULL;
	size_t n, n_chosen = 0;

	if (store_image_chain(s, &image->manifest, &chain, &n, err) < 0)
		return error_wrap(err, "image %s", image->ref);
	chosen = xcalloc(n + 1, sizeof(*chosen));
	for (size_t i = n; i-- > 0;) {
		int used;

		if (!snapshots_find_layer(snapshots, &chain[i]))
			continue;
		used = layer_has_other_user(s, snapshots, images, image->ref, &chain[i],
					    n_chosen ? &chosen[n_chosen - 1] : NULL, err);
		if (used < 0)
			return -1;
		if (used)
			break;
		chosen[n_chosen++] = chain[i];
	}
	*ret = steal(&chosen);
	*ret_n = n_chosen;
	return 0;
}

static int remove_in_session(struct store *s, struct snapshots *snapshots,
			     const struct image_list *images, const struct content_image *image,
			     struct error *err)
{
	cleanup_free struct digest *layers = NULL;
	struct content *content;
	size_t n = 0;

	if (check_containers(snapshots_record(snapshots), images, image, err) < 0
	    || choose_layers(s, snapshots, images, image, &layers, &n, err) < 0
	    || store_content(s, &content, err) < 0)
		return -1;
	if (snapshots_intend_removal(snapshots, layers, n, err) < 0
	    || content_remove_image(content, image->ref, image->pool, err) < 0
	    || snapshots_remove_layers(snapshots, layers, n, err) < 0)
		return -1;
	return content_sweep(content, err);
}

int store_remove_image(struct store *s, const char *ref, struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *snapshots = NULL;
	cleanup(image_list_release) struct image_list images = {0};

	if (store_write(s, &snapshots, err) < 0 || load_images(s, &images, err) < 0)
		return -1;
	for (size_t i = 0; i < images.n; i++)
		if (is_image(s, &images.items[i], ref))
			return remove_in_session(s, snapshots, &images, &images.items[i], err);
	return error_set(err, ERR_NOT_FOUND, "no image %s", ref);
}

/* --- volumes ---------------------------------------------------------------------------------- */

/* The record entry of a container, or of an image's top layer. */
static int find_entry(struct store *s, struct snapshots *snapshots, const char *name,
		      const struct record_entry **ret, struct error *err)
{
	cleanup(free_image_ptr) struct content_image *image = NULL;
	cleanup_free struct digest *chain = NULL;
	struct digest none = {0};
	size_t n;

	*ret = record_find_container(snapshots_record(snapshots), name);
	if (*ret)
		return 0;
	if (store_find_image(s, name, &image, err) < 0)
		return error_set(err, ERR_NOT_FOUND, "no container and no image %s", name);
	if (store_image_chain(s, &image->manifest, &chain, &n, err) < 0)
		return error_wrap(err, "image %s", image->ref);
	*ret = snapshots_find_readable(snapshots, n ? &chain[n - 1] : &none);
	if (!*ret)
		return error_set(err, ERR_NOT_FOUND,
				 "the layers of %s are not in pool %s; pull it again", name,
				 s->pool);
	return 0;
}

static int open_entry(struct store *s, struct snapshots *snapshots, const struct record_entry *e,
		      struct thin_volume **ret, struct error *err)
{
	if (e->place == RECORD_IN_FOLDER)
		log_warning("container %s was extracted into %s: what was written there is not in "
			    "its volume",
			    e->name, e->folder);
	if (e->kind != RECORD_CONTAINER)
		return thin_pool_open_volume(snapshots_pool(snapshots), e->thin_id, e->size_bytes,
					     false, ret, err);
	cleanup_fd_ptr(&s->volume_lock_fd);
	s->volume_lock_fd = -1;
	return container_open_still(s, snapshots, e, &s->volume_lock_fd, ret, err);
}

static int open_volume(struct store *s, const char *name, struct snapshots **ret_session,
		       struct thin_volume **ret, struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *snapshots = NULL;
	const struct record_entry *e;

	if (store_read(s, &snapshots, err) < 0 || find_entry(s, snapshots, name, &e, err) < 0
	    || open_entry(s, snapshots, e, ret, err) < 0)
		return -1;
	*ret_session = steal(&snapshots);
	return 0;
}

/*
 * Without a lock, so what was found may be gone before it is opened, and made again. What is not
 * there at all is looked for some times in vain.
 */
int store_open_volume(struct store *s, const char *name, struct snapshots **ret_session,
		      struct thin_volume **ret, struct error *err)
{
	for (unsigned tries = 1; open_volume(s, name, ret_session, ret, err) < 0; tries++)
		if (err->kind != ERR_NOT_FOUND || tries == OPEN_TRIES)
			return -1;
	return 0;
}
