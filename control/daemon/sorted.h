/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A sorted array of pointers: found by bisection, added to and taken from by moving the tail, which for
 * some ten thousand pointers costs microseconds, and nothing when the last is added.
 */
#ifndef SHUNT_SORTED_H
#define SHUNT_SORTED_H

#include <stdbool.h>
#include <stddef.h>

struct sorted {
	void **item;
	size_t n;
	size_t room;
};

/* Whether the key is there; *position: where it is, or where it would have to be put. compare: as bsearch(3). */
bool sorted_find(const struct sorted *sorted, const void *key, int (*compare)(const void *key, const void *item),
	size_t *position);
/* 0, or -ENOMEM. position: from sorted_find(). */
int sorted_insert(struct sorted *sorted, size_t position, void *item);
void sorted_remove(struct sorted *sorted, size_t position);
void sorted_free(struct sorted *sorted); /* the array, not the items */

#endif
