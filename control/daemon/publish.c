/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The publisher. Changes are counted; a snapshot covers those made before it was built. One snapshot is on
 * its way at a time: what changes meanwhile goes with the next, so that a storm of changes costs no more
 * snapshots than the forwarder takes in.
 */
#include "publish.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "log.h"
#include "publish_channel.h"
#include "publish_shared.h"
#include "snapshot_build.h"

#define BEAT_LATE_NS 3000000000ULL
#define ACK_LATE_NS 30000000000ULL
#define REFUSED_RETRY_S 10

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
	struct publish_channel *channel;
	struct publish_channel_handler handler;
	uint64_t flow_capacity;
	uint32_t timeout_s[FLOW_STATE_COUNT];

	struct event *flush; /* run at the end of this turn of the loop */
	struct event *watch; /* every second */
	struct event *retry; /* of a snapshot that was refused */
	struct waiters waiters;

	uint64_t change;        /* made so far */
	uint64_t change_sent;   /* the last one in a snapshot that was sent, or could not be built */
	uint64_t change_active; /* the last one in force */
	struct snapshot_block sent;
	uint64_t sent_version; /* of what is on its way; 0: nothing is */
	uint64_t sent_ns;
	struct snapshot_block active;
	uint64_t active_version;

	bool greeted;
	struct channel_hello hello;
	struct publish_stats stats;
	struct publish_flow_table flows;

	bool silent;         /* its heartbeat is late, which was logged */
	char down[256];      /* why there is no connection */
	char refused[512];   /* why the last snapshot is not in force, or "" */
	struct error unsaved; /* why the state file is not written, or "" */
	char warning[640];
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
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

static void refuse(struct publisher *p, const char *why)
{
	static const struct timeval delay = { REFUSED_RETRY_S, 0 };
	char copy[sizeof(p->refused)], said[sizeof(p->refused) + 64];

	snprintf(copy, sizeof(copy), "%s", why);
	snprintf(said, sizeof(said), "%s; the change is kept and tried again", copy);
	if (strcmp(copy, p->refused))
		log_error("%s; the snapshot before it stays in force", copy);
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
		.flow_capacity = p->flow_capacity, .n_ports = p->hello.n_ports };
	memcpy(inputs->hash_key, state_hash_key(p->state), sizeof(inputs->hash_key));
	memcpy(inputs->timeout_s, p->timeout_s, sizeof(inputs->timeout_s));
	for (uint32_t i = 0; i < p->hello.n_ports; i++)
		inputs->port_mac[i] = p->hello.port[i].mac;
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
	p->sent_ns = now_ns();
	/* On error the channel goes down, which forgets what was on its way. */
	(void)publish_channel_send(p->channel, inputs.version, p->sent.size, p->sent.fd);
}

static void on_flush(evutil_socket_t fd, short what, void *context)
{
	struct publisher *p = context;
	bool sending = p->greeted && !p->sent_version && p->change_sent != p->change;
	uint64_t version = state_snapshot_version(p->state);

	if (sending) {
		if (p->hello.snapshot_version > version)
			version = p->hello.snapshot_version;
		state_set_snapshot_version(p->state, version + 1);
	}
	save(p);
	if (sending)
		send_snapshot(p);
	if (p->greeted)
		answer_active(p);
}

static void on_ack(void *context, const struct channel_ack *ack)
{
	struct publisher *p = context;
	char why[sizeof(p->refused)];

	if (!p->sent_version || ack->version != p->sent_version) {
		publish_channel_reset(p->channel, "it acknowledged a snapshot that it was not sent");
		return;
	}
	p->sent_version = 0;
	if (ack->refused) {
		snapshot_block_close(&p->sent);
		snprintf(why, sizeof(why), "shunt-dataplane refuses snapshot %" PRIu64 ": %s",
			(uint64_t)ack->version, ack->reason);
		refuse(p, why);
	} else {
		snapshot_block_close(&p->active);
		p->active = p->sent;
		p->sent = (struct snapshot_block){ .fd = -1 };
		p->active_version = ack->version;
		p->change_active = p->change_sent;
		p->refused[0] = '\0';
		event_del(p->retry);
		answer_active(p);
		for (struct publish_listener *l = p->listeners; l; l = l->next)
			if (l->acknowledged)
				l->acknowledged(l->context, ack->version);
	}
	if (p->change_sent != p->change)
		flush_soon(p);
}

static void on_hello(void *context, const struct channel_hello *hello, int fd)
{
	struct publisher *p = context;
	const char *fault = publish_stats_open(&p->stats, fd);

	if (fault) {
		publish_channel_reset(p->channel, fault);
		return;
	}
	p->hello = *hello;
	p->greeted = true;
	p->silent = false;
	p->down[0] = '\0';
	log_notice("connected to shunt-dataplane %s, pid %u, port %s", hello->version, hello->pid,
		hello->port[0].name);
	for (struct publish_listener *l = p->listeners; l; l = l->next)
		if (l->connected)
			l->connected(l->context);
	note_change(p);
}

static void on_flows(void *context, uint64_t size, int fd)
{
	struct publisher *p = context;
	const char *fault = publish_flow_table_open(&p->flows, fd, size);

	if (fault) {
		log_warning("shunt-dataplane: %s: flows can't be shown", fault);
		publish_flow_table_close(&p->flows);
	}
}

static void on_down(void *context, const char *why)
{
	struct publisher *p = context;
	bool greeted = p->greeted;

	if (strcmp(why, p->down))
		log_warning("no shunt-dataplane: %s", why);
	snprintf(p->down, sizeof(p->down), "%s", why);
	p->greeted = false;
	p->refused[0] = '\0';
	event_del(p->retry);
	snapshot_block_close(&p->sent);
	snapshot_block_close(&p->active);
	p->sent_version = p->active_version = 0;
	p->change_sent = p->change_active = 0;
	if (!greeted)
		return;
	for (struct publish_listener *l = p->listeners; l; l = l->next)
		if (l->disconnected)
			l->disconnected(l->context);
	publish_stats_close(&p->stats);
	publish_flow_table_close(&p->flows);
	model_flows_unknown(p->model);
}

static void on_retry(evutil_socket_t fd, short what, void *context)
{
	note_change(context);
}

static void on_watch(evutil_socket_t fd, short what, void *context)
{
	struct publisher *p = context;
	bool alive = publish_alive(p);

	if (!p->greeted)
		return;
	if (!alive && !p->silent)
		log_warning("shunt-dataplane, pid %u, is there but has stopped: no heartbeat for %d seconds",
			p->hello.pid, (int)(BEAT_LATE_NS / 1000000000));
	else if (alive && p->silent)
		log_notice("shunt-dataplane, pid %u, goes on", p->hello.pid);
	if (!alive)
		model_flows_unknown(p->model);
	p->silent = !alive;
	if (p->sent_version && alive && now_ns() - p->sent_ns > ACK_LATE_NS)
		publish_channel_reset(p->channel, "it does not answer to a snapshot");
}

static void on_timeout(evutil_socket_t fd, short what, void *context)
{
	struct publish_waiter *waiter = context;
	struct publisher *p = waiter->publisher;
	char why[1024];

	snprintf(why, sizeof(why), "%s; the change is kept and will be applied%s%s",
		!p->greeted ? "there is no shunt-dataplane" : p->silent ? "shunt-dataplane has stopped" :
		"shunt-dataplane has not answered yet", *p->unsaved.text ? "; but " : "", p->unsaved.text);
	answer(waiter, PUBLISH_TIMED_OUT, why);
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
	p->flow_capacity = config->flow_capacity;
	memcpy(p->timeout_s, config->timeout_s, sizeof(p->timeout_s));
	p->handler = (struct publish_channel_handler){ .context = p, .hello = on_hello, .flows = on_flows,
		.ack = on_ack, .down = on_down };
	p->builder = snapshot_builder_new();
	p->flush = event_new(base, -1, 0, on_flush, p);
	p->watch = event_new(base, -1, EV_PERSIST, on_watch, p);
	p->retry = evtimer_new(base, on_retry, p);
	p->channel = publish_channel_new(base, config->dpdk_socket, &p->handler);
	if (!p->builder || !p->flush || !p->watch || !p->retry || !p->channel || event_add(p->watch, &second)) {
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
	publish_channel_free(p->channel);
	if (p->flush)
		event_free(p->flush);
	if (p->watch)
		event_free(p->watch);
	if (p->retry)
		event_free(p->retry);
	snapshot_block_close(&p->sent);
	snapshot_block_close(&p->active);
	publish_stats_close(&p->stats);
	publish_flow_table_close(&p->flows);
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

void publish_reconfigure(struct publisher *p, const struct config *config)
{
	p->flow_capacity = config->flow_capacity;
	memcpy(p->timeout_s, config->timeout_s, sizeof(p->timeout_s));
	if (publish_channel_set_path(p->channel, config->dpdk_socket))
		log_error("out of memory: dpdk.socket stays as it was");
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

const struct channel_hello *publish_hello(const struct publisher *p)
{
	return p->greeted ? &p->hello : NULL;
}

const struct stats_header *publish_stats(const struct publisher *p)
{
	return p->stats.header;
}

const struct stats_worker *publish_worker(const struct publisher *p, uint32_t worker)
{
	return worker < p->stats.n_workers ? &p->stats.workers[worker] : NULL;
}

const struct flow_bucket *publish_flows(const struct publisher *p, uint32_t *n_buckets)
{
	*n_buckets = p->flows.n_buckets;
	return p->flows.buckets;
}

const struct flow_table_header *publish_flows_header(const struct publisher *p)
{
	return p->flows.header;
}

const void *publish_snapshot(const struct publisher *p)
{
	return p->active.data;
}

uint64_t publish_version(const struct publisher *p)
{
	return p->active_version;
}

bool publish_alive(const struct publisher *p)
{
	uint64_t now = now_ns(), beat = p->greeted ? *(volatile const __u64 *)&p->stats.header->heartbeat_ns : 0;

	return p->greeted && (now < beat || now - beat < BEAT_LATE_NS);
}

const char *publish_warning(const struct publisher *p)
{
	/* Const to its callers; the text's place is not part of what they see. */
	char *warning = ((struct publisher *)p)->warning;

	if (!p->greeted)
		snprintf(warning, sizeof(p->warning), "no shunt-dataplane: %s",
			*p->down ? p->down : "not connected yet");
	else if (!publish_alive(p))
		snprintf(warning, sizeof(p->warning), "shunt-dataplane, pid %u, is there but has stopped",
			p->hello.pid);
	else if (*p->refused)
		snprintf(warning, sizeof(p->warning), "%s; the snapshot before it stays in force", p->refused);
	else if (*p->unsaved.text)
		snprintf(warning, sizeof(p->warning), "%.300s", p->unsaved.text);
	else
		return NULL;
	return warning;
}
