/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fragments that the XDP program hands over because their first has not come yet (map "held"): kept in a
 * fragment_room, and sent by a packet socket once the program has noted where the first went. While there is no
 * shuntd to take them the program drops them and says so (drop_fragment_full).
 *
 * What it costs is bounded: XDP_FRAGMENTS_PAGES of memory, which the program fills, and from which nothing is taken but
 * by xdp_fragments_run(), however much comes; and the room. One thread.
 */
#ifndef SHUNT_XDP_FRAGMENTS_H
#define SHUNT_XDP_FRAGMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "xdp_set.h"

/* Of the rings: 4 MiB shared by all CPUs, but for each 64 KiB at least, for a few jumbo frames, and 256 KiB at most. */
#define XDP_FRAGMENTS_PAGES 1024
#define XDP_FRAGMENTS_PAGES_MIN 16
#define XDP_FRAGMENTS_PAGES_MAX 64

struct xdp_fragments;

struct xdp_fragments *xdp_fragments_new(void); /* NULL: no memory */
void xdp_fragments_free(struct xdp_fragments *f); /* f may be NULL */

/*
 * Take what this set's program hands over from now on; NULL: of none. What waits already goes on waiting. Does
 * nothing if it is the same map. Logs a warning if that can't be had, and goes without.
 */
void xdp_fragments_use(struct xdp_fragments *f, const struct xdp_set *set);

/* A descriptor that can be read when something has been handed over. */
int xdp_fragments_fd(const struct xdp_fragments *f);

/*
 * Take what has been handed over, and look where what waits goes. set: the one in use, with a snapshot. port_index:
 * of the interfaces by snapshot port. Returns whether something had been handed over or waits still.
 */
bool xdp_fragments_run(struct xdp_fragments *f, struct xdp_set *set, const unsigned int port_index[SNAPSHOT_MAX_PORTS]);

#endif
