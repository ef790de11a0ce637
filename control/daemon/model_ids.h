/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ids 0..65534 of one kind of object, given out next-fit: the id after the last one given, so that an id is used
 * again late. Forwarders have tables by id, so it is the lowest R of them, R being the least power of two from
 * 1024 on that is four times the number in use. Flow words and counters of a gone object still bear its id for a
 * while, and so nothing holds an id back when its object is freed: it comes again only after every other free id,
 * three quarters of R or more. Meanwhile a sweep, one of which ends every second or so, clears the flow words of
 * backends that the snapshot hasn't any more; and where no dataplane sweeps, their flows are dead after their
 * timeouts, four hours at most, and a table that was left alone for longer is not used again.
 */
#ifndef SHUNT_MODEL_IDS_H
#define SHUNT_MODEL_IDS_H

#include <stdint.h>

#include "snapshot.h"

struct model_ids {
	void *object[SNAPSHOT_MAX_IDS];
	uint32_t next; /* to try first */
	uint32_t used;
};

/* The id, now the object's; or -ENOSPC. */
int model_ids_take(struct model_ids *ids, void *object);
/* Take this very id: 0, or -EEXIST or -EINVAL. Leaves next alone. */
int model_ids_take_exact(struct model_ids *ids, uint32_t id, void *object);
void model_ids_release(struct model_ids *ids, uint32_t id);
/* The object, or NULL. */
void *model_ids_get(const struct model_ids *ids, uint32_t id);

#endif
