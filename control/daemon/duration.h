/* SPDX-License-Identifier: BSD-3-Clause */
/* Times as operators write them: a whole number and its unit, "500ms", "1s", "30m", "4h". */
#ifndef SHUNT_DURATION_H
#define SHUNT_DURATION_H

#include <stdint.h>

#define DURATION_TEXT 32

/* Milliseconds, or -EINVAL: not a duration, or longer than about a year. */
int64_t duration_parse_ms(const char *text);
/* The shortest exact form ("90s", "2m", "1500ms") into text[DURATION_TEXT], which it returns. */
const char *duration_print_ms(uint64_t ms, char *text);

#endif
