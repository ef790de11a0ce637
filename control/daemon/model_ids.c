/* SPDX-License-Identifier: BSD-3-Clause */
/* Ids of one kind of object, given out next-fit among the lowest. */
#include "model_ids.h"

#include <errno.h>
#include <stddef.h>

#define ROOM_LEAST 1024

/* Ids are given out below this: a power of two, four times those in use or more. */
static uint32_t room(const struct model_ids *ids)
{
	uint32_t size = ROOM_LEAST;

	while (size < 4 * (ids->used + 1))
		size *= 2;
	return size < SNAPSHOT_MAX_IDS ? size : SNAPSHOT_MAX_IDS;
}

int model_ids_take(struct model_ids *ids, void *object)
{
	uint32_t id, size = room(ids);

	if (ids->used == SNAPSHOT_MAX_IDS)
		return -ENOSPC;
	id = ids->next < size ? ids->next : 0;
	while (ids->object[id])
		id = (id + 1) % size;
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
