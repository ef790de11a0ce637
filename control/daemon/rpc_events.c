/* SPDX-License-Identifier: BSD-3-Clause */
/* Method "events": what the ring holds, and waiting for what comes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "events.h"
#include "log.h"
#include "rpc_method.h"

#define WAIT_S 30 /* then the answer is that nothing has come; well below what shuntctl waits for any answer */
#define MAX_WAITERS 256 /* clients that wait at once */
#define TIME_TEXT 40

/* A client that waits. */
struct waiter {
	LIST_ENTRY(waiter) link;
	struct rpc_call *call;
	struct event *timeout;
	uint64_t after; /* nothing up to this is what it waits for */
};

LIST_HEAD(waiters, waiter);

static struct waiters waiters = LIST_HEAD_INITIALIZER(waiters);
static unsigned int n_waiters;

/* "2026-11-21T17:10:57.123Z". */
static const char *print_time(int64_t time_ms, char *text)
{
	time_t seconds = (time_t)(time_ms / 1000);
	struct tm utc;
	char date[32];

	gmtime_r(&seconds, &utc);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(text, TIME_TEXT, "%s.%03dZ", date, (int)(time_ms % 1000));
	return text;
}

static const char *priority_name(int priority)
{
	return priority <= LOG_WARNING ? "warning" : priority == LOG_NOTICE ? "notice" : "info";
}

static json_t *entry_json(const struct event_entry *entry)
{
	const struct event_kind_info *info = &event_kind_infos[entry->kind];
	char text[TIME_TEXT], message[EVENT_MESSAGE];

	return json_pack("{s:I,s:s,s:s,s:s,s:s?,s:s?,s:s,s:s}", "sequence", (json_int_t)entry->sequence, "time",
		print_time(entry->time_ms, text), "kind", info->name, "priority", priority_name(info->priority),
		"pool", entry->pool[0] ? entry->pool : NULL, "backend", entry->backend[0] ? entry->backend : NULL,
		"text", entry->text, "message", event_message(entry, message));
}

static bool is_wanted(const struct rpc_call *call, const struct event_entry *entry)
{
	const struct rpc_value *backend = rpc_get(call, "backend");
	const char *pool = rpc_get_text(call, "pool");
	char address[ADDRESS_TEXT];

	return (!pool || !strcmp(pool, entry->pool)) &&
		(!backend->given || !strcmp(address_print(backend->address, address), entry->backend));
}

static uint64_t limit_of(const struct rpc_call *call)
{
	const struct rpc_value *limit = rpc_get(call, "limit");

	return limit->given ? (uint64_t)limit->number : EVENT_RING;
}

/* Before the newest entries that are wanted, as many as the limit says. */
static uint64_t find_newest(const struct rpc_call *call)
{
	uint64_t left = limit_of(call), sequence = events_last();

	while (sequence >= events_first() && left) {
		left -= is_wanted(call, events_get(sequence));
		sequence--;
	}
	return sequence;
}

/* Where to begin: the number of the entry before it. *lost: something that came after what the client knows is
 * gone. */
static uint64_t find_start(const struct rpc_call *call, bool *lost)
{
	const struct rpc_value *after = rpc_get(call, "after");
	const char *run = rpc_get_text(call, "run");
	uint64_t known = (uint64_t)after->number;

	*lost = false;
	if (!after->given)
		return rpc_get_flag(call, "wait") ? events_last() : find_newest(call);
	/* Numbers of another run of shuntd mean nothing here. */
	*lost = known + 1 < events_first() || known > events_last() || (run && strcmp(run, events_run()) != 0);
	return !*lost ? known : events_first() - 1;
}

/* The wanted ones after *after, which becomes the number of the last that was looked at. */
static json_t *collect(const struct rpc_call *call, uint64_t *after)
{
	uint64_t left = limit_of(call);
	json_t *events = json_array();

	for (; *after < events_last(); ++*after) {
		const struct event_entry *entry = events_get(*after + 1);

		if (!entry || !is_wanted(call, entry))
			continue;
		if (!left--)
			break;
		json_array_append_new(events, entry_json(entry));
	}
	return events;
}

static void set_result(struct rpc_call *call, json_t *events, uint64_t next, bool lost)
{
	call->result = json_pack("{s:o,s:I,s:b,s:s}", "events", events, "next", (json_int_t)next, "lost", lost,
		"run", events_run());
}

static void on_told(void *context);
static struct events_listener listener = { .told = on_told };

static void waiter_free(struct waiter *waiter)
{
	LIST_REMOVE(waiter, link);
	if (--n_waiters == 0)
		events_unlisten(&listener);
	if (waiter->timeout)
		event_free(waiter->timeout);
	free(waiter);
}

static void answer(struct waiter *waiter, json_t *events, uint64_t next, bool lost)
{
	struct rpc_call *call = waiter->call;

	waiter_free(waiter);
	set_result(call, events, next, lost);
	rpc_call_finish(call);
}

/* Something has come: answer those for whom something is among it. */
static void on_told(void *context)
{
	struct waiters ready = LIST_HEAD_INITIALIZER(ready);
	struct waiter *waiter, *next;

	(void)context;
	for (waiter = LIST_FIRST(&waiters); waiter; waiter = next) {
		uint64_t after = waiter->after < events_first() ? events_first() - 1 : waiter->after;

		next = LIST_NEXT(waiter, link);
		while (after < events_last() && !is_wanted(waiter->call, events_get(after + 1)))
			after++;
		if (after < events_last()) {
			/* Out of the list: who is answered may ask, and wait, anew. */
			LIST_REMOVE(waiter, link);
			LIST_INSERT_HEAD(&ready, waiter, link);
		} else {
			waiter->after = after;
		}
	}
	while ((waiter = LIST_FIRST(&ready))) {
		bool lost = waiter->after + 1 < events_first();
		uint64_t after = lost ? events_first() - 1 : waiter->after;
		json_t *events = collect(waiter->call, &after);

		answer(waiter, events, after, lost);
	}
}

static void on_timeout(evutil_socket_t fd, short what, void *context)
{
	struct waiter *waiter = context;

	(void)fd;
	(void)what;
	answer(waiter, json_array(), waiter->after, false);
}

static void cancel(struct rpc_call *call)
{
	waiter_free(call->pending);
}

static enum rpc_outcome begin_to_wait(struct rpc_call *call, uint64_t after)
{
	static const struct timeval limit = { .tv_sec = WAIT_S };
	struct waiter *waiter;

	if (n_waiters >= MAX_WAITERS)
		return rpc_fail(
			call, RPC_REFUSED, -EBUSY, "%u clients wait for events already: no more can", n_waiters);
	waiter = calloc(1, sizeof(*waiter));
	if (!waiter)
		return RPC_DONE; /* without a result: no memory */
	waiter->call = call;
	waiter->after = after;
	if (n_waiters++ == 0)
		events_listen(&listener);
	LIST_INSERT_HEAD(&waiters, waiter, link);
	waiter->timeout = evtimer_new(call->daemon->base, on_timeout, waiter);
	if (!waiter->timeout || event_add(waiter->timeout, &limit) < 0) {
		waiter_free(waiter);
		return RPC_DONE;
	}
	call->pending = waiter;
	call->cancel = cancel;
	return RPC_PENDING;
}

enum rpc_outcome rpc_events(struct rpc_call *call)
{
	bool lost;
	uint64_t after = find_start(call, &lost);
	json_t *events = collect(call, &after);

	if (rpc_get_flag(call, "wait") && !lost && json_array_size(events) == 0 && limit_of(call)) {
		json_decref(events);
		return begin_to_wait(call, after);
	}
	set_result(call, events, after, lost);
	return RPC_DONE;
}
