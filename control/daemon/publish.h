/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The publisher: keeps the forwarders in use, one or two, on the newest snapshot. It builds one of the model when
 * that has changed (many changes within one turn of the loop make one snapshot; while one is on its way the next
 * waits), hands it to one forwarder after the other, and tells who waits when all have it. One thread, that of
 * the event base.
 */
#ifndef SHUNT_PUBLISH_H
#define SHUNT_PUBLISH_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "forwarder.h"
#include "model.h"
#include "state.h"

struct publisher;
struct publish_waiter;

#define PUBLISH_WAIT_MS 5000 /* how long a command waits for the forwarder */

enum publish_result {
	PUBLISH_DONE,      /* in force on every worker of every forwarder in use, and on disk */
	PUBLISH_REFUSED,   /* a forwarder refused the snapshot, or none could be built; the change is kept and
			    * tried again: why says all that */
	PUBLISH_TIMED_OUT, /* no answer in time; the change is kept and will be applied */
	PUBLISH_UNSAVED,   /* in force, but the state file could not be written: gone at the next restart */
};

/* Told after the fact, in the order of registration. Any may be NULL. */
struct publish_listener {
	struct publish_listener *next; /* the publisher's */
	void *context;
	void (*connected)(void *context, struct forwarder *forwarder);    /* forwarder_owner.up */
	void (*disconnected)(void *context, struct forwarder *forwarder); /* forwarder_owner.down */
	void (*acknowledged)(void *context, uint64_t version); /* a snapshot is in force, in all that are in use */
};

/*
 * Without a forwarder yet. model and state: the caller's, outlive it; config: read during the call only.
 * NULL: no memory.
 */
struct publisher *publish_new(struct event_base *base, struct model *model, struct state *state,
	const struct config *config);
/* Waiters still there are dropped without a call; forwarders are freed. */
void publish_free(struct publisher *publisher);
void publish_listen(struct publisher *publisher, struct publish_listener *listener); /* the caller's, outlives */

/*
 * Forwarders are made with this owner and then added, before the loop runs; they are the publisher's from then on.
 * The first by kind is the main one: what frames are left to when the other is away. Nothing is published
 * without it; the other is in use while it is up.
 */
struct forwarder_owner publish_owner(struct publisher *publisher);
void publish_add(struct publisher *publisher, struct forwarder *forwarder);
/* The one of a kind, up or not; NULL where none was added. */
const struct forwarder *publish_forwarder(const struct publisher *publisher, enum forwarder_kind kind);
/* The main one; NULL where none was added. */
const struct forwarder *publish_main(const struct publisher *publisher);

/* After a reload (and state_set_config): capacity, timeouts, hash key and what concerns a forwarder may be others. */
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

/* The main forwarder's statistics, which tell of the flows of all; NULL while it is not up. */
const struct stats_header *publish_stats(const struct publisher *publisher);
/* The flow table, which forwarders share; all NULL and 0 while there is none. Workers write it meanwhile. */
struct forwarder_flows publish_flows(const struct publisher *publisher);
/* The snapshot in force, shuntd's own copy, checked; NULL while none is. */
const void *publish_snapshot(const struct publisher *publisher);
/* Version of the snapshot in force; 0: none acknowledged since the main forwarder came up. */
uint64_t publish_version(const struct publisher *publisher);
/* Whether something has changed that is not in force yet; it will be, in moments, while a forwarder is up. */
bool publish_is_pending(const struct publisher *publisher);
/* Whether the main forwarder is up and alive. */
bool publish_alive(const struct publisher *publisher);
/* Whether the kernel reaches backends, as far as it needs the main forwarder for that. */
bool publish_carries_checks(const struct publisher *publisher);
/* Add lines on what is wrong now ("no shunt-dataplane: ...") to an array of strings. */
void publish_warnings(const struct publisher *publisher, json_t *warnings);

#endif
