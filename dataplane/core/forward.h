/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The verdict on a packet: VIP look-up, flow look-up or a new flow by the pool's scheduler, Ethernet
 * rewrite. In steps, so that a body can handle packets in bursts and let memory arrive meanwhile:
 *
 *   packet_parse()    what the packet is (parse.h)
 *   forward_begin()   find the VIP; a verdict if that already decides (forward_other.h)
 *   forward_admit()   whether the VIP's access list lets the source in
 *   forward_hash()    the flow's hash (lookup.h, like the next two)
 *   forward_place()   from the flow's hash to its place in the flow table
 *   forward_probe()   look for the flow in its first bucket
 *   forward_finish()  the backend: of the flow, in the second bucket or the elder table too, or a new one
 *                     (forward_new.h); writes the frame's MAC addresses
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
#include "forward_new.h"
#include "lookup.h"
#include "sources.h"
#include "vip.h"

/* Whether the frame is addressed to the port it came in by. */
core_inline int forward_is_ours(const struct tables *t, const struct frame *f)
{
	const struct eth_header *eth = (const struct eth_header *)frame_at(f, 0, sizeof(*eth));
	const struct snapshot_port *port = tables_port(t, f->port);

	return eth && port && mac_equal(&eth->dst, &port->mac);
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
#define SAMPLE_SHIFT 8
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
