/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tells, as events and warnings, when new flows get no entry in the flow table: of a VIP that has its bound of
 * half-open flows, as under a flood of forged SYNs; or of any, because the table is full. And when that is over.
 * One thread.
 */
#ifndef SHUNT_PRESSURE_H
#define SHUNT_PRESSURE_H

#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "counters.h"
#include "model.h"

#define PRESSURE_QUIET_S 10 /* without such a flow, and it is over */

struct pressure;

/*
 * Looks once a second at what counters have read last. capacity: of the flow table, as configured. All are the
 * caller's and outlive it. NULL: no memory.
 */
struct pressure *pressure_open(
	struct event_base *base, struct model *model, const struct counters *counters, uint64_t capacity);
void pressure_close(struct pressure *pressure);
/* After a reload. */
void pressure_set_capacity(struct pressure *pressure, uint64_t capacity);

/* What it does once a second. */
void pressure_look(struct pressure *pressure);

/* Whether the VIP's new flows get no entry, or got none a moment ago: it has its bound of half-open ones. */
bool pressure_at_bound(const struct pressure *pressure, const struct vip *vip);

/* Add lines on what is so now to an array of strings. */
void pressure_warnings(const struct pressure *pressure, json_t *warnings);

#endif
