/* SPDX-License-Identifier: BSD-3-Clause */
/* What route.c's parts share: the rules, the clean-up, the warnings. Only for route*.c. */
#ifndef SHUNT_ROUTE_PRIVATE_H
#define SHUNT_ROUTE_PRIVATE_H

#include "route.h"
#include "route_rules.h"

/* One backend's: where its packets go, and whether rule and route were put in place. */
struct way_out {
	struct addr gateway; /* all zero: not wanted */
	uint32_t port;	     /* that it is behind */
	bool installed;
	unsigned int oif; /* these two as they were when the kernel was asked last */
	uint32_t era;
};

struct routes {
	struct netlink *netlink;
	const struct ports *ports;
	struct model *model;
	struct route_rules *rules_v4, *rules_v6;
	uint32_t era;	    /* rises when something was missing that had been there */
	uint64_t asking_ms; /* when the count began */
	uint32_t asked;	    /* questions since */
	char why[160];
	struct way_out way_out[SNAPSHOT_MAX_IDS + 1]; /* by backend id */
};

static inline bool route_is_wanted(const struct routes *routes, uint32_t id)
{
	return routes->way_out[id].gateway.hi || routes->way_out[id].gateway.lo;
}

/* Remove every rule and route of this family that is ours, whichever version of us put it there. Returns how many.
 */
size_t route_sweep(struct netlink *netlink, int family);

#endif
