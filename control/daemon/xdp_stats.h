/* SPDX-License-Identifier: BSD-3-Clause */
/* The XDP path's statistics in the layout of the dataplane's segment (core/stats.h), less its workers. One thread.
 */
#ifndef SHUNT_XDP_STATS_H
#define SHUNT_XDP_STATS_H

#include "xdp_set.h"

/* With one port, the interface. NULL: no memory. To be freed with free(). */
struct stats_header *xdp_stats_new(const char *interface);
/* What a set says of itself: since when it counts, of how many CPUs, which snapshot is in force. */
void xdp_stats_read_set(struct stats_header *stats, const struct xdp_set *set);
/* The interface's MAC, MTU, link state and errors, of whatever interface has the name. stats: of xdp_stats_new(). */
void xdp_stats_read_port(struct stats_header *stats);
/* Sign of life, in the set's maps as well. set: may be NULL. */
void xdp_stats_beat(struct stats_header *stats, struct xdp_set *set);

#endif
