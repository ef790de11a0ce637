/* SPDX-License-Identifier: BSD-3-Clause */
/* What the forwarders count: once a second totals, rates, flows, and what follows from them. */
#include "counters.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "access_totals.h"
#include "flow_scan.h"
#include "totals.h"

#define TICK_S 1
#define SCAN_EVERY_S 5

const struct counter_info counter_infos[COUNTER_COUNT] = {
#define COUNTER_INFO(symbol, class_, name_, help_) \
	[COUNTER_##symbol] = { .class = COUNTER_CLASS_##class_, .name = name_, .help = help_ },
	COUNTER_LIST(COUNTER_INFO)
#undef COUNTER_INFO
};

/* A VIP or a backend, by id. */
struct entry {
	struct traffic at_tick; /* total */
	struct rates rates;
	uint64_t tick;          /* that last had an object of this id; 0: none */
};

struct worker_tick {
	uint64_t received, polls, busy_polls;
	struct worker_rates rates;
};

struct workers {
	struct worker_tick *item;
	uint32_t n;
};

struct counters {
	struct event_base *base;
	struct model *model;
	struct publisher *publisher;
	struct publish_listener listener;
	struct totals *totals;
	struct access_totals *access;
	struct event *tick;
	struct flow_scan *scan;
	uint64_t n_ticks;
	uint64_t tick_ns;
	uint64_t scan_s;
	uint64_t received_at_tick;
	double packets_per_second;
	struct workers workers[FORWARDER_KINDS];
	uint32_t scanned[STATS_IDS]; /* flows by VIP id, of the scan under way */
	struct entry vip[STATS_IDS];
	struct entry backend[STATS_IDS];
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void read_flows(struct counters *c, const struct stats_header *stats)
{
	for (struct pool *p = model_pools(c->model); p; p = p->next) {
		for (struct backend *b = p->backends; b; b = b->next) {
			b->active_flows = *(const volatile uint32_t *)&stats->active[b->id];
			b->closing_flows = *(const volatile uint32_t *)&stats->closing[b->id];
			b->silent_s = *(const volatile uint32_t *)&stats->silent_s[b->id];
		}
	}
	for (struct vip *v = model_vips(c->model); v; v = v->next)
		v->half_open = *(const volatile uint32_t *)&stats->half_open[v->id & FLOW_VIP_MASK];
}

/*
 * When the last sweep ended; 0: none has. To be asked before flows are read: then these are of that sweep or of a
 * later one, never of one before, which may not have met flows that this one has.
 */
static uint64_t swept_s(const struct stats_header *stats)
{
	return __atomic_load_n(&stats->sweep_ns, __ATOMIC_ACQUIRE) / 1000000000;
}

/* Only a sweep that began after the last packet of a backend could have been sent knows that none is left. */
static void reap(struct counters *c, uint64_t now_s)
{
	if (publish_alive(c->publisher) && now_s > 0)
		model_reap(c->model, now_s);
}

void counters_refresh(struct counters *c)
{
	const struct stats_header *stats = publish_stats(c->publisher);

	totals_read(c->totals);
	access_totals_read(c->access);
	if (stats)
		read_flows(c, stats);
}

void counters_catch_up(struct counters *c)
{
	const struct stats_header *stats = publish_stats(c->publisher);
	uint64_t now_s = stats ? swept_s(stats) : 0;

	counters_refresh(c);
	reap(c, now_s);
}

/* The next tick takes no rates but begins anew: what comes at once was not of the last second. */
static void skip_tick(struct counters *c)
{
	c->n_ticks++;
	c->tick_ns = now_ns();
	c->received_at_tick = totals_received(c->totals);
}

static void on_connected(void *context, struct forwarder *forwarder)
{
	struct counters *c = context;

	totals_begin(c->totals, forwarder);
	access_totals_begin(c->access, forwarder);
	/* Its last sweep was before the snapshot that it is to have now. */
	if (forwarder == publish_main(c->publisher) && forwarder->stats)
		model_swept(c->model, swept_s(forwarder->stats));
	counters_refresh(c);
	free(c->workers[forwarder->kind].item);
	c->workers[forwarder->kind] = (struct workers){ .n = 0 };
	skip_tick(c);
}

static void take_rates(struct counters *c, struct entry *entry, struct traffic total, double seconds)
{
	struct traffic grown = traffic_minus(total, entry->at_tick);

	/* New since the last tick, or its id another's then. */
	if (entry->tick != c->n_ticks - 1)
		grown = (struct traffic){ 0 };
	entry->tick = c->n_ticks;
	entry->rates.packets_per_second = (double)grown.packets / seconds;
	entry->rates.bytes_per_second = (double)grown.bytes / seconds;
	entry->rates.new_flows_per_second = (double)grown.new_flows / seconds;
	entry->at_tick = total;
}

static void take_worker_rates(struct worker_tick *tick, const struct forwarder_worker *worker, double seconds)
{
	uint64_t received = *(const volatile __u64 *)worker->received, polls = 0, busy = 0;
	uint64_t tried;

	if (worker->polls) {
		polls = *(const volatile __u64 *)worker->polls;
		busy = *(const volatile __u64 *)worker->busy_polls;
	}
	tried = polls - tick->polls;
	tick->rates.packets_per_second = (double)(received - tick->received) / seconds;
	tick->rates.busy_percent = tried ? 100.0 * (double)(busy - tick->busy_polls) / (double)tried : 0;
	tick->received = received;
	tick->polls = polls;
	tick->busy_polls = busy;
}

/* Room for one more worker, whose figures are as they were at the last tick: none. */
static bool add_worker(struct workers *workers)
{
	struct worker_tick *grown = realloc(workers->item, (workers->n + 1) * sizeof(*grown));

	if (!grown)
		return false;
	grown[workers->n] = (struct worker_tick){ .received = 0 };
	workers->item = grown;
	workers->n++;
	return true;
}

static void take_rates_of_workers(struct counters *c, double seconds)
{
	for (int kind = 0; kind < FORWARDER_KINDS; kind++) {
		const struct forwarder *f = publish_forwarder(c->publisher, (enum forwarder_kind)kind);
		struct workers *workers = &c->workers[kind];
		struct forwarder_worker worker;

		for (uint32_t i = 0; f && forwarder_worker(f, i, &worker); i++) {
			bool is_new = i >= workers->n;

			if (worker.core == FORWARDER_NO_CORE || (is_new && !add_worker(workers)))
				break;
			take_worker_rates(&workers->item[i], &worker, seconds);
			if (is_new)
				memset(&workers->item[i].rates, 0, sizeof(workers->item[i].rates));
		}
	}
}

static void take_all_rates(struct counters *c)
{
	uint64_t now = now_ns();
	double seconds = (double)(now - c->tick_ns) / 1e9;

	c->tick_ns = now;
	c->n_ticks++;
	for (struct vip *v = model_vips(c->model); v; v = v->next)
		take_rates(c, &c->vip[v->id], v->traffic, seconds);
	for (struct pool *p = model_pools(c->model); p; p = p->next)
		for (struct backend *b = p->backends; b; b = b->next)
			take_rates(c, &c->backend[b->id], b->traffic, seconds);
	take_rates_of_workers(c, seconds);
	c->packets_per_second = (double)(totals_received(c->totals) - c->received_at_tick) / seconds;
	c->received_at_tick = totals_received(c->totals);
}

/*
 * Flows by VIP are not in the segment. Where every VIP has its pool to itself, and no other to fall back to, they
 * are those of the pool's backends; else the flow table has to be looked through, some of it at a time.
 */
static bool pools_are_shared(struct counters *c)
{
	for (struct pool *p = model_pools(c->model); p; p = p->next)
		if (p->n_vips > 1 || p->fallback)
			return true;
	return false;
}

static void take_flows_from_backends(struct counters *c)
{
	for (struct vip *v = model_vips(c->model); v; v = v->next) {
		v->active_flows = 0;
		for (struct backend *b = v->pool->backends; b; b = b->next)
			v->active_flows += b->active_flows;
	}
}

static bool count_flow(void *context, const struct flow_seen *seen)
{
	struct counters *c = context;

	if (seen->vip && flow_seen_is_active(seen))
		c->scanned[seen->vip->id]++;
	return true;
}

static void on_scanned(void *context)
{
	struct counters *c = context;

	c->scan = NULL;
	for (struct vip *v = model_vips(c->model); v; v = v->next)
		v->active_flows = c->scanned[v->id];
}

static void take_vip_flows(struct counters *c)
{
	uint64_t now_s = now_ns() / 1000000000;

	if (!pools_are_shared(c)) {
		take_flows_from_backends(c);
		return;
	}
	if (c->scan || now_s < c->scan_s + SCAN_EVERY_S)
		return;
	c->scan_s = now_s;
	memset(c->scanned, 0, sizeof(c->scanned));
	c->scan = flow_scan_begin(c->base, c->model, c->publisher, count_flow, on_scanned, c);
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
	struct counters *c = context;
	const struct stats_header *stats = publish_stats(c->publisher);
	uint64_t now_s;

	(void)fd;
	(void)what;
	if (!stats) {
		c->packets_per_second = 0;
		return;
	}
	now_s = swept_s(stats);
	counters_refresh(c);
	take_all_rates(c);
	take_vip_flows(c);
	totals_keep(c->totals);
	reap(c, now_s);
}

/* Figures of the last moment must not stand there as if they went on. */
static void on_disconnected(void *context, struct forwarder *forwarder)
{
	struct counters *c = context;
	struct workers *workers = &c->workers[forwarder->kind];

	/* What was counted to the end is still there to be read. */
	totals_read(c->totals);
	access_totals_read(c->access);
	for (uint32_t i = 0; i < workers->n; i++)
		memset(&workers->item[i].rates, 0, sizeof(workers->item[i].rates));
	if (forwarder != publish_main(c->publisher))
		return;
	c->packets_per_second = 0;
	if (c->scan)
		flow_scan_cancel(c->scan);
	c->scan = NULL;
	for (uint32_t i = 0; i < STATS_IDS; i++) {
		if (c->vip[i].tick)
			memset(&c->vip[i].rates, 0, sizeof(c->vip[i].rates));
		if (c->backend[i].tick)
			memset(&c->backend[i].rates, 0, sizeof(c->backend[i].rates));
	}
}

struct counters *counters_open(struct event_base *base, struct model *model, struct publisher *publisher,
	const char *directory)
{
	struct timeval interval = { .tv_sec = TICK_S };
	struct counters *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->base = base;
	c->model = model;
	c->publisher = publisher;
	c->n_ticks = 1; /* so that an entry's 0 is not the tick before */
	c->tick_ns = now_ns();
	c->totals = totals_open(model, publisher, directory);
	c->access = access_totals_open(model, publisher);
	c->tick = event_new(base, -1, EV_PERSIST, on_tick, c);
	if (!c->totals || !c->access || !c->tick || event_add(c->tick, &interval) < 0) {
		counters_close(c);
		return NULL;
	}
	c->listener = (struct publish_listener){
		.context = c,
		.connected = on_connected,
		.disconnected = on_disconnected,
	};
	publish_listen(publisher, &c->listener);
	return c;
}

void counters_close(struct counters *c)
{
	if (!c)
		return;
	if (c->scan)
		flow_scan_cancel(c->scan);
	if (c->tick)
		event_free(c->tick);
	for (int kind = 0; kind < FORWARDER_KINDS; kind++)
		free(c->workers[kind].item);
	totals_close(c->totals);
	access_totals_close(c->access);
	free(c);
}

uint64_t counters_total(const struct counters *c, enum counter counter)
{
	return totals_counter(c->totals, counter);
}

uint64_t counters_received(const struct counters *c)
{
	return totals_received(c->totals);
}

uint64_t counters_port_missed(const struct counters *c)
{
	return totals_missed(c->totals);
}

double counters_packets_per_second(const struct counters *c)
{
	return c->packets_per_second;
}

struct rates counters_vip_rates(const struct counters *c, const struct vip *vip)
{
	return c->vip[vip->id].rates;
}

struct rates counters_backend_rates(const struct counters *c, const struct backend *backend)
{
	return c->backend[backend->id].rates;
}

struct worker_rates counters_worker_rates(const struct counters *c, enum forwarder_kind kind, uint32_t worker)
{
	return worker < c->workers[kind].n ? c->workers[kind].item[worker].rates : (struct worker_rates){ 0, 0 };
}
