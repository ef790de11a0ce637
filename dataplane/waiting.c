/* SPDX-License-Identifier: BSD-3-Clause */
/* A flood of fragments finds all places taken for FRAGMENT_STAY_MS, and is told so without a search. */
#include "waiting.h"

#include "fragments.h"

#define UNITS(ms) ((__u32)((ms) * 1000000ull >> GUARD_TIME_SHIFT))

_Static_assert(WAITING_MAX == 64, "a bit for each");

static struct frame frame_of(const struct waiting_fragment *w)
{
	__u8 *data = rte_pktmbuf_mtod(w->mbuf, __u8 *);

	return (struct frame){ data, data + rte_pktmbuf_data_len(w->mbuf), rte_pktmbuf_pkt_len(w->mbuf), w->port };
}

static void drop(struct waiting *w, const struct tables *t, unsigned int i)
{
	rte_pktmbuf_free(w->fragment[i].mbuf);
	w->used &= ~(1ull << i);
	tables_count(t, COUNTER_FRAGMENT_EXPIRED);
}

/* Make a place, of the fragment that has waited longest, if that is long enough. */
static bool displace(struct waiting *w, const struct tables *t)
{
	unsigned int oldest = 0;

	if ((__s32)(t->now - w->full_until) < 0)
		return false;
	for (unsigned int i = 1; i < WAITING_MAX; i++)
		if (t->now - w->fragment[i].since > t->now - w->fragment[oldest].since)
			oldest = i;
	w->full_until = w->fragment[oldest].since + UNITS(FRAGMENT_STAY_MS);
	if ((__s32)(t->now - w->full_until) < 0)
		return false;
	drop(w, t, oldest);
	return true;
}

bool waiting_add(struct waiting *w, const struct tables *t, struct rte_mbuf *m, const struct frame *f)
{
	struct packet p;
	unsigned int i;

	if (!~w->used && !displace(w, t))
		return false;
	packet_parse(f, &p);
	i = (unsigned int)__builtin_ctzll(~w->used);
	w->fragment[i] = (struct waiting_fragment){ .mbuf = m,
		.hash = fragment_hash_of(t, &p),
		.since = t->now,
		.offset = p.frag_offset,
		.port = (__u16)f->port };
	/* Never long ago, so that it does not come to lie ahead when time wraps. */
	w->full_until = t->now;
	w->used |= 1ull << i;
	return true;
}

/* One of those that wait. */
static void look(struct waiting *all, const struct tables *t, const struct port *ports, unsigned int queue, unsigned int i)
{
	const struct waiting_fragment *w = &all->fragment[i];
	struct verdict v = { .action = ACTION_HOLD };
	struct rte_mbuf *m = w->mbuf;
	struct frame f = frame_of(w);

	fragment_follow_hash(t, &f, w->offset, w->hash, &v);
	if (v.action == ACTION_TO_BACKEND && port_transmit(&ports[v.port], queue, &m, 1)) {
		all->used &= ~(1ull << i);
		tables_count(t, COUNTER_FRAGMENT_RELEASED);
		forward_account(t, &v, f.len);
	} else if (v.action == ACTION_DROP || t->now - w->since > UNITS(FRAGMENT_WAIT_MS)) {
		drop(all, t, i);
	}
}

void waiting_look(struct waiting *w, const struct tables *t, const struct port *ports, unsigned int queue)
{
	__u64 left = w->used & ~0ull << w->next;

	if (!left)
		left = w->used;
	for (unsigned int n = 0; left && n < WAITING_LOOK; n++) {
		unsigned int i = (unsigned int)__builtin_ctzll(left);

		left &= left - 1;
		look(w, t, ports, queue, i);
		w->next = (i + 1) % WAITING_MAX;
	}
}

void waiting_hash(struct waiting *w, const struct tables *t)
{
	for (__u64 left = w->used; left; left &= left - 1) {
		struct waiting_fragment *one = &w->fragment[__builtin_ctzll(left)];
		struct frame f = frame_of(one);
		struct packet p;

		packet_parse(&f, &p);
		one->hash = fragment_hash_of(t, &p);
	}
}

void waiting_clear(struct waiting *w, const struct tables *t)
{
	while (w->used)
		drop(w, t, (unsigned int)__builtin_ctzll(w->used));
}
