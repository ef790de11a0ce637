/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which port each backend is behind (ports.h), and its MAC out of the kernel's neighbour table there. The kernel is
 * asked to
 * resolve every backend that has no pinned MAC, entries are used again before they go stale, and a MAC
 * once known is kept while nothing better is: a frame to the last known place beats a black hole.
 */
#ifndef SHUNT_NEIGHBOUR_H
#define SHUNT_NEIGHBOUR_H

#include <event2/event.h>
#include <jansson.h>

#include "model.h"
#include "netlink.h"
#include "ports.h"

struct neighbours;

/*
 * Follow the backends the model has and will have. All are the caller's and outlive it; ports_start()
 * comes after. NULL: no memory.
 */
struct neighbours *neighbour_open(struct event_base *base, struct netlink *netlink, struct ports *ports,
	struct model *model);
/* The model may still be there, but must tell of no more changes. */
void neighbour_close(struct neighbours *neighbours);

/*
 * The backend does not answer where its MAC says it is: have the kernel forget it and ask everybody at once. A
 * machine that was replaced is found within a second so, and not when its entry ends a minute later. The MAC
 * is kept meanwhile. Pinned ones, and entries an operator made, are left alone.
 */
void neighbour_doubt(struct neighbours *neighbours, const struct backend *backend);

/*
 * The backend was silent: whether it was never asked for, because the kernel has no entry of it and no room for one.
 * If there is room it is asked for now.
 */
bool neighbour_unasked(struct neighbours *neighbours, const struct backend *backend);

/* Add lines on what is wrong to an array of strings. */
void neighbour_warnings(const struct neighbours *neighbours, json_t *warnings);

#endif
