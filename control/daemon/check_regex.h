/* SPDX-License-Identifier: BSD-3-Clause */
/* Regular expressions that were compiled already: a check comes every second, and its expression is always the same. */
#ifndef SHUNT_CHECK_REGEX_H
#define SHUNT_CHECK_REGEX_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

/* ^ and $ are a line's beginning and end, as with grep: a body ends with an end of line more often than not. */
#define CHECK_REGEX_FLAGS (REG_EXTENDED | REG_NOSUB | REG_NEWLINE)

struct check_regex;
struct checker;

/* A POSIX extended expression, to be given back. NULL: no memory, or it does not compile. */
struct check_regex *check_regex_get(struct checker *checker, const char *expression);
void check_regex_put(struct check_regex *regex);
/* Zeros may be in data. */
bool check_regex_finds(const struct check_regex *regex, const char *data, size_t size);
void check_regex_close(struct checker *checker);

#endif
