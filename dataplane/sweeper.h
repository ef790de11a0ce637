/* SPDX-License-Identifier: BSD-3-Clause */
/* Sweeps of the flow table (core/sweep.h), about one a second, in slices between other work. Main thread. */
#ifndef SHUNT_SWEEPER_H
#define SHUNT_SWEEPER_H

#include "flow_table.h"
#include "generation.h"
#include "segment.h"

struct sweeper;

struct sweeper *sweeper_new(void);
void sweeper_free(struct sweeper *s);

/*
 * Sweep for a few milliseconds if one is due or under way; at its end fill in the segment's counts and
 * the header's time. To be called about ten times a second. g: with a snapshot and a table.
 */
void sweeper_run(
	struct sweeper *s, const struct generation *g, struct flow_table_header *flows, struct segment *segment);

/* The flow table is another one: forget a sweep that is under way. */
void sweeper_restart(struct sweeper *s);

#endif
