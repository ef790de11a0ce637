/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What has to be done to a configuration's text before libconfig reads it: libconfig takes only the low 32
 * bits of a number without "L", in silence, and reports a string without end at the end of the file.
 */
#ifndef SHUNT_CONFIG_TEXT_H
#define SHUNT_CONFIG_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

/*
 * A copy of the text, NUL-terminated, with "L" behind the numbers that want it. 0 and *out, to be freed; or
 * -EINVAL (a zero byte, a number of more than 18 digits, a string or comment without end), with *line and
 * what is wrong in *error; or -ENOMEM.
 */
int config_text_prepare(const char *text, size_t size, char **out, int *line, struct error *error);

struct config_include {
	const char *name; /* as it stands in the text, up to the next quote */
	size_t length;
	int line;
};

/*
 * The next "@include" of a prepared text, from *at on, which is in line *line; both are moved on behind it. false:
 * there is none.
 */
bool config_text_include(const char **at, int *line, struct config_include *include);

/* Line number line (from 1) of the text, without leading blanks, cut to size, into copy, which it returns. */
const char *config_text_line(const char *text, int line, char *copy, size_t size);

#endif
