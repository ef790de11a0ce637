/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Totals of what the forwarders count, over restarts of them and of shuntd: of VIPs and backends in the model's
 * objects, and of verdicts and events. Nothing is lost or counted twice: a total is a base plus what each
 * forwarder's memory (its "segment") says now, and the base changes only when a segment begins. One thread.
 */
#ifndef SHUNT_TOTALS_H
#define SHUNT_TOTALS_H

#include "forwarder.h"
#include "model.h"
#include "publish.h"
#include "verdicts.h"

struct totals;

/* model, publisher: the caller's, outlive it. directory: control.state, for traffic.json. NULL: no memory. */
struct totals *totals_open(struct model *model, const struct publisher *publisher, const char *directory);
void totals_close(struct totals *totals);

/* The forwarder came up, perhaps with another segment. */
void totals_begin(struct totals *totals, const struct forwarder *forwarder);
/* Read the segments of all that are up. */
void totals_read(struct totals *totals);
/* Write down the bases if they have changed since. */
void totals_keep(struct totals *totals);

/* Since shuntd began, as they were read last. */
uint64_t totals_counter(const struct totals *totals, enum counter counter);
uint64_t totals_received(const struct totals *totals);
uint64_t totals_missed(const struct totals *totals); /* by ports */

struct traffic traffic_plus(struct traffic a, struct traffic b);
struct traffic traffic_minus(struct traffic a, struct traffic b);

#endif
