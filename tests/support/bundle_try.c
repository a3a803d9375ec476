/* SPDX-License-Identifier: Apache-2.0 */
/* One tree, one document at a time; warnings are kept, not printed. */
#include "tests/support/bundle_try.h"

#include <stdio.h>
#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/log.h"
#include "pkg/json/jdoc.h"
#include "tests/support/cmocka.h"

static struct bundle_try *current; /* of the sink */

static void sink(enum log_level level, const char *text)
{
	if (level == LOG_LEVEL_WARNING)
		snprintf(current->warned, sizeof(current->warned), "%s", text);
}

int try_set_up(void **state)
{
	struct bundle_try *f = xcalloc(1, sizeof(*f));

	edit_set_up((void **)&f->edit);
	current = f;
	log_set_sink(sink, LOG_LEVEL_DEBUG);
	*state = f;
	return 0;
}

int try_tear_down(void **state)
{
	struct bundle_try *f = *state;

	log_set_sink(NULL, LOG_LEVEL_DEBUG);
	ext4_reader_close(f->fs);
	edit_tear_down((void **)&f->edit);
	buffer_release(&f->json);
	free(f);
	return 0;
}

void try_add_accounts(struct bundle_try *f)
{
	edit_dir(f->edit->w, "etc");
	edit_file(f->edit->w, "etc/passwd", TRY_PASSWD);
	edit_file(f->edit->w, "etc/group", TRY_GROUP);
}

static int attempt(struct bundle_try *f, const char *image, const struct bundle_options *options)
{
	struct oci_runconfig c;
	int rc;

	if (!f->fs) {
		edit_next_session(f->edit);
		assert_ok(ext4_reader_open(&f->edit->v->volume, &f->fs, &f->err), &f->err);
	}
	assert_ok(oci_runconfig_parse(image, strlen(image), "config", &c, &f->err), &f->err);
	buffer_clear(&f->json);
	rc = bundle_config(&c, f->fs, options, &f->json, &f->err);
	oci_runconfig_release(&c);
	return rc;
}

void try_make_with(struct bundle_try *f, const char *image, struct bundle_options options)
{
	assert_ok(attempt(f, image, &options), &f->err);
}

void try_make(struct bundle_try *f, const char *image)
{
	try_make_with(f, image, (struct bundle_options){0});
}

void try_refused_with(struct bundle_try *f, const char *image, struct bundle_options options,
		      const char *reason)
{
	if (attempt(f, image, &options) == 0)
		fail_msg("%s was taken: %s", image, (const char *)f->json.data);
	assert_error(&f->err, ERR_INVALID, reason);
	assert_int_equal(f->json.len, 0);
}

void try_refused(struct bundle_try *f, const char *image, const char *reason)
{
	try_refused_with(f, image, (struct bundle_options){0}, reason);
}

/* --- looking at the document ------------------------------------------------------------------ */

/* Find the member whose name starts the path; names may hold dots, the longest wins. */
static struct jval find_member(struct jval v, const char *path, size_t *ret_len)
{
	struct jval found = {0}, member;
	void *iter = NULL;
	const char *key;

	*ret_len = 0;
	while (jdoc_is_object(v) && jdoc_each(v, &iter, &key, &member)) {
		size_t len = strlen(key);

		if (strncmp(path, key, len) != 0 || (path[len] && path[len] != '.')
		    || len < *ret_len)
			continue;
		found = member;
		*ret_len = len;
	}
	return found;
}

static void show(struct buffer *b, struct jval v);

static void show_members(struct buffer *b, struct jval object)
{
	struct jval member;
	const char *key;
	void *iter = NULL;
	struct error ignored;
	uint64_t number;
	bool truth;

	while (jdoc_each(object, &iter, &key, &member)) {
		buffer_printf(b, "%s=", key);
		if (jdoc_uint(object, key, JDOC_REQUIRED, &number, &ignored) == 0)
			buffer_printf(b, "%llu", (unsigned long long)number);
		else if (jdoc_bool(object, key, JDOC_REQUIRED, &truth, &ignored) == 0)
			buffer_printf(b, "%s", truth ? "true" : "false");
		else
			show(b, member);
		buffer_printf(b, ";");
	}
}

static void show(struct buffer *b, struct jval v)
{
	const char *text;
	struct error ignored;

	if (jdoc_is_object(v)) {
		show_members(b, v);
	} else if (jdoc_is_array(v)) {
		for (size_t i = 0; i < jdoc_length(v); i++) {
			show(b, jdoc_at(v, i));
			buffer_printf(b, "|");
		}
	} else if (jdoc_string_value(v, &text, &ignored) == 0) {
		buffer_printf(b, "%s", text);
	} else {
		buffer_printf(b, "?"); /* a number in a list */
	}
}

void try_has(const struct bundle_try *f, const char *path, const char *expected)
{
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	cleanup_buffer struct buffer b = {0};
	struct error err = {0};
	struct jval v;
	size_t len;

	assert_ok(jdoc_parse(f->json.data, f->json.len, "config.json", &doc, &err), &err);
	v = jdoc_root(doc);
	for (const char *at = path; *at && v.node; at += len + (at[len] == '.'))
		v = find_member(v, at, &len);
	buffer_add(&b, "", 0);
	if (v.node)
		show(&b, v);
	else
		buffer_printf(&b, "-");
	if (strcmp((const char *)b.data, expected) != 0)
		fail_msg("%s is %s, not %s", path, (const char *)b.data, expected);
}

void try_has_text(const struct bundle_try *f, const char *text)
{
	if (!strstr((const char *)f->json.data, text))
		fail_msg("no %s in %s", text, (const char *)f->json.data);
}

void try_has_not(const struct bundle_try *f, const char *text)
{
	if (strstr((const char *)f->json.data, text))
		fail_msg("%s in %s", text, (const char *)f->json.data);
}
