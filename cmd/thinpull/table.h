/* SPDX-License-Identifier: Apache-2.0 */
/* A table for people: columns as wide as their widest cell, no lines. */
#pragma once

#include <stddef.h>

#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"

struct table_column {
	const char *title; /* a table ends with a column without one */
	enum table_align { TABLE_LEFT, TABLE_RIGHT } align;
};

struct table {
	const struct table_column *columns;
	size_t n_columns;
	char **cells; /* row after row */
	size_t n_cells, room;
};

void table_init(struct table *t, const struct table_column *columns);
void table_release(struct table *t);
#define cleanup_table cleanup(table_release)

/* Add the next cell. Bytes that would disturb a terminal are shown as '?'. */
void table_cell(struct table *t, const char *text);
void table_cellf(struct table *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
void table_cell_bytes(struct table *t, unsigned long long bytes);

/* Print titles and rows on stdout. */
void table_print(const struct table *t);
