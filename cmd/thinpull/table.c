/* SPDX-License-Identifier: Apache-2.0 */
/* Collects the cells, then prints them. */
#include "cmd/thinpull/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/thinpull/output.h"
#include "cmd/thinpull/sizes.h"
#include "pkg/base/alloc.h"

void table_init(struct table *t, const struct table_column *columns)
{
	memset(t, 0, sizeof(*t));
	t->columns = columns;
	while (columns[t->n_columns].title)
		t->n_columns++;
}

void table_release(struct table *t)
{
	for (size_t i = 0; i < t->n_cells; i++)
		free(t->cells[i]);
	free(t->cells);
	memset(t, 0, sizeof(*t));
}

static void table_take(struct table *t, char *cell)
{
	output_make_printable(cell);
	ALLOC_GROW(t->cells, t->n_cells + 1, t->room);
	t->cells[t->n_cells++] = cell;
}

void table_cell(struct table *t, const char *text)
{
	table_take(t, xstrdup(text ? text : ""));
}

void table_cellf(struct table *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	table_take(t, xvasprintf(fmt, ap));
	va_end(ap);
}

void table_cell_bytes(struct table *t, unsigned long long bytes)
{
	char text[SIZE_TEXT_BYTES];

	table_cell(t, size_format(bytes, text));
}

/* Columns a text takes on a terminal, as far as counting its characters says. */
static size_t text_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static size_t column_width(const struct table *t, size_t column)
{
	size_t width = text_width(t->columns[column].title);

	for (size_t i = column; i < t->n_cells; i += t->n_columns)
		if (text_width(t->cells[i]) > width)
			width = text_width(t->cells[i]);
	return width;
}

static void print_cell(const struct table *t, size_t column, size_t width, const char *text)
{
	int padding = (int)(width - text_width(text));
	bool last = column + 1 == t->n_columns;

	if (t->columns[column].align == TABLE_RIGHT)
		output_text("%*s%s%s", padding, "", text, last ? "\n" : "  ");
	else
		output_text("%s%*s%s", text, last ? 0 : padding, "", last ? "\n" : "  ");
}

void table_print(const struct table *t)
{
	cleanup_free size_t *widths = xcalloc(t->n_columns, sizeof(*widths));

	for (size_t c = 0; c < t->n_columns; c++)
		widths[c] = column_width(t, c);
	for (size_t c = 0; c < t->n_columns; c++)
		print_cell(t, c, widths[c], t->columns[c].title);
	for (size_t i = 0; i < t->n_cells; i++)
		print_cell(t, i % t->n_columns, widths[i % t->n_columns], t->cells[i]);
}
