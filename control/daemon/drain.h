/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The deadlines of drains: whoever is still draining when its own is over has its flows cut. That no flow is left
 * before is found out by the model, which is told of sweeps. One thread, the model's.
 */
#ifndef SHUNT_DRAIN_H
#define SHUNT_DRAIN_H

#include <event2/event.h>

#include "counters.h"
#include "model.h"

struct drains;

/*
 * From now on, also for drains that were begun before shuntd was. counters: asked how many flows are left; NULL:
 * nobody is. All are the caller's and outlive it. NULL: no memory.
 */
struct drains *drains_open(struct event_base *base, struct model *model, struct counters *counters);
void drains_close(struct drains *drains);

#endif
