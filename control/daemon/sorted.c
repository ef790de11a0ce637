/* SPDX-License-Identifier: BSD-3-Clause */
/* A sorted array of pointers. */
#include "sorted.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool sorted_find(const struct sorted *sorted, const void *key, int (*compare)(const void *key, const void *item),
	size_t *position)
{
	size_t low = 0, high = sorted->n;

	/* What comes in order is looked for behind the last first: filling from a sorted source is linear. */
	if (high && compare(key, sorted->item[high - 1]) > 0) {
		*position = high;
		return false;
	}
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare(key, sorted->item[middle]);

		if (order == 0) {
			*position = middle;
			return true;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	*position = low;
	return false;
}

int sorted_insert(struct sorted *sorted, size_t position, void *item)
{
	if (sorted->n == sorted->room) {
		size_t room = sorted->room ? sorted->room * 2 : 8;
		void **grown = realloc(sorted->item, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		sorted->item = grown;
		sorted->room = room;
	}
	memmove(&sorted->item[position + 1], &sorted->item[position],
		(sorted->n - position) * sizeof(*sorted->item));
	sorted->item[position] = item;
	sorted->n++;
	return 0;
}

void sorted_remove(struct sorted *sorted, size_t position)
{
	sorted->n--;
	memmove(&sorted->item[position], &sorted->item[position + 1],
		(sorted->n - position) * sizeof(*sorted->item));
}

void sorted_free(struct sorted *sorted)
{
	free(sorted->item);
	*sorted = (struct sorted){ 0 };
}
