/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Looks through the forwarder's flow table, which may be gigabytes, a piece a turn of the event loop, so
 * that nothing else waits for it. Workers change the table meanwhile: what is seen is of no one moment.
 */
#ifndef SHUNT_FLOW_SCAN_H
#define SHUNT_FLOW_SCAN_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "model.h"
#include "publish.h"

struct flow_scan;

/* A live entry of the table. */
struct flow_seen {
	const struct vip *vip;         /* NULL: none the model knows, any more */
	const struct backend *backend; /* NULL: likewise */
	enum flow_state state;
	uint32_t idle_s; /* since its last packet, give or take FLOW_TICK_S */
};

/*
 * Begin. visit() is called for each live entry, until it returns false; then done() once, from the loop and
 * not before this returns; also when the table goes away meanwhile. NULL: no memory, neither is called.
 */
struct flow_scan *flow_scan_begin(struct event_base *base, struct model *model, struct publisher *publisher,
	bool (*visit)(void *context, const struct flow_seen *seen), void (*done)(void *context), void *context);
/* No more calls. Not after done(). */
void flow_scan_cancel(struct flow_scan *scan);

/* Neither FIN nor RST seen: what is counted as active. */
bool flow_seen_is_active(const struct flow_seen *seen);
/* "syn", "established", "fin", "reset", "udp-new", "udp". */
const char *flow_state_name(enum flow_state state);

#endif
