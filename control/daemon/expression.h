/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * POSIX extended regular expressions, looked for in what a server sent. The C library has a state for each set of
 * places that a text may be at: a server that knows "a.{20}b" can have it make a million, seconds and gigabytes. Here
 * the places themselves are followed (Thompson, "Regular Expression Search Algorithm", 1968): memory is that of the
 * expression, time at most its size times the text's. Bytes, not characters; . and [^x] are no end of line, ^ and $ are
 * a line's.
 */
#ifndef SHUNT_EXPRESSION_H
#define SHUNT_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>

#define EXPRESSION_SIZE_MAX 1024 /* steps, repetitions written out */

struct expression;

/* text: one that regcomp() takes as extended, without references back. NULL: too large (E2BIG), or no memory. */
struct expression *expression_new(const char *text);
void expression_free(struct expression *expression); /* NULL is none */
/* Anywhere in the data, in which there may be zeros. The expression's own memory is used: one at a time. */
bool expression_finds(struct expression *expression, const char *data, size_t size);

/* text: at a bracket expression's [. Its ], or the text's end if it has none. */
const char *expression_brackets_end(const char *text);

#endif
