/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The publisher: keeps shunt-dataplane on the newest snapshot. It connects to dpdk.socket, again and again
 * where nobody is there, sends the model as a snapshot when it has changed (many changes within one turn of
 * the loop make one snapshot; while one is on its way the next waits), hears the acknowledgements, and holds
 * what the dataplane shares: the statistics and the flow table. One thread, that of the event base.
 */
#ifndef SHUNT_PUBLISH_H
#define SHUNT_PUBLISH_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "channel.h"
#include "config.h"
#include "flow_table.h"
#include "model.h"
#include "state.h"
#include "stats.h"

struct publisher;
struct publish_waiter;

#define PUBLISH_WAIT_MS 5000 /* how long a command waits for the forwarder */

enum publish_result {
	PUBLISH_DONE,      /* in force on every worker, and on disk */
	PUBLISH_REFUSED,   /* the forwarder refused the snapshot, or none could be built; the change is kept and
			    * tried again: why says all that */
	PUBLISH_TIMED_OUT, /* no answer in time; the change is kept and will be applied */
	PUBLISH_UNSAVED,   /* in force, but the state file could not be written: gone at the next restart */
};

/* Told after the fact, in the order of registration. Any may be NULL. */
struct publish_listener {
	struct publish_listener *next; /* the publisher's */
	void *context;
	void (*connected)(void *context);    /* HELLO came: publish_stats() is another segment */
	void (*disconnected)(void *context); /* publish_stats() and publish_flows() are gone */
	void (*acknowledged)(void *context, uint64_t version); /* a snapshot is in force */
};

/*
 * Begins to connect at once. model and state: the caller's, outlive it; config: read during the call only.
 * NULL: no memory.
 */
struct publisher *publish_new(struct event_base *base, struct model *model, struct state *state,
	const struct config *config);
/* Waiters still there are dropped without a call. */
void publish_free(struct publisher *publisher);
void publish_listen(struct publisher *publisher, struct publish_listener *listener); /* the caller's, outlives */

/* After a reload (and state_set_config): socket, capacity, timeouts and hash key may be others. */
void publish_reconfigure(struct publisher *publisher, const struct config *config);

/*
 * done() is called once, never before this returns: when a snapshot with every change made so far is in force
 * (at the loop's next turn if it is already), or is refused, or after timeout_ms. version: of the snapshot in
 * force (0: none). why: a line for the operator, "" with PUBLISH_DONE; valid during the call only. NULL: no
 * memory, done() is not called.
 */
struct publish_waiter *publish_wait(struct publisher *publisher,
	void (*done)(void *context, enum publish_result result, uint64_t version, const char *why), void *context,
	uint32_t timeout_ms);
/* The client went away: forget it. Not after done() was called. */
void publish_wait_cancel(struct publish_waiter *waiter);

/* The dataplane's greeting, or NULL while there is none. */
const struct channel_hello *publish_hello(const struct publisher *publisher);
/* Its statistics segment, checked for magic, layout and size, or NULL while there is none. */
const struct stats_header *publish_stats(const struct publisher *publisher);
/* Worker i's block, i < publish_stats()->n_workers as it was checked; NULL beyond. */
const struct stats_worker *publish_worker(const struct publisher *publisher, uint32_t worker);
/* Its flow table: the buckets and their number, or NULL and 0 while there is none. Workers write it meanwhile. */
const struct flow_bucket *publish_flows(const struct publisher *publisher, uint32_t *n_buckets);
const struct flow_table_header *publish_flows_header(const struct publisher *publisher);
/* The snapshot in force, shuntd's own copy, checked; NULL while none is. */
const void *publish_snapshot(const struct publisher *publisher);
/* Version of the snapshot in force; 0: none acknowledged on this connection. */
uint64_t publish_version(const struct publisher *publisher);
/* Whether the dataplane is there and its heartbeat is not older than three seconds. */
bool publish_alive(const struct publisher *publisher);
/* What is wrong now, one line for "status" ("no dataplane: ..."), or NULL. */
const char *publish_warning(const struct publisher *publisher);

#endif
