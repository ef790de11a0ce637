/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the forwarder counts. A total is a base, which changes only when the dataplane begins a new segment,
 * plus what the segment says now: reading often or seldom makes no difference, and a reading never adds to
 * what another has added.
 */
#include "counters.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "flow_scan.h"
#include "log.h"

#define TICK_S 1
#define SCAN_EVERY_S 5

const struct counter_info counter_infos[COUNTER_COUNT] = {
#define COUNTER_INFO(symbol, class_, name_, help_) \
	[COUNTER_##symbol] = { .class = COUNTER_CLASS_##class_, .name = name_, .help = help_ },
	COUNTER_LIST(COUNTER_INFO)
#undef COUNTER_INFO
};

/* A VIP or a backend, by id. Sums are modulo 2^64: a base may be negative and the total is right all the same. */
struct entry {
	struct traffic base;    /* total less what the segment said at the same time */
	struct traffic at_tick; /* total */
	struct rates rates;
	uint64_t round;         /* of the reading that last had an object of this id; 0: never */
	bool used;              /* the id has had an object since the segment began */
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
	uint64_t segment_started_ns; /* the segment bases belong to; 0: none yet */
	uint32_t segment_pid;
	uint64_t round;
	uint64_t tick_ns;
	uint64_t scan_s;
	bool bases_changed;
	struct total counter[COUNTER_COUNT];
	struct total received;
	struct total missed;
	uint64_t received_at_tick;
	double packets_per_second;
	struct worker_tick worker[STATS_MAX_WORKERS];
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
static void read_entry(struct counters *c, struct entry *entry, struct traffic *total, struct traffic reading)
{
	if (entry->round != c->round - 1) {
		/* New to us. Of an id used before in this segment, what was counted then was another's. */
		if (entry->used) {
			entry->base = minus(*total, reading);
			c->bases_changed = true;
		}
		memset(&entry->rates, 0, sizeof(entry->rates));
		entry->at_tick = plus(entry->base, reading);
		entry->used = true;
	}
	entry->round = c->round;
	*total = plus(entry->base, reading);
}

static void read_objects(struct counters *c)
{
	c->round++;
	for (struct vip *v = model_vips(c->model); v; v = v->next)
		read_entry(c, &c->vip[v->id], &v->traffic, vip_reading(c, v->id));
	for (struct pool *p = model_pools(c->model); p; p = p->next)
		for (struct backend *b = p->backends; b; b = b->next)
			read_entry(c, &c->backend[b->id], &b->traffic, backend_reading(c, b->id));
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

/* The file: {"segment":{"pid":1,"started_ns":2},"vips":{"17":[3,4,5]},"backends":{}}, the arrays being bases. */

static json_t *bases_to_json(const struct entry *entries, uint64_t round)
{
	json_t *object = json_object();
	char id[12];

	for (uint32_t i = 0; i < STATS_IDS; i++) {
		const struct entry *e = &entries[i];

		if (e->round != round || (!e->base.packets && !e->base.bytes && !e->base.new_flows))
			continue;
		snprintf(id, sizeof(id), "%u", i);
		json_object_set_new(object, id,
			json_pack("[III]", (json_int_t)e->base.packets, (json_int_t)e->base.bytes,
				(json_int_t)e->base.new_flows));
	}
	return object;
}

/*
 * Not synchronised to disk: a segment does not survive the machine either. Renamed into place, so that a
 * reader finds the old or the new one.
 */
static void save_bases(struct counters *c)
{
	json_t *root = json_pack("{s:{s:I,s:I},s:o,s:o}", "segment", "pid", (json_int_t)c->segment_pid, "started_ns",
		(json_int_t)c->segment_started_ns, "vips", bases_to_json(c->vip, c->round), "backends",
		bases_to_json(c->backend, c->round));
	char *temporary = NULL;
	int fd = -1;

	c->bases_changed = false;
	if (!root || asprintf(&temporary, "%s.new", c->path) < 0) {
		json_decref(root);
		return;
	}
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || json_dumpfd(root, fd, JSON_COMPACT) < 0 || rename(temporary, c->path) < 0)
		log_warning("%s can't be written: %s: traffic totals may jump if shuntd is restarted", c->path,
			strerror(errno));
	if (fd >= 0)
		close(fd);
	free(temporary);
	json_decref(root);
}

static void bases_from_json(struct entry *entries, json_t *object)
{
	const char *key;
	json_t *bases;

	json_object_foreach(object, key, bases) {
		unsigned long id = strtoul(key, NULL, 10);

		if (id >= STATS_IDS)
			continue;
		entries[id].base.packets = (uint64_t)json_integer_value(json_array_get(bases, 0));
		entries[id].base.bytes = (uint64_t)json_integer_value(json_array_get(bases, 1));
		entries[id].base.new_flows = (uint64_t)json_integer_value(json_array_get(bases, 2));
	}
}

/* Whether the file is of this segment; then its bases are taken. */
static bool load_bases(struct counters *c, const struct stats_header *stats)
{
	json_t *root = json_load_file(c->path, 0, NULL);
	json_t *segment = json_object_get(root, "segment");
	bool same = (uint64_t)json_integer_value(json_object_get(segment, "started_ns")) == stats->started_ns &&
		    json_integer_value(json_object_get(segment, "pid")) == stats->pid && stats->started_ns != 0;

	if (same) {
		bases_from_json(c->vip, json_object_get(root, "vips"));
		bases_from_json(c->backend, json_object_get(root, "backends"));
	}
	json_decref(root);
	return same;
}

/* A segment that begins at zero: what was reached is the new base. */
static void rebase(struct counters *c)
{
	for (struct vip *v = model_vips(c->model); v; v = v->next)
		c->vip[v->id].base = v->traffic;
	for (struct pool *p = model_pools(c->model); p; p = p->next)
		for (struct backend *b = p->backends; b; b = b->next)
			c->backend[b->id].base = b->traffic;
	c->bases_changed = true;
}

static void rebase_total(struct total *total)
{
	total->base += total->segment;
	total->segment = 0;
}

/* Every object is met as new in the next reading, and no id has been used. */
static void forget_rounds(struct entry *entries)
{
	for (uint32_t i = 0; i < STATS_IDS; i++)
		if (entries[i].used)
			memset(&entries[i], 0, sizeof(entries[i]));
}

/* Bases of objects that are no more: whoever gets the id next begins with what the segment says then. */
static void mark_left_over(const struct counters *c, struct entry *entries)
{
	for (uint32_t i = 0; i < STATS_IDS; i++)
		if (entries[i].round != c->round && (entries[i].base.packets || entries[i].base.bytes))
			entries[i].used = true;
}

static void on_connected(void *context)
{
	struct counters *c = context;
	const struct stats_header *stats = publish_stats(c->publisher);

	if (!stats || (stats->started_ns == c->segment_started_ns && stats->pid == c->segment_pid))
		return;
	forget_rounds(c->vip);
	forget_rounds(c->backend);
	memset(c->worker, 0, sizeof(c->worker));
	for (int i = 0; i < COUNTER_COUNT; i++)
		rebase_total(&c->counter[i]);
	rebase_total(&c->received);
	rebase_total(&c->missed);
	if (c->segment_started_ns != 0 || !load_bases(c, stats))
		rebase(c);
	c->segment_started_ns = stats->started_ns;
	c->segment_pid = stats->pid;
	counters_refresh(c);
	mark_left_over(c, c->vip);
	mark_left_over(c, c->backend);
	c->received_at_tick = value(&c->received);
	save_bases(c);
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
		save_bases(c);
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
		if (c->vip[i].used)
			memset(&c->vip[i].rates, 0, sizeof(c->vip[i].rates));
		if (c->backend[i].used)
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
