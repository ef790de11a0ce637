/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Health checks: one for each backend of a pool, however many VIPs use the pool. A check that could not
 * be made for a reason of our own (no descriptor, no route, no forwarder to carry it) is no verdict: the
 * backend stays what it was. Judgements go to the model, and are told as events. One thread.
 *
 * How a check is made is check_run.h's, what follows from results judge.h's; health_probe.c has the one make them
 * and the other hear of them, health_change.c makes changes of what it says.
 */
#ifndef SHUNT_HEALTH_H
#define SHUNT_HEALTH_H

#include <event2/event.h>
#include <jansson.h>
#include <stdint.h>

#include "lateness.h"
#include "model.h"
#include "neighbour.h"
#include "publish.h"
#include "route.h"

struct health;

/*
 * Check the backends the model has and will have. All are the caller's and outlive it but config, which is read
 * during the call only. NULL: no memory.
 */
struct health *health_open(struct event_base *base, struct model *model, struct routes *routes,
	struct neighbours *neighbours, const struct publisher *publisher, const struct config *config);
/* The model may still be there, but must tell of no more changes. */
void health_close(struct health *health);
/* After a reload: control.check_changes may be another. */
void health_reconfigure(struct health *health, const struct config *config);

/*
 * Its handshakes have stopped (passive.c): an extra check at once, with a timeout of 250 ms or its own if that is
 * shorter. Failed: two agree, it is down at once. Succeeded, or could not be made: the suspicion is over, which is
 * told (EVENT_BACKEND_CLEARED). In either case model_set_suspect(false) is called, now for a backend that is not
 * checked or is down.
 */
void health_suspect(struct health *health, struct backend *backend);

/* Why the last check failed or could not be made, one line; NULL after a success and where there is no check. */
const char *health_error(const struct backend *backend);
/* Seconds since the last judgement that changed something (or since it was first seen). */
uint64_t health_since_s(const struct backend *backend);
/* Add lines on what is wrong to an array of strings. */
void health_warnings(const struct health *health, json_t *warnings);

struct health_stats {
	uint64_t made; /* checks begun */
	uint64_t failed;
	uint64_t unmade;	  /* not begun, or given up, for a reason of our own */
	uint64_t held;		  /* changes that had to wait for the limit */
	uint32_t n_unmade;	  /* backends whose last check was none */
	uint32_t n_held;	  /* changes that wait now */
	uint32_t under_way;	  /* checks */
	struct lateness lateness; /* from when a check was due until it was begun; without the first of each */
};

/* Valid until the health is closed. */
const struct health_stats *health_stats(const struct health *health);

#endif
