/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a TOML file, its lines, and what may stand between them. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pkg/toml/toml_internal.h"

int toml_fail(const struct toml_input *in, struct error *err, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return error_set(err, ERR_INVALID, "line %u: %s", in->line, text);
}

char toml_peek(const struct toml_input *in)
{
	return in->at < in->end ? *in->at : '\0';
}

bool toml_take(struct toml_input *in, const char *text)
{
	size_t len = strlen(text);

	if ((size_t)(in->end - in->at) < len || memcmp(in->at, text, len) != 0)
		return false;
	in->at += len;
	return true;
}

void toml_skip_blank(struct toml_input *in)
{
	while (toml_peek(in) == ' ' || toml_peek(in) == '\t')
		in->at++;
}

bool toml_take_newline(struct toml_input *in)
{
	if (!toml_take(in, "\n") && !toml_take(in, "\r\n"))
		return false;
	in->line++;
	return true;
}

/* From '#' up to the line break; control characters but tabs are for nobody. */
static int skip_comment(struct toml_input *in, struct error *err)
{
	if (!toml_take(in, "#"))
		return 0;
	for (; in->at < in->end && *in->at != '\n'; in->at++) {
		unsigned char c = (unsigned char)*in->at;

		if (c == '\r' && in->at + 1 < in->end && in->at[1] == '\n')
			return 0;
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return toml_fail(in, err, "a control character (0x%02x) in a comment", c);
	}
	return 0;
}

int toml_skip_lines(struct toml_input *in, struct error *err)
{
	do {
		toml_skip_blank(in);
		if (skip_comment(in, err) < 0)
			return -1;
	} while (toml_take_newline(in));
	return 0;
}

int toml_end_line(struct toml_input *in, struct error *err)
{
	toml_skip_blank(in);
	if (skip_comment(in, err) < 0)
		return -1;
	if (in->at == in->end || toml_take_newline(in))
		return 0;
	return toml_fail(in, err, "only a comment may follow a value or header on its line");
}
