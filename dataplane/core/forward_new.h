/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A flow that begins: which backend it gets, by the pool's scheduler or by hash alone, whether it gets an entry in the
 * flow table, and what is counted of it. forward.h says when.
 */
#ifndef SHUNT_FORWARD_NEW_H
#define SHUNT_FORWARD_NEW_H

#include "lookup.h"

/* The backend if packets may go to it at all: of any pool, as a flow stays when its VIP is given another pool. */
core_inline const struct snapshot_backend *forward_any_backend(const struct tables *t, __u32 id)
{
	const struct snapshot_backend *b = tables_backend(t, id);

	return b && b->flags & BACKEND_VALID ? b : (void *)0;
}

/* The backend if the pool's packets may go to it. */
core_inline const struct snapshot_backend *forward_backend(const struct tables *t, const struct snapshot_vip *vip,
	__u32 id)
{
	const struct snapshot_backend *b = tables_backend(t, id);

	return b && b->pool == vip->pool && b->flags & BACKEND_VALID ? b : (void *)0;
}

/* A backend's flows, as this worker knows: what the last sweep counted and its own new ones since. */
core_inline __u64 forward_load(const struct tables *t, __u32 id)
{
	const struct stats_traffic *s = tables_backend_stats(t, id);

	return s ? tables_active(t, id) + (s->new_flows - s->new_at_sweep) : 0;
}

/* Of two backends the one with fewer flows for its weight; the first when equal. */
core_inline __u32 forward_less_loaded(const struct tables *t, __u32 a, __u32 b)
{
	const struct snapshot_backend *first = tables_backend(t, a), *second = tables_backend(t, b);

	if (!first || !second)
		return a;
	return (forward_load(t, a) + 1) * second->weight <= (forward_load(t, b) + 1) * first->weight ? a : b;
}

/*
 * Backend id for a new flow by the VIP's scheduler; vip->slot_count > 0. Round robin counts by the
 * worker's own new flows of the VIP; the workers start apart. Least-flows compares two hash slots
 * (Mitzenmacher 2001, the power of two choices).
 */
core_inline __u32 forward_schedule(const struct tables *t, const struct lookup *l)
{
	const struct snapshot_vip *vip = l->vip;
	__u32 first = tables_slot(t, forward_hash_slot(vip, flow_slot_hash(l->hash)));
	const struct stats_traffic *stats;

	switch (vip_scheduler(vip)) {
	case SCHEDULER_ROUND_ROBIN:
		stats = tables_vip_stats(t, vip->vip);
		if (!stats)
			return first;
		return tables_slot(t,
			vip->slot_first + (__u32)((stats->new_flows + tables_worker(t) * 7919u) % vip->slot_count));
	case SCHEDULER_LEAST_FLOWS:
		return forward_less_loaded(t, first, tables_slot(t, forward_hash_slot(vip, (__u32)(l->hash >> 16))));
	default:
		return first;
	}
}

/* Backend id by hash alone: what every packet of a flow without an entry gets. */
core_inline __u32 forward_by_hash(const struct tables *t, const struct lookup *l)
{
	const struct snapshot_vip *vip = l->vip;
	__u32 slot_hash = flow_slot_hash(l->hash);

	if (vip_scheduler(vip) == SCHEDULER_SOURCE_HASH)
		slot_hash = flow_slot_hash(source_hash(tables_header(t)->hash_key, l->src));
	return tables_slot(t, forward_hash_slot(vip, slot_hash));
}

core_inline void forward_rewrite(const struct frame *f, const struct lookup *l,
	const struct snapshot_backend *backend, __u32 id, struct verdict *v)
{
	struct eth_header *eth = (struct eth_header *)frame_at(f, 0, sizeof(*eth));

	if (!eth) {
		verdict_set(v, ACTION_DROP, COUNTER_DROP_MALFORMED);
		return;
	}
	*(struct mac_pair *)eth = *(const struct mac_pair *)&backend->dst;
	*v = (struct verdict){ .action = ACTION_TO_BACKEND,
		.counter = COUNTER_FORWARDED,
		.port = backend->port,
		.vip = l->vip->vip,
		.backend = (__u16)id };
}

/* Count a flow that begins: its VIP's and its backend's. */
core_inline void forward_count_new(const struct tables *t, __u32 vip, __u32 backend)
{
	struct stats_traffic *of_vip = tables_vip_stats(t, vip), *of_backend = tables_backend_stats(t, backend);

	if (of_vip)
		of_vip->new_flows++;
	if (of_backend)
		of_backend->new_flows++;
}

/* Count a SYN that begins a flow on the backend. */
core_inline void forward_count_asked(const struct tables *t, __u32 backend)
{
	struct stats_handshakes *handshakes = tables_handshakes(t, backend);

	if (handshakes)
		handshakes->asked++;
}

/* Count what a packet says of its half-open flow's backend: state, in which it left the flow. */
core_inline void forward_count_answer(const struct tables *t, __u32 backend, int syn, __u32 state)
{
	struct stats_handshakes *handshakes = tables_handshakes(t, backend);

	if (!handshakes)
		return;
	if (syn)
		handshakes->repeated++;
	else if (state == FLOW_ESTABLISHED)
		handshakes->completed++;
}

/* State of a new flow that begins, but whose VIP has its bound of half-open ones: it gets no entry. */
#define FLOW_OVER_BOUND FLOW_STATE_COUNT

/*
 * Whether the VIP has as many half-open flows as it may, as this worker knows: its share of what the last sweep
 * counted and its own changes since. The workers share the bound, too.
 */
core_inline int forward_is_over_bound(const struct tables *t, const struct snapshot_vip *vip)
{
	const struct snapshot_policy *policy = tables_policy(t, vip->vip);
	const struct stats_guard *guard = tables_guard(t, vip->vip & FLOW_VIP_MASK);
	__s64 half_open;

	if (!policy || !guard)
		return 0;
	half_open = (__s64)(guard->opened - guard->closed - guard->at_sweep);
	return half_open * tables_workers(t) >= (__s64)policy->half_open || !policy->half_open;
}

/* Count a new flow that gets no entry. */
core_inline void forward_count_untracked(const struct tables *t, __u32 vip, __u32 state)
{
	struct stats_guard *guard = tables_guard(t, vip);
	int over_bound = state == FLOW_OVER_BOUND;

	tables_count(t, COUNTER_FLOW_UNTRACKED);
	if (over_bound)
		tables_count(t, COUNTER_SYN_OVER_BOUND);
	if (guard) {
		guard->untracked++;
		guard->over_bound += over_bound;
	}
}

/*
 * A packet whose flow has no entry, or one that doesn't hold: word, the place of the old entry, or NULL.
 * state: what the new entry starts in, FLOW_NONE or FLOW_OVER_BOUND for no entry.
 */
core_apart void forward_new(const struct tables *t, const struct frame *f, const struct lookup *l, __u64 *word,
	__u64 old, __u32 state, struct verdict *v)
{
	int enters = state != FLOW_NONE && state != FLOW_OVER_BOUND, entered = -1;
	const struct snapshot_backend *backend;
	__u32 id;

	if (core_unlikely(!l->vip->slot_count)) {
		verdict_set(v, ACTION_DROP, COUNTER_DROP_NO_BACKEND);
		return;
	}
	/* Only a packet that begins a flow is scheduled; one from the middle of a connection goes by hash,
	 * where the load balancer that saw its beginning most likely sent it. */
	id = enters && lookup_begins(l) && vip_scheduler(l->vip) > SCHEDULER_SOURCE_HASH ? forward_schedule(t, l)
											 : forward_by_hash(t, l);
	if (state != FLOW_NONE) {
		__u64 entry = flow_word(l->place.tag, id, state, tables_tick(t));

		if (enters)
			entered = flow_enter(t, &l->place, word, old, entry) ? 0 : -1;
		if (core_likely(!entered))
			tables_count(t, COUNTER_FLOW_NEW);
		else
			id = forward_by_hash(t, l);
		/* A flow without an entry comes here with every packet: it is counted with its first. */
		if (entered && lookup_begins(l))
			forward_count_untracked(t, l->vip->vip, state);
		if (!entered || lookup_is_syn(l))
			forward_count_new(t, l->vip->vip, id);
		/* Of a flow without an entry nobody would see how it goes on. */
		if (!entered && lookup_is_syn(l))
			forward_count_asked(t, id);
	}
	backend = forward_backend(t, l->vip, id);
	if (core_unlikely(!backend)) {
		verdict_set(v, ACTION_DROP, COUNTER_DROP_NO_BACKEND);
		return;
	}
	forward_rewrite(f, l, backend, id, v);
}

#endif
