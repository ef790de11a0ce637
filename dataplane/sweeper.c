/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Drives sweeps so that a large table costs the main thread's core at most a fifth of its time, and nobody
 * who waits for that thread more than one short slice.
 */
#include "sweeper.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "sweep.h"

#define INTERVAL_NS 1000000000ull
#define SLICE_NS 2000000ull
#define SLICE_SHARE 5 /* a slice has passed this many times its length before the next begins */
#define STEP_BUCKETS 1024

struct sweeper {
	struct sweep sweep;
	__u64 begun_ns; /* of the sweep under way, or of the last */
	__u64 next_ns;	/* no slice before then */
	bool under_way;
	bool elder_empty; /* the last sweep found no word in the elder table */
	/* Each worker's half-open flows opened less closed, by VIP, when the sweep began. */
	__u64 (*changed)[FLOW_VIP_MASK + 1];
	__u32 n_changed; /* workers of it; 0: none yet */
	__u32 n_vips;	 /* of each */
};

struct sweeper *sweeper_new(void)
{
	return calloc(1, sizeof(struct sweeper));
}

void sweeper_free(struct sweeper *s)
{
	if (s)
		free(s->changed);
	free(s);
}

void sweeper_restart(struct sweeper *s)
{
	s->under_way = s->elder_empty = false;
	s->begun_ns = 0;
}

bool sweeper_elder_is_empty(const struct sweeper *s)
{
	return s->elder_empty;
}

/* New flows are counted from here on: together with active[] they are a backend's load. */
static void mark_traffic(struct stats_traffic *traffic, __u32 n)
{
	for (__u32 i = 0; i < n; i++)
		traffic[i].new_at_sweep = traffic[i].new_flows;
}

/* Without memory the workers keep their shares of before. */
static void note_half_open(struct sweeper *s, const struct generation *g, const struct segment *segment)
{
	__u32 n_workers = segment->header->n_workers, n = g->tables.header->n_policies;

	if (s->n_changed != n_workers) {
		free(s->changed);
		s->changed = calloc(n_workers, sizeof(*s->changed));
		s->n_changed = s->changed ? n_workers : 0;
	}
	s->n_vips = n <= FLOW_VIP_MASK ? n : FLOW_VIP_MASK + 1;
	for (__u32 w = 0; w < s->n_changed; w++)
		for (__u32 vip = 0; vip < s->n_vips; vip++) {
			const volatile struct stats_guard *guard = &segment->workers[w].guard[vip];

			s->changed[w][vip] = guard->opened - guard->closed;
		}
}

static void share_half_open(const struct sweeper *s, const struct segment *segment)
{
	for (__u32 w = 0; w < s->n_changed; w++)
		for (__u32 vip = 0; vip < s->n_vips; vip++)
			segment->workers[w].guard[vip].at_sweep =
				sweep_share(s->changed[w][vip], s->sweep.half_open_by_vip[vip], w, s->n_changed);
}

static void publish(const struct sweeper *s, const struct generation *g, struct segment *segment)
{
	struct stats_header *h = segment->header;

	memcpy(h->active, s->sweep.by_backend, sizeof(h->active));
	memcpy(h->closing, s->sweep.closing_by_backend, sizeof(h->closing));
	memcpy(h->silent_s, s->sweep.silent_s, sizeof(h->silent_s));
	memcpy(h->half_open, s->sweep.half_open_by_vip, sizeof(h->half_open));
	share_half_open(s, segment);
	for (__u32 w = 0; w < h->n_workers; w++)
		mark_traffic(segment->workers[w].backend, g->tables.header->n_backends);
	h->flows_active = s->sweep.active;
	h->flows_closing = s->sweep.closing;
	h->flows_half_open = s->sweep.half_open;
	h->flow_slots = (__u64)g->tables.n_buckets * FLOW_BUCKET_WORDS;
	h->sweep_ns = clock_ns();
	__atomic_store_n(&h->sweep, h->sweep + 1, __ATOMIC_RELEASE);
}

/* Sweep until the slice is over or the table is. */
static void sweep_slice(struct sweeper *s, const struct generation *g, __u64 now, struct segment *segment)
{
	struct tables t = g->tables;

	t.tick = flow_tick(now / 1000000000u);
	do {
		if (sweep_buckets(&s->sweep, &t, STEP_BUCKETS)) {
			s->under_way = false;
			s->elder_empty = t.n_elder_buckets && !s->sweep.elder_words;
			publish(s, g, segment);
			return;
		}
	} while (clock_ns() < now + SLICE_NS);
}

int sweeper_pause_ms(const struct sweeper *s)
{
	__u64 now = clock_ns();

	if (!s->under_way)
		return -1;
	return s->next_ns > now ? (int)((s->next_ns - now + 999999) / 1000000) : 0;
}

void sweeper_run(struct sweeper *s, const struct generation *g, struct flow_table_header *flows,
	struct flow_table_header *elder, struct segment *segment)
{
	__u64 now = clock_ns();

	/* As long as this thread lives, a table whose sweep takes long is not one out of use. */
	if (flows)
		flows->last_beat_s = now / 1000000000u;
	if (elder)
		elder->last_beat_s = now / 1000000000u;
	if (now < s->next_ns)
		return;
	if (!s->under_way) {
		if (now - s->begun_ns < INTERVAL_NS)
			return;
		sweep_begin(&s->sweep);
		note_half_open(s, g, segment);
		s->begun_ns = now;
		s->under_way = true;
	}
	sweep_slice(s, g, now, segment);
	s->next_ns = now + (clock_ns() - now) * SLICE_SHARE;
}
