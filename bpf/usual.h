/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The usual packet, on a short way: untagged IPv4 without options, whole, of TCP or UDP, for a VIP at its home in
 * the index, of a flow that is in its first bucket in the state the packet leaves it in, on a backend that is up.
 * Nothing is decided here that the core's steps would not decide so; what is unusual in any respect is left to
 * them. One look at each thing, and little enough for the verifier to follow that it needs no function of its own.
 */
#ifndef SHUNT_USUAL_H
#define SHUNT_USUAL_H

#include "forward.h"

#define USUAL_L4 (ETH_LEN + sizeof(struct ipv4_header))

/* Fill *p as packet_parse() would, but for what usual_is_odd() tells. Returns 0, or -1 for another kind of packet. */
core_inline int usual_parse(const struct frame *f, struct packet *p)
{
	/* Room for TCP is asked for UDP as well: Ethernet's least frame has it. */
	const __u8 *data = (const __u8 *)frame_at(f, 0, USUAL_L4 + 20);
	const struct eth_header *eth = (const struct eth_header *)data;
	const struct ipv4_header *ip = (const struct ipv4_header *)(data + ETH_LEN);
	const struct parse_ports *ports = (const struct parse_ports *)(data + USUAL_L4);
	__u32 total_len, least;
	__u8 proto;

	if (!data || eth->type != core_be16(ETHERTYPE_IPV4) || ip->version_ihl != 0x45 ||
		ip->frag & core_be16(0x3fff))
		return -1;
	proto = ip->proto;
	if (proto == PROTO_TCP)
		least = sizeof(*ip) + 20;
	else if (proto == PROTO_UDP)
		least = sizeof(*ip) + 8;
	else
		return -1;
	total_len = core_be16(ip->total_len);
	if (total_len < least || total_len > f->len - ETH_LEN)
		return -1;
	if (!parse_ipv4_is_sound(f, ETH_LEN, sizeof(*ip)))
		return -1;
	*p = (struct packet){ .src = addr_from_ipv4(ip->src),
		.dst = addr_from_ipv4(ip->dst),
		.sport = ports->sport,
		.dport = ports->dport,
		.l3 = ETH_LEN,
		.l4 = USUAL_L4,
		.l4_len = (__u16)(total_len - sizeof(*ip)),
		.kind = PACKET_FLOW,
		.proto = proto,
		.tcp_flags = proto == PROTO_TCP ? ((const __u8 *)ports)[13] : 0 };
	return 0;
}

/*
 * Whether such a packet has a source that none may have, or a port 0: which is to be asked of it before an access
 * list is, or it begins a flow. Flows of such there are none.
 */
core_inline int usual_is_odd(const struct packet *p)
{
	return addr_equal(p->src, p->dst) || parse_source_ipv4(addr_to_ipv4(p->src)) || !p->sport || !p->dport;
}

/*
 * The VIP that the packet is for, and its index, if it is active here and the frame addressed to its port; or
 * NULL.
 */
core_inline const struct snapshot_vip *usual_vip(
	const struct tables *t, const struct frame *f, const struct packet *p, __u32 *index)
{
	const struct snapshot_vip *vip;

	*index = vip_home(p->dst, p->dport, p->proto, tables_header(t)->vip_index_size);
	vip = tables_vip(t, *index);
	if (!vip || !vip_entry_matches(vip, p->dst, p->dport, p->proto) || !(vip->flags & VIP_ACTIVE) ||
		!forward_is_ours(t, f))
		return (void *)0;
	return vip;
}

/* The word of the flow, if the packet changes nothing about it; or 0. */
core_inline __u64 usual_word(const struct tables *t, const struct lookup *l)
{
	const struct flow_bucket *bucket = tables_bucket(t, l->place.bucket[0]);
	__u64 word;
	int index;

	if (!bucket)
		return 0;
	index = flow_bucket_find(bucket, l->place.tag);
	if (index < 0)
		return 0;
	word = *(volatile const __u64 *)&bucket->word[index & (FLOW_BUCKET_WORDS - 1)];
	return flow_word_stays(word, l, tables_tick(t)) ? word : 0;
}

/*
 * p: of usual_parse(), vip: of usual_vip(). Returns 1 with *l for usual_forward(); or 0: the packet may change its
 * flow. Nothing is read: the flow's bucket and what an access list has of the source are best asked for one right
 * after the other, as then the processor waits for both at once.
 */
core_inline int usual_place(
	const struct tables *t, const struct packet *p, const struct snapshot_vip *vip, struct lookup *l)
{
	*l = (struct lookup){ .vip = vip, .signal = packet_signal(p) };
	if (!tables_n_buckets(t) || (l->signal != TCP_ACK && l->signal != SIGNAL_UDP))
		return 0;
	forward_hash(t, p, l);
	forward_place(t, l);
	return 1;
}

/* Returns 1 with the verdict, a backend, and the frame's new MAC addresses; or 0 with nothing done or counted. */
core_inline int usual_forward(
	const struct tables *t, const struct frame *f, const struct packet *p, struct lookup *l, struct verdict *v)
{
	const struct snapshot_backend *backend;
	__u64 word = usual_word(t, l);

	if (!word)
		return 0;
	backend = forward_backend(t, l->vip, flow_word_backend(word));
	if (!backend || !(backend->flags & BACKEND_UP))
		return 0;
	tables_count(t, COUNTER_FLOW_HIT);
	forward_rewrite(f, l, backend, flow_word_backend(word), v);
	if (core_unlikely(forward_is_sampled(t))) {
		l->src = p->src;
		forward_sample(t, l, v);
	}
	return 1;
}

#endif
