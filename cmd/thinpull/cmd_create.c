/* SPDX-License-Identifier: Apache-2.0 */
/* create REF [NAME]: a container from an image, mounted at once on demand. */
#include "cmd/thinpull/command.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/thinpull/output.h"
#include "cmd/thinpull/pull.h"
#include "cmd/thinpull/imageref.h"
#include "cmd/thinpull/report.h"
#include "oci/container.h"
#include "pkg/base/alloc.h"
#include "pkg/base/log.h"

/* --- labels ----------------------------------------------------------------------------------- */

struct labels {
	struct record_label *items;
	size_t n, room;
};

static void labels_release(struct labels *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->items[i].key);
		free(l->items[i].value);
	}
	free(l->items);
}

static int labels_add(struct labels *l, const char *text, struct error *err)
{
	const char *equals = strchr(text, '=');

	if (!equals || equals == text)
		return error_set(err, ERR_USAGE, "option --label: '%.60s' is not KEY=VALUE", text);
	for (size_t i = 0; i < l->n; i++)
		if (strncmp(l->items[i].key, text, (size_t)(equals - text)) == 0
		    && !l->items[i].key[equals - text]) {
			free(l->items[i].value);
			l->items[i].value = xstrdup(equals + 1);
			return 0;
		}
	ALLOC_GROW(l->items, l->n + 1, l->room);
	l->items[l->n++] = (struct record_label){
		.key = xstrndup(text, (size_t)(equals - text)),
		.value = xstrdup(equals + 1),
	};
	return 0;
}

static int labels_read(const struct args *args, struct labels *ret, struct error *err)
{
	const char *text;
	size_t i = 0;

	while ((text = args_next(args, "label", &i)))
		if (labels_add(ret, text, err) < 0)
			return -1;
	return 0;
}

/* --- the container ---------------------------------------------------------------------------- */

/* It is not there when it could not be mounted. */
static int create_mounted(struct store *store, const char *ref,
			  const struct store_container_options *options, const char *dir,
			  char **ret_name, struct error *err)
{
	cleanup(container_close_ptr) struct container *c = NULL;
	cleanup_free char *name = NULL, *point = NULL;
	struct error second = {0};

	if (container_create(store, ref, options, &c, err) < 0)
		return -1;
	name = xstrdup(container_entry(c)->name);
	if (container_mount(c, dir, &point, err) < 0) {
		if (container_remove(&c, true, &second) < 0)
			log_warning("container %s is there, but not mounted: %s", name,
				    second.cause);
		return -1;
	}
	*ret_name = steal(&name);
	return 0;
}

static int create(const struct context *context, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;
	cleanup_asker struct asker asker = {0};
	cleanup(labels_release) struct labels labels = {0};
	cleanup_free char *ref = NULL, *name = NULL;
	cleanup_jout struct jout o = {0};
	const struct args *args = context->args;
	struct store_container_options options = {
		.name = args->n_operands > 1 ? args->operands[1] : NULL,
		.read_only = args_has(args, "read-only"),
	};
	const char *dir = args_value(args, "mount");
	enum pull_policy policy;

	if (dir && geteuid() != 0)
		return error_set(err, ERR_UNSUPPORTED, "only root can mount");
	if (asker_read(args, &asker, err) < 0)
		return -1;
	if (options.name && !store_is_name(options.name))
		return error_set(err, ERR_USAGE,
				 "'%.60s' is not a name: letters, digits, and _.- after the first",
				 options.name);
	if (imageref_check(args->operands[0], err) < 0 || labels_read(args, &labels, err) < 0
	    || pull_policy_read(args, PULL_NEVER, &policy, err) < 0
	    || context_open_store(context, &store, err) < 0
	    || pull_by_policy(context, &asker, store, args->operands[0], policy, &ref, err) < 0)
		return -1;
	options.attach = dir != NULL;
	options.labels = labels.items;
	options.n_labels = labels.n;
	if (dir ? create_mounted(store, ref, &options, dir, &name, err) < 0
		: store_create_container(store, ref, &options, &name, err) < 0)
		return -1;
	if (!context->settings->json) {
		output_line("%s", name);
		return 0;
	}
	if (report_stored_container(&o, store, name, err) < 0)
		return -1;
	output_json(&o);
	return 0;
}

int cmd_create(const struct context *context, struct error *err)
{
	if (create(context, err) < 0)
		return error_wrap(err, "create %s", context->args->operands[0]);
	return 0;
}
