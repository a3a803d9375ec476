/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree: what is a snapshot of what. The empty file system at the root, layers on it and on each
 * other, and on each layer the images whose top it is and the containers made from it.
 */
#include "cmd/thinpull/command.h"

#include <langinfo.h>
#include <locale.h>
#include <string.h>

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/output.h"
#include "cmd/thinpull/sizes.h"
#include "oci/usage.h"
#include "pkg/base/alloc.h"

#define SHORT_DIGEST_CHARS 19

/* What stands on a layer, or on the base: one member is set in each. */
struct child {
	const struct usage_image *image;
	const struct usage_container *container;
	const struct usage_layer *layer;
};

struct children {
	struct child *items;
	size_t n, room;
};

static void children_release(struct children *c)
{
	free(c->items);
}

static void add_child(struct children *c, struct child child)
{
	ALLOC_GROW(c->items, c->n + 1, c->room);
	c->items[c->n++] = child;
}

/* Images, containers, layers. A chain has at most as many layers as a manifest may have. */
static void find_children(const struct usage *u, const struct digest *chain_id,
			  struct children *ret)
{
	for (size_t i = 0; i < u->n_images; i++)
		if (digest_equal(&u->images[i].chain_id, chain_id))
			add_child(ret, (struct child){.image = &u->images[i]});
	for (size_t i = 0; i < u->n_containers; i++)
		if (digest_equal(&u->containers[i].entry->chain_id, chain_id))
			add_child(ret, (struct child){.container = &u->containers[i]});
	for (size_t i = 0; i < u->n_layers; i++)
		if (digest_equal(&u->layers[i].parent, chain_id))
			add_child(ret, (struct child){.layer = &u->layers[i]});
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void json_container(struct jout *o, const struct usage_container *c)
{
	jout_object(o, NULL);
	jout_string(o, "name", c->entry->name);
	jout_uint(o, "thin_id", c->entry->thin_id);
	jout_uint(o, "mapped_bytes", c->mapped_bytes);
	jout_uint(o, "exclusive_bytes", c->exclusive_bytes);
	jout_end_object(o);
}

static void json_layer(struct jout *o, const struct usage *u, const struct usage_layer *layer);

static void json_children(struct jout *o, const struct usage *u, const struct digest *chain_id)
{
	cleanup(children_release) struct children children = {0};

	find_children(u, chain_id, &children);
	jout_array(o, "images");
	for (size_t i = 0; i < children.n; i++)
		if (children.items[i].image)
			jout_string(o, NULL, children.items[i].image->ref);
	jout_end_array(o);
	jout_array(o, "containers");
	for (size_t i = 0; i < children.n; i++)
		if (children.items[i].container)
			json_container(o, children.items[i].container);
	jout_end_array(o);
	jout_array(o, "layers");
	for (size_t i = 0; i < children.n; i++)
		if (children.items[i].layer)
			json_layer(o, u, children.items[i].layer);
	jout_end_array(o);
}

static void json_layer(struct jout *o, const struct usage *u, const struct usage_layer *layer)
{
	char text[DIGEST_TEXT_BYTES];

	jout_object(o, NULL);
	jout_string(o, "chain_id", digest_format(&layer->chain_id, text));
	jout_uint(o, "thin_id", layer->thin_id);
	jout_uint(o, "size_bytes", layer->content_bytes);
	jout_uint(o, "mapped_bytes", layer->mapped_bytes);
	jout_uint(o, "exclusive_bytes", layer->exclusive_bytes);
	json_children(o, u, &layer->chain_id);
	jout_end_object(o);
}

static void print_json(struct store *store, const struct usage *u)
{
	cleanup_jout struct jout o = {0};

	jout_object(&o, NULL);
	jout_string(&o, "pool", store_pool_name(store));
	jout_uint(&o, "thin_id", u->base_thin_id);
	jout_uint(&o, "size_bytes", snapshots_record(u->session)->base_bytes);
	jout_uint(&o, "mapped_bytes", u->base_mapped_bytes);
	json_children(&o, u, &(struct digest){0});
	jout_end_object(&o);
	output_json(&o);
}

/* --- for people ------------------------------------------------------------------------------- */

/* How branches are drawn: of a child, of the last one, and what stands below each of them. */
struct branches {
	const char *child, *last, *below_child, *below_last;
};

static const struct branches *choose_branches(void)
{
	static const struct branches lines = {"├─ ", "└─ ", "│  ", "   "};
	static const struct branches ascii = {"|- ", "`- ", "|  ", "   "};
	locale_t locale = newlocale(LC_CTYPE_MASK, "", NULL);
	bool utf8 = locale && strcmp(nl_langinfo_l(CODESET, locale), "UTF-8") == 0;

	if (locale)
		freelocale(locale);
	return utf8 ? &lines : &ascii;
}

static void text_child(const char *branch, const struct child *child)
{
	char digest[DIGEST_TEXT_BYTES];
	char content[SIZE_TEXT_BYTES], mapped[SIZE_TEXT_BYTES], own[SIZE_TEXT_BYTES];
	const struct usage_layer *layer = child->layer;

	if (child->image)
		output_line("%simage %s", branch, child->image->ref);
	else if (child->container)
		output_line("%scontainer %s: %s mapped, %s its own", branch,
			    child->container->entry->name,
			    size_format(child->container->mapped_bytes, mapped),
			    size_format(child->container->exclusive_bytes, own));
	else
		output_line("%s%.*s: %s, %s mapped, %s its own", branch, SHORT_DIGEST_CHARS,
			    digest_format(&layer->chain_id, digest),
			    size_format(layer->content_bytes, content),
			    size_format(layer->mapped_bytes, mapped),
			    size_format(layer->exclusive_bytes, own));
}

static void text_children(const struct usage *u, const struct digest *chain_id,
			  const struct branches *b, const char *indent)
{
	cleanup(children_release) struct children children = {0};

	find_children(u, chain_id, &children);
	for (size_t i = 0; i < children.n; i++) {
		const struct child *child = &children.items[i];
		bool last = i + 1 == children.n;
		cleanup_free char *branch = xasprintf("%s%s", indent, last ? b->last : b->child);
		cleanup_free char *below =
			xasprintf("%s%s", indent, last ? b->below_last : b->below_child);

		text_child(branch, child);
		if (child->layer)
			text_children(u, &child->layer->chain_id, b, below);
	}
}

static void print_text(struct store *store, const struct usage *u)
{
	char size[SIZE_TEXT_BYTES], mapped[SIZE_TEXT_BYTES];

	output_line("pool %s: empty file system of %s, %s mapped", store_pool_name(store),
		    size_format(snapshots_record(u->session)->base_bytes, size),
		    size_format(u->base_mapped_bytes, mapped));
	text_children(u, &(struct digest){0}, choose_branches(), "");
}

int cmd_tree(const struct context *context, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;
	cleanup(usage_release) struct usage usage = {0};

	if (context_open_store(context, &store, err) < 0 || usage_measure(store, &usage, err) < 0)
		return error_wrap(err, "tree");
	if (context->settings->json)
		print_json(store, &usage);
	else
		print_text(store, &usage);
	return 0;
}
