/* SPDX-License-Identifier: Apache-2.0 */
/* Strings of TOML: "basic", 'literal', and both over several lines. */
#include <string.h>

#include "pkg/base/buffer.h"
#include "pkg/toml/toml_internal.h"

struct form {
	const char *quotes; /* that end it */
	bool escapes, lines;
};

/* --- escapes ---------------------------------------------------------------------------------- */

static void add_utf8(struct buffer *to, uint32_t c)
{
	uint8_t bytes[4];
	size_t n = 0;

	if (c < 0x80) {
		bytes[n++] = (uint8_t)c;
	} else if (c < 0x800) {
		bytes[n++] = (uint8_t)(0xc0 | c >> 6);
	} else if (c < 0x10000) {
		bytes[n++] = (uint8_t)(0xe0 | c >> 12);
		bytes[n++] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	} else {
		bytes[n++] = (uint8_t)(0xf0 | c >> 18);
		bytes[n++] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
		bytes[n++] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	}
	if (c >= 0x80)
		bytes[n++] = (uint8_t)(0x80 | (c & 0x3f));
	buffer_add(to, bytes, n);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Behind \u or \U. */
static int add_code(struct toml_input *in, size_t digits, struct buffer *to, struct error *err)
{
	uint32_t c = 0;

	for (size_t i = 0; i < digits; i++) {
		int digit = hex_digit(toml_peek(in));

		if (digit < 0)
			return toml_fail(in, err, "%zu hex digits are expected after \\%c", digits,
					 digits == 4 ? 'u' : 'U');
		c = c << 4 | (uint32_t)digit;
		in->at++;
	}
	if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return toml_fail(in, err, "U+%04X is no character", c);
	if (c == 0)
		return toml_fail(in, err, "a NUL in a string");
	add_utf8(to, c);
	return 0;
}

/* A backslash at the end of a line takes all white space up to the next character along. */
static bool take_line_end(struct toml_input *in)
{
	struct toml_input ahead = *in;

	toml_skip_blank(&ahead);
	if (!toml_take_newline(&ahead))
		return false;
	do
		toml_skip_blank(&ahead);
	while (toml_take_newline(&ahead));
	*in = ahead;
	return true;
}

/* Behind a backslash. */
static int add_escape(struct toml_input *in, const struct form *form, struct buffer *to,
		      struct error *err)
{
	static const char escapes[] = "b\bt\tn\nf\fr\r\"\"\\\\";
	char c = toml_peek(in);

	if (form->lines && take_line_end(in))
		return 0;
	for (const char *e = escapes; *e && c; e += 2)
		if (*e == c) {
			buffer_add(to, &e[1], 1);
			in->at++;
			return 0;
		}
	if (toml_take(in, "u"))
		return add_code(in, 4, to, err);
	if (toml_take(in, "U"))
		return add_code(in, 8, to, err);
	if (c > 0x20 && c < 0x7f)
		return toml_fail(in, err, "'\\%c' is no escape", c);
	return toml_fail(in, err, "a backslash that begins no escape");
}

/* --- the whole -------------------------------------------------------------------------------- */

/* Anything that is neither a quote nor an escape. */
static int add_plain(struct toml_input *in, const struct form *form, struct buffer *to,
		     struct error *err)
{
	unsigned char c = (unsigned char)*in->at;

	if (form->lines && toml_take_newline(in)) {
		buffer_add(to, "\n", 1);
		return 0;
	}
	if (c == '\n' || c == '\r')
		return toml_fail(in, err, "a string is not ended");
	if ((c < 0x20 && c != '\t') || c == 0x7f)
		return toml_fail(in, err, "a control character (0x%02x) in a string", c);
	buffer_add(to, in->at++, 1);
	return 0;
}

/* Up to two quotes may stand before the three that end a string of several lines. */
static void take_quotes_before_end(struct toml_input *in, const struct form *form,
				   struct buffer *to)
{
	for (int i = 0; i < 2 && form->lines && toml_peek(in) == *form->quotes; i++)
		buffer_add(to, in->at++, 1);
}

static int read_form(struct toml_input *in, const struct form *form, char **ret, struct error *err)
{
	cleanup_buffer struct buffer text = {0};
	int rc = 0;

	if (form->lines)
		toml_take_newline(in);
	while (!toml_take(in, form->quotes)) {
		if (in->at == in->end)
			return toml_fail(in, err, "a string is not ended");
		if (form->escapes && toml_take(in, "\\"))
			rc = add_escape(in, form, &text, err);
		else
			rc = add_plain(in, form, &text, err);
		if (rc < 0)
			return -1;
	}
	take_quotes_before_end(in, form, &text);
	*ret = buffer_detach(&text);
	return 0;
}

int toml_read_string(struct toml_input *in, char **ret, struct error *err)
{
	static const struct form forms[] = {
		{"\"\"\"", .escapes = true, .lines = true},
		{"'''", .lines = true},
	};

	for (size_t i = 0; i < 2; i++)
		if (toml_take(in, forms[i].quotes))
			return read_form(in, &forms[i], ret, err);
	return toml_read_short_string(in, ret, err);
}

int toml_read_short_string(struct toml_input *in, char **ret, struct error *err)
{
	static const struct form basic = {"\"", .escapes = true}, literal = {"'", .escapes = false};

	return read_form(in, toml_take(in, "\"") ? &basic : (in->at++, &literal), ret, err);
}
