/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Totals of what the forwarders count. Reading often or seldom makes no difference, and a reading never adds to
 * what another has added. While a forwarder is away its last reading stands.
 *
 * A segment that ends is folded into the bases. After a restart of shuntd the state file's totals are the bases,
 * too low by what was counted since it was written; where a segment goes on that the bases in traffic.json belong
 * to, those are exact and take their place.
 */
#include "totals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "counters_file.h"

/* What a forwarder said last. */
struct reading {
	bool begun; /* it has been up */
	uint64_t counter[COUNTER_COUNT];
	uint64_t received;
	uint64_t missed;
	struct traffic vip[STATS_IDS]; /* by id */
	struct traffic backend[STATS_IDS];
};

struct totals {
	struct model *model;
	const struct publisher *publisher;
	char *path; /* of traffic.json */
	uint64_t round; /* of reading */
	bool bases_changed;
	struct counters_bases bases;
	/* As in traffic.json, while a segment that it names has not been met again; else NULL. */
	struct counters_bases *saved;
	uint64_t counter_base[COUNTER_COUNT];
	uint64_t received_base;
	uint64_t missed_base;
	struct reading reading[FORWARDER_KINDS];
	uint64_t vip_round[STATS_IDS]; /* that last had an object of this id; 0: none */
	uint64_t backend_round[STATS_IDS];
};

struct traffic traffic_plus(struct traffic a, struct traffic b)
{
	a.packets += b.packets;
	a.bytes += b.bytes;
	a.new_flows += b.new_flows;
	a.syns += b.syns;
	a.handshakes += b.handshakes;
	a.syn_repeats += b.syn_repeats;
	a.elsewhere += b.elsewhere;
	a.untracked += b.untracked;
	a.over_bound += b.over_bound;
	a.refused += b.refused;
	a.limited += b.limited;
	return a;
}

struct traffic traffic_minus(struct traffic a, struct traffic b)
{
	a.packets -= b.packets;
	a.bytes -= b.bytes;
	a.new_flows -= b.new_flows;
	a.syns -= b.syns;
	a.handshakes -= b.handshakes;
	a.syn_repeats -= b.syn_repeats;
	a.elsewhere -= b.elsewhere;
	a.untracked -= b.untracked;
	a.over_bound -= b.over_bound;
	a.refused -= b.refused;
	a.limited -= b.limited;
	return a;
}

static void add_traffic(struct traffic *sum, const struct stats_traffic *part)
{
	/* The worker writes on meanwhile; a 64-bit load is whole. */
	const volatile struct stats_traffic *now = part;

	sum->packets += now->packets;
	sum->bytes += now->bytes;
	sum->new_flows += now->new_flows;
}

static void add_handshakes(struct traffic *sum, const struct stats_handshakes *part)
{
	const volatile struct stats_handshakes *now = part;

	sum->syns += now->asked;
	sum->handshakes += now->completed;
	sum->syn_repeats += now->repeated;
}

static void add_guard(struct traffic *sum, const struct stats_guard *part)
{
	const volatile struct stats_guard *now = part;

	sum->elsewhere += now->elsewhere;
	sum->untracked += now->untracked;
	sum->over_bound += now->over_bound;
	sum->refused += now->refused;
	sum->limited += now->limited;
}

/* What a forwarder's workers counted of a VIP, or of a backend. */
static struct traffic read_one(const struct forwarder *f, bool backend, uint32_t id)
{
	struct traffic sum = { 0 };
	struct forwarder_worker worker;

	for (uint32_t i = 0; forwarder_worker(f, i, &worker); i++) {
		if (id >= worker.n_ids)
			continue;
		add_traffic(&sum, backend ? &worker.backend[id] : &worker.vip[id]);
		if (backend && worker.handshakes)
			add_handshakes(&sum, &worker.handshakes[id]);
		if (!backend && worker.guard)
			add_guard(&sum, &worker.guard[id]);
	}
	return sum;
}

/* Of all forwarders; those that share it are read. */
static struct traffic read_all(struct totals *t, bool backend, uint32_t id)
{
	struct traffic sum = { 0 };

	for (int kind = 0; kind < FORWARDER_KINDS; kind++) {
		const struct forwarder *f = publish_forwarder(t->publisher, (enum forwarder_kind)kind);
		struct traffic *last = backend ? &t->reading[kind].backend[id] : &t->reading[kind].vip[id];

		if (f && f->stats)
			*last = read_one(f, backend, id);
		sum = traffic_plus(sum, *last);
	}
	return sum;
}

static struct traffic read_vip(struct totals *t, uint32_t id)
{
	return read_all(t, false, id);
}

static struct traffic read_backend(struct totals *t, uint32_t id)
{
	return read_all(t, true, id);
}

/* Bring an object's total up to date. saved: its base in t->saved, or NULL. */
static void settle(struct totals *t, uint64_t *round, struct counters_base *base, struct counters_base *saved,
	struct traffic *total, struct traffic reading)
{
	if (*round != t->round - 1) {
		/* New to us. Of an id used before in these segments, what was counted then was another's. */
		if (base->used)
			base->traffic = traffic_minus(*total, reading);
		base->used = true;
		if (saved)
			*saved = *base;
		t->bases_changed = true;
	}
	*round = t->round;
	*total = traffic_plus(base->traffic, reading);
}

static void read_objects(struct totals *t)
{
	t->round++;
	for (struct vip *v = model_vips(t->model); v; v = v->next)
		settle(t, &t->vip_round[v->id], &t->bases.vip[v->id], t->saved ? &t->saved->vip[v->id] : NULL,
			&v->traffic, read_vip(t, v->id));
	for (struct pool *p = model_pools(t->model); p; p = p->next)
		for (struct backend *b = p->backends; b; b = b->next)
			settle(t, &t->backend_round[b->id], &t->bases.backend[b->id],
				t->saved ? &t->saved->backend[b->id] : NULL, &b->traffic, read_backend(t, b->id));
}

static void read_counters(struct reading *r, const struct forwarder *f)
{
	const struct stats_header *stats = f->stats;
	struct forwarder_worker worker;

	r->received = r->missed = 0;
	memset(r->counter, 0, sizeof(r->counter));
	for (uint32_t i = 0; forwarder_worker(f, i, &worker); i++) {
		r->received += *(const volatile __u64 *)worker.received;
		for (int c = 0; c < COUNTER_COUNT; c++)
			r->counter[c] += *(const volatile __u64 *)&worker.counter[c];
	}
	for (uint32_t i = 0; i < stats->n_ports && i < SNAPSHOT_MAX_PORTS; i++)
		r->missed += *(const volatile __u64 *)&stats->port[i].rx_missed;
}

void totals_read(struct totals *t)
{
	bool any = false;

	for (int kind = 0; kind < FORWARDER_KINDS; kind++) {
		const struct forwarder *f = publish_forwarder(t->publisher, (enum forwarder_kind)kind);

		if (!f || !f->stats)
			continue;
		read_counters(&t->reading[kind], f);
		any = true;
	}
	/* An object that is met while nobody is up would be taken for one that the segments have never counted. */
	if (any)
		read_objects(t);
}

/* Of an id without an object nothing is kept but that it was used, while another segment may still count it. */
static void fold_base(struct counters_base *base, struct traffic *reading, bool has_object)
{
	base->traffic = traffic_plus(base->traffic, *reading);
	*reading = (struct traffic){ 0 };
	if (!has_object)
		base->traffic = (struct traffic){ 0 };
}

static bool is_counted(const struct totals *t, uint32_t id, bool is_vip)
{
	for (int kind = 0; kind < FORWARDER_KINDS; kind++) {
		const struct reading *r = &t->reading[kind];
		const struct traffic *reading = is_vip ? &r->vip[id] : &r->backend[id];

		if (reading->packets || reading->new_flows || reading->refused || reading->limited)
			return true;
	}
	return false;
}

/* The forwarder's segment has ended: what it said last goes into the bases. */
static void fold(struct totals *t, struct reading *r)
{
	for (int c = 0; c < COUNTER_COUNT; c++)
		t->counter_base[c] += r->counter[c];
	t->received_base += r->received;
	t->missed_base += r->missed;
	memset(r->counter, 0, sizeof(r->counter));
	r->received = r->missed = 0;
	for (uint32_t id = 0; id < STATS_IDS; id++) {
		bool has_vip = t->vip_round[id] == t->round, has_backend = t->backend_round[id] == t->round;

		if (t->bases.vip[id].used) {
			fold_base(&t->bases.vip[id], &r->vip[id], has_vip);
			t->bases.vip[id].used = has_vip || is_counted(t, id, true);
		}
		if (t->bases.backend[id].used) {
			fold_base(&t->bases.backend[id], &r->backend[id], has_backend);
			t->bases.backend[id].used = has_backend || is_counted(t, id, false);
		}
	}
}

static void take_saved(struct counters_base *base, const struct counters_base *saved, struct traffic total,
	struct traffic reading)
{
	struct traffic least = traffic_minus(total, reading);

	/* Other segments may have ended unread since traffic.json was written: the total never falls. */
	if (!saved->used || (int64_t)(least.packets - saved->traffic.packets) > 0)
		base->traffic = least;
	else
		base->traffic = saved->traffic;
}

/* A segment goes on that was there before shuntd was. */
static void resume(struct totals *t)
{
	for (struct vip *v = model_vips(t->model); v; v = v->next)
		take_saved(&t->bases.vip[v->id], &t->saved->vip[v->id], v->traffic, read_vip(t, v->id));
	for (struct pool *p = model_pools(t->model); p; p = p->next)
		for (struct backend *b = p->backends; b; b = b->next)
			take_saved(&t->bases.backend[b->id], &t->saved->backend[b->id], b->traffic,
				read_backend(t, b->id));
}

static bool is_same(const struct forwarder_segment *a, const struct forwarder_segment *b)
{
	return a->started_ns == b->started_ns && a->pid == b->pid;
}

/* The last segment that traffic.json names was met, or another of its kind: nothing more is to come of it. */
static void forget_saved(struct totals *t, enum forwarder_kind kind)
{
	if (!t->saved)
		return;
	t->saved->segment[kind] = (struct forwarder_segment){ 0 };
	/* One whose forwarder is not in use any more is not waited for. */
	for (int i = 0; i < FORWARDER_KINDS; i++)
		if (t->saved->segment[i].started_ns && publish_forwarder(t->publisher, (enum forwarder_kind)i))
			return;
	free(t->saved);
	t->saved = NULL;
}

void totals_begin(struct totals *t, const struct forwarder *f)
{
	const struct forwarder_segment *segment = &f->segment;
	struct reading *r = &t->reading[f->kind];

	if (!segment->started_ns || (r->begun && is_same(segment, &t->bases.segment[f->kind])))
		return;
	if (r->begun)
		fold(t, r);
	else if (t->saved && is_same(segment, &t->saved->segment[f->kind]))
		resume(t);
	r->begun = true;
	t->bases.segment[f->kind] = *segment;
	forget_saved(t, f->kind);
	totals_read(t);
	t->bases_changed = true;
	totals_keep(t);
}

/* While a segment is still to come, the bases of before are the ones it belongs to. */
void totals_keep(struct totals *t)
{
	struct forwarder_segment waited_for[FORWARDER_KINDS];

	if (!t->bases_changed)
		return;
	t->bases_changed = false;
	if (!t->saved) {
		counters_file_save(t->path, &t->bases);
		return;
	}
	memcpy(waited_for, t->saved->segment, sizeof(waited_for));
	for (int kind = 0; kind < FORWARDER_KINDS; kind++)
		if (!waited_for[kind].started_ns)
			t->saved->segment[kind] = t->bases.segment[kind];
	counters_file_save(t->path, t->saved);
	memcpy(t->saved->segment, waited_for, sizeof(waited_for));
}

/* Objects that are there already are those that the state file, and traffic.json, speak of. */
static void meet(struct totals *t)
{
	for (struct vip *v = model_vips(t->model); v; v = v->next) {
		t->vip_round[v->id] = t->round;
		t->bases.vip[v->id] = (struct counters_base){ .traffic = v->traffic, .used = true };
	}
	for (struct pool *p = model_pools(t->model); p; p = p->next) {
		for (struct backend *b = p->backends; b; b = b->next) {
			t->backend_round[b->id] = t->round;
			t->bases.backend[b->id] = (struct counters_base){ .traffic = b->traffic, .used = true };
		}
	}
	for (uint32_t id = 0; t->saved && id < STATS_IDS; id++) {
		t->bases.vip[id].used |= t->saved->vip[id].used;
		t->bases.backend[id].used |= t->saved->backend[id].used;
	}
}

struct totals *totals_open(struct model *model, const struct publisher *publisher, const char *directory)
{
	struct totals *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->model = model;
	t->publisher = publisher;
	t->round = 1;
	t->saved = calloc(1, sizeof(*t->saved));
	if (asprintf(&t->path, "%s/traffic.json", directory) < 0)
		t->path = NULL;
	if (!t->path || !t->saved) {
		totals_close(t);
		return NULL;
	}
	counters_file_load(t->path, t->saved);
	meet(t);
	return t;
}

void totals_close(struct totals *t)
{
	if (!t)
		return;
	free(t->path);
	free(t->saved);
	free(t);
}

uint64_t totals_counter(const struct totals *t, enum counter counter)
{
	uint64_t sum = t->counter_base[counter];

	for (int kind = 0; kind < FORWARDER_KINDS; kind++)
		sum += t->reading[kind].counter[counter];
	return sum;
}

uint64_t totals_received(const struct totals *t)
{
	uint64_t sum = t->received_base;

	for (int kind = 0; kind < FORWARDER_KINDS; kind++)
		sum += t->reading[kind].received;
	return sum;
}

uint64_t totals_missed(const struct totals *t)
{
	uint64_t sum = t->missed_base;

	for (int kind = 0; kind < FORWARDER_KINDS; kind++)
		sum += t->reading[kind].missed;
	return sum;
}
