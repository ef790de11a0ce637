/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Health checks: one for each backend of a pool, however many VIPs use the pool. A check that could not
 * be made for a reason of our own (no descriptor, no route, no forwarder to carry it) is no verdict: the
 * backend stays what it was. Judgements go to the model. One thread.
 */
#ifndef SHUNT_HEALTH_H
#define SHUNT_HEALTH_H

#include <event2/event.h>
#include <jansson.h>
#include <stdint.h>

#include "model.h"
#include "neighbour.h"
#include "publish.h"
#include "route.h"

struct health;

/* Check the backends the model has and will have. All are the caller's and outlive it. NULL: no memory. */
struct health *health_open(struct event_base *base, struct model *model, struct routes *routes,
	struct neighbours *neighbours, const struct publisher *publisher);
/* The model may still be there, but must tell of no more changes. */
void health_close(struct health *health);

/*
 * Its handshakes have stopped (passive.c): an extra check at once, with a timeout of 250 ms or its own if that is
 * shorter. Failed: two agree, it is down at once. Succeeded, or could not be made: the suspicion is over. Nothing
 * happens for a backend that is not checked, or is down.
 */
void health_suspect(struct health *health, struct backend *backend);

/* Why the last check failed or could not be made, one line; NULL after a success and where there is no check. */
const char *health_error(const struct backend *backend);
/* Seconds since the last judgement that changed something (or since it was first seen). */
uint64_t health_since_s(const struct backend *backend);
/* Add lines on what is wrong to an array of strings. */
void health_warnings(const struct health *health, json_t *warnings);

#endif
