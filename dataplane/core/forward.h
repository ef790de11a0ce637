/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The verdict on a packet: VIP look-up, flow look-up or a new flow by the pool's scheduler, Ethernet
 * rewrite. In steps, so that a body can handle packets in bursts and let memory arrive meanwhile:
 *
 *   packet_parse()    what the packet is (parse.h)
 *   forward_begin()   find the VIP; a verdict if that already decides
 *   forward_admit()   whether the VIP's access list lets the source in
 *   forward_hash()    the flow's hash
 *   forward_place()   from the flow's hash to its place in the flow table
 *   forward_probe()   look for the flow in its first bucket
 *   forward_finish()  the backend: of the flow, in the second bucket or the elder table too, or a new one; writes
 *                     the frame's MAC addresses
 *   forward_sample()  if forward_is_sampled(): whether that is the backend that hashing would give
 *
 * and for the rest
 *
 *   forward_other()   what is no flow's packet
 *   forward_error()   an ICMP error, once packet_parse_quote() has said what it is about
 *
 * What is wrong with a packet is judged in this order: its IP header is none; it is not for a VIP's address, and so
 * the kernel's, as it is; the VIP is not active here; the frame is another host's; then its fault (parse.h): length,
 * checksum, source, extension headers, fragments, transport header, ICMP, port 0; then, that no VIP has its port.
 * All of that holds for every packet, one of an established flow too. Only that its source is another VIP is looked
 * for where there is no flow yet.
 *
 * burst.h drives them for memory bodies. Counts what happened on the way (EVENT counters, new flows);
 * the VERDICT counter is the body's to count once it has done what the verdict says, together with
 * forward_account().
 */
#ifndef SHUNT_FORWARD_H
#define SHUNT_FORWARD_H

#include "access.h"
#include "answer.h"
#include "flow_search.h"
#include "flow_table.h"
#include "hash.h"
#include "parse.h"
#include "snapshot.h"
#include "sources.h"
#include "tables.h"
#include "types.h"
#include "verdicts.h"
#include "vip.h"

struct verdict {
	__u8 action;  /* enum action */
	__u8 counter; /* enum counter, of class VERDICT */
	__u16 port;   /* ACTION_TO_BACKEND: index of the port to transmit on */
	__u16 vip;    /* ACTION_TO_BACKEND: ids */
	__u16 backend;
};

/* What a packet says of its flow's state, beside TCP's flags. */
#define SIGNAL_UDP 0x80
#define SIGNAL_TCP (TCP_SYN | TCP_FIN | TCP_RST | TCP_ACK)

/* A flow's packet between the steps. */
struct lookup {
	const struct snapshot_vip *vip;
	__u64 hash;
	struct flow_place place;
	struct addr src;
	__u32 vip_index; /* of vip in the VIP index */
	int index;	 /* of the word in the first bucket, or -1 */
	__u8 signal; /* SIGNAL_UDP, or TCP's SYN, FIN, RST and ACK flags */
};

core_inline void verdict_set(struct verdict *v, __u32 action, __u32 counter)
{
	*v = (struct verdict){ .action = (__u8)action, .counter = (__u8)counter };
}

/* The 32 bits of a flow's hash that choose its slot: of both halves, as the buckets use them singly. */
core_inline __u32 flow_slot_hash(__u64 hash)
{
	return (__u32)(hash ^ hash >> 32);
}

/* Index into the slots of the flow's hash slot; vip->slot_count > 0. */
core_inline __u32 forward_hash_slot(const struct snapshot_vip *vip, __u32 slot_hash)
{
	return vip->slot_first + core_range(slot_hash, vip->slot_count);
}

core_inline __u32 vip_scheduler(const struct snapshot_vip *vip)
{
	return vip->flags >> VIP_SCHED_SHIFT & 3;
}

/* Whether the frame is addressed to the port it came in by. */
core_inline int forward_is_ours(const struct tables *t, const struct frame *f)
{
	const struct eth_header *eth = (const struct eth_header *)frame_at(f, 0, sizeof(*eth));
	const struct snapshot_port *port = tables_port(t, f->port);

	return eth && port && mac_equal(&eth->dst, &port->mac);
}

/* What a flow's packet says of the flow's state. */
core_inline __u8 packet_signal(const struct packet *p)
{
	return p->proto == PROTO_TCP ? p->tcp_flags & SIGNAL_TCP : SIGNAL_UDP;
}

enum match {
	MATCH_VERDICT, /* *v says it all */
	MATCH_FLOW,    /* a packet of a VIP's flow */
	MATCH_OTHER,   /* none: forward_other() goes on with it */
	MATCH_ERROR,   /* an ICMP error for a VIP: packet_parse_quote(), forward_error() */
};

/* p: the frame, parsed. MATCH_FLOW: *l is begun. MATCH_VERDICT, or MATCH_OTHER: forward_other() says more. */
core_inline enum match forward_match(
	const struct tables *t, const struct frame *f, const struct packet *p, struct lookup *l, struct verdict *v)
{
	if (core_unlikely(!tables_header(t))) {
		verdict_set(v, ACTION_TO_KERNEL, COUNTER_TO_KERNEL);
		return MATCH_VERDICT;
	}
	if (core_unlikely(p->kind != PACKET_FLOW))
		return MATCH_OTHER;
	l->vip = vip_lookup_at(t, p->dst, p->dport, p->proto, &l->vip_index);
	if (core_unlikely(!l->vip))
		return MATCH_OTHER;
	if (core_unlikely(!(l->vip->flags & VIP_ACTIVE))) {
		verdict_set(v, ACTION_DROP, COUNTER_DROP_INACTIVE);
		return MATCH_VERDICT;
	}
	if (core_unlikely(!forward_is_ours(t, f))) {
		verdict_set(v, ACTION_DROP, COUNTER_DROP_OTHER_MAC);
		return MATCH_VERDICT;
	}
	l->src = p->src;
	l->signal = packet_signal(p);
	return MATCH_FLOW;
}

/*
 * Whether what the VIP's access list says of a source (access_look_up()) lets a packet in: counts it, and returns 1, or
 * 0 with the verdict.
 */
core_inline int forward_admitted(const struct tables *t, const struct snapshot_vip *vip, __u32 result, struct verdict *v)
{
	__u32 counter = access_count(t, vip->vip, result);

	if (core_likely(counter == COUNTER_FORWARDED))
		return 1;
	verdict_set(v, ACTION_DROP, counter);
	return 0;
}

/*
 * Whether the VIP lets the flow's packet in, of whatever flow: one that is under way is cut when its source is kept
 * out. Returns 1, or 0 with the verdict.
 */
core_inline int forward_admit(const struct tables *t, const struct lookup *l, struct verdict *v)
{
	const struct snapshot_access *list;

	if (core_likely(!(l->vip->flags & VIP_ACCESS)))
		return 1;
	list = access_list(t, l->vip->vip);
	return !list || forward_admitted(t, l->vip, access_look_up(t, list, l->src), v);
}

/* The flow's hash, for a body that handles one packet at a time; burst.h computes many at once. */
core_inline void forward_hash(const struct tables *t, const struct packet *p, struct lookup *l)
{
	l->hash = flow_hash(tables_header(t)->hash_key, p->src, p->dst, p->sport, p->dport, p->proto);
}

/* l->hash: set. */
core_inline void forward_place(const struct tables *t, struct lookup *l)
{
	l->place = flow_place(l->hash, l->vip->vip, tables_n_buckets(t));
}

/* Then look in the first bucket. Returns whether the flow was found there. */
core_inline int forward_probe(const struct tables *t, struct lookup *l)
{
	const struct flow_bucket *bucket;

	l->index = -1;
	if (core_unlikely(!tables_n_buckets(t)))
		return 0;
	bucket = tables_bucket(t, l->place.bucket[0]);
	if (bucket)
		l->index = flow_bucket_find(bucket, l->place.tag);
	return l->index >= 0;
}

/* Whether a packet begins a TCP connection. */
core_inline int lookup_is_syn(const struct lookup *l)
{
	return (l->signal & ~TCP_FIN) == TCP_SYN;
}

/* Whether it may be a flow's first packet: each datagram may. */
core_inline int lookup_begins(const struct lookup *l)
{
	return l->signal == SIGNAL_UDP || lookup_is_syn(l);
}

/* State of a flow in the given state after a packet of it. */
core_inline __u32 flow_next_state(__u32 state, const struct lookup *l)
{
	if (core_likely(l->signal == TCP_ACK))
		/* Data behind a reset: it was not the server's to heed. Behind a FIN: the client still reads. */
		return state == FLOW_FIN ? FLOW_FIN : FLOW_ESTABLISHED;
	if (l->signal == SIGNAL_UDP)
		return FLOW_UDP;
	if (l->signal & TCP_RST)
		return FLOW_RESET;
	if (l->signal & TCP_FIN)
		return FLOW_FIN;
	if (lookup_is_syn(l))
		return state;
	return state == FLOW_FIN ? FLOW_FIN : FLOW_ESTABLISHED;
}

/* State a flow starts in with this packet, or FLOW_NONE if the packet begins none. */
core_inline __u32 flow_first_state(const struct lookup *l)
{
	if (l->signal == SIGNAL_UDP)
		return FLOW_UDP_NEW;
	return l->signal & (TCP_RST | TCP_FIN) ? FLOW_NONE : FLOW_SYN;
}

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

/* Whether nothing about a word but its backend differs from what this packet would make of it. */
core_inline int flow_word_stays(__u64 word, const struct lookup *l, __u32 tick)
{
	__u32 state = l->signal == TCP_ACK ? FLOW_ESTABLISHED : l->signal == SIGNAL_UDP ? FLOW_UDP : FLOW_NONE;
	__u64 backend = 0xffffULL << FLOW_BACKEND_SHIFT;

	return state != FLOW_NONE && ((word ^ flow_word(l->place.tag, 0, state, tick)) & ~backend) == 0;
}

/*
 * Whether a flow leaves its backend, which may be sent packets, with this packet. again: a SYN of a half-open
 * flow, the client's next try, and ours; a flow past its handshake has something to lose and stays whatever the
 * packet says. UDP has no such sign and nothing to lose: it leaves a backend that is down, not one that is only
 * suspect, for any that is up. A backend that is not of the VIP's pool any more is no better than down.
 */
core_inline int forward_leaves(const struct lookup *l, const struct snapshot_backend *backend, int again)
{
	if (!(backend->flags & BACKEND_UP) || backend->pool != l->vip->pool)
		return again || (l->signal == SIGNAL_UDP && l->vip->slot_count);
	return again && backend->flags & BACKEND_SUSPECT && l->vip->slot_count;
}

/* A packet of a flow whose alive word is at this place. */
core_inline void forward_known(const struct tables *t, const struct frame *f, const struct lookup *l, __u64 *place,
	__u64 word, struct verdict *v)
{
	__u32 id = flow_word_backend(word), was = flow_word_state(word), state;
	const struct snapshot_backend *backend = forward_any_backend(t, id);
	int syn = lookup_is_syn(l);
	int closing = was == FLOW_FIN || was == FLOW_RESET;
	int again = syn && was == FLOW_SYN;

	state = flow_next_state(was, l);
	/* A SYN on a closing flow is a new connection from the same port. */
	if (core_likely(backend && !(syn && closing) && !forward_leaves(l, backend, again))) {
		__u64 now = flow_word(l->place.tag, id, state, tables_tick(t));

		/* Where another worker was faster, what it saw is what counts. */
		if (now != word) {
			if (__sync_val_compare_and_swap(place, word, now) == word)
				flow_count_change(t, word, now);
			else
				state = FLOW_NONE;
		}
		if (was == FLOW_SYN)
			forward_count_answer(t, id, syn, state);
		tables_count(t, COUNTER_FLOW_HIT);
		forward_rewrite(f, l, backend, id, v);
		return;
	}
	if (again)
		forward_count_answer(t, id, syn, state);
	if (!(syn && closing) && l->vip->slot_count) {
		tables_count(t, COUNTER_FLOW_MOVED);
		if (again)
			tables_count(t, COUNTER_FLOW_RETRIED);
	}
	forward_new(t, f, l, place, word, syn ? FLOW_SYN : state, v);
}

/*
 * The same pointer. The BPF compiler then tests it where the code does, not once more what it depended on: only that
 * tells the verifier whether it is NULL.
 */
core_inline __u64 *flow_settled(__u64 *place)
{
#ifdef __bpf__
	__asm__ volatile("" : "+r"(place));
#endif
	return place;
}

/* Where the elder table has the flow's word, and what it says, if it is alive; or NULL. */
core_inline __u64 *flow_find_elder(const struct tables *t, const struct lookup *l, __u64 *word)
{
	struct flow_place place = flow_place(l->hash, l->vip->vip, tables_n_elder_buckets(t));

	core_unroll
	for (int i = 0; i < 2; i++) {
		struct flow_bucket *bucket = tables_elder_bucket(t, place.bucket[i]);
		int index = bucket ? flow_bucket_find(bucket, place.tag) : -1;
		__u64 *found;

		if (index < 0)
			continue;
		found = &bucket->word[index & (FLOW_BUCKET_WORDS - 1)];
		*word = *(volatile __u64 *)found;
		if (((*word ^ place.tag) & FLOW_TAG_MASK) == 0 &&
			flow_word_alive(*word, tables_tick(t), tables_header(t)->timeout))
			return found;
	}
	return (void *)0;
}

/* A flow's word: where it is, or NULL, and what it said there. */
struct flow_entry {
	__u64 *place;
	__u64 word;
};

/*
 * A flow that the table hasn't, or has only a dead word of, at this place, may be in the elder one, of another
 * capacity, that was in use before. Then its word moves over; where there is no room it stays and is used where it
 * is. It is entered before it is taken from the elder, so that no worker finds it in neither, and who enters it
 * but is too late to take it withdraws. A SYN takes nothing away and enters a flow in the same state: it may be of
 * another flow than the word, with the same fingerprint; and one of a flow that has ended begins anew. Returns
 * where the flow's alive word is, or place NULL.
 */
core_inline struct flow_entry flow_inherit(const struct tables *t, const struct lookup *l, __u64 *at, __u64 dead)
{
	int syn = lookup_is_syn(l);
	struct flow_entry e;
	__u64 word, *from = flow_settled(flow_find_elder(t, l, &word));

	if (from && !(syn && flow_word_is_closing(word))) {
		e.word = word;
		e.place = flow_settled(flow_enter(t, &l->place, at, dead, e.word));
		if (!e.place)
			return (struct flow_entry){ from, word };
		if (syn || flow_take_out(t, from, word)) {
			tables_count(t, COUNTER_FLOW_CARRIED);
			return e;
		}
		flow_take_out(t, e.place, e.word);
	}
	/* Another worker may have moved it since this one looked, or be using it where it is. */
	e.place = flow_find(t, &l->place, -1, &e.word);
	if (!e.place || !flow_word_alive(e.word, tables_tick(t), tables_header(t)->timeout))
		e.place = from && !syn ? flow_settled(flow_find_elder(t, l, &e.word)) : (void *)0;
	return e;
}

/*
 * A packet of a flow that the table has no alive word of: place and word of a dead one, or NULL and 0. Whether its
 * source is another VIP, which sends nothing here, is asked only now: flows of such never come to be.
 */
core_apart void forward_miss(const struct tables *t, const struct frame *f, const struct lookup *l, __u64 *place,
	__u64 word, struct verdict *v)
{
	__u32 state;

	if (core_unlikely(tables_n_elder_buckets(t))) {
		struct flow_entry e = flow_inherit(t, l, place, word);

		if (e.place) {
			forward_known(t, f, l, e.place, e.word, v);
			return;
		}
	}
	if (core_unlikely(vip_find_address(t, l->src) != 0)) {
		verdict_set(v, ACTION_DROP, COUNTER_DROP_LAND);
		return;
	}
	if (l->signal != SIGNAL_UDP && !lookup_is_syn(l))
		tables_count(t, COUNTER_FLOW_STRAY);
	state = flow_first_state(l);
	if (lookup_is_syn(l) && forward_is_over_bound(t, l->vip))
		state = FLOW_OVER_BOUND;
	forward_new(t, f, l, place, word, state, v);
}

/* Whether the packet's flow is under way: a SYN on a closing one begins another. */
core_inline int forward_is_known(const struct tables *t, const struct lookup *l)
{
	__u64 word, *place = flow_find(t, &l->place, -1, &word);

	if (!place || !flow_word_alive(word, tables_tick(t), tables_header(t)->timeout))
		place = tables_n_elder_buckets(t) ? flow_settled(flow_find_elder(t, l, &word)) : (void *)0;
	return place && !(lookup_is_syn(l) && flow_word_is_closing(word));
}

/* Whether there is anything to ask forward_is_over_rate(). */
core_inline int forward_is_limited(const struct lookup *l)
{
	return l->vip->flags & VIP_RATE && l->vip->slot_count && lookup_begins(l);
}

/*
 * Whether a packet begins a flow and is beyond what its source may begin; if so, *v is its verdict. What is not let in
 * has no entry, so each of its packets that could be a flow's first is judged anew. A UDP packet for which there is no
 * room in the flow table may well be of a flow that was let in: it goes by hash, as without a limit.
 */
core_apart int forward_is_over_rate(const struct tables *t, const struct lookup *l, struct verdict *v)
{
	const struct snapshot_policy *policy = tables_policy(t, l->vip->vip);
	struct stats_guard *guard;

	if (!policy || forward_is_known(t, l) ||
		source_allows(t, l->src, l->vip->vip, policy->source_interval, policy->source_tolerance) ||
		(l->signal == SIGNAL_UDP && !flow_has_room(t, &l->place)))
		return 0;
	guard = tables_guard(t, l->vip->vip);
	if (guard)
		guard->limited++;
	verdict_set(v, ACTION_DROP, COUNTER_DROP_SOURCE_RATE);
	return 1;
}

/*
 * At last the verdict on a flow's packet, and the frame's new MAC addresses. For a body that has asked
 * forward_is_over_rate() itself.
 */
core_inline void forward_settle(const struct tables *t, const struct frame *f, const struct lookup *l,
	struct verdict *v)
{
	__u32 tick = tables_tick(t);
	__u64 word, *place = flow_find(t, &l->place, l->index, &word);

	/* Most packets: of an established flow that had one in this tick already. */
	if (core_likely(flow_word_stays(word, l, tick))) {
		const struct snapshot_backend *backend = forward_backend(t, l->vip, flow_word_backend(word));

		if (core_likely(backend && backend->flags & BACKEND_UP)) {
			tables_count(t, COUNTER_FLOW_HIT);
			forward_rewrite(f, l, backend, flow_word_backend(word), v);
			return;
		}
	}
	/* Without a place there is no word that could be alive, which older verifiers can't follow. */
	if (core_likely(place && flow_word_alive(word, tick, tables_header(t)->timeout)))
		forward_known(t, f, l, place, word, v);
	else
		forward_miss(t, f, l, place, word, v);
}

/* The same for one that has not. */
core_inline void forward_finish(const struct tables *t, const struct frame *f, const struct lookup *l,
	struct verdict *v)
{
	if (core_likely(!forward_is_limited(l)) || !forward_is_over_rate(t, l, v))
		forward_settle(t, f, l, v);
}

/*
 * Of the packets that a worker receives, one of each SAMPLE_EVERY is of the sample; which, by a hash of their
 * number (Knuth, The Art of Computer Programming 3, 6.4), so that no traffic keeps step with it.
 */
#define SAMPLE_SHIFT 6
#define SAMPLE_EVERY (1u << SAMPLE_SHIFT)

/* Number of the one of this group: packets from group * SAMPLE_EVERY on. */
core_inline __u64 forward_sampled(__u64 group)
{
	return (group << SAMPLE_SHIFT) + (group * 0x9e3779b97f4a7c15ULL >> (64 - SAMPLE_SHIFT));
}

/* Whether the packet now in hand, the first that is not counted yet, is of the sample. */
core_inline int forward_is_sampled(const struct tables *t)
{
	return forward_sampled(tables_received(t) >> SAMPLE_SHIFT) == tables_received(t);
}

/*
 * For a packet of the sample, after forward_finish(): estimate how many of the VIP's packets go to another backend
 * than hashing alone would send them to, which is what the flow table is worth. l->src: as for forward_finish().
 */
core_cold void forward_sample(const struct tables *t, const struct lookup *l, const struct verdict *v)
{
	struct stats_guard *guard;

	if (v->action != ACTION_TO_BACKEND || (l->vip->slot_count && v->backend == forward_by_hash(t, l)))
		return;
	guard = tables_guard(t, v->vip);
	if (guard)
		guard->elsewhere += SAMPLE_EVERY;
}

/* Count a packet that was sent to a backend: VIP's and backend's packets and bytes. */
core_inline void forward_account(const struct tables *t, const struct verdict *v, __u32 len)
{
	struct stats_traffic *vip = tables_vip_stats(t, v->vip), *backend = tables_backend_stats(t, v->backend);

	if (vip) {
		vip->packets++;
		vip->bytes += len;
	}
	if (backend) {
		backend->packets++;
		backend->bytes += len;
	}
}

#endif
