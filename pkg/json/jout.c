/* SPDX-License-Identifier: Apache-2.0 */
/* Writes JSON as text, keys in the order they are given, so that the same input gives the same
 * bytes. Knows nothing of jansson. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "pkg/json/jout_internal.h"

static void new_line(struct jout *o)
{
	if (o->compact)
		return;
	buffer_add(&o->text, "\n", 1);
	for (unsigned i = 0; i < o->depth; i++)
		buffer_add(&o->text, "  ", 2);
}

static size_t utf8_promised(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/*
 * Length of the UTF-8 sequence at s, 0 if it is none: also for surrogates, overlong forms and what
 * lies above U+10FFFF. The text ends with a NUL, which never continues a sequence.
 */
static size_t utf8_length(const unsigned char *s)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t len = utf8_promised(s[0]);

	if (len < 2)
		return len;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if (s[i] < 0x80 || s[i] > 0xbf)
			return 0;
	return len;
}

static void add_character(struct buffer *text, const unsigned char *s, size_t len)
{
	static const char escapes[] = "\"\"\\\\\bb\ff\nn\rr\tt";

	for (const char *e = escapes; *e && len == 1; e += 2)
		if (*s == (unsigned char)*e) {
			buffer_printf(text, "\\%c", e[1]);
			return;
		}
	if (len == 0)
		buffer_add(text, "\xef\xbf\xbd", 3);
	else if (*s < 0x20 || *s == 0x7f)
		buffer_printf(text, "\\u%04x", *s);
	else
		buffer_add(text, s, len);
}

static void add_quoted(struct buffer *text, const char *value)
{
	const unsigned char *s = (const unsigned char *)value;

	buffer_add(text, "\"", 1);
	while (*s) {
		size_t len = utf8_length(s);

		add_character(text, s, len);
		s += len ? len : 1;
	}
	buffer_add(text, "\"", 1);
}

/* What stands before each value: comma, line break, key. */
static void begin_value(struct jout *o, const char *key)
{
	if (o->comma)
		buffer_add(&o->text, ",", 1);
	if (o->depth > 0)
		new_line(o);
	o->comma = true;
	if (!key)
		return;
	add_quoted(&o->text, key);
	buffer_add(&o->text, ": ", o->compact ? 1 : 2);
}

static void begin_container(struct jout *o, const char *key, const char *bracket)
{
	begin_value(o, key);
	buffer_add(&o->text, bracket, 1);
	o->depth++;
	o->comma = false;
}

static void end_container(struct jout *o, const char *bracket)
{
	bool empty = !o->comma;

	assert(o->depth > 0);
	o->depth--;
	if (!empty)
		new_line(o);
	buffer_add(&o->text, bracket, 1);
	o->comma = true;
}

void jout_object(struct jout *o, const char *key)
{
	begin_container(o, key, "{");
}

void jout_end_object(struct jout *o)
{
	end_container(o, "}");
}

void jout_array(struct jout *o, const char *key)
{
	begin_container(o, key, "[");
}

void jout_end_array(struct jout *o)
{
	end_container(o, "]");
}

void jout_string(struct jout *o, const char *key, const char *value)
{
	begin_value(o, key);
	if (value)
		add_quoted(&o->text, value);
	else
		buffer_add(&o->text, "null", 4);
}

bool jout_is_text(const char *value)
{
	const unsigned char *s = (const unsigned char *)value;
	size_t len;

	while (*s && (len = utf8_length(s)) > 0)
		s += len;
	return !*s;
}

void jout_uint(struct jout *o, const char *key, uint64_t value)
{
	begin_value(o, key);
	buffer_printf(&o->text, "%" PRIu64, value);
}

void jout_int(struct jout *o, const char *key, int64_t value)
{
	begin_value(o, key);
	buffer_printf(&o->text, "%" PRId64, value);
}

void jout_bool(struct jout *o, const char *key, bool value)
{
	begin_value(o, key);
	buffer_printf(&o->text, "%s", value ? "true" : "false");
}

void jout_raw(struct jout *o, const char *key, const char *text)
{
	begin_value(o, key);
	buffer_add(&o->text, text, strlen(text));
}

void jout_release(struct jout *o)
{
	buffer_release(&o->text);
	*o = (struct jout){.compact = o->compact};
}
