/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The publisher. Changes are counted; a snapshot covers those made before it was built. One snapshot is on
 * its way at a time: what changes meanwhile goes with the next, so that a storm of changes costs no more
 * snapshots than the forwarders take in, and takes no more than a quarter of shuntd's time. It goes from one to
 * the next, so that what the first refuses the others do not get either.
 */
#include "publish.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "log.h"
#include "snapshot_build.h"

#define REFUSED_RETRY_S 10
#define SHARE 4	      /* one of so many parts of the time is for snapshots that nobody waits for, */
#define DEBT_US 100000 /* beyond so much */

struct publish_waiter {
	LIST_ENTRY(publish_waiter) link;
	struct publisher *publisher;
	struct event *timeout;
	uint64_t change; /* the last one it waits for */
	void (*done)(void *context, enum publish_result result, uint64_t version, const char *why);
	void *context;
};

LIST_HEAD(waiters, publish_waiter);

struct publisher {
	struct event_base *base;
	struct model *model;
	struct state *state;
	struct model_listener model_listener;
	struct publish_listener *listeners;
	struct snapshot_builder *builder;
	struct forwarder *forwarder[FORWARDER_KINDS]; /* by kind, which is the order they get snapshots in; or NULL */
	struct forwarder *main;                       /* the first of them */
	uint64_t flow_capacity;
	uint32_t timeout_s[FLOW_STATE_COUNT];
	uint32_t echo_rate, echo_burst;

	struct event *flush; /* run at the end of this turn of the loop */
	struct event *later; /* or when it is affordable again */
	uint64_t debt_us; /* what snapshots took, XDP's waits for the kernel too, less a share of the time since */
	uint64_t paid_us;    /* up to when that was taken off; CLOCK_MONOTONIC */
	struct event *watch; /* every second */
	struct event *retry; /* of a snapshot that was refused */
	struct waiters waiters;

	uint64_t change;        /* made so far */
	uint64_t change_sent;   /* the last one in a snapshot that was sent, or could not be built */
	uint64_t change_active; /* the last one in force */
	struct snapshot_block sent;
	uint64_t sent_version; /* of what is on its way; 0: nothing is */
	int asked;             /* kind of the forwarder whose answer is waited for */
	struct snapshot_block active;
	uint64_t active_version;

	char refused[512];    /* why the last snapshot is not in force, or "" */
	struct error unsaved; /* why the state file is not written, or "" */
};

static bool is_up(const struct publisher *p)
{
	return p->main && p->main->up;
}

static void flush_soon(struct publisher *p)
{
	event_active(p->flush, EV_TIMEOUT, 0);
}

static void note_change(void *context)
{
	struct publisher *p = context;

	p->change++;
	flush_soon(p);
}

static void waiter_free(struct publish_waiter *waiter)
{
	LIST_REMOVE(waiter, link);
	if (waiter->timeout)
		event_free(waiter->timeout);
	free(waiter);
}

static void answer(struct publish_waiter *waiter, enum publish_result result, const char *why)
{
	struct publisher *p = waiter->publisher;
	void (*done)(void *, enum publish_result, uint64_t, const char *) = waiter->done;
	void *context = waiter->context;

	waiter_free(waiter);
	done(context, result, p->active_version, why);
}

/* Answer those who wait for nothing after this change. */
static void answer_up_to(struct publisher *p, uint64_t change, enum publish_result result, const char *why)
{
	struct waiters ready = LIST_HEAD_INITIALIZER(ready);
	struct publish_waiter *waiter, *next;

	/* First out of the list: who is answered may wait anew, or take back another wait. */
	for (waiter = LIST_FIRST(&p->waiters); waiter; waiter = next) {
		next = LIST_NEXT(waiter, link);
		if (waiter->change > change)
			continue;
		LIST_REMOVE(waiter, link);
		LIST_INSERT_HEAD(&ready, waiter, link);
	}
	while ((waiter = LIST_FIRST(&ready)))
		answer(waiter, result, why);
}

static void answer_active(struct publisher *p)
{
	struct error unsaved = p->unsaved;

	if (*unsaved.text)
		answer_up_to(p, p->change_active, PUBLISH_UNSAVED, unsaved.text);
	else
		answer_up_to(p, p->change_active, PUBLISH_DONE, "");
}

/* What to add to the reason why a snapshot is not in force. */
static const char *fate_of_the_old(const struct publisher *p)
{
	return p->active_version && publish_alive(p) ? "; the snapshot before it stays in force" : "";
}

static void refuse(struct publisher *p, const char *why)
{
	static const struct timeval delay = { REFUSED_RETRY_S, 0 };
	char copy[sizeof(p->refused)], said[sizeof(p->refused) + 64];

	snprintf(copy, sizeof(copy), "%s", why);
	snprintf(said, sizeof(said), "%s; the change is kept and tried again", copy);
	if (strcmp(copy, p->refused))
		log_error("%s%s", copy, fate_of_the_old(p));
	memcpy(p->refused, copy, sizeof(copy));
	/* It may have been for want of memory. */
	event_add(p->retry, &delay);
	answer_up_to(p, p->change_sent, PUBLISH_REFUSED, said);
}

/* To disk, if something made by command is not there yet. */
static void save(struct publisher *p)
{
	struct error error;

	if (!state_is_unsaved(p->state)) {
		p->unsaved.text[0] = '\0';
		return;
	}
	if (!state_save(p->state, &error)) {
		p->unsaved.text[0] = '\0';
		return;
	}
	if (strcmp(error.text, p->unsaved.text))
		log_error("%s: changes will be gone when shuntd is restarted", error.text);
	p->unsaved = error;
}

static void fill_inputs(const struct publisher *p, struct snapshot_inputs *inputs)
{
	*inputs = (struct snapshot_inputs){ .version = state_snapshot_version(p->state),
		.flow_capacity = p->flow_capacity,
		.echo_rate = p->echo_rate,
		.echo_burst = p->echo_burst };
	memcpy(inputs->hash_key, state_hash_key(p->state), sizeof(inputs->hash_key));
	memcpy(inputs->timeout_s, p->timeout_s, sizeof(inputs->timeout_s));
	inputs->n_ports = p->main->does->ports(p->main, inputs->port_mac);
}

/* Everyone has it. */
static void put_in_force(struct publisher *p)
{
	snapshot_block_close(&p->active);
	p->active = p->sent;
	p->sent = (struct snapshot_block){ .fd = -1 };
	p->active_version = p->sent_version;
	p->sent_version = 0;
	p->change_active = p->change_sent;
	if (*p->refused)
		model_flows_unknown(p->model);
	p->refused[0] = '\0';
	event_del(p->retry);
	answer_active(p);
	for (struct publish_listener *l = p->listeners; l; l = l->next)
		if (l->acknowledged)
			l->acknowledged(l->context, p->active_version);
	if (p->change_sent != p->change)
		flush_soon(p);
}

static void abandon(struct publisher *p, const char *why)
{
	p->sent_version = 0;
	snapshot_block_close(&p->sent);
	refuse(p, why);
	if (p->change_sent != p->change)
		flush_soon(p);
}

/* Hand the snapshot to who is to have it next; in force when nobody is left. */
static void pass_on(struct publisher *p)
{
	struct error error;

	for (; p->asked < FORWARDER_KINDS; p->asked++) {
		struct forwarder *f = p->forwarder[p->asked];

		if (!f || !f->up)
			continue;
		switch (f->does->send(f, &p->sent, p->sent_version, &error)) {
		case FORWARDER_HAS_IT:
			break;
		case FORWARDER_WILL_SAY: /* or has said so already: nothing is as it was */
			return;
		case FORWARDER_REFUSES:
			abandon(p, error.text);
			return;
		}
	}
	put_in_force(p);
}

static void send_snapshot(struct publisher *p)
{
	struct snapshot_inputs inputs;
	struct error error;

	fill_inputs(p, &inputs);
	p->change_sent = p->change;
	if (snapshot_build(p->builder, p->model, &inputs, &p->sent, &error)) {
		refuse(p, error.text);
		return;
	}
	p->sent_version = inputs.version;
	p->asked = 0;
	pass_on(p);
}

/* Above all that a forwarder has worked from: it may have been another shuntd's. */
static uint64_t next_version(const struct publisher *p)
{
	uint64_t version = state_snapshot_version(p->state);

	for (int i = 0; i < FORWARDER_KINDS; i++)
		if (p->forwarder[i] && p->forwarder[i]->up && p->forwarder[i]->snapshot_version > version)
			version = p->forwarder[i]->snapshot_version;
	return version + 1;
}

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/*
 * Thousands of backends that come up one after the other would have a snapshot each, and nothing else would be
 * done meanwhile: in the long run a snapshot that nobody waits for waits itself, until those before it have taken
 * no more than a quarter of the time. Single changes never do.
 */
static bool is_affordable(struct publisher *p)
{
	uint64_t now = now_us(), paid = (now - p->paid_us) / SHARE, wait_us;
	struct timeval wait;

	p->debt_us = p->debt_us > paid ? p->debt_us - paid : 0;
	p->paid_us = now;
	if (p->debt_us <= DEBT_US || !LIST_EMPTY(&p->waiters))
		return true;
	wait_us = (p->debt_us - DEBT_US) * SHARE + 1;
	wait = (struct timeval){ .tv_sec = (time_t)(wait_us / 1000000),
		.tv_usec = (suseconds_t)(wait_us % 1000000) };
	event_add(p->later, &wait);
	return false;
}

static void on_later(evutil_socket_t fd, short what, void *context)
{
	flush_soon(context);
}

static void on_flush(evutil_socket_t fd, short what, void *context)
{
	struct publisher *p = context;
	bool sending = is_up(p) && !p->sent_version && p->change_sent != p->change && is_affordable(p);
	uint64_t began = now_us();

	if (sending)
		state_set_snapshot_version(p->state, next_version(p));
	save(p);
	if (sending) {
		send_snapshot(p);
		p->debt_us += now_us() - began;
	}
	if (is_up(p))
		answer_active(p);
}

static void on_taken(void *context, struct forwarder *f, const char *refusal)
{
	struct publisher *p = context;

	if (!p->sent_version || p->asked != (int)f->kind)
		return;
	if (refusal) {
		abandon(p, refusal);
		return;
	}
	p->asked++;
	pass_on(p);
}

static void on_up(void *context, struct forwarder *f)
{
	struct publisher *p = context;

	for (struct publish_listener *l = p->listeners; l; l = l->next)
		if (l->connected)
			l->connected(l->context, f);
	note_change(p);
}

/* Nothing is in force, nothing on its way. */
static void forget(struct publisher *p)
{
	p->refused[0] = '\0';
	event_del(p->retry);
	snapshot_block_close(&p->sent);
	snapshot_block_close(&p->active);
	p->sent_version = p->active_version = 0;
	p->change_sent = p->change_active = 0;
}

static void on_down(void *context, struct forwarder *f)
{
	struct publisher *p = context;

	if (f == p->main)
		forget(p);
	for (struct publish_listener *l = p->listeners; l; l = l->next)
		if (l->disconnected)
			l->disconnected(l->context, f);
	if (f == p->main)
		model_flows_unknown(p->model);
	else if (p->sent_version && p->asked == (int)f->kind)
		pass_on(p);
}

static void on_retry(evutil_socket_t fd, short what, void *context)
{
	note_change(context);
}

static void on_watch(evutil_socket_t fd, short what, void *context)
{
	struct publisher *p = context;

	/* Nor do sweeps say that a drain is over of which the forwarder has not taken note. */
	if (is_up(p) && (!publish_alive(p) || *p->refused))
		model_flows_unknown(p->model);
}

static void on_timeout(evutil_socket_t fd, short what, void *context)
{
	struct publish_waiter *waiter = context;
	struct publisher *p = waiter->publisher;
	const struct forwarder *f = p->sent_version ? p->forwarder[p->asked] : p->main;
	char why[1024];

	snprintf(why, sizeof(why), "%s; the change is kept and will be applied%s%s",
		f ? f->does->excuse(f) : "there is no forwarder", *p->unsaved.text ? "; but " : "", p->unsaved.text);
	answer(waiter, PUBLISH_TIMED_OUT, why);
}

/* What of the configuration snapshots have. */
static void configure(struct publisher *p, const struct config *config)
{
	p->flow_capacity = config->flow_capacity;
	memcpy(p->timeout_s, config->timeout_s, sizeof(p->timeout_s));
	p->echo_rate = config->echo_rate;
	p->echo_burst = config->echo_burst;
}

struct publisher *publish_new(struct event_base *base, struct model *model, struct state *state,
	const struct config *config)
{
	static const struct timeval second = { 1, 0 };
	struct publisher *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->base = base;
	p->model = model;
	p->state = state;
	p->sent.fd = p->active.fd = -1;
	p->change = 1; /* what is there from the start */
	configure(p, config);
	p->builder = snapshot_builder_new();
	p->flush = event_new(base, -1, 0, on_flush, p);
	p->watch = event_new(base, -1, EV_PERSIST, on_watch, p);
	p->retry = evtimer_new(base, on_retry, p);
	p->later = evtimer_new(base, on_later, p);
	if (!p->builder || !p->flush || !p->later || !p->watch || !p->retry || event_add(p->watch, &second)) {
		publish_free(p);
		return NULL;
	}
	p->model_listener = (struct model_listener){ .context = p, .snapshot_needed = note_change };
	model_listen(model, &p->model_listener);
	return p;
}

void publish_free(struct publisher *p)
{
	if (!p)
		return;
	while (!LIST_EMPTY(&p->waiters))
		waiter_free(LIST_FIRST(&p->waiters));
	model_unlisten(p->model, &p->model_listener);
	for (int i = 0; i < FORWARDER_KINDS; i++)
		forwarder_free(p->forwarder[i]);
	if (p->flush)
		event_free(p->flush);
	if (p->watch)
		event_free(p->watch);
	if (p->retry)
		event_free(p->retry);
	if (p->later)
		event_free(p->later);
	snapshot_block_close(&p->sent);
	snapshot_block_close(&p->active);
	snapshot_builder_free(p->builder);
	free(p);
}

void publish_listen(struct publisher *p, struct publish_listener *listener)
{
	struct publish_listener **last = &p->listeners;

	while (*last)
		last = &(*last)->next;
	listener->next = NULL;
	*last = listener;
}

struct forwarder_owner publish_owner(struct publisher *p)
{
	return (struct forwarder_owner){ .context = p, .up = on_up, .down = on_down, .taken = on_taken,
		.ports_changed = note_change };
}

void publish_add(struct publisher *p, struct forwarder *forwarder)
{
	p->forwarder[forwarder->kind] = forwarder;
	if (!p->main || forwarder->kind < p->main->kind)
		p->main = forwarder;
}

const struct forwarder *publish_forwarder(const struct publisher *p, enum forwarder_kind kind)
{
	return p->forwarder[kind];
}

const struct forwarder *publish_main(const struct publisher *p)
{
	return p->main;
}

void publish_reconfigure(struct publisher *p, const struct config *config)
{
	configure(p, config);
	for (int i = 0; i < FORWARDER_KINDS; i++)
		if (p->forwarder[i])
			p->forwarder[i]->does->reconfigure(p->forwarder[i], config);
	note_change(p);
}

struct publish_waiter *publish_wait(struct publisher *p,
	void (*done)(void *context, enum publish_result result, uint64_t version, const char *why), void *context,
	uint32_t timeout_ms)
{
	struct timeval timeout = { timeout_ms / 1000, (suseconds_t)(timeout_ms % 1000) * 1000 };
	struct publish_waiter *waiter = calloc(1, sizeof(*waiter));

	if (!waiter)
		return NULL;
	waiter->timeout = evtimer_new(p->base, on_timeout, waiter);
	if (!waiter->timeout || event_add(waiter->timeout, &timeout)) {
		if (waiter->timeout)
			event_free(waiter->timeout);
		free(waiter);
		return NULL;
	}
	waiter->publisher = p;
	waiter->change = p->change;
	waiter->done = done;
	waiter->context = context;
	LIST_INSERT_HEAD(&p->waiters, waiter, link);
	flush_soon(p);
	return waiter;
}

void publish_wait_cancel(struct publish_waiter *waiter)
{
	waiter_free(waiter);
}

const struct stats_header *publish_stats(const struct publisher *p)
{
	return p->main ? p->main->stats : NULL;
}

struct forwarder_flows publish_flows(const struct publisher *p)
{
	return p->main ? p->main->flows : (struct forwarder_flows){ .header = NULL };
}

const void *publish_snapshot(const struct publisher *p)
{
	return p->active.data;
}

uint64_t publish_version(const struct publisher *p)
{
	return p->active_version;
}

bool publish_is_pending(const struct publisher *p)
{
	return p->change_active != p->change;
}

bool publish_alive(const struct publisher *p)
{
	return p->main && forwarder_alive(p->main);
}

bool publish_carries_checks(const struct publisher *p)
{
	return publish_alive(p) || (p->main && !p->main->carries_checks);
}

void publish_warnings(const struct publisher *p, json_t *warnings)
{
	for (int i = 0; i < FORWARDER_KINDS; i++)
		if (p->forwarder[i])
			p->forwarder[i]->does->warnings(p->forwarder[i], warnings);
	/* Where nothing can be in force it has said why. */
	if (*p->refused && publish_alive(p))
		json_array_append_new(warnings, json_sprintf("%s%s", p->refused, fate_of_the_old(p)));
	if (*p->unsaved.text)
		json_array_append_new(warnings, json_string(p->unsaved.text));
}
