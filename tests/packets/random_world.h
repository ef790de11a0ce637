/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random frames and random snapshots for tests that hold one body of the core against another: of few flows, so
 * that these live through many packets, many of them odd. The same seed gives the same.
 */
#ifndef SHUNT_RANDOM_WORLD_H
#define SHUNT_RANDOM_WORLD_H

#include <stddef.h>
#include <stdint.h>

#include "fixture.h"
#include "snapshot.h"
#include "stats.h"

#define RANDOM_FRAME_MAX 2048

struct random {
	uint64_t state; /* not 0 */
};

uint32_t random_next(struct random *r);
/* 0..n-1 */
uint32_t random_below(struct random *r, uint32_t n);

/*
 * A frame of 14..RANDOM_FRAME_MAX bytes: a fixture's, as it is or with some bits changed, cut or made longer; or
 * one of a flow of the fixtures' VIPs, with any flags; either now and then with tags, options, extension headers,
 * a source that nobody has, or as what an ICMP error for the VIP quotes. frame: room for RANDOM_FRAME_MAX. Returns
 * its length.
 */
size_t random_frame(struct random *r, const struct fixtures *fixtures, const struct mac *own, uint8_t *frame);

/*
 * A snapshot of setup.h with other schedulers, states, weights, ports (1..max_ports, at most 2), slots, bounds,
 * and VIPs of other pools, that snapshot_check() accepts: *size bytes, always the same, from malloc, the caller's
 * to free. NULL without memory.
 */
void *random_snapshot(struct random *r, const struct mac *own, uint64_t version, uint32_t max_ports, size_t *size);

/* Clock of rates for the bodies that don't ask for it: what random_snapshot() limits is limited for minutes. */
uint32_t random_now(void);

/* What a sweep might say of a VIP's half-open flows. */
void random_sweep(struct random *r, struct stats_guard *guard);

/* Make a word of a flow table older by up to a timeout; an empty one stays empty. */
uint64_t random_age(struct random *r, uint64_t word);

#endif
