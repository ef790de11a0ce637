/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rules by which packets with a backend's mark find its table, of one family. The kernel walks rules one by
 * one, so they are in three levels, each by a part of the mark: to a block of 256 ids, in it to a group of 16, in
 * that to the table. With ten thousand backends a packet of a check meets about 40 + 16 + 16 rules at most, and
 * one of anybody else a single one.
 *
 *     5300        has a mark of ours: on to 53000. All others: to the host's own rules
 *     ...         the host's: main and default
 *     53000       has none (and nobody had a route for it): on behind the end
 *     53001       one for each block in use: on to its rules
 *     53002       no such block: unreachable
 *     53003       the first block, one for each of its groups in use: on to that one's rules
 *     53004       no such group: unreachable
 *     53005       those of its first group: to each backend's table
 *     53006       not there: unreachable
 *     53007 ...   its other groups, two each, and the other blocks, 34 each
 *     61707       the end: does nothing
 */
#ifndef SHUNT_ROUTE_RULES_H
#define SHUNT_ROUTE_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "netlink.h"

struct route_rules;

/* None yet. family: AF_INET or AF_INET6. NULL: no memory. */
struct route_rules *route_rules_new(struct netlink *netlink, int family);
/* The kernel's stay. NULL is none. */
void route_rules_free(struct route_rules *rules);

/* A backend with this id will have a rule, from this on until the second; what stands around it goes with the
 * last. */
void route_rules_want(struct route_rules *rules, uint32_t id);
void route_rules_drop(struct route_rules *rules, uint32_t id, bool installed);
/*
 * Put its rule in place and what has to stand around it; what is there already stays. lost: it was there before,
 * so whoever removed it may have removed all. 0 or -errno.
 */
int route_rules_install(struct route_rules *rules, uint32_t id, bool lost);

#endif
