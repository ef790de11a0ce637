/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables, by libsmartcols. */
#include "table.h"

#include <libsmartcols/libsmartcols.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "failure.h"

struct table {
	struct libscols_table *cols;
	struct libscols_line *row;
	size_t cell; /* the next one of the row */
};

static void *need(void *memory)
{
	if (!memory) {
		fputs("shuntctl: out of memory\n", stderr);
		exit(STATUS_FAILED);
	}
	return memory;
}

struct table *table_new(bool headings, bool colour)
{
	struct table *table = need(calloc(1, sizeof(*table)));

	table->cols = need(scols_new_table());
	scols_table_enable_noheadings(table->cols, !headings);
	scols_table_enable_colors(table->cols, colour);
	scols_table_enable_minout(table->cols, 1);
	scols_table_set_termforce(table->cols, SCOLS_TERMFORCE_NEVER); /* it would break words to fit */
	return table;
}

void table_column(struct table *table, const char *name, int kind)
{
	need(scols_table_new_column(table->cols, name, 0, kind == COLUMN_RIGHT ? SCOLS_FL_RIGHT : 0));
}

void table_row(struct table *table)
{
	table->row = need(scols_table_new_line(table->cols, NULL));
	table->cell = 0;
}

void table_cell(struct table *table, const char *colour, const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	need(text);
	if (colour)
		scols_cell_set_color(scols_line_get_cell(table->row, table->cell), colour);
	if (scols_line_refer_data(table->row, table->cell++, text)) /* it frees the text */
		need(NULL);
}

void table_skip(struct table *table)
{
	table->cell++;
}

void table_print(struct table *table)
{
	scols_print_table(table->cols);
	scols_unref_table(table->cols);
	free(table);
}
