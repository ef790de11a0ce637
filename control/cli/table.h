/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tables as libsmartcols prints them: columns as wide as what is in them. Nothing is cut short; what a
 * terminal has no room for, it puts on its next line.
 */
#ifndef SHUNTCTL_TABLE_H
#define SHUNTCTL_TABLE_H

#include <stdbool.h>

struct table;

#define COLUMN_LEFT 0
#define COLUMN_RIGHT 1 /* numbers */

/* headings: print the columns' names above them. Never NULL: without memory the program ends. */
struct table *table_new(bool headings, bool colour);
void table_column(struct table *table, const char *name, int kind);
/* Begin a row; the cells are set from the left. */
void table_row(struct table *table);
/* The next cell of the row begun last. colour: one of text.h's, or NULL. */
void table_cell(struct table *table, const char *colour, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Leave a cell empty. */
void table_skip(struct table *table);
/* Print to standard output and free. */
void table_print(struct table *table);

#endif
