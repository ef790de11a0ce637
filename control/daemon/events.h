/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What happened to backends, pools and forwarders: one line each in the log, one entry each in a ring that
 * operators read ("shuntctl events"), and a call of each listener (the hook). There is one ring in the process, as
 * there is one log, so that whoever has something to tell needs no handle for it. One thread.
 */
#ifndef SHUNT_EVENTS_H
#define SHUNT_EVENTS_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"
#include "model.h"

/*
 * Each kind: constant, name for programs, priority in the log, the words that the log puts before the text, help.
 * Names are the operators' to rely on: they stay as they are.
 */
#define EVENT_KINDS(KIND)                                                                                         \
	KIND(BACKEND_UP, "backend_up", LOG_NOTICE, "up", "its check succeeds")                                    \
	KIND(BACKEND_DOWN, "backend_down", LOG_WARNING, "down", "its check fails")                                \
	KIND(BACKEND_SUSPECT, "backend_suspect", LOG_WARNING, "suspect",                                          \
		"clients' handshakes with it fail while those with its peers go on")                              \
	KIND(BACKEND_CLEARED, "backend_cleared", LOG_NOTICE, "no longer suspect",                                 \
		"its check succeeded nevertheless")                                                               \
	KIND(BACKEND_UNCHECKED, "backend_unchecked", LOG_WARNING, "not checked",                                  \
		"its check can't be made for a reason of this host: it stays as it was judged last")              \
	KIND(BACKEND_CHECKED_AGAIN, "backend_checked_again", LOG_NOTICE, "checked again",                         \
		"the check can be made again")                                                                    \
	KIND(DRAIN_BEGUN, "drain_begun", LOG_NOTICE, "draining", "no new flows; those it has go on")              \
	KIND(DRAIN_DONE, "drain_done", LOG_NOTICE, "drained", "no flow is left")                                  \
	KIND(DRAIN_CUT, "drain_cut", LOG_WARNING, "drained at its deadline", "flows were left and are cut")       \
	KIND(ENABLED, "enabled", LOG_NOTICE, "enabled", "put back in by command; new flows follow its check")     \
	KIND(DISABLED, "disabled", LOG_NOTICE, "disabled", "taken out by command, with its flows")                \
	KIND(POOL_PANIC, "pool_panic", LOG_WARNING, "panic",                                                      \
		"too few of its backends are healthy: all are used, whatever their checks say")                   \
	KIND(POOL_PANIC_OVER, "pool_panic_over", LOG_NOTICE, "panic over",                                        \
		"enough of its backends are healthy again")                                                       \
	KIND(POOL_FALLBACK, "pool_fallback", LOG_WARNING, "fallback",                                             \
		"none of its backends is usable: its fallback serves")                                            \
	KIND(POOL_FALLBACK_OVER, "pool_fallback_over", LOG_NOTICE, "fallback over",                               \
		"it serves its VIPs itself again")                                                                \
	KIND(SLOW_START_DONE, "slow_start_done", LOG_INFO, "slow start done", "it has its full share")            \
	KIND(FORWARDER_LOST, "forwarder_lost", LOG_WARNING, "", "shunt-dataplane or the XDP program is away")     \
	KIND(FORWARDER_BACK, "forwarder_back", LOG_NOTICE, "", "it is there")                                     \
	KIND(RELOAD, "reload", LOG_NOTICE, "reload", "the configuration was read again")                          \
	KIND(VIP_FLOOD, "vip_flood", LOG_WARNING, "flood",                                                        \
		"a VIP has its bound of half-open flows: its new ones get no entry in the flow table")            \
	KIND(VIP_FLOOD_OVER, "vip_flood_over", LOG_NOTICE, "flood over",                                          \
		"for some seconds none of the VIP's new flows was without one")                                   \
	KIND(TABLE_FULL, "table_full", LOG_WARNING, "table full",                                                 \
		"the flow table has no room for new flows: they go by hash alone")                                \
	KIND(TABLE_FULL_OVER, "table_full_over", LOG_NOTICE, "table full over",                                   \
		"for some seconds no new flow was without an entry")                                              \
	KIND(VIP_CLAIMED, "vip_claimed", LOG_WARNING, "address claimed",                                          \
		"another host says that it has a VIP's address")                                                  \
	KIND(VIP_PROBED, "vip_probed", LOG_WARNING, "address probed",                                             \
		"another host asked whether a VIP's address is free: it was told that it is not")                 \
	KIND(CHANGES_HELD, "changes_held", LOG_WARNING, "changes held back",                                      \
		"checks want more changes a second than control.check_changes allows: the others wait")

#define EVENT_KIND_ENUM(constant, name, priority, words, help) EVENT_##constant,
enum event_kind { EVENT_KINDS(EVENT_KIND_ENUM) EVENT_KIND_COUNT };
#undef EVENT_KIND_ENUM

struct event_kind_info {
	const char *name;
	int priority;
	const char *words;
	const char *help;
};

extern const struct event_kind_info event_kind_infos[EVENT_KIND_COUNT];

#define EVENT_RING 1024 /* entries that are kept */
#define EVENT_TEXT 320	/* bytes of a text, its end included */

/* An entry of the ring. Texts are UTF-8 without control characters. */
struct event_entry {
	uint64_t sequence; /* from 1, one more each; anew with each start of shuntd */
	int64_t time_ms;   /* CLOCK_REALTIME */
	enum event_kind kind;
	char pool[NAME_MAX_LEN + 1]; /* "": of none */
	char backend[ADDRESS_TEXT];  /* "": of none */
	char text[EVENT_TEXT]; /* without the object and the kind: "3 failures in a row: HTTP status 503"; or "" */
};

/*
 * Tell of something: at once in the log, "backend web 10.0.0.11: down: 3 failures in a row: ...", and, once
 * events_open() was called, in the ring. pool: NULL, or backend's, which does not have to be given; backend: NULL
 * where it is none's. An empty text is "%s", "". Never fails, never calls back into the caller: listeners and
 * waiters are told at the loop's next turn.
 */
void event_tell(enum event_kind kind, const struct pool *pool, const struct backend *backend, const char *format,
	...) __attribute__((format(printf, 4, 5)));

/* Keep a ring from now on; before it and after events_close() there is the log alone. 0 or -ENOMEM. */
int events_open(struct event_base *base);
void events_close(void);

/* Told once at a turn of the loop in which there are new entries. Whoever is told may leave, but take nobody else
 * off. */
struct events_listener {
	struct events_listener *next; /* the ring's */
	void *context;
	void (*told)(void *context);
};
void events_listen(struct events_listener *listener); /* listener: the caller's, until events_unlisten() */
void events_unlisten(struct events_listener *listener);

/* Number of the newest entry; 0: there was none yet. */
uint64_t events_last(void);
/* Number of the oldest that is still kept; events_last() + 1 if none is. */
uint64_t events_first(void);
/* The entry of this number, from events_first() to events_last(): valid until the next event_tell(). Else NULL. */
const struct event_entry *events_get(uint64_t sequence);
/* Its line in the log, "backend web 10.0.0.11: down: ...", into text[EVENT_MESSAGE], returned. */
#define EVENT_MESSAGE (EVENT_TEXT + NAME_MAX_LEN + ADDRESS_TEXT + 48)
const char *event_message(const struct event_entry *entry, char *text);
/* Tells one life of the ring from another: sequence numbers are of one run. "" while there is no ring. */
const char *events_run(void);
/* How often each kind was told since the ring was opened. */
uint64_t events_count(enum event_kind kind);

/* The kind of this name, or -EINVAL. */
int event_kind_from_name(const char *name);

#endif
