/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the forwarder counts. A total is a base, which changes only when the dataplane begins a new segment,
 * plus what the segment says now: reading often or seldom makes no difference, and a reading never adds to
 * what another has added.
 */
#include "counters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "counters_file.h"
#include "flow_scan.h"

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
	uint64_t round;         /* of the reading that last had an object of this id; 0: never */
};

struct worker_tick {
	uint64_t received, polls, busy_polls;
	struct worker_rates rates;
};

/* One of a kind of totals that are kept in memory only. */
struct total {
	uint64_t base;
	uint64_t segment; /* what the segment says */
};

struct counters {
	struct event_base *base;
	struct model *model;
	struct publisher *publisher;
	struct publish_listener listener;
	struct event *tick;
	struct flow_scan *scan;
	char *path; /* of traffic.json */
	uint64_t round;
	uint64_t tick_ns;
	uint64_t scan_s;
	bool bases_changed;
	bool resuming; /* the objects that are met now are those the bases were saved for */
	struct total counter[COUNTER_COUNT];
	struct total received;
	struct total missed;
	uint64_t received_at_tick;
	double packets_per_second;
	struct worker_tick worker[STATS_MAX_WORKERS];
	uint32_t scanned[STATS_IDS]; /* flows by VIP id, of the scan under way */
	struct counters_bases bases;
	struct entry vip[STATS_IDS];
	struct entry backend[STATS_IDS];
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void add_traffic(struct traffic *sum, const struct stats_traffic *part)
{
	/* The worker writes on meanwhile; a 64-bit load is whole. */
	const volatile struct stats_traffic *now = part;

	sum->packets += now->packets;
	sum->bytes += now->bytes;
	sum->new_flows += now->new_flows;
}

static struct traffic vip_reading(const struct counters *c, uint32_t id)
{
	struct traffic sum = { 0 };
	const struct stats_worker *worker;

	for (uint32_t i = 0; (worker = publish_worker(c->publisher, i)); i++)
		add_traffic(&sum, &worker->vip[id]);
	return sum;
}

static struct traffic backend_reading(const struct counters *c, uint32_t id)
{
	struct traffic sum = { 0 };
	const struct stats_worker *worker;

	for (uint32_t i = 0; (worker = publish_worker(c->publisher, i)); i++)
		add_traffic(&sum, &worker->backend[id]);
	return sum;
}

static struct traffic plus(struct traffic a, struct traffic b)
{
	return (struct traffic){ a.packets + b.packets, a.bytes + b.bytes, a.new_flows + b.new_flows };
}

static struct traffic minus(struct traffic a, struct traffic b)
{
	return (struct traffic){ a.packets - b.packets, a.bytes - b.bytes, a.new_flows - b.new_flows };
}

/* Bring an object's total up to date. */
static void read_entry(struct counters *c, struct entry *entry, struct counters_base *base, struct traffic *total,
	struct traffic reading)
{
	if (entry->round != c->round - 1) {
		/* New to us. Of an id used before in this segment, what was counted then was another's. */
		if (base->used && !c->resuming) {
			base->traffic = minus(*total, reading);
			c->bases_changed = true;
		}
		memset(&entry->rates, 0, sizeof(entry->rates));
		entry->at_tick = plus(base->traffic, reading);
		base->used = true;
	}
	entry->round = c->round;
	*total = plus(base->traffic, reading);
}

static void read_objects(struct counters *c)
{
	c->round++;
	for (struct vip *v = model_vips(c->model); v; v = v->next)
		read_entry(c, &c->vip[v->id], &c->bases.vip[v->id], &v->traffic, vip_reading(c, v->id));
	for (struct pool *p = model_pools(c->model); p; p = p->next)
		for (struct backend *b = p->backends; b; b = b->next)
			read_entry(c, &c->backend[b->id], &c->bases.backend[b->id], &b->traffic,
				backend_reading(c, b->id));
}

static void read_flows(struct counters *c, const struct stats_header *stats)
{
	for (struct pool *p = model_pools(c->model); p; p = p->next) {
		for (struct backend *b = p->backends; b; b = b->next) {
			b->active_flows = *(const volatile uint32_t *)&stats->active[b->id];
			b->closing_flows = *(const volatile uint32_t *)&stats->closing[b->id];
		}
	}
}

static void read_counters(struct counters *c, const struct stats_header *stats)
{
	const struct stats_worker *worker;

	c->received.segment = c->missed.segment = 0;
	for (int i = 0; i < COUNTER_COUNT; i++)
		c->counter[i].segment = 0;
	for (uint32_t w = 0; (worker = publish_worker(c->publisher, w)); w++) {
		const volatile struct stats_worker *now = worker;

		c->received.segment += now->received;
		for (int i = 0; i < COUNTER_COUNT; i++)
			c->counter[i].segment += now->counter[i];
	}
	for (uint32_t i = 0; i < stats->n_ports && i < SNAPSHOT_MAX_PORTS; i++)
		c->missed.segment += *(const volatile uint64_t *)&stats->port[i].rx_missed;
}

static uint64_t value(const struct total *total)
{
	return total->base + total->segment;
}

void counters_refresh(struct counters *c)
{
	const struct stats_header *stats = publish_stats(c->publisher);

	if (!stats)
		return;
	read_counters(c, stats);
	read_objects(c);
	read_flows(c, stats);
}

/* A segment that begins at zero: what was reached is the new base. */
static void rebase(struct counters *c)
{
	for (struct vip *v = model_vips(c->model); v; v = v->next)
		c->bases.vip[v->id].traffic = v->traffic;
	for (struct pool *p = model_pools(c->model); p; p = p->next)
		for (struct backend *b = p->backends; b; b = b->next)
			c->bases.backend[b->id].traffic = b->traffic;
}

static void rebase_total(struct total *total)
{
	total->base += total->segment;
	total->segment = 0;
}

/* Every object is met as new in the next reading, and no id has been used. What was not touched stays untouched. */
static void forget(struct entry *entries, struct counters_base *bases)
{
	for (uint32_t i = 0; i < STATS_IDS; i++) {
		if (!bases[i].used)
			continue;
		memset(&entries[i], 0, sizeof(entries[i]));
		memset(&bases[i], 0, sizeof(bases[i]));
	}
}

static void on_connected(void *context)
{
	struct counters *c = context;
	const struct stats_header *stats = publish_stats(c->publisher);
	struct counters_bases *bases = &c->bases;
	bool first = bases->segment_started_ns == 0;

	if (!stats || (stats->started_ns == bases->segment_started_ns && stats->pid == bases->segment_pid))
		return;
	forget(c->vip, bases->vip);
	forget(c->backend, bases->backend);
	memset(c->worker, 0, sizeof(c->worker));
	for (int i = 0; i < COUNTER_COUNT; i++)
		rebase_total(&c->counter[i]);
	rebase_total(&c->received);
	rebase_total(&c->missed);
	/* Ours from before a restart of shuntd, or one that nobody has read yet. */
	c->resuming = first && counters_file_load(c->path, stats, bases);
	if (!c->resuming)
		rebase(c);
	bases->segment_started_ns = stats->started_ns;
	bases->segment_pid = stats->pid;
	counters_refresh(c);
	c->resuming = false;
	c->received_at_tick = value(&c->received);
	c->bases_changed = false;
	counters_file_save(c->path, bases);
}

static void take_rates(struct entry *entry, struct traffic total, double seconds)
{
	struct traffic grown = minus(total, entry->at_tick);

	entry->rates.packets_per_second = (double)grown.packets / seconds;
	entry->rates.bytes_per_second = (double)grown.bytes / seconds;
	entry->rates.new_flows_per_second = (double)grown.new_flows / seconds;
	entry->at_tick = total;
}

static void take_worker_rates(struct counters *c, double seconds)
{
	const struct stats_worker *worker;

	for (uint32_t i = 0; i < STATS_MAX_WORKERS && (worker = publish_worker(c->publisher, i)); i++) {
		const volatile struct stats_worker *now = worker;
		struct worker_tick *tick = &c->worker[i];
		uint64_t received = now->received, polls = now->polls, busy = now->busy_polls;
		uint64_t tried = polls - tick->polls;

		tick->rates.packets_per_second = (double)(received - tick->received) / seconds;
		tick->rates.busy_percent = tried ? 100.0 * (double)(busy - tick->busy_polls) / (double)tried : 0;
		tick->received = received;
		tick->polls = polls;
		tick->busy_polls = busy;
	}
}

static void take_all_rates(struct counters *c)
{
	uint64_t now = now_ns();
	double seconds = (double)(now - c->tick_ns) / 1e9;

	c->tick_ns = now;
	for (struct vip *v = model_vips(c->model); v; v = v->next)
		take_rates(&c->vip[v->id], v->traffic, seconds);
	for (struct pool *p = model_pools(c->model); p; p = p->next)
		for (struct backend *b = p->backends; b; b = b->next)
			take_rates(&c->backend[b->id], b->traffic, seconds);
	take_worker_rates(c, seconds);
	c->packets_per_second = (double)(value(&c->received) - c->received_at_tick) / seconds;
	c->received_at_tick = value(&c->received);
}

/*
 * Flows by VIP are not in the segment. Where every VIP has its pool to itself they are those of the pool's
 * backends; else the flow table has to be looked through, some of it at a time.
 */
static bool pools_are_shared(struct counters *c)
{
	for (struct pool *p = model_pools(c->model); p; p = p->next)
		if (p->n_vips > 1)
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

/* Only a sweep that began after the last packet of a backend could have been sent knows that none is left. */
static void reap(struct counters *c, const struct stats_header *stats)
{
	uint64_t swept_s = *(const volatile uint64_t *)&stats->sweep_ns / 1000000000;

	if (publish_alive(c->publisher) && swept_s > 0)
		model_reap(c->model, swept_s);
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
	struct counters *c = context;
	const struct stats_header *stats = publish_stats(c->publisher);

	(void)fd;
	(void)what;
	if (!stats) {
		c->packets_per_second = 0;
		return;
	}
	counters_refresh(c);
	take_all_rates(c);
	take_vip_flows(c);
	if (c->bases_changed)
		counters_file_save(c->path, &c->bases);
	c->bases_changed = false;
	reap(c, stats);
}

/* Figures of the last moment must not stand there as if they went on. */
static void on_disconnected(void *context)
{
	struct counters *c = context;

	c->packets_per_second = 0;
	if (c->scan)
		flow_scan_cancel(c->scan);
	c->scan = NULL;
	for (uint32_t i = 0; i < STATS_IDS; i++) {
		if (c->vip[i].round)
			memset(&c->vip[i].rates, 0, sizeof(c->vip[i].rates));
		if (c->backend[i].round)
			memset(&c->backend[i].rates, 0, sizeof(c->backend[i].rates));
	}
	for (uint32_t i = 0; i < STATS_MAX_WORKERS; i++)
		memset(&c->worker[i].rates, 0, sizeof(c->worker[i].rates));
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
	c->round = 1; /* so that an entry's 0 is not the round before */
	c->tick_ns = now_ns();
	c->tick = event_new(base, -1, EV_PERSIST, on_tick, c);
	if (asprintf(&c->path, "%s/traffic.json", directory) < 0)
		c->path = NULL;
	if (!c->path || !c->tick || event_add(c->tick, &interval) < 0) {
		counters_close(c);
		return NULL;
	}
	c->listener = (struct publish_listener){
		.context = c,
		.connected = on_connected,
		.disconnected = on_disconnected,
	};
	publish_listen(publisher, &c->listener);
	on_connected(c); /* if it is already */
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
	free(c->path);
	free(c);
}

uint64_t counters_total(const struct counters *c, enum counter counter)
{
	return value(&c->counter[counter]);
}

uint64_t counters_received(const struct counters *c)
{
	return value(&c->received);
}

uint64_t counters_port_missed(const struct counters *c)
{
	return value(&c->missed);
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

struct worker_rates counters_worker_rates(const struct counters *c, uint32_t worker)
{
	return worker < STATS_MAX_WORKERS ? c->worker[worker].rates : (struct worker_rates){ 0, 0 };
}
