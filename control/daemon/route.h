/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rules and routes that send a check to a VIP through one chosen backend, as the dataplane sends a
 * client's packet: packets that bear the backend's mark find a table whose only route leads to that
 * backend, on-link on the interface of its port. One thread.
 *
 * All are marked with protocol 83, so that those of a shuntd that was killed are found and removed. A
 * packet with a mark whose table is empty (the interface is down) is refused and never follows the host's
 * other routes, where a check would measure something else; one without a mark passes all of it by.
 */
#ifndef SHUNT_ROUTE_H
#define SHUNT_ROUTE_H

#include <jansson.h>
#include <stdbool.h>

#include "model.h"
#include "netlink.h"
#include "ports.h"

#define ROUTE_PROTOCOL 83          /* rtm_protocol and FRA_PROTOCOL of all that is ours */
#define ROUTE_MARK 0x53480000u     /* | backend id */
#define ROUTE_MARK_MASK 0xffff0000u
#define ROUTE_TABLE 5300000u       /* + backend id */
#define ROUTE_RULE_PRIORITY 5300u  /* of the one rule before the host's own */
#define ROUTE_BLOCKS_PRIORITY 53000u /* of the others, behind the host's (route_rules.h), */
#define ROUTE_BLOCKS_END 61707u	     /* to this */

#define ROUTE_NO_INTERFACE "the kernel interface is not there or not up"

struct routes;

/* Removes what an earlier shuntd left. All are the caller's and outlive it. NULL: no memory. */
struct routes *route_open(struct netlink *netlink, const struct ports *ports, struct model *model);
/* Removes every rule and route. */
void route_close(struct routes *routes);

/*
 * A check of this backend goes through it: wanted until route_drop(). Its id and address stay as they are. Rule
 * and route are put in place by the first route_ready().
 */
void route_want(struct routes *routes, const struct backend *backend);
void route_drop(struct routes *routes, const struct backend *backend);

/*
 * Ask the kernel where a packet for destination with route_mark() of the backend would go (not each time, if there
 * are very many). True if that is the backend. Else what is missing is put (back) in place and the kernel asked
 * again; false with a text in *why (static, or valid until the next call) if that did not help either.
 */
bool route_ready(struct routes *routes, const struct backend *backend, struct addr destination, const char **why);
/* A check that route_ready() was true for could not be made: the kernel is asked before the next. */
void route_doubt(struct routes *routes, const struct backend *backend);
/* Whether the interface that its checks leave by is up. */
bool route_is_up(const struct routes *routes, const struct backend *backend);
uint32_t route_mark(const struct backend *backend);

/* Add lines on what would keep checks from working (rp_filter, a VIP that is local here, no address). */
void route_warnings(struct routes *routes, json_t *warnings);

#endif
