/* SPDX-License-Identifier: BSD-3-Clause */
/* Ids of one kind of object, given out next-fit. */
#include "model_ids.h"

#include <errno.h>
#include <stddef.h>

int model_ids_take(struct model_ids *ids, void *object)
{
	uint32_t id;

	if (ids->used == SNAPSHOT_MAX_IDS)
		return -ENOSPC;
	while (ids->object[ids->next])
		ids->next = (ids->next + 1) % SNAPSHOT_MAX_IDS;
	id = ids->next;
	ids->object[id] = object;
	ids->used++;
	ids->next = (id + 1) % SNAPSHOT_MAX_IDS;
	return (int)id;
}

int model_ids_take_exact(struct model_ids *ids, uint32_t id, void *object)
{
	if (id >= SNAPSHOT_MAX_IDS)
		return -EINVAL;
	if (ids->object[id])
		return -EEXIST;
	ids->object[id] = object;
	ids->used++;
	return 0;
}

void model_ids_release(struct model_ids *ids, uint32_t id)
{
	ids->object[id] = NULL;
	ids->used--;
}

void *model_ids_get(const struct model_ids *ids, uint32_t id)
{
	return id < SNAPSHOT_MAX_IDS ? ids->object[id] : NULL;
}
