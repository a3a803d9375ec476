/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What LVM reports, as JSON whose values are all strings:
 *
 *   {"report": [{"lv": [{"vg_name":"vg", "lv_size":"314572800", "thin_count":"", ...}, ...]}]}
 *
 * Spec: lvmreport(7).
 */
#include "pkg/host/lvm_internal.h"

#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/json/jdoc.h"

enum { ID_CHARS = 32 }; /* of LVM's UUIDs, without their dashes */

void lvm_pool_release(struct lvm_pool *p)
{
	free(p->vg);
	free(p->lv);
	free(p->device_uuid);
	free(p->profile);
	*p = (struct lvm_pool){0};
}

void lvm_group_release(struct lvm_group *g)
{
	free(g->vg);
	free(g->device);
	*g = (struct lvm_group){0};
}

void lvm_pool_rows_release(struct lvm_pool_rows *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		lvm_pool_release(&rows->items[i]);
	free(rows->items);
	*rows = (struct lvm_pool_rows){0};
}

void lvm_group_rows_release(struct lvm_group_rows *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		lvm_group_release(&rows->items[i]);
	free(rows->items);
	*rows = (struct lvm_group_rows){0};
}

/* --- one value -------------------------------------------------------------------------------- */

/* Digits, or nothing for what does not apply: 0. */
static int read_number(struct jval row, const char *key, uint64_t *ret, struct error *err)
{
	const char *text;
	uint64_t value = 0;

	if (jdoc_string(row, key, JDOC_REQUIRED, &text, err) < 0)
		return -1;
	for (const char *c = text; *c; c++)
		if (*c < '0' || *c > '9' || __builtin_mul_overflow(value, 10, &value)
		    || __builtin_add_overflow(value, (unsigned)(*c - '0'), &value))
			return error_set(err, ERR_INVALID, "%s.%s: \"%.40s\" is no number",
					 row.path, key, text);
	*ret = value;
	return 0;
}

static int read_text(struct jval row, const char *key, char **ret, struct error *err)
{
	const char *text;

	if (jdoc_string(row, key, JDOC_REQUIRED, &text, err) < 0)
		return -1;
	*ret = xstrdup(text);
	return 0;
}

/* Some columns are one word, or nothing. */
static int read_is(struct jval row, const char *key, const char *word, bool *ret, struct error *err)
{
	const char *text;

	if (jdoc_string(row, key, JDOC_REQUIRED, &text, err) < 0)
		return -1;
	*ret = strcmp(text, word) == 0;
	return 0;
}

/* Add a UUID without its dashes. */
static int add_id(struct jval row, const char *key, struct buffer *to, struct error *err)
{
	static const char chars[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!#";
	size_t before = to->len;
	const char *text;

	if (jdoc_string(row, key, JDOC_REQUIRED, &text, err) < 0)
		return -1;
	for (const char *c = text; *c && to->len - before <= ID_CHARS; c++)
		if (*c != '-')
			buffer_add(to, c, 1);
	if (to->len - before != ID_CHARS || strspn((char *)to->data + before, chars) != ID_CHARS)
		return error_set(err, ERR_INVALID, "%s.%s: \"%.40s\" is no UUID of LVM's", row.path,
				 key, text);
	return 0;
}

/* LVM's name of the layer below the pool is part of the UUID, whatever the device's name is. */
static int read_device_uuid(struct jval row, char **ret, struct error *err)
{
	cleanup_buffer struct buffer text = {0};

	buffer_printf(&text, "LVM-");
	if (add_id(row, "vg_uuid", &text, err) < 0 || add_id(row, "lv_uuid", &text, err) < 0)
		return -1;
	buffer_printf(&text, "-tpool");
	*ret = buffer_detach(&text);
	return 0;
}

/* --- rows ------------------------------------------------------------------------------------- */

static int read_pool(struct jval row, struct lvm_pool *p, struct error *err)
{
	bool partial;

	if (read_text(row, "vg_name", &p->vg, err) < 0 || read_text(row, "lv_name", &p->lv, err) < 0
	    || read_device_uuid(row, &p->device_uuid, err) < 0
	    || read_text(row, "lv_profile", &p->profile, err) < 0
	    || read_is(row, "segtype", "thin-pool", &p->thin_pool, err) < 0
	    || read_is(row, "lv_active", "active", &p->active, err) < 0
	    || read_is(row, "seg_monitor", "monitored", &p->monitored, err) < 0
	    || read_is(row, "lv_when_full", "queue", &p->queue_when_full, err) < 0
	    || read_is(row, "zero", "zero", &p->zeroing, err) < 0
	    || read_is(row, "vg_partial", "partial", &partial, err) < 0
	    || read_number(row, "transaction_id", &p->transaction_id, err) < 0
	    || read_number(row, "thin_count", &p->thin_count, err) < 0
	    || read_number(row, "lv_size", &p->data_bytes, err) < 0
	    || read_number(row, "lv_metadata_size", &p->metadata_bytes, err) < 0
	    || read_number(row, "chunk_size", &p->block_bytes, err) < 0
	    || read_number(row, "vg_free", &p->group_free_bytes, err) < 0
	    || read_number(row, "vg_extent_size", &p->extent_bytes, err) < 0)
		return -1;
	p->whole = !partial;
	return 0;
}

static int read_group(struct jval row, bool of_disk, struct lvm_group *g, struct error *err)
{
	if (read_text(row, "vg_name", &g->vg, err) < 0
	    || read_number(row, "vg_size", &g->bytes, err) < 0
	    || read_number(row, "vg_free", &g->free_bytes, err) < 0
	    || read_number(row, "vg_extent_size", &g->extent_bytes, err) < 0
	    || read_number(row, "lv_count", &g->volumes, err) < 0)
		return -1;
	return of_disk ? read_text(row, "pv_name", &g->device, err) : 0;
}

/* The rows of the first, and only, report. @ret_doc: owned. */
static int find_rows(const void *json, size_t len, const char *list, struct jdoc **ret_doc,
		     struct jval *ret, struct error *err)
{
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	struct jval reports;

	if (jdoc_parse(json, len, "LVM's report", &doc, err) < 0
	    || jdoc_array(jdoc_root(doc), "report", JDOC_REQUIRED, &reports, err) < 0)
		return -1;
	if (jdoc_length(reports) != 1)
		return error_set(err, ERR_INVALID, "%s: there are %zu of it", reports.path,
				 jdoc_length(reports));
	if (jdoc_array(jdoc_at(reports, 0), list, JDOC_REQUIRED, ret, err) < 0)
		return -1;
	*ret_doc = steal(&doc);
	return 0;
}

int lvm_report_pools(const void *json, size_t len, struct lvm_pool_rows *ret, struct error *err)
{
	cleanup(lvm_pool_rows_release) struct lvm_pool_rows rows = {0};
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	struct jval list;

	if (find_rows(json, len, "lv", &doc, &list, err) < 0)
		return -1;
	rows.n = jdoc_length(list);
	rows.items = xcalloc(rows.n + 1, sizeof(*rows.items));
	for (size_t i = 0; i < rows.n; i++)
		if (read_pool(jdoc_at(list, i), &rows.items[i], err) < 0)
			return -1;
	*ret = rows;
	rows = (struct lvm_pool_rows){0};
	return 0;
}

int lvm_report_groups(const void *json, size_t len, const char *name, struct lvm_group_rows *ret,
		      struct error *err)
{
	cleanup(lvm_group_rows_release) struct lvm_group_rows rows = {0};
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	bool of_disks = strcmp(name, "pv") == 0;
	struct jval list;

	if (find_rows(json, len, name, &doc, &list, err) < 0)
		return -1;
	rows.n = jdoc_length(list);
	rows.items = xcalloc(rows.n + 1, sizeof(*rows.items));
	for (size_t i = 0; i < rows.n; i++)
		if (read_group(jdoc_at(list, i), of_disks, &rows.items[i], err) < 0)
			return -1;
	*ret = rows;
	rows = (struct lvm_group_rows){0};
	return 0;
}

/* --- settings --------------------------------------------------------------------------------- */

int lvm_report_setting(const void *text, size_t len, const char *name, char **ret,
		       struct error *err)
{
	cleanup_free char *all = xstrndup(text, len);
	size_t name_len = strlen(name), value_len;

	for (const char *line = all; *line; line += strcspn(line, "\n")) {
		line += strspn(line, " \t\n");
		if (strncmp(line, name, name_len) != 0 || line[name_len] != '=')
			continue;
		line += name_len + 1;
		value_len = strcspn(line, "\n");
		if (value_len >= 2 && line[0] == '"' && line[value_len - 1] == '"') {
			line++;
			value_len -= 2;
		}
		*ret = xstrndup(line, value_len);
		return 0;
	}
	return error_set(err, ERR_INVALID, "LVM does not say what %s is", name);
}
