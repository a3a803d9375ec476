/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads of an image configuration what running it needs, as it stands there; what the values mean
 * is for others. What nobody runs by (Healthcheck, OnBuild, Shell, ArgsEscaped, ...) is passed over.
 */
#include "oci/runconfig.h"

#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/json/jdoc.h"

/* More than any system call would take; keeps the document's size from multiplying in memory. */
enum { ENTRIES_MAX = 65536 };

void oci_strings_release(struct oci_strings *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->items[i]);
	free(s->items);
	*s = (struct oci_strings){0};
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void oci_strings_sort(struct oci_strings *s)
{
	if (s->n)
		qsort(s->items, s->n, sizeof(s->items[0]), compare_texts);
}

static int check_count(struct jval v, size_t n, struct error *err)
{
	if (n > ENTRIES_MAX)
		return error_set(err, ERR_INVALID, "%s: more than %d entries", v.path, ENTRIES_MAX);
	return 0;
}

static int parse_text(struct jval object, const char *key, char **ret, struct error *err)
{
	const char *text;

	if (jdoc_string(object, key, JDOC_OPTIONAL, &text, err) < 0)
		return -1;
	*ret = text ? xstrdup(text) : NULL;
	return 0;
}

static int parse_strings(struct jval object, const char *key, struct oci_strings *ret,
			 bool *ret_has, struct error *err)
{
	struct jval list;
	const char *text;
	size_t n;

	if (jdoc_array(object, key, JDOC_OPTIONAL, &list, err) < 0)
		return -1;
	n = jdoc_length(list);
	if (check_count(list, n, err) < 0)
		return -1;
	if (ret_has)
		*ret_has = jdoc_present(list);
	ret->items = xcalloc(n + 1, sizeof(*ret->items));
	for (size_t i = 0; i < n; i++) {
		if (jdoc_string_value(jdoc_at(list, i), &text, err) < 0)
			return -1;
		ret->items[ret->n++] = xstrdup(text);
	}
	return 0;
}

/* The keys of an object that stands for a set: {"/data": {}}. */
static int parse_set(struct jval object, const char *key, struct oci_strings *ret,
		     struct error *err)
{
	size_t room = 0;
	void *iter = NULL;
	const char *name;
	struct jval set, v;

	if (jdoc_object(object, key, JDOC_OPTIONAL, &set, err) < 0)
		return -1;
	while (jdoc_present(set) && jdoc_each(set, &iter, &name, &v)) {
		if (jdoc_present(v) && !jdoc_is_object(v))
			return error_set(err, ERR_INVALID, "%s: not an object", v.path);
		if (check_count(set, ret->n + 1, err) < 0)
			return -1;
		ALLOC_GROW(ret->items, ret->n + 1, room);
		ret->items[ret->n++] = xstrdup(name);
	}
	oci_strings_sort(ret);
	return 0;
}

static int parse_labels(struct jval object, struct oci_runconfig *c, struct error *err)
{
	size_t room = 0;
	void *iter = NULL;
	const char *key, *value;
	struct jval labels, v;

	if (jdoc_object(object, "Labels", JDOC_OPTIONAL, &labels, err) < 0)
		return -1;
	while (jdoc_present(labels) && jdoc_each(labels, &iter, &key, &v)) {
		if (jdoc_string_value(v, &value, err) < 0
		    || check_count(labels, c->n_labels + 1, err) < 0)
			return -1;
		ALLOC_GROW(c->labels, c->n_labels + 1, room);
		c->labels[c->n_labels++] = (struct oci_label){xstrdup(key), xstrdup(value)};
	}
	return 0;
}

static int parse_process(struct jval config, struct oci_runconfig *c, struct error *err)
{
	if (!jdoc_present(config))
		return 0;
	if (parse_strings(config, "Env", &c->env, NULL, err) < 0
	    || parse_strings(config, "Entrypoint", &c->entrypoint, &c->has_entrypoint, err) < 0
	    || parse_strings(config, "Cmd", &c->cmd, &c->has_cmd, err) < 0
	    || parse_text(config, "WorkingDir", &c->working_dir, err) < 0
	    || parse_text(config, "User", &c->user, err) < 0
	    || parse_text(config, "StopSignal", &c->stop_signal, err) < 0
	    || parse_set(config, "Volumes", &c->volumes, err) < 0
	    || parse_set(config, "ExposedPorts", &c->exposed_ports, err) < 0)
		return -1;
	return parse_labels(config, c, err);
}

static int parse_history(struct jval root, struct oci_runconfig *c, struct error *err)
{
	struct jval list;
	size_t n;

	if (jdoc_array(root, "history", JDOC_OPTIONAL, &list, err) < 0)
		return -1;
	n = jdoc_length(list);
	if (check_count(list, n, err) < 0)
		return -1;
	c->history = xcalloc(n + 1, sizeof(*c->history));
	c->n_history = n;
	for (size_t i = 0; i < n; i++) {
		struct jval v = jdoc_at(list, i);
		struct oci_history *h = &c->history[i];

		if (parse_text(v, "created", &h->created, err) < 0
		    || parse_text(v, "created_by", &h->created_by, err) < 0
		    || parse_text(v, "comment", &h->comment, err) < 0
		    || jdoc_bool(v, "empty_layer", JDOC_OPTIONAL, &h->empty_layer, err) < 0)
			return -1;
	}
	return 0;
}

static int parse(struct jval root, struct oci_runconfig *c, struct error *err)
{
	struct jval config;

	if (parse_text(root, "os", &c->os, err) < 0
	    || parse_text(root, "architecture", &c->architecture, err) < 0
	    || parse_text(root, "variant", &c->variant, err) < 0
	    || parse_text(root, "os.version", &c->os_version, err) < 0
	    || parse_text(root, "author", &c->author, err) < 0
	    || parse_text(root, "created", &c->created, err) < 0
	    || parse_strings(root, "os.features", &c->os_features, NULL, err) < 0
	    || jdoc_object(root, "config", JDOC_OPTIONAL, &config, err) < 0)
		return -1;
	if (parse_process(config, c, err) < 0)
		return -1;
	return parse_history(root, c, err);
}

int oci_runconfig_parse(const void *json, size_t len, const char *what, struct oci_runconfig *ret,
			struct error *err)
{
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	struct oci_runconfig c = {0};

	if (jdoc_parse(json, len, what, &doc, err) < 0)
		return -1;
	if (parse(jdoc_root(doc), &c, err) < 0) {
		oci_runconfig_release(&c);
		return -1;
	}
	*ret = c;
	return 0;
}

void oci_runconfig_release(struct oci_runconfig *c)
{
	char *texts[] = {c->os,	     c->architecture, c->variant, c->os_version, c->author,
			 c->created, c->working_dir,  c->user,	  c->stop_signal};
	struct oci_strings *lists[] = {&c->os_features, &c->env,     &c->entrypoint,
				       &c->cmd,		&c->volumes, &c->exposed_ports};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		free(texts[i]);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		oci_strings_release(lists[i]);
	for (size_t i = 0; i < c->n_labels; i++) {
		free(c->labels[i].key);
		free(c->labels[i].value);
	}
	free(c->labels);
	for (size_t i = 0; i < c->n_history; i++) {
		free(c->history[i].created);
		free(c->history[i].created_by);
		free(c->history[i].comment);
	}
	free(c->history);
	*c = (struct oci_runconfig){0};
}
