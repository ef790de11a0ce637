/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A slice is short, so that nobody waits for the event loop, and has passed five times its length before the next
 * begins. Table and snapshot are the very memory that the program works on.
 */
#include "xdp_sweep.h"

#include <stdlib.h>
#include <string.h>

#include "xdp_system.h"

#define INTERVAL_NS 1000000000ull
#define SLICE_NS 4000000ull
#define SLICE_SHARE 5
#define STEP_BUCKETS 1024

void xdp_sweep_restart(struct xdp_sweep *s)
{
	s->under_way = s->elder_empty = false;
	s->begun_ns = s->next_ns = 0;
}

void xdp_sweep_fini(struct xdp_sweep *s)
{
	free(s->changed);
	s->changed = NULL;
	s->room = 0;
}

static bool is_at_work(const struct xdp_set *set, uint32_t cpu)
{
	return set->cpus[cpu].received > 0;
}

/* Without memory the CPUs keep their shares of before. */
static void note_half_open(struct xdp_sweep *s, const struct xdp_set *set, uint32_t n_vips)
{
	const struct xdp_sizes *sizes = &set->control->sizes;
	uint64_t *changed = s->changed;
	size_t room = 0;

	s->n_vips = n_vips < sizes->ids ? n_vips : sizes->ids;
	s->n_vips = s->n_vips <= FLOW_VIP_MASK ? s->n_vips : FLOW_VIP_MASK + 1;
	s->n_cpus = 0;
	for (uint32_t cpu = 0; cpu < sizes->n_cpus; cpu++)
		room += is_at_work(set, cpu) ? s->n_vips : 0;
	if (room > s->room) {
		changed = realloc(s->changed, room * sizeof(*changed));
		if (!changed)
			return;
		s->changed = changed;
		s->room = room;
	}
	for (uint32_t cpu = 0; cpu < sizes->n_cpus; cpu++) {
		const volatile struct stats_guard *guard = &set->guard[(uint64_t)cpu * sizes->ids];

		/* One that comes to work meanwhile is none of those that there is room for. */
		if (!is_at_work(set, cpu) || (s->n_cpus + 1ull) * s->n_vips > s->room)
			continue;
		s->cpu[s->n_cpus++] = (uint16_t)cpu;
		for (uint32_t vip = 0; vip < s->n_vips; vip++)
			*changed++ = guard[vip].opened - guard[vip].closed;
	}
}

static void share_half_open(const struct xdp_sweep *s, struct xdp_set *set)
{
	const uint64_t *changed = s->changed;

	for (uint32_t i = 0; i < s->n_cpus; i++) {
		struct stats_guard *guard = &set->guard[(uint64_t)s->cpu[i] * set->control->sizes.ids];

		for (uint32_t vip = 0; vip < s->n_vips; vip++)
			guard[vip].at_sweep =
				sweep_share(*changed++, s->sweep.half_open_by_vip[vip], i, s->n_cpus);
	}
	if (s->n_cpus)
		set->control->n_workers = s->n_cpus;
}

/* New flows are counted from here on: together with active[] they are a backend's load. */
static void mark_traffic(struct xdp_set *set, uint32_t n_backends)
{
	const struct xdp_sizes *sizes = &set->control->sizes;

	for (uint32_t row = 0; row <= sizes->n_cpus; row++) {
		struct stats_traffic *traffic = &set->backend_stats[(uint64_t)row * sizes->ids];

		/* Of the many CPUs that a machine might have, those that never saw a packet. */
		if (row < sizes->n_cpus && !set->cpus[row].received)
			continue;
		for (uint32_t id = 0; id < n_backends && id < sizes->ids; id++)
			traffic[id].new_at_sweep = traffic[id].new_flows;
	}
}

static void publish(struct xdp_sweep *s, struct xdp_set *set, uint32_t n_backends, struct stats_header *stats)
{
	memcpy(stats->active, s->sweep.by_backend, sizeof(stats->active));
	memcpy(stats->closing, s->sweep.closing_by_backend, sizeof(stats->closing));
	memcpy(stats->silent_s, s->sweep.silent_s, sizeof(stats->silent_s));
	memcpy(stats->half_open, s->sweep.half_open_by_vip, sizeof(stats->half_open));
	share_half_open(s, set);
	for (uint32_t id = 0; id < set->control->sizes.ids; id++)
		set->active[2 * id] = s->sweep.by_backend[id];
	mark_traffic(set, n_backends);
	stats->flows_active = s->sweep.active;
	stats->flows_closing = s->sweep.closing;
	stats->flows_half_open = s->sweep.half_open;
	stats->flow_slots = (uint64_t)set->flows->n_buckets * FLOW_BUCKET_WORDS;
	stats->sweep_ns = xdp_system_now_ns();
	stats->sweep++;
	s->elder_empty = set->elder && !s->sweep.elder_words;
}

void xdp_sweep_run(struct xdp_sweep *s, struct xdp_set *set, struct stats_header *stats)
{
	const struct snapshot_header *snapshot = xdp_set_snapshot(set);
	uint64_t now = xdp_system_now_ns();
	struct tables t = { 0 };

	if (!snapshot || !set->flows || now < s->next_ns)
		return;
	if (!s->under_way) {
		if (now - s->begun_ns < INTERVAL_NS)
			return;
		sweep_begin(&s->sweep);
		note_half_open(s, set, snapshot->n_policies);
		s->begun_ns = now;
		s->under_way = true;
	}
	tables_open_snapshot(&t, snapshot);
	t.buckets = xdp_set_buckets(set->flows);
	t.n_buckets = set->flows->n_buckets;
	if (set->elder) {
		t.elder_buckets = xdp_set_buckets(set->elder);
		t.n_elder_buckets = set->elder->n_buckets;
	}
	t.fragments = set->fragments;
	t.n_fragment_buckets = set->control->sizes.n_fragment_buckets;
	t.tick = flow_tick(now / 1000000000u);
	do {
		if (sweep_buckets(&s->sweep, &t, STEP_BUCKETS)) {
			s->under_way = false;
			publish(s, set, snapshot->n_backends, stats);
			break;
		}
	} while (xdp_system_now_ns() < now + SLICE_NS);
	s->next_ns = now + (xdp_system_now_ns() - now) * SLICE_SHARE;
}
