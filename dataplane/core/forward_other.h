/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The verdict on what is no flow's packet: ARP, neighbour discovery, pings and ICMP errors for a VIP, what is faulty,
 * and all that is for no VIP. forward_begin() leads there.
 */
#ifndef SHUNT_FORWARD_OTHER_H
#define SHUNT_FORWARD_OTHER_H

#include "forward.h"
#include "neighbour.h"
#include "quote.h"
#include "rate.h"

/* Whether one more ping is answered now. */
core_inline int forward_echoes(const struct tables *t)
{
	const struct snapshot_header *h = tables_header(t);
	__u32 *due = tables_echo_due(t);

	return !h->echo_interval || !due || rate_allows(due, tables_now(t), h->echo_interval, h->echo_tolerance);
}

/* A ping, or, by its protocol, a later fragment of one, which is answered by itself. */
core_inline int forward_is_ping(const struct packet *p)
{
	return p->kind == PACKET_ECHO ||
	       (p->kind == PACKET_FRAGMENT && p->proto == (addr_is_ipv4(p->dst) ? PROTO_ICMP : PROTO_ICMPV6));
}

/*
 * The verdict on one. None from a VIP is answered: the answer might come back. A later fragment looks as one of an
 * answer does, so whoever sent it may answer it, too: it is sent back with one hop less, and not at all without any.
 */
core_inline void forward_ping(
	const struct tables *t, const struct frame *f, const struct packet *p, struct verdict *v)
{
	if (vip_find_address(t, p->src))
		verdict_set(v, ACTION_DROP, COUNTER_DROP_LAND);
	else if (p->kind == PACKET_FRAGMENT && answer_hops(f, p) < 2)
		verdict_set(v, ACTION_DROP, COUNTER_DROP_FRAGMENT);
	else if (!forward_echoes(t))
		verdict_set(v, ACTION_DROP, COUNTER_DROP_ECHO_RATE);
	else
		verdict_set(v, ACTION_ANSWER_ECHO, COUNTER_ANSWERED_ECHO);
}

/* Another later fragment, which has no ports: held, as far as it alone can say; fragment_resolve() has the last word. */
core_inline void forward_later(const struct packet *p, struct verdict *v)
{
	if (p->proto == PROTO_TCP || p->proto == PROTO_UDP || (!addr_is_ipv4(p->dst) && parse_is_extension(p->proto)))
		verdict_set(v, ACTION_HOLD, COUNTER_HELD_FRAGMENT);
	else
		verdict_set(v, ACTION_DROP, COUNTER_DROP_FRAGMENT);
}

/*
 * What isn't a flow's packet: answered or dropped if for a VIP's address, else the kernel's, whatever is wrong with
 * it. MATCH_VERDICT or MATCH_ERROR.
 */
core_apart enum match forward_other(
	const struct tables *t, const struct frame *f, const struct packet *p, struct verdict *v)
{
	const struct snapshot_vip *address;

	verdict_set(v, ACTION_TO_KERNEL, COUNTER_TO_KERNEL);
	if (p->kind == PACKET_NOT_IP)
		return MATCH_VERDICT;
	if (p->kind == PACKET_MALFORMED) {
		verdict_set(v, ACTION_DROP, COUNTER_DROP_MALFORMED);
		return MATCH_VERDICT;
	}
	if (p->kind == PACKET_ARP || p->kind == PACKET_ND || p->kind == PACKET_NA) {
		__u32 action = neighbour_action(t, f, p);

		if (action == ACTION_ANSWER_ARP)
			verdict_set(v, ACTION_ANSWER_ARP, COUNTER_ANSWERED_ARP);
		else if (action == ACTION_ANSWER_ND)
			verdict_set(v, ACTION_ANSWER_ND, COUNTER_ANSWERED_ND);
		return MATCH_VERDICT;
	}
	address = vip_find_address(t, p->dst);
	if (!address)
		return MATCH_VERDICT;
	if (!(address->flags & VIP_ACTIVE))
		verdict_set(v, ACTION_DROP, COUNTER_DROP_INACTIVE);
	else if (!forward_is_ours(t, f))
		verdict_set(v, ACTION_DROP, COUNTER_DROP_OTHER_MAC);
	else if (p->kind == PACKET_FAULTY)
		verdict_set(v, ACTION_DROP, p->fault);
	else if (forward_is_ping(p))
		forward_ping(t, f, p, v);
	else if (p->kind == PACKET_FRAGMENT)
		forward_later(p, v);
	else if (p->kind == PACKET_ERROR)
		return MATCH_ERROR;
	else
		verdict_set(v, ACTION_DROP, COUNTER_DROP_NO_SERVICE);
	return MATCH_VERDICT;
}

/* Where the flow's alive word is, in either table, and what it says: to look at, not to change. Or NULL. */
core_inline const __u64 *flow_peek(const struct tables *t, const struct lookup *l, __u64 *word)
{
	const __u64 *place = flow_find(t, &l->place, -1, word);

	if (place && flow_word_alive(*word, tables_tick(t), tables_header(t)->timeout))
		return place;
	return tables_n_elder_buckets(t) ? flow_find_elder(t, l, word) : (void *)0;
}

/*
 * The verdict on an ICMP error about a packet that a VIP sent; p: of packet_parse_quote(). To the backend that the
 * flow's packets go to, if it has an entry: else to where they would go by hash. It is no packet of the flow's:
 * the entry stays as it is, and none is made.
 */
core_inline void forward_error(
	const struct tables *t, const struct frame *f, const struct packet *p, struct verdict *v)
{
	const struct snapshot_backend *backend = (void *)0;
	struct lookup l = { .src = p->src };
	__u64 word;
	__u32 id;

	if (p->kind != PACKET_ERROR) {
		verdict_set(v, ACTION_DROP, p->fault);
		return;
	}
	l.vip = vip_lookup_at(t, p->dst, p->dport, p->proto, &l.vip_index);
	if (!l.vip) {
		verdict_set(v, ACTION_DROP, COUNTER_DROP_NO_SERVICE);
		return;
	}
	forward_hash(t, p, &l);
	forward_place(t, &l);
	if (flow_peek(t, &l, &word)) {
		id = flow_word_backend(word);
		backend = forward_any_backend(t, id);
	}
	if (!backend && l.vip->slot_count) {
		id = forward_by_hash(t, &l);
		backend = forward_backend(t, l.vip, id);
	}
	if (!backend) {
		verdict_set(v, ACTION_DROP, COUNTER_DROP_NO_BACKEND);
		return;
	}
	tables_count(t, COUNTER_ICMP_ERROR);
	forward_rewrite(f, &l, backend, id, v);
}

/* The same for a body that handles it in one go; p: of packet_parse(), a copy. */
core_cold void forward_quoted(const struct tables *t, const struct frame *f, struct packet p, struct verdict *v)
{
	packet_parse_quote(f, &p);
	forward_error(t, f, &p, v);
}

/* The same for a body that handles one packet at a time. Returns 1 for a flow's packet, 0 with the verdict. */
core_inline int forward_begin(const struct tables *t, const struct frame *f, const struct packet *p,
	struct lookup *l, struct verdict *v)
{
	enum match match = forward_match(t, f, p, l, v);

	if (match == MATCH_OTHER && forward_other(t, f, p, v) == MATCH_ERROR)
		forward_quoted(t, f, *p, v);
	return match == MATCH_FLOW;
}

#endif
