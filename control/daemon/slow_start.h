/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Slow start: a backend that came up, by its check or by command, takes a tenth of its share at once and the rest
 * over the pool's slow_start. Only while others have their full share: where a whole pool comes up, at a start of
 * shuntd say, there is nobody to spare it anything. Flows that are there stay where they are. One thread, the
 * model's.
 */
#ifndef SHUNT_SLOW_START_H
#define SHUNT_SLOW_START_H

#include <event2/event.h>

#include "model.h"

struct slow_start;

/* Those that were ramping up when shuntd ended go on where they were. model: outlives it. NULL: no memory. */
struct slow_start *slow_start_open(struct event_base *base, struct model *model);
void slow_start_close(struct slow_start *slow_start);

/* The permille of its weight that a backend has elapsed_ms after it came up: in steps, each of which builds slots.
 */
uint16_t slow_start_permille(uint64_t elapsed_ms, uint32_t slow_start_ms);

#endif
