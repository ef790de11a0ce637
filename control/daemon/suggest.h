/* SPDX-License-Identifier: BSD-3-Clause */
/* "Did you mean": the nearest of some words to a misspelt one. */
#ifndef SHUNT_SUGGEST_H
#define SHUNT_SUGGEST_H

#include <stddef.h>

struct suggestion {
	const char *word; /* whose nearest is looked for */
	const char *best; /* so far, or NULL: the caller's string */
	size_t distance;  /* of best */
};

/* Look at one candidate; keeps it if it is nearer than those before and near enough to be meant. */
void suggest(struct suggestion *suggestion, const char *candidate);

#endif
