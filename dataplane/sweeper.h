/* SPDX-License-Identifier: BSD-3-Clause */
/* Sweeps of the tables of flows and fragments (core/sweep.h), about one a second, in slices. Main thread. */
#ifndef SHUNT_SWEEPER_H
#define SHUNT_SWEEPER_H

#include <stdbool.h>

#include "flow_table.h"
#include "generation.h"
#include "segment.h"

struct sweeper;

struct sweeper *sweeper_new(void);
void sweeper_free(struct sweeper *s);

/*
 * Sweep for two milliseconds if one is due or under way and the last such slice is long enough ago; at a
 * sweep's end fill in the segment's counts. To be called at least ten times a second, for it writes the
 * headers' time as well, and again after sweeper_pause_ms(). g: with a snapshot. flows, elder: NULL without a table.
 */
void sweeper_run(struct sweeper *s, const struct generation *g, struct flow_table_header *flows,
	struct flow_table_header *elder, struct segment *segment);

/* Whether the last sweep went through an elder table and left nothing in it. */
bool sweeper_elder_is_empty(const struct sweeper *s);

/* Milliseconds until it should be called for the sweep under way; -1: none is. */
int sweeper_pause_ms(const struct sweeper *s);

/* The flow tables are others: forget a sweep that is under way. */
void sweeper_restart(struct sweeper *s);

#endif
