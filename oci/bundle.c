/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.json from top to bottom. Everything is checked before the first byte is written; members
 * are written in the order of their names.
 */
#include "oci/bundle.h"

#include <stdlib.h>
#include <string.h>

#include "oci/bundle_internal.h"
#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/log.h"

/* The oldest that knows all that is used; what Debian's runc, written for it, says of itself. */
#define OCI_VERSION "1.0.2"

/* HOST_NAME_MAX of Linux. */
enum { HOSTNAME_MAX = 64 };

/* --- shared ----------------------------------------------------------------------------------- */

void bundle_texts_add(struct bundle_texts *list, const char *text)
{
	ALLOC_GROW(list->items, list->n + 1, list->room);
	list->items[list->n++] = text;
}

void bundle_texts_release(struct bundle_texts *list)
{
	free(list->items);
	*list = (struct bundle_texts){0};
}

void bundle_put_texts(struct jout *o, const char *key, const struct bundle_texts *list)
{
	jout_array(o, key);
	for (size_t i = 0; i < list->n; i++)
		jout_string(o, NULL, list->items[i]);
	jout_end_array(o);
}

int bundle_check_text(const char *what, const char *text, struct error *err)
{
	if (!jout_is_text(text))
		return error_set(err, ERR_INVALID, "%s '%.60s' is not UTF-8", what, text);
	return 0;
}

char *bundle_clean_path(const char *path)
{
	char *clean = xmalloc(strlen(path) + 2);
	size_t n = 0;

	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && !memcmp(path, "..", 2)) {
			while (n > 0 && clean[--n] != '/')
				;
		} else if (len > 1 || (len == 1 && *path != '.')) {
			clean[n++] = '/';
			memcpy(clean + n, path, len);
			n += len;
		}
		path += len + (path[len] == '/');
	}
	if (n == 0)
		clean[n++] = '/';
	clean[n] = '\0';
	return clean;
}

bool bundle_is_below(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return !strncmp(path, folder, len) && (!path[len] || path[len] == '/');
}

/* --- annotations ------------------------------------------------------------------------------ */

struct annotation {
	const char *key, *value;
	bool is_label;
};

struct annotations {
	struct annotation *items;
	size_t n, room;
};

static void annotations_release(struct annotations *a)
{
	free(a->items);
}

static void annotate(struct annotations *a, const char *key, const char *value, bool is_label)
{
	if (!value || (!*value && !is_label))
		return;
	ALLOC_GROW(a->items, a->n + 1, a->room);
	a->items[a->n++] = (struct annotation){key, value, is_label};
}

/* By key, a label before what it replaces. */
static int compare_annotations(const void *pa, const void *pb)
{
	const struct annotation *a = pa, *b = pb;
	int rc = strcmp(a->key, b->key);

	return rc ? rc : (int)b->is_label - (int)a->is_label;
}

static char *join(const struct oci_strings *s)
{
	struct buffer b = {0};

	buffer_add(&b, "", 0);
	for (size_t i = 0; i < s->n; i++)
		buffer_printf(&b, "%s%s", i ? "," : "", s->items[i]);
	return buffer_detach(&b);
}

static void put_annotations(struct jout *o, const struct oci_runconfig *image)
{
#define IMAGE_KEY(name) "org.opencontainers.image." name
	cleanup_free char *features = join(&image->os_features);
	cleanup_free char *ports = join(&image->exposed_ports);
	cleanup(annotations_release) struct annotations a = {0};

	annotate(&a, IMAGE_KEY("os"), image->os, false);
	annotate(&a, IMAGE_KEY("architecture"), image->architecture, false);
	annotate(&a, IMAGE_KEY("variant"), image->variant, false);
	annotate(&a, IMAGE_KEY("os.version"), image->os_version, false);
	annotate(&a, IMAGE_KEY("os.features"), features, false);
	annotate(&a, IMAGE_KEY("author"), image->author, false);
	annotate(&a, IMAGE_KEY("created"), image->created, false);
	annotate(&a, IMAGE_KEY("stopSignal"), image->stop_signal, false);
	annotate(&a, IMAGE_KEY("exposedPorts"), ports, false);
	for (size_t i = 0; i < image->n_labels; i++)
		if (*image->labels[i].key)
			annotate(&a, image->labels[i].key, image->labels[i].value, true);
		else
			log_warning("a label without a name is left out");
	if (a.n == 0)
		return;
	qsort(a.items, a.n, sizeof(a.items[0]), compare_annotations);
	jout_object(o, "annotations");
	for (size_t i = 0; i < a.n; i++)
		if (i == 0 || strcmp(a.items[i].key, a.items[i - 1].key) != 0)
			jout_string(o, a.items[i].key, a.items[i].value);
	jout_end_object(o);
}

/* --- the document ----------------------------------------------------------------------------- */

static void put_hostname(struct jout *o, const char *hostname)
{
	cleanup_free char *cut = hostname ? xstrndup(hostname, HOSTNAME_MAX) : NULL;

	if (cut)
		jout_string(o, "hostname", cut);
}

static void put_root(struct jout *o, bool read_only)
{
	jout_object(o, "root");
	jout_string(o, "path", "rootfs");
	jout_bool(o, "readonly", read_only);
	jout_end_object(o);
}

int bundle_config(const struct oci_runconfig *image, struct ext4_reader *fs,
		  const struct bundle_options *options, struct buffer *ret, struct error *err)
{
	cleanup(bundle_process_release) struct bundle_process process = {0};
	cleanup(oci_strings_release) struct oci_strings volumes = {0};
	cleanup(jout_release) struct jout o = {0};

	if (bundle_process_make(image, fs, options, &process, err) < 0)
		return -1;
	if (options->volumes && bundle_volumes(image, fs, &volumes, err) < 0)
		return -1;
	jout_object(&o, NULL);
	put_annotations(&o, image);
	put_hostname(&o, options->hostname);
	bundle_put_linux(&o, options);
	bundle_put_mounts(&o, options, &volumes);
	jout_string(&o, "ociVersion", OCI_VERSION);
	bundle_process_put(&o, &process, options->terminal);
	put_root(&o, options->read_only);
	jout_end_object(&o);
	buffer_add(ret, o.text.data, o.text.len);
	buffer_add(ret, "\n", 1);
	return 0;
}
